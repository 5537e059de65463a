//! What is known about persons: the properties that events set.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use uuid::Uuid;

use super::text::canonical;
use crate::event::Event;

/// The properties of one person, as canonical texts; what is null is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonProperties {
    values: BTreeMap<String, String>,
    cohorts: BTreeSet<Uuid>,
}

impl PersonProperties {
    /// The properties that a person's events set, in any order. `$set`: the latest event that names the property
    /// wins, by `(ts, id)`; `$set_once`: the earliest; and `$set` beats `$set_once`. A null is a value like any
    /// other here: it makes the property missing.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> PersonProperties {
        let mut events: Vec<&Event> = events.into_iter().collect();
        events.sort_by_key(|event| (event.ts, event.id));
        let (mut once, mut set) = (BTreeMap::new(), BTreeMap::new());
        for event in events {
            let Ok(props) = serde_json::from_str::<Map<String, Value>>(&event.props) else {
                continue;
            };
            let members = |name: &str| props.get(name).and_then(Value::as_object).into_iter().flatten();
            for (name, value) in members("$set_once") {
                once.entry(name.clone()).or_insert_with(|| canonical(value));
            }
            for (name, value) in members("$set") {
                set.insert(name.clone(), canonical(value));
            }
        }
        once.extend(set);
        let values = once.into_iter().filter_map(|(name, value)| Some((name, value?)));
        PersonProperties {
            values: values.collect(),
            cohorts: BTreeSet::new(),
        }
    }

    /// The same of a member of these cohorts.
    pub fn within(self, cohorts: BTreeSet<Uuid>) -> PersonProperties {
        PersonProperties { cohorts, ..self }
    }

    /// Whether the person is a member.
    pub fn is_in(&self, cohort: Uuid) -> bool {
        self.cohorts.contains(&cohort)
    }

    /// The canonical text of a property; `None` when it is missing.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}
