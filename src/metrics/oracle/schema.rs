//! The schema, naively: every event is looked at for every name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::first_copies;
use crate::event::{Event, Zone};
use crate::metrics::filter::{COLUMNS, PersonProperties, Property, canonical, column_of, value_of};
use crate::metrics::schema::{
    GENERATED, Generated, MAX_VALUE_CHARS, NameFacts, PropertyFacts, SAMPLE, Sample, Share, TOP_VALUES,
    VOLUME_DAYS, ValueCount, ValueType, pattern_of,
};
use crate::metrics::time::Moment;

/// The members that say something of the person: the first three hold properties.
const OF_PERSON: [&str; 4] = ["$set", "$set_once", "$add", "$unset"];

/// Every event's name, in order of names.
pub fn schema_names(zone: &Zone, now_ms: i64, events: &[Event]) -> Vec<NameFacts> {
    let events = first_copies(events);
    let names: BTreeSet<&str> = events.iter().map(|event| event.event.as_str()).collect();
    let today = zone.local_day(now_ms);
    let facts = names.iter().map(|name| {
        let own: Vec<&&Event> = events.iter().filter(|event| event.event == *name).collect();
        let mut daily = Vec::new();
        for ago in (0..VOLUME_DAYS).rev() {
            let day = today.plus(-ago);
            // A date that never was has no day.
            if zone.day_start(day) == zone.day_start(day.plus(1)) {
                continue;
            }
            let of_day = own.iter().filter(|event| zone.local_day(event.ts) == day);
            daily.push(of_day.count() as u64);
        }
        NameFacts {
            event: (*name).to_owned(),
            volume: daily.iter().sum(),
            total: own.len() as u64,
            first_seen: Moment(own.iter().map(|event| event.ts).min().unwrap_or(0)),
            last_seen: Moment(own.iter().map(|event| event.ts).max().unwrap_or(0)),
            daily,
            generated: generated(name, &names),
        }
    });
    facts.collect()
}

/// The properties of events (of one name, for `Some`) or of persons, in order of names, and what they were counted in.
pub fn schema_properties(
    events: &[Event],
    of_persons: bool,
    event: Option<&str>,
) -> (Vec<PropertyFacts>, Sample) {
    let events = first_copies(events);
    let named: Vec<&Event> = events
        .iter()
        .filter(|one| event.is_none_or(|event| one.event == event))
        .copied()
        .collect();
    let mut carried: BTreeMap<String, Vec<(&Event, Value)>> = BTreeMap::new();
    for event in &named {
        for (name, value) in members(event, of_persons) {
            carried.entry(name).or_default().push((event, value));
        }
    }
    let sampled = sample(&named, of_persons);
    let looked_at = sampled.len() as u64;
    let mut names: BTreeSet<String> = carried.keys().cloned().collect();
    if !of_persons {
        let columns = COLUMNS.iter().map(|name| format!("${name}"));
        names.extend(columns.filter(|name| sampled.iter().any(|event| column(event, name).is_some())));
    }
    let all: BTreeSet<&str> = carried.keys().map(String::as_str).collect();
    let facts = names.iter().map(|name| {
        let captured = !of_persons && column_of(name).is_some();
        let own = carried.get(name).map(Vec::as_slice).unwrap_or_default();
        let times: Vec<i64> = own.iter().map(|(event, _)| event.ts).collect();
        let types: BTreeSet<ValueType> = match name.as_str() {
            "$amount" if captured => [ValueType::Number].into(),
            _ if captured => [ValueType::String].into(),
            _ => own.iter().map(|(_, value)| type_of(value)).collect(),
        };
        let carriers: BTreeSet<&str> = own.iter().map(|(event, _)| event.event.as_str()).collect();
        PropertyFacts {
            name: name.clone(),
            types: types.into_iter().collect(),
            first_seen: times.iter().min().copied().map(Moment),
            last_seen: times.iter().max().copied().map(Moment),
            events: carriers.len() as u64,
            captured,
            sample: share(name, &sampled, of_persons, captured),
            generated: if captured { None } else { generated(name, &all) },
        }
    });
    let of = match of_persons {
        true => looked_at,
        false => named.len() as u64,
    };
    let told = Sample {
        events: looked_at,
        of,
        sampled: of > looked_at,
    };
    (facts.collect(), told)
}

fn column(event: &Event, name: &str) -> Option<String> {
    let property = Property::Event(name.to_owned());
    value_of(&property, event, &PersonProperties::default())
}

/// What an event says that is not null; under the names of columns nothing.
fn members(event: &Event, of_persons: bool) -> Vec<(String, Value)> {
    let props: Map<String, Value> = serde_json::from_str(&event.props).unwrap_or_default();
    let mut found = Vec::new();
    if of_persons {
        for member in &OF_PERSON[..3] {
            let object = props.get(*member).and_then(Value::as_object);
            found.extend(
                object
                    .into_iter()
                    .flatten()
                    .map(|(name, value)| (name.clone(), value.clone())),
            );
        }
    } else {
        let own = props.into_iter();
        found
            .extend(own.filter(|(name, _)| !OF_PERSON.contains(&name.as_str()) && column_of(name).is_none()));
    }
    found.retain(|(_, value)| !value.is_null());
    found
}

/// The newest events, of persons only those that may set something.
fn sample<'a>(events: &[&'a Event], of_persons: bool) -> Vec<&'a Event> {
    let mut newest: Vec<&Event> = events.to_vec();
    if of_persons {
        newest.retain(|event| !members(event, true).is_empty());
    }
    newest.sort_by_key(|event| std::cmp::Reverse((event.ts, event.seq, event.id)));
    newest.truncate(SAMPLE as usize);
    newest
}

fn share(name: &str, sampled: &[&Event], of_persons: bool, captured: bool) -> Option<Share> {
    let mut values: BTreeMap<String, u64> = BTreeMap::new();
    for event in sampled {
        let texts: Vec<String> = match captured {
            true => column(event, name).into_iter().collect(),
            false => members(event, of_persons)
                .into_iter()
                .filter(|(own, _)| own == name)
                .filter_map(|(_, value)| canonical(&value))
                .collect(),
        };
        for text in texts {
            *values.entry(text).or_default() += 1;
        }
    }
    let events: u64 = values.values().sum();
    let distinct = values.len() as u64;
    let mut top: Vec<ValueCount> = values
        .into_iter()
        .filter(|(value, _)| value.chars().count() <= MAX_VALUE_CHARS)
        .map(|(value, count)| ValueCount { value, count })
        .collect();
    top.sort_by(|one, other| {
        other
            .count
            .cmp(&one.count)
            .then_with(|| one.value.cmp(&other.value))
    });
    top.truncate(TOP_VALUES as usize);
    (events > 0).then(|| Share::new(events, sampled.len() as u64, distinct, top))
}

fn type_of(value: &Value) -> ValueType {
    match value {
        Value::Bool(_) => ValueType::Boolean,
        Value::Number(_) => ValueType::Number,
        Value::Object(_) => ValueType::Object,
        Value::Array(_) => ValueType::Array,
        Value::String(_) | Value::Null => ValueType::String,
    }
}

fn generated(name: &str, names: &BTreeSet<&str>) -> Option<Generated> {
    let pattern = pattern_of(name)?;
    let alike = names
        .iter()
        .filter(|other| pattern_of(other).as_ref() == Some(&pattern));
    let names = alike.count();
    (names >= GENERATED).then_some(Generated {
        pattern,
        names: names as u64,
    })
}
