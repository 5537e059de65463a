//! Which events a question is about: a tree of and/or over properties, the same for every kind of question.
//!
//! Values are compared by their *canonical text* ([`canonical`]): the number 1, the number 1.0 and the text `1` are
//! equal, `true` is the text `true`, and case matters. The empty text is a value. What is missing or null is
//! equal to nothing: only `is_not`, `not_contains`, `not_in` and `is_not_set` are true of it. `gt`, `gte`, `lt`,
//! `lte` and `between` need two finite numbers (a text that looks like one counts), `before` and `after` two
//! instants or dates, a date standing for its first instant in the project's zone.
//!
//! [`Filter::matches`] is the meaning; `store/filter` says the same in SQL, and a property test holds the two
//! together on the real engine.
//!
//! # What a name means
//!
//! `{"property": "plan"}` is what the client sent under that name. Names with a dollar sign that are listed in
//! [`COLUMNS`] are what capture found out or took out of the context (`$path`, `$browser`, `$country`, …): for
//! these the empty text (and the amount 0) means missing. `{"property": "$groups.company"}` is the key of the company
//! that the event belongs to. `{"person": "plan"}` is the person's current value. `{"cohort": "…"}` is never missing:
//! [`IN_COHORT`] or [`NOT_IN_COHORT`], as the cohort's members were last written down.

#[cfg(test)]
mod cases;
mod check;
mod pattern;
mod person;
mod predicate;
mod query;

mod text;
mod time;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::event::Event;

pub use check::breakdown_limit;
pub use pattern::Pattern;
pub use person::PersonProperties;
pub use predicate::{Finite, Instant, Test};
pub use query::{FilterQuery, Op, PropertyQuery};
pub use text::{canonical, number_of, text_of_number};

/// The most children of one `and` or `or`.
pub const MAX_CHILDREN: usize = 20;
/// The deepest nesting of `and` and `or`.
pub const MAX_DEPTH: usize = 4;
/// The most predicates of one filter.
pub const MAX_PREDICATES: usize = 50;
/// The most values of one `in` or `not_in`.
pub const MAX_VALUES: usize = 200;
/// The longest text to compare with, in characters.
pub const MAX_VALUE_CHARS: usize = 1_000;
/// The longest list of texts to compare with, in bytes: ClickHouse takes 128 KiB for one parameter.
pub const MAX_LIST_BYTES: usize = 32 << 10;
/// The longest pattern of `matches`, in characters.
pub const MAX_PATTERN_CHARS: usize = 200;
/// The most properties that one answer is broken down by.
pub const MAX_BREAKDOWN: usize = 3;
/// How many values a breakdown shows unless told otherwise.
pub const DEFAULT_BREAKDOWN_LIMIT: u32 = 25;
/// The most values that a breakdown shows.
pub const MAX_BREAKDOWN_LIMIT: u32 = 200;
/// The value of a cohort, as a property, for its members.
pub const IN_COHORT: &str = "in";
/// Its value for everybody else.
pub const NOT_IN_COHORT: &str = "not in";
/// What a breakdown calls a missing value.
pub const NONE: &str = "(none)";
/// What a breakdown calls everything beyond the values that it shows.
pub const OTHER: &str = "Other";

/// Properties that are not in what the client sent but in columns of their own, without their dollar sign.
pub const COLUMNS: [&str; 15] = [
    "path",
    "host",
    "referrer_host",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "country",
    "region",
    "city",
    "browser",
    "os",
    "device",
    "lib",
    "amount",
    "currency",
];

/// The column that a property's name stands for, if it does.
pub fn column_of(name: &str) -> Option<&'static str> {
    let name = name.strip_prefix('$')?;
    COLUMNS.into_iter().find(|column| *column == name)
}

/// The type of groups that a property's name stands for, if it does: `$groups.company` is the key of the company that
/// the event belongs to.
pub fn group_type_of(name: &str) -> Option<&str> {
    name.strip_prefix("$groups.").filter(|kind| !kind.is_empty())
}

