//! Persons by looking through all events of each.

use std::collections::{BTreeMap, BTreeSet};

use super::{Persons, first_copies};
use crate::event::Event;
use crate::metrics::filter::PersonProperties;
use crate::metrics::identity::{Edge, Fact, Person};
use crate::metrics::person::{PersonOrder, PersonsSpec, SEARCHED};

/// What there is to say of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenPerson {
    /// Who it is.
    pub person: Person,
    /// Distinct ids of their events.
    pub ids: BTreeSet<String>,
    /// Time of the first event.
    pub first: i64,
    /// Time of the last event.
    pub last: i64,
    /// Their events, the latest first, by id.
    pub events: Vec<uuid::Uuid>,
    /// Their properties.
    pub properties: PersonProperties,
}

impl SeenPerson {
    /// The id that they are called by.
    pub fn name(&self) -> &str {
        match &self.person {
            Person::Known(id) | Person::Fresh(id) => id.as_str(),
        }
    }
}

/// What events say of their ids.
pub fn facts(events: &[Event]) -> Vec<Fact> {
    events.iter().filter_map(Edge::of).map(Fact::Seen).collect()
}

/// All persons that pass, in order.
pub fn listed(spec: &PersonsSpec, events: &[Event], persons: &Persons<'_>) -> Vec<SeenPerson> {
    let mut by_person: BTreeMap<Person, Vec<&Event>> = BTreeMap::new();
    for event in first_copies(events) {
        if let Some(person) = persons.person_of(&event.device_id, &event.user_id, event.ts) {
            by_person.entry(person).or_default().push(event);
        }
    }
    let mut found = Vec::new();
    for (person, mut events) in by_person {
        events.sort_by_key(|event| std::cmp::Reverse((event.ts, event.seq, event.id)));
        let seen = SeenPerson {
            person,
            ids: events.iter().map(|event| event.distinct_id.clone()).collect(),
            first: events.iter().map(|event| event.ts).min().unwrap_or(0),
            last: events.iter().map(|event| event.ts).max().unwrap_or(0),
            events: events.iter().map(|event| event.id).collect(),
            properties: PersonProperties::of(events.iter().copied()),
        };
        let sought = spec.search.to_lowercase();
        let texts = SEARCHED.iter().filter_map(|name| seen.properties.get(name));
        let mut texts = texts.chain(seen.ids.iter().map(String::as_str));
        let passes = spec.filter.matches(events[0], &seen.properties)
            && spec.seen_from.is_none_or(|from| seen.last >= from)
            && spec.seen_to.is_none_or(|to| seen.last < to)
            && texts.any(|text| text.to_lowercase().contains(&sought));
        drop(texts);
        if passes {
            found.push(seen);
        }
    }
    let number = |seen: &SeenPerson| seen.person.number();
    match spec.order {
        PersonOrder::LastSeen => found.sort_by_key(|seen| std::cmp::Reverse((seen.last, number(seen)))),
        PersonOrder::FirstSeen => found.sort_by_key(|seen| std::cmp::Reverse((seen.first, number(seen)))),
        PersonOrder::Id => found.sort_by(|a, b| (a.name(), number(a)).cmp(&(b.name(), number(b)))),
    }
    found
}
