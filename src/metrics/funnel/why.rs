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
    /// The next step was not done, at least not before two windows were over.
    StepMissing,
    /// It was done, after the window, no more than another window late; or in another session than the one that is
    /// the window.
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
    /// By how much the window or the gap was over; null where the window is a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_by_ms: Option<i64>,
    /// The event that stopped it, or that came too late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<uuid::Uuid>,
    /// The name of that event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Which exclusion ended it, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclusion: Option<usize>,
}

/// How many windows after its start an attempt is still told what it missed: as far as the store reads for it, and
/// the same for everybody, however late in the range they entered.
const WINDOWS: i64 = 2;

/// Why an entity's deepest attempt, which is its reported chain, went no further. `own` are the events of the
/// outcome, `all` those of the person, of whatever session, value or time; both in total order. `None`: it converted.
///
/// What came after the attempt's latest step is looked at moment by moment, a moment being one event or, with ties,
/// all that are tied. Of one moment an event that could have been the next step goes first, then an exclusion, then
/// what kills in strict order: the order in which the matcher judges. Of a step that breaks several rules the first
/// of these is told: held value (no other window would make it the next step), range, window, gap, session. An exclusion or a kill can only stop what the window
/// and the gap had not stopped before.
pub fn why_not(plan: &Plan, outcome: &Outcome, own: &[StepEvent], all: &[StepEvent]) -> Option<WhyNot> {
    let last = outcome.chain.last()?.step;
    let next = (last + 1..plan.steps).find(|step| plan.depth[*step] > plan.depth[last])?;
    let links = outcome.chain.iter();
    let attempt = Attempt {
        plan,
        links: links.map(|link| (link.step, own[link.event])).collect(),
        next,
        own,
    };
    let mut at = attempt.first_moment(all);
    while at < all.len() && attempt.is_told_of(&all[at]) {
        let moment = &all[at..at + plan.tied(all, at)];
        if let Some(why) = attempt.stopped_by(moment) {
            return Some(why);
        }
        at += moment.len();
    }
    let twice = attempt.links.iter().find(|(_, event)| event.matches(next));
    Some(match twice {
        Some((_, event)) => attempt.why(Reason::SameEvent, Some(event)),
        None => attempt.why(Reason::StepMissing, None),
    })
}

/// The attempt that is told about.
struct Attempt<'a> {
    plan: &'a Plan,
    /// Its steps and their events.
    links: Vec<(usize, StepEvent)>,
    /// The mandatory step that it did not reach.
    next: usize,
    /// The events that it could have taken, or that could have ended it.
    own: &'a [StepEvent],
}

fn place(event: &StepEvent) -> (i64, u32, u128) {
    (event.ts, event.seq, event.id)
}

