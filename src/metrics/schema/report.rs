//! What is said of a name.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ENOUGH_VALUES, Generated, MOST_VALUES};
use crate::metrics::time::Moment;

/// What a property's values are, in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    String,
    Number,
    Boolean,
    Object,
    Array,
}

impl ValueType {
    const ALL: [ValueType; 5] = [
        ValueType::String,
        ValueType::Number,
        ValueType::Boolean,
        ValueType::Object,
        ValueType::Array,
    ];

    /// Its bit in a set of types.
    pub fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The types of a set.
    pub fn of_bits(bits: u8) -> Vec<ValueType> {
        let types = ValueType::ALL.into_iter();
        types.filter(|one| bits & one.bit() != 0).collect()
    }
}

/// An event's name, and how much it happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NameFacts {
    /// The name.
    #[schema(example = "purchase")]
    pub event: String,
    /// Events of the last 30 local days, today included.
    pub volume: u64,
    /// Events of all time.
    pub total: u64,
    /// Time of its first event that is kept.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Moment,
    /// Time of its latest event.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Moment,
    /// `volume` by local day, the oldest first.
    pub daily: Vec<u64>,
    /// Whether a program makes this name up: other names differ from it in a number or an id only.
    #[schema(required)]
    pub generated: Option<Generated>,
}

/// A property's name, and what its values are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PropertyFacts {
    /// The name.
    #[schema(example = "plan")]
    pub name: String,
    /// Types of its values, of all time; several where senders do not agree.
    pub types: Vec<ValueType>,
    /// Time of the first event that carries it; null for what capture finds out.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub first_seen: Option<Moment>,
    /// Time of the latest event that carries it.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub last_seen: Option<Moment>,
    /// Names of events that carry it, of all time.
    pub events: u64,
    /// Whether capture finds it out (`$browser`, `$country`, …) and no client sends it.
    pub captured: bool,
    /// How it stands in the sample; null where it was not looked at.
    #[schema(required)]
    pub sample: Option<Share>,
    /// Whether a program makes this name up: other names differ from it in a number or an id only.
    #[schema(required)]
    pub generated: Option<Generated>,
}

/// A property in a sample of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Share {
    /// Events that carry it.
    pub events: u64,
    /// The same, of all that were looked at: 0 to 1.
    pub share: f64,
    /// Distinct values.
    pub distinct: u64,
    /// Whether its values are nearly all different, or very many: a breakdown by it tells little.
    pub high_cardinality: bool,
    /// The most frequent values, by their canonical text. Longer ones than 200 characters are left out.
    pub values: Vec<ValueCount>,
}

/// A value and how often it occurs in the sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ValueCount {
    /// Its canonical text.
    #[schema(example = "pro")]
    pub value: String,
    /// Events of the sample.
    pub count: u64,
}

/// What was looked at for shares and values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SchemaSample, example = json!({"events": 10000, "of": 48211, "sampled": true}))]
pub struct Sample {
    /// Events that were looked at: the newest.
    pub events: u64,
    /// Events that there are.
    pub of: u64,
    /// Whether there are more than were looked at.
    pub sampled: bool,
}

/// Whether a property with so many distinct values in so many events of a sample tells little when broken down by.
pub fn is_high_cardinality(distinct: u64, events: u64) -> bool {
    distinct > MOST_VALUES || (events >= ENOUGH_VALUES && distinct * 10 >= events * 9)
}

impl Share {
    /// A property that `events` of `looked_at` carry.
    pub fn new(events: u64, looked_at: u64, distinct: u64, values: Vec<ValueCount>) -> Share {
        Share {
            events,
            share: events as f64 / looked_at.max(1) as f64,
            distinct,
            high_cardinality: is_high_cardinality(distinct, events),
            values,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_high_cardinality_and_plans_and_small_samples_are_not() {
        assert!(is_high_cardinality(100, 100));
        assert!(is_high_cardinality(90, 100));
        assert!(!is_high_cardinality(89, 100));
        assert!(!is_high_cardinality(99, 99), "too few to say");
        assert!(is_high_cardinality(1_001, 10_000));
        assert!(!is_high_cardinality(1_000, 10_000));
    }

    #[test]
    fn types_are_a_set_of_bits() {
        let set = ValueType::Number.bit() | ValueType::String.bit();
        assert_eq!(ValueType::of_bits(set), [ValueType::String, ValueType::Number]);
        assert_eq!(ValueType::of_bits(0), []);
    }
}
