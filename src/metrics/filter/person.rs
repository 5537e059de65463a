//! What is known about persons, the slow way: the properties that events set, from all of them at once. The twin of
//! [`crate::metrics::person`], and what filters look at where there is no engine.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use uuid::Uuid;

use super::text::{canonical, number_of, text_of_number};
use crate::event::Event;

/// The properties of one person, as canonical texts; what is null is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonProperties {
    values: BTreeMap<String, String>,
    cohorts: BTreeSet<Uuid>,
}

impl PersonProperties {
    /// The properties that a person's events write, in any order. The base of a property is its latest `$set`, by
    /// `(ts, id)`, else its earliest `$set_once`; from there on `$unset` and `$add` apply in that order. A null is a
    /// value like any other here: it makes the property missing.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> PersonProperties {
        let mut events: Vec<&Event> = events.into_iter().collect();
        events.sort_by_key(|event| (event.ts, event.id));
        let told: Vec<Map<String, Value>> = events
            .iter()
            .map(|event| serde_json::from_str(&event.props).unwrap_or_default())
            .collect();
        let member = |told: &Map<String, Value>, of: &str, name: &str| told.get(of)?.get(name).cloned();
        let names: BTreeSet<&String> = told
            .iter()
            .flat_map(|told| ["$set", "$set_once", "$add"].map(|of| told.get(of)))
            .filter_map(|members| Some(members?.as_object()?.keys()))
            .flatten()
            .collect();
        let mut values = BTreeMap::new();
        for name in names {
            let set = told.iter().rposition(|told| member(told, "$set", name).is_some());
            let once = || {
                told.iter()
                    .position(|told| member(told, "$set_once", name).is_some())
            };
            let (base, of) = match set {
                Some(place) => (Some(place), "$set"),
                None => (once(), "$set_once"),
            };
            let mut value = base.and_then(|place| canonical(&member(&told[place], of, name)?));
            for told in &told[base.unwrap_or(0)..] {
                let is_unset = match told.get("$unset") {
                    Some(Value::Array(names)) => names.iter().any(|unset| unset == name.as_str()),
                    Some(Value::Object(names)) => names.contains_key(name),
                    _ => false,
                };
                if is_unset {
                    value = None;
                }
                let Some(add) = member(told, "$add", name).and_then(|add| add.as_f64()) else {
                    continue;
                };
                match value.as_deref().map_or(Some(0.0), number_of) {
                    Some(before) if (before + add).is_finite() => value = Some(text_of_number(before + add)),
                    _ => {}
                }
            }
            if let Some(value) = value {
                values.insert(name.clone(), value);
            }
        }
        PersonProperties {
            values,
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

    /// All of them: name and canonical text, by name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