impl Attempt<'_> {
    fn start(&self) -> &StepEvent {
        &self.links[0].1
    }

    fn latest(&self) -> &StepEvent {
        &self.links[self.links.len() - 1].1
    }

    /// Where what came after the latest step begins; with ties, where its moment does.
    fn first_moment(&self, all: &[StepEvent]) -> usize {
        let latest = self.latest();
        match self.plan.tie_group(latest.ts) {
            Some(group) => all.partition_point(|event| self.plan.tie_group(event.ts) < Some(group)),
            None => all.partition_point(|event| place(event) <= place(latest)),
        }
    }

    fn is_told_of(&self, event: &StepEvent) -> bool {
        event.ts - self.start().ts <= WINDOWS * self.plan.window_ms
    }

    fn uses(&self, event: &StepEvent) -> bool {
        self.links.iter().any(|(_, used)| used.id == event.id)
    }

    fn is_own(&self, event: &StepEvent) -> bool {
        self.own.binary_search_by_key(&place(event), place).is_ok()
    }

    fn why(&self, reason: Reason, event: Option<&StepEvent>) -> WhyNot {
        WhyNot {
            reason,
            step: self.next + 1,
            over_by_ms: None,
            event_id: event.map(|event| uuid::Uuid::from_u128(event.id)),
            event: None,
            exclusion: None,
        }
    }

    /// What the events of one moment did to the attempt.
    fn stopped_by(&self, moment: &[StepEvent]) -> Option<WhyNot> {
        let unused = || moment.iter().filter(|event| !self.uses(event));
        let mut missed = unused().filter(|event| event.matches(self.next) && self.is_told_of(event));
        missed
            .find_map(|event| self.missed(event))
            .or_else(|| unused().find_map(|event| self.excluded(moment, event)))
            .or_else(|| unused().find_map(|event| self.killed(moment, event)))
    }

    /// Why an event that is the next step could not be taken.
    fn missed(&self, event: &StepEvent) -> Option<WhyNot> {
        let plan = self.plan;
        let over = |reason, over_by_ms| WhyNot {
            over_by_ms,
            ..self.why(reason, Some(event))
        };
        if event.held != self.start().held {
            return Some(over(Reason::HeldDiffers, None));
        }
        if plan.bounds.is_some_and(|range| !range.contains(event.ts)) {
            return Some(over(Reason::OutsideRange, None));
        }
        let too_late = Some(event.ts - self.start().ts - plan.window_ms).filter(|over| *over > 0);
        if too_late.is_some() {
            return Some(over(Reason::WindowOver, too_late));
        }
        let too_long = plan.max_gap_ms.map(|gap| event.ts - self.latest().ts - gap);
        if too_long.is_some_and(|over| over > 0) {
            return Some(over(Reason::GapOver, too_long));
        }
        (!self.is_own(event)).then(|| over(Reason::WindowOver, None))
    }

    /// Whether the attempt was still within its window and its gap.
    fn is_in_time(&self, event: &StepEvent) -> bool {
        let gap = event.ts - self.latest().ts;
        event.ts - self.start().ts <= self.plan.window_ms
            && self.plan.max_gap_ms.is_none_or(|longest| gap <= longest)
    }

    /// The steps that it held before and after a moment; `None`: it was opened within, where nothing ends it.
    fn held(&self, moment: &[StepEvent]) -> Option<(usize, usize)> {
        let before = |(_, event): &&(usize, StepEvent)| {
            place(event) < place(&moment[0]) && moment.iter().all(|other| other.id != event.id)
        };
        let (held, _) = self.links.iter().rev().find(before)?;
        Some((*held, self.links[self.links.len() - 1].0))
    }

    fn excluded(&self, moment: &[StepEvent], event: &StepEvent) -> Option<WhyNot> {
        let (before, after) = self.held(moment)?;
        let mut exclusions = self.plan.exclusions.iter().enumerate();
        let (i, _) = exclusions.find(|(i, (from, until))| {
            event.marks & mark::exclusion(*i) != 0 && *from <= before && after < *until
        })?;
        (self.is_in_time(event) && self.is_own(event)).then(|| WhyNot {
            exclusion: Some(i + 1),
            ..self.why(Reason::Excluded, Some(event))
        })
    }

    fn killed(&self, moment: &[StepEvent], event: &StepEvent) -> Option<WhyNot> {
        let (before, _) = self.held(moment)?;
        let of_moment = |(_, used): &&(usize, StepEvent)| moment.iter().any(|other| other.id == used.id);
        let taken = self.links.iter().filter(of_moment).map(|(step, _)| *step);
        let repeats = taken.chain([before]).any(|step| self.repeats(event, step));
        let ends = self.plan.strict && event.counts() && !repeats;
        (ends && self.is_in_time(event) && self.is_own(event)).then(|| self.why(Reason::Killed, Some(event)))
    }

    /// Whether the entity sees the event as the step: one that lacks a held value is none.
    fn repeats(&self, event: &StepEvent, step: usize) -> bool {
        event.matches(step) && event.held == self.start().held
    }
}
