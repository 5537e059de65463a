//! Who is behind a number, and why they went no further: every event of theirs is asked what it did to the chain.

use std::collections::{BTreeMap, BTreeSet};

use super::chains::{Run, Step};
use super::doer::{Seen, doers};
use super::{Found, entry};
use crate::event::Event;
use crate::metrics::filter::value_of;
use crate::metrics::funnel::report::{ActorRow, ChainStep, ReasonAtStep, ReasonCount};
use crate::metrics::funnel::spec::{Entity, FunnelSpec, RangeAppliesTo};
use crate::metrics::funnel::why::{Reason, WhyNot};
use crate::metrics::oracle::People;
use crate::metrics::time::Moment;

/// The entity of an outcome.
pub fn row(spec: &FunnelSpec, found: &Found, people: &People) -> ActorRow {
    let first = &found.events[found.outcome.chain[0].1];
    let person = people.person(first.event);
    let group = spec
        .group
        .as_ref()
        .and_then(|group| value_of(group, first.event, &people.properties()[&person]));
    let step = |(step, place): &Step| ChainStep {
        step: step + 1,
        at: Moment(found.events[*place].event.ts),
        event_id: found.events[*place].event.id,
    };
    ActorRow {
        actor: match spec.entity {
            Entity::Group => String::new(),
            _ => format!("{person:016x}"),
        },
        distinct_id: None,
        group,
        held: first.held.iter().flatten().cloned().collect(),
        depth: found.outcome.depth,
        chain: found.outcome.chain.iter().map(step).collect(),
        why_not: match spec.why_not {
            true => why_not(spec, &found.outcome.chain, &found.events, people),
            false => None,
        },
    }
}

/// How many for each reason.
pub fn counts(rows: &[ActorRow]) -> Vec<ReasonCount> {
    let told = || rows.iter().filter_map(|row| row.why_not.as_ref());
    let reasons: BTreeSet<Reason> = told().map(|why| why.reason).collect();
    let of_reason = |reason: Reason| {
        let steps: Vec<usize> = told()
            .filter(|why| why.reason == reason)
            .map(|why| why.step)
            .collect();
        let at_step = |step: usize| ReasonAtStep {
            step,
            count: steps.iter().filter(|other| **other == step).count() as u64,
        };
        ReasonCount {
            reason,
            count: steps.len() as u64,
            steps: steps
                .iter()
                .copied()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .map(at_step)
                .collect(),
        }
    };
    reasons.iter().copied().map(of_reason).collect()
}

/// The first rule that stopped a chain over the events `own`.
pub fn why_not(spec: &FunnelSpec, chain: &[Step], own: &[Seen], people: &People) -> Option<WhyNot> {
    let (held, last) = *chain.last()?;
    let next = (held + 1..spec.steps.len()).find(|step| !spec.steps[*step].optional)?;
    let run = Run {
        spec,
        events: own,
        entry: entry(spec),
        chains: Vec::new(),
    };
    let (start, latest) = (run.ts(chain[0].1), run.ts(last));
    let is_used = |seen: &Seen| {
        chain
            .iter()
            .any(|(_, place)| own[*place].event.id == seen.event.id)
    };
    let place_of = |seen: &Seen| own.iter().position(|other| other.event.id == seen.event.id);
    let total = |seen: &Seen| (seen.event.ts, seen.event.seq, seen.event.id);
    let moment = |seen: &Seen| match spec.tie_ms {
        0 => total(seen),
        tie => (seen.event.ts.div_euclid(tie), 0, uuid::Uuid::nil()),
    };
    let told = |reason, over_by_ms, event: Option<&Seen>, exclusion| {
        Some(WhyNot {
            event: None,
            reason,
            step: next + 1,
            over_by_ms,
            event_id: event.map(|seen| seen.event.id),
            exclusion,
        })
    };
    // What happened at the latest step's moment, or later.
    let mut moments: BTreeMap<_, Vec<Seen>> = BTreeMap::new();
    for seen in everything(spec, own[last].event, people) {
        let is_later = match spec.tie_ms {
            0 => total(&seen) > total(&own[last]),
            _ => moment(&seen) >= moment(&own[last]),
        };
        if is_later && !is_used(&seen) {
            moments.entry(moment(&seen)).or_default().push(seen);
        }
    }
    for moment in moments.values() {
        for seen in moment.iter().filter(|seen| seen.steps[next]) {
            let (took, gap) = (seen.event.ts - start, seen.event.ts - latest);
            if took > 2 * spec.window_ms {
                continue;
            }
            if seen.held != own[last].held {
                return told(Reason::HeldDiffers, None, Some(seen), None);
            }
            let in_range = spec.from_ms <= seen.event.ts && seen.event.ts < spec.to_ms;
            if spec.range_applies_to == RangeAppliesTo::All && !in_range {
                return told(Reason::OutsideRange, None, Some(seen), None);
            }
            if took > spec.window_ms {
                return told(Reason::WindowOver, Some(took - spec.window_ms), Some(seen), None);
            }
            if spec.max_gap_ms.is_some_and(|longest| gap > longest) {
                let over = spec.max_gap_ms.map(|longest| gap - longest);
                return told(Reason::GapOver, over, Some(seen), None);
            }
            if place_of(seen).is_none() {
                return told(Reason::WindowOver, None, Some(seen), None);
            }
        }
        let in_time = |seen: &&Seen| {
            let (took, gap) = (seen.event.ts - start, seen.event.ts - latest);
            took <= spec.window_ms && spec.max_gap_ms.is_none_or(|longest| gap <= longest)
        };
        for seen in moment.iter().filter(in_time) {
            let exclusion = place_of(seen).and_then(|place| run.excluded_by(chain, place));
            if let Some(exclusion) = exclusion {
                return told(Reason::Excluded, None, Some(seen), Some(exclusion + 1));
            }
        }
        for seen in moment.iter().filter(in_time) {
            if place_of(seen).is_some_and(|place| run.is_killed_by(chain, place)) {
                return told(Reason::Killed, None, Some(seen), None);
            }
        }
    }
    let twice = chain
        .iter()
        .map(|(_, place)| &own[*place])
        .find(|seen| seen.steps[next]);
    match twice {
        Some(seen) => told(Reason::SameEvent, None, Some(seen), None),
        None => told(Reason::StepMissing, None, None, None),
    }
}

/// All events of whoever did this one: of any session, time and value.
fn everything<'a>(spec: &FunnelSpec, one: &Event, people: &People<'a>) -> Vec<Seen<'a>> {
    let anything = FunnelSpec {
        range_applies_to: RangeAppliesTo::Entry,
        by_session: false,
        entity: match spec.entity {
            Entity::Group => Entity::Group,
            _ => Entity::Person,
        },
        hold: Vec::new(),
        ..spec.clone()
    };
    let mut owners = doers(&anything, people).into_iter().map(|doer| doer.concat());
    let mut found = owners
        .find(|doer| doer.iter().any(|seen| seen.event.id == one.id))
        .unwrap_or_default();
    let properties = people.properties();
    for seen in &mut found {
        let person = &properties[&people.person(seen.event)];
        let value = |property| value_of(property, seen.event, person);
        seen.held = spec.hold.iter().map(value).collect();
    }
    found
}
