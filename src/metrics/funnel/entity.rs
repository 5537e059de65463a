//! Whose steps are put together: the events of a person (or group) as they came, taken apart by session and by
//! the values that are held constant.

use std::borrow::Cow;
use std::collections::HashMap;

use super::StepEvent;
use super::plan::mark;
use super::spec::{Entity, FunnelSpec};
use crate::metrics::session::{Visit, may_begin_earlier, sessions};

/// What is run as one: usually all of a person's events.
#[derive(Clone, Debug)]
pub struct Doer<'a> {
    /// Runs that do not share attempts: one, or one for each session. In total order each.
    pub parts: Vec<Cow<'a, [StepEvent]>>,
    /// The values that are held constant.
    pub held: [u32; 3],
}

/// The entities in the events of one person or group, which are in total order.
pub fn doers<'a>(spec: &FunnelSpec, events: &'a [StepEvent]) -> Vec<Doer<'a>> {
    let visits: Vec<Cow<'a, [StepEvent]>> = if spec.uses_sessions() {
        by_session(events).into_iter().map(Cow::Owned).collect()
    } else {
        vec![Cow::Borrowed(events)]
    };
    let visits: Vec<Cow<'a, [StepEvent]>> = visits.into_iter().map(|part| bounded(spec, part)).collect();
    let apart: Vec<Vec<Cow<'a, [StepEvent]>>> = match spec.entity {
        Entity::Session => visits.into_iter().map(|part| vec![part]).collect(),
        Entity::Person | Entity::Group => vec![visits],
    };
    if spec.hold.is_empty() {
        let whole = |parts| Doer { parts, held: [0; 3] };
        return apart.into_iter().map(whole).collect();
    }
    apart
        .into_iter()
        .flat_map(|parts| by_values(spec, &parts))
        .collect()
}

/// Whether sessions in the funnel's range may depend on events before `since_ms`, from which on these are known.
pub fn begin_earlier(spec: &FunnelSpec, since_ms: i64, events: &[StepEvent]) -> bool {
    may_begin_earlier(events.iter().map(visit), since_ms, spec.from_ms - spec.tie_ms)
}

fn visit(event: &StepEvent) -> Visit {
    Visit {
        ts: event.ts,
        device: event.device,
        given: event.session,
    }
}

fn by_session(events: &[StepEvent]) -> Vec<Vec<StepEvent>> {
    let numbers = sessions(events.iter().map(visit));
    let mut found: Vec<Vec<StepEvent>> = Vec::new();
    for (event, number) in events.iter().zip(numbers) {
        if found.len() <= number {
            found.resize(number + 1, Vec::new());
        }
        found[number].push(*event);
    }
    found
}

/// Only events in the range, where it bounds every event.
fn bounded<'a>(spec: &FunnelSpec, events: Cow<'a, [StepEvent]>) -> Cow<'a, [StepEvent]> {
    let range = spec.entry_range();
    let all_inside = || events.iter().all(|event| range.contains(event.ts));
    if spec.range_applies_to == super::spec::RangeAppliesTo::Entry || all_inside() {
        return events;
    }
    let inside = events.iter().filter(|event| range.contains(event.ts));
    Cow::Owned(inside.copied().collect())
}

/// One entity for each tuple of values at a first step. A step without one of the values is none; an exclusion, or
/// an event that kills in strict order, without one applies to every tuple.
fn by_values<'a>(spec: &FunnelSpec, parts: &[Cow<'a, [StepEvent]>]) -> Vec<Doer<'a>> {
    let held = spec.hold.len();
    let is_whole = |event: &StepEvent| event.held[..held].iter().all(|value| *value != 0);
    let mut tuples: Vec<[u32; 3]> = Vec::new();
    let mut places: HashMap<[u32; 3], usize> = HashMap::new();
    for event in parts.iter().flat_map(|part| part.iter()) {
        if event.matches(0) && is_whole(event) && !places.contains_key(&event.held) {
            places.insert(event.held, tuples.len());
            tuples.push(event.held);
        }
    }
    let mut doers: Vec<Doer> = tuples
        .into_iter()
        .map(|held| Doer {
            parts: Vec::with_capacity(parts.len()),
            held,
        })
        .collect();
    for part in parts {
        let mut own: Vec<Vec<StepEvent>> = vec![Vec::new(); doers.len()];
        for event in part.iter() {
            if is_whole(event) {
                if let Some(place) = places.get(&event.held) {
                    own[*place].push(*event);
                }
                continue;
            }
            let marks = event.marks & !mark::STEPS;
            if marks != 0 {
                own.iter_mut()
                    .for_each(|own| own.push(StepEvent { marks, ..*event }));
            }
        }
        for (doer, own) in doers.iter_mut().zip(own) {
            doer.parts.push(Cow::Owned(own));
        }
    }
    doers
}