/// What a predicate or a breakdown looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"property": "plan"}))]
pub enum Property {
    /// A property of the event.
    #[serde(rename = "property")]
    Event(String),
    /// A property of the person, as it is when the question is asked.
    #[serde(rename = "person")]
    Person(String),
    /// Whether the person belongs to a cohort: [`IN_COHORT`] or [`NOT_IN_COHORT`].
    #[serde(rename = "cohort")]
    Cohort(Uuid),
}

/// A validated filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Every one of them.
    #[schema(no_recursion)]
    And(Vec<Filter>),
    /// At least one of them.
    #[schema(no_recursion)]
    Or(Vec<Filter>),
    /// A test of one thing.
    Predicate(Predicate),
}

/// A test of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Predicate {
    /// What is tested; the event's name when absent.
    pub property: Option<Property>,
    /// The test.
    pub test: Test,
}

impl Default for Filter {
    fn default() -> Filter {
        Filter::everything()
    }
}

impl Filter {
    /// Matches every event.
    pub fn everything() -> Filter {
        Filter::And(Vec::new())
    }

    /// Whether it lets every event pass without looking.
    pub fn is_everything(&self) -> bool {
        matches!(self, Filter::And(children) if children.is_empty())
    }

    /// The same, of events that have a value of the property too: those that count where its values are counted instead
    /// of persons.
    pub fn having(self, group: Option<&Property>) -> Filter {
        let Some(group) = group else {
            return self;
        };
        let has_one = Filter::Predicate(Predicate {
            property: Some(group.clone()),
            test: Test::IsSet,
        });
        match self.is_everything() {
            true => has_one,
            false => Filter::And(vec![self, has_one]),
        }
    }

    /// Whether the event passes. `person` holds the properties of the person who did it.
    pub fn matches(&self, event: &Event, person: &PersonProperties) -> bool {
        match self {
            Filter::And(children) => children.iter().all(|child| child.matches(event, person)),
            Filter::Or(children) => children.iter().any(|child| child.matches(event, person)),
            Filter::Predicate(predicate) => {
                let value = match &predicate.property {
                    Some(property) => value_of(property, event, person),
                    None => Some(event.event.clone()),
                };
                predicate.test.holds(value.as_deref())
            }
        }
    }

    /// Whether it asks for members of cohorts.
    pub fn names_cohorts(&self) -> bool {
        match self {
            Filter::And(children) | Filter::Or(children) => children.iter().any(Filter::names_cohorts),
            Filter::Predicate(predicate) => matches!(predicate.property, Some(Property::Cohort(_))),
        }
    }

    /// Whether the answer depends on properties of persons.
    pub fn reads_person(&self) -> bool {
        match self {
            Filter::And(children) | Filter::Or(children) => children.iter().any(Filter::reads_person),
            Filter::Predicate(predicate) => matches!(predicate.property, Some(Property::Person(_))),
        }
    }
}

/// The canonical text of a property; `None` when it is missing or null.
pub fn value_of(property: &Property, event: &Event, person: &PersonProperties) -> Option<String> {
    match property {
        Property::Person(name) => person.get(name).map(str::to_owned),
        Property::Cohort(cohort) => {
            let text = if person.is_in(*cohort) {
                IN_COHORT
            } else {
                NOT_IN_COHORT
            };
            Some(text.to_owned())
        }
        Property::Event(name) => match column_of(name) {
            Some(column) => of_column(column, event),
            None => match group_type_of(name) {
                Some(kind) => text::member(&event.props, "$groups", kind),
                None => text::property(&event.props, name),
            },
        },
    }
}

fn of_column(column: &str, event: &Event) -> Option<String> {
    let text = match column {
        "path" => &event.path,
        "host" => &event.host,
        "referrer_host" => &event.referrer_host,
        "utm_source" => &event.utm_source,
        "utm_medium" => &event.utm_medium,
        "utm_campaign" => &event.utm_campaign,
        "country" => &event.country,
        "region" => &event.region,
        "city" => &event.city,
        "browser" => &event.browser,
        "os" => &event.os,
        "device" => &event.device,
        "lib" => &event.lib,
        "currency" => &event.currency,
        "amount" => return (event.amount != 0.0).then(|| text_of_number(event.amount)),
        _ => return None,
    };
    (!text.is_empty()).then(|| text.clone())
}
