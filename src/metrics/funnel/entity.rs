//! Whose steps are put together: the events of a person (or group) as they came, taken apart by session and by
//! the values that are held constant.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

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

/// The entities in the events of one person or group, which are in total order, one after the other.
pub fn doers<'a>(spec: &'a FunnelSpec, events: &'a [StepEvent]) -> Box<dyn Iterator<Item = Doer<'a>> + 'a> {
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
        return Box::new(apart.into_iter().map(whole));
    }
    Box::new(apart.into_iter().flat_map(|parts| by_values(spec, parts)))
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

/// One entity for each tuple of values at a first step, made one at a time. A step without one of the values is none;
/// an exclusion, or an event that kills in strict order, without one applies to every tuple.
fn by_values<'a>(
    spec: &'a FunnelSpec,
    parts: Vec<Cow<'a, [StepEvent]>>,
) -> impl Iterator<Item = Doer<'a>> + 'a {
    let held = spec.hold.len();
    let is_whole = |event: &StepEvent| event.held[..held].iter().all(|value| *value != 0);
    // Of each tuple the places of its events, by part; beside them those of the events that lack a value.
    let (mut tuples, mut entered) = (Vec::new(), HashSet::new());
    let mut own: HashMap<[u32; 3], Vec<(usize, usize)>> = HashMap::new();
    let mut lacking: Vec<(usize, usize)> = Vec::new();
    for (n, part) in parts.iter().enumerate() {
        for (place, event) in part.iter().enumerate() {
            if !is_whole(event) {
                if event.marks & !mark::STEPS != 0 {
                    lacking.push((n, place));
                }
                continue;
            }
            own.entry(event.held).or_default().push((n, place));
            if event.matches(0) && entered.insert(event.held) {
                tuples.push(event.held);
            }
        }
    }
    tuples.into_iter().map(move |held| {
        let mut places: Vec<(usize, usize)> = own.get(&held).cloned().unwrap_or_default();
        // Before the first of its own events nothing can be ended.
        let first = places.first().copied().unwrap_or_default();
        let from = lacking.partition_point(|place| *place < (first.0, 0));
        places.extend(&lacking[from..]);
        places.sort_unstable();
        let mut found: Vec<Vec<StepEvent>> = vec![Vec::new(); parts.len()];
        for (n, place) in places {
            let event = parts[n][place];
            let marks = match event.held == held {
                true => event.marks,
                false => event.marks & !mark::STEPS,
            };
            found[n].push(StepEvent { marks, ..event });
        }
        Doer {
            parts: found.into_iter().map(Cow::Owned).collect(),
            held,
        }
    })
}
