//! Why somebody did not convert: the first rule that stopped their deepest attempt.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::StepEvent;
use super::attempts::Outcome;
use super::plan::{Plan, mark};

/// What stopped an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The next step was not done.
    StepMissing,
    /// It was done, after the window.
    WindowOver,
    /// It was done, too long after the step before.
    GapOver,
    /// An exclusion ended the attempt.
    Excluded,
    /// In strict order another event ended it.
    Killed,
    /// It was done, outside the range that bounds every event.
    OutsideRange,
    /// Only an event that was already used could have been it.
    SameEvent,
    /// It was done, with another value of what is held constant, or without one.
    HeldDiffers,
}

/// Why somebody went no further.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyNot {
    /// The first rule that stopped the deepest attempt.
    pub reason: Reason,
    /// The step that was not reached, from 1.
    pub step: usize,
    /// By how much the window or the gap was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_by_ms: Option<i64>,
    /// The event that stopped it, or that came too late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<uuid::Uuid>,
    /// Which exclusion ended it, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclusion: Option<usize>,
}

/// Why an entity's deepest attempt went no further. `own` are the events of the outcome, `all` those of the person,
/// of whatever session, value or time; both in total order. `None`: it converted.
pub fn why_not(plan: &Plan, outcome: &Outcome, own: &[StepEvent], all: &[StepEvent]) -> Option<WhyNot> {
    let (first, last) = (outcome.chain.first()?, outcome.chain.last()?);
    let next = (last.step + 1..plan.steps).find(|step| plan.depth[*step] > plan.depth[last.step])?;
    let (start, latest) = (&own[first.event], &own[last.event]);
    let why = |reason, event: Option<&StepEvent>| WhyNot {
        reason,
        step: next + 1,
        over_by_ms: None,
        event_id: event.map(|event| uuid::Uuid::from_u128(event.id)),
        exclusion: None,
    };
    let after = |event: &&StepEvent| (event.ts, event.seq, event.id) > (latest.ts, latest.seq, latest.id);
    let used = |event: &StepEvent| outcome.chain.iter().any(|link| own[link.event].id == event.id);
    for event in all.iter().filter(after) {
        let is_own = own
            .iter()
            .any(|other| other.id == event.id && other.marks == event.marks);
        let in_window = event.ts - start.ts <= plan.window_ms;
        if event.matches(next) && !used(event) {
            if plan.bounds.is_some_and(|range| !range.contains(event.ts)) {
                return Some(why(Reason::OutsideRange, Some(event)));
            }
            if !in_window {
                let over_by_ms = Some(event.ts - start.ts - plan.window_ms);
                return Some(WhyNot {
                    over_by_ms,
                    ..why(Reason::WindowOver, Some(event))
                });
            }
            let gap = plan.max_gap_ms.map(|gap| event.ts - latest.ts - gap);
            if gap.is_some_and(|over| over > 0) {
                return Some(WhyNot {
                    over_by_ms: gap,
                    ..why(Reason::GapOver, Some(event))
                });
            }
            if !is_own {
                return Some(why(Reason::HeldDiffers, Some(event)));
            }
        }
        let applies = is_own || own.iter().any(|other| other.id == event.id);
        if !applies {
            continue;
        }
        let exclusion = plan.exclusions.iter().enumerate().find(|(i, (from, until))| {
            event.marks & mark::exclusion(*i) != 0 && *from <= last.step && last.step < *until
        });
        if let Some((i, _)) = exclusion.filter(|_| in_window) {
            return Some(WhyNot {
                exclusion: Some(i + 1),
                ..why(Reason::Excluded, Some(event))
            });
        }
        if plan.strict && event.counts() && !event.matches(last.step) {
            return Some(why(Reason::Killed, Some(event)));
        }
    }
    let twice = outcome
        .chain
        .iter()
        .map(|link| &own[link.event])
        .find(|event| event.matches(next));
    Some(match twice {
        Some(event) => why(Reason::SameEvent, Some(event)),
        None => why(Reason::StepMissing, None),
    })
}
