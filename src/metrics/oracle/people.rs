//! Events and whose they are: what each twin is asked about.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Persons, first_copies};
use crate::event::{Day, Event, ProjectNumber};
use crate::metrics::filter::{PersonProperties, Property, value_of};
use crate::metrics::identity::{Edge, Fact, Id, MAX_DEVICES, Person, Salt};
use crate::metrics::time::TimeRange;

/// The events of a project, each with its person. Made of events alone, persons follow from the ids that these name
/// together; with [`People::told`], from what servers said too.
#[derive(Clone, Debug)]
pub struct People<'a> {
    /// Without the later copies of each id.
    events: Vec<&'a Event>,
    /// By the event's id.
    persons: BTreeMap<Uuid, Person>,
}

impl<'a> People<'a> {
    /// The same with what is known beside the events: rulings, aliases and markers.
    pub fn told(events: &'a [Event], said: &[Fact], salt: &Salt) -> People<'a> {
        let events = first_copies(events);
        let mut facts = edges(&events);
        facts.extend(said.iter().cloned());
        let persons = Persons::new(&facts, salt, MAX_DEVICES);
        let person_of = |event: &&Event| {
            let person = persons.person_of(&event.device_id, &event.user_id, event.ts);
            let own = || Id::read(&event.distinct_id).map(Person::Known);
            Some((event.id, person.or_else(own)?))
        };
        People {
            persons: events.iter().filter_map(person_of).collect(),
            events,
        }
    }

    /// In order of arrival.
    pub fn events(&self) -> &[&'a Event] {
        &self.events
    }

    /// The number of the event's person.
    pub fn person(&self, event: &Event) -> u64 {
        self.persons[&event.id].number()
    }

    /// Each person's events in total order.
    pub fn by_person(&self) -> BTreeMap<u64, Vec<&'a Event>> {
        let mut persons: BTreeMap<u64, Vec<&Event>> = BTreeMap::new();
        for event in &self.events {
            persons.entry(self.person(event)).or_default().push(event);
        }
        for events in persons.values_mut() {
            events.sort_by_key(|event| (event.ts, event.seq, event.id));
        }
        persons
    }

    /// Whom an event counts for: its person, or the value of the property that is counted instead; nobody without one.
    pub fn entity(
        &self,
        event: &Event,
        group: Option<&Property>,
        person: &PersonProperties,
    ) -> Option<String> {
        match group {
            Some(group) => value_of(group, event, person),
            None => Some(self.person(event).to_string()),
        }
    }

    /// The events of each of them in total order.
    pub fn by_entity(&self, group: Option<&Property>) -> BTreeMap<String, Vec<&'a Event>> {
        let properties = self.properties();
        let mut entities: BTreeMap<String, Vec<&Event>> = BTreeMap::new();
        for event in &self.events {
            if let Some(entity) = self.entity(event, group, &properties[&self.person(event)]) {
                entities.entry(entity).or_default().push(event);
            }
        }
        for events in entities.values_mut() {
            events.sort_by_key(|event| (event.ts, event.seq, event.id));
        }
        entities
    }

    /// These events alone, each still whose it is.
    pub fn among(&self, events: &[&'a Event]) -> People<'a> {
        People {
            events: events.to_vec(),
            persons: self.persons.clone(),
        }
    }

    /// The id by which a person is called: of those under which they sent events on the UTC days of a range the canonical
    /// one, else the smallest.
    pub fn name(&self, person: u64, range: TimeRange) -> Option<&'a str> {
        let days = Day::of_utc(range.from_ms)..=Day::of_utc(range.to_ms - 1);
        let theirs = self.events.iter().filter(|event| self.person(event) == person);
        let sent = theirs.filter(|event| days.contains(&event.day()));
        let named = sent.map(|event| (event.actor() != person, event.distinct_id.as_str()));
        named.min().map(|(_, name)| name)
    }

    /// What is known about each person.
    pub fn properties(&self) -> BTreeMap<u64, PersonProperties> {
        let persons = self.by_person().into_iter();
        persons
            .map(|(person, events)| (person, PersonProperties::of(events)))
            .collect()
    }
}

/// What the events say of ids: of each pair the earliest time.
fn edges(events: &[&Event]) -> Vec<Fact> {
    let mut earliest: BTreeMap<(Id, Id), i64> = BTreeMap::new();
    for edge in events.iter().filter_map(|event| Edge::of(event)) {
        let ts = earliest.entry((edge.device, edge.user)).or_insert(edge.ts);
        *ts = edge.ts.min(*ts);
    }
    let edges = earliest.into_iter();
    edges
        .map(|((device, user), ts)| Fact::Seen(Edge { device, user, ts }))
        .collect()
}

impl<'a, E: AsRef<[Event]> + ?Sized> From<&'a E> for People<'a> {
    fn from(events: &'a E) -> People<'a> {
        // Nothing was erased, so nothing was salted.
        People::told(events.as_ref(), &[], &Salt::new(&[], ProjectNumber(0)))
    }
}

impl<'a> From<&People<'a>> for People<'a> {
    fn from(people: &People<'a>) -> People<'a> {
        people.clone()
    }
}
