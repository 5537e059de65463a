//! The tests of a filter, on canonical texts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::pattern::Pattern;
use super::text::number_of;
use super::time::{Moment, moment_of};
use crate::event::{Day, Zone};

/// A number that is neither infinite nor undefined.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Finite(f64);

// Without NaN a number equals itself.
impl Eq for Finite {}

impl Finite {
    /// The number, if it is finite.
    pub fn new(number: f64) -> Option<Finite> {
        number.is_finite().then_some(Finite(number))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// A moment to compare with, and what it means for dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Instant {
    /// UTC milliseconds.
    pub at_ms: i64,
    /// The last date whose first instant in the project's zone lies before it.
    #[schema(value_type = String, format = Date)]
    pub before: Day,
    /// The last date whose first instant lies before it or is it.
    #[schema(value_type = String, format = Date)]
    pub until: Day,
}

impl Instant {
    /// The instant `at_ms` as a zone's dates see it.
    pub(super) fn new(at_ms: i64, zone: &Zone) -> Instant {
        // The first instants of dates ascend, so one date on each side says which dates are earlier.
        Instant {
            at_ms,
            before: zone.local_day(at_ms - 1),
            until: zone.local_day(at_ms),
        }
    }
}

/// What is asked of a value. Texts to compare with are canonical.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Equal.
    Is(String),
    /// Not equal, or missing.
    IsNot(String),
    /// The text occurs in it.
    Contains(String),
    /// The text does not occur in it, or it is missing.
    NotContains(String),
    /// It begins with the text.
    StartsWith(String),
    /// It ends with the text.
    EndsWith(String),
    /// The pattern occurs in it.
    Matches {
        /// As it was written.
        #[schema(value_type = String)]
        pattern: Pattern,
    },
    /// A greater number.
    Gt(Finite),
    /// A greater or equal number.
    Gte(Finite),
    /// A smaller number.
    Lt(Finite),
    /// A smaller or equal number.
    Lte(Finite),
    /// A number from the first to the second, both included.
    Between {
        /// The smallest that passes.
        low: Finite,
        /// The largest that passes.
        high: Finite,
    },
    /// One of the texts.
    In(Vec<String>),
    /// None of the texts, or missing.
    NotIn(Vec<String>),
    /// Neither missing nor null.
    IsSet,
    /// Missing or null.
    IsNotSet,
    /// An earlier moment.
    Before(Instant),
    /// A later moment.
    After(Instant),
}

impl Test {
    /// Whether it holds of a value's canonical text; `None` is missing or null.
    pub fn holds(&self, value: Option<&str>) -> bool {
        let Some(value) = value else {
            return self.holds_of_missing();
        };
        let number = |test: &dyn Fn(f64) -> bool| number_of(value).is_some_and(test);
        match self {
            Test::Is(text) => value == text,
            Test::IsNot(text) => value != text,
            Test::Contains(text) => value.contains(text.as_str()),
            Test::NotContains(text) => !value.contains(text.as_str()),
            Test::StartsWith(text) => value.starts_with(text.as_str()),
            Test::EndsWith(text) => value.ends_with(text.as_str()),
            Test::Matches { pattern } => pattern.is_in(value),
            Test::Gt(than) => number(&|number| number > than.0),
            Test::Gte(than) => number(&|number| number >= than.0),
            Test::Lt(than) => number(&|number| number < than.0),
            Test::Lte(than) => number(&|number| number <= than.0),
            Test::Between { low, high } => number(&|number| low.0 <= number && number <= high.0),
            Test::In(texts) => texts.iter().any(|text| value == text),
            Test::NotIn(texts) => texts.iter().all(|text| value != text),
            Test::IsSet => true,
            Test::IsNotSet => false,
            Test::Before(moment) => match moment_of(value) {
                Some(Moment::Instant(at)) => at < moment.at_ms,
                Some(Moment::Date(day)) => day <= moment.before,
                None => false,
            },
            Test::After(moment) => match moment_of(value) {
                Some(Moment::Instant(at)) => at > moment.at_ms,
                Some(Moment::Date(day)) => day > moment.until,
                None => false,
            },
        }
    }

    /// Whether it holds of what is missing or null.
    pub fn holds_of_missing(&self) -> bool {
        matches!(
            self,
            Test::IsNot(_) | Test::NotContains(_) | Test::NotIn(_) | Test::IsNotSet
        )
    }
}
