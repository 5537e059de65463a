//! Whose events are put together, and what each of them is.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::Event;
use crate::metrics::filter::{PersonProperties, value_of};
use crate::metrics::funnel::spec::{Alternative, Entity, FunnelSpec, Order, RangeAppliesTo};
use crate::metrics::oracle::People;

/// An event as a funnel sees it.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    pub event: &'a Event,
    /// Which steps it satisfies.
    pub steps: Vec<bool>,
    /// Which exclusions it is.
    pub exclusions: Vec<bool>,
    /// Whether it counts in strict order.
    pub counts: bool,
    /// The breakdown's value.
    pub value: Option<String>,
    /// The values held constant.
    pub held: Vec<Option<String>>,
    session: (String, u64, i64),
}

/// An entity: the runs that it is made of, each in total order.
pub type Doer<'a> = Vec<Vec<Seen<'a>>>;

/// All entities of a project.
pub fn doers<'a>(spec: &FunnelSpec, people: &People<'a>) -> Vec<Doer<'a>> {
    let mut owners: BTreeMap<String, Vec<Seen>> = BTreeMap::new();
    for (person, events) in people.by_person() {
        let properties = PersonProperties::of(events.iter().copied());
        for event in &events {
            let owner = match (&spec.entity, &spec.group) {
                (Entity::Group, Some(group)) => value_of(group, event, &properties),
                _ => Some(person.to_string()),
            };
            if let Some(owner) = owner {
                owners
                    .entry(owner)
                    .or_default()
                    .push(seen(spec, event, &events, &properties));
            }
        }
    }
    let mut found = Vec::new();
    for mut events in owners.into_values() {
        events.sort_by_key(|seen| (seen.event.ts, seen.event.seq, seen.event.id));
        found.extend(of_owner(spec, events));
    }
    found
}

fn of_owner<'a>(spec: &FunnelSpec, events: Vec<Seen<'a>>) -> Vec<Doer<'a>> {
    let mut parts: BTreeMap<Option<(String, u64, i64)>, Vec<Seen>> = BTreeMap::new();
    for seen in events {
        let session = (spec.by_session || spec.entity == Entity::Session).then(|| seen.session.clone());
        let inside = spec.from_ms <= seen.event.ts && seen.event.ts < spec.to_ms;
        if inside || spec.range_applies_to == RangeAppliesTo::Entry {
            parts.entry(session).or_default().push(seen);
        }
    }
    let parts: Vec<Vec<Seen>> = parts.into_values().collect();
    let whole: Vec<Doer> = match spec.entity {
        Entity::Session => parts.into_iter().map(|part| vec![part]).collect(),
        Entity::Person | Entity::Group => vec![parts],
    };
    if spec.hold.is_empty() {
        return whole;
    }
    whole.into_iter().flat_map(|doer| by_values(&doer)).collect()
}

fn by_values<'a>(doer: &Doer<'a>) -> Vec<Doer<'a>> {
    let lacks = |seen: &Seen| seen.held.contains(&None);
    let events = doer.iter().flatten();
    let tuples: BTreeSet<&Vec<Option<String>>> = events
        .filter(|seen| !lacks(seen))
        .map(|seen| &seen.held)
        .collect();
    let of = |tuple: &Vec<Option<String>>, seen: &Seen<'a>| {
        let mut seen = seen.clone();
        if lacks(&seen) {
            seen.steps.fill(false);
            Some(seen)
        } else {
            (seen.held == *tuple).then_some(seen)
        }
    };
    let doer_of = |tuple: &Vec<Option<String>>| {
        let part = |part: &Vec<Seen<'a>>| part.iter().filter_map(|seen| of(tuple, seen)).collect();
        doer.iter().map(part).collect()
    };
    tuples.into_iter().map(doer_of).collect()
}

fn seen<'a>(spec: &FunnelSpec, event: &'a Event, all: &[&Event], person: &PersonProperties) -> Seen<'a> {
    let passes = spec.filter.matches(event, person);
    let is_one_of = |alternatives: &[Alternative]| {
        let mut fitting = alternatives
            .iter()
            .filter(|alternative| alternative.event == event.event);
        passes && fitting.any(|alternative| alternative.filter.matches(event, person))
    };
    Seen {
        event,
        steps: spec.steps.iter().map(|step| is_one_of(&step.events)).collect(),
        exclusions: spec
            .exclusions
            .iter()
            .map(|exclusion| is_one_of(&exclusion.events))
            .collect(),
        counts: spec.order == Order::Strict && passes && !spec.ignore_events.contains(&event.event),
        value: spec
            .breakdown
            .as_ref()
            .and_then(|breakdown| value_of(&breakdown.property, event, person)),
        held: spec
            .hold
            .iter()
            .map(|property| value_of(property, event, person))
            .collect(),
        session: session(event, all),
    }
}

/// The session: device, given id, and the time of its first event.
fn session(event: &Event, all: &[&Event]) -> (String, u64, i64) {
    const HOUR: i64 = 3_600_000;
    let place = |event: &Event| (event.ts, event.seq, event.id);
    let (mut start, mut last) = (None, event.ts);
    for other in all {
        let same = other.device_id == event.device_id && other.session == event.session;
        if !same || place(other) > place(event) {
            continue;
        }
        let silent = event.session == 0 && other.ts - last >= HOUR / 2;
        start = match start {
            Some(start) if !silent && other.ts - start < 24 * HOUR => Some(start),
            _ => Some(other.ts),
        };
        last = other.ts;
    }
    (event.device_id.clone(), event.session, start.unwrap_or(event.ts))
}
