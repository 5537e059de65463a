//! The rules of a sequential (or strict) funnel, over the events of one entity in total order.
//!
//! For each step the attempt with the *latest start* is kept: an attempt that started later can do whatever an
//! earlier one can, and has more of its window left. So one pass and one attempt a step find the deepest attempt
//! there is (SEMANTICS 1; `metrics::oracle` tries them all). With `max_gap` an attempt that started earlier but
//! moved later can do more, so all that are not behind in both are kept.
//!
//! An event is taken in three moves: every attempt that it advances is *made*, attempts that it ends are removed
//! (those made with it are not among them), and what was made takes its place.

use std::cmp::Reverse;

use super::StepEvent;
use super::plan::Plan;
use crate::metrics::time::TimeRange;

/// A step that an attempt has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The step, from 0.
    pub step: usize,
    /// The place of its event among the entity's events.
    pub event: usize,
    /// The link before, in the run's arena.
    previous: Option<usize>,
}

impl Link {
    /// A link that is part of no run.
    pub(super) fn new(step: usize, event: usize) -> Link {
        Link {
            step,
            event,
            previous: None,
        }
    }
}

/// A way through the steps so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    /// Time of the first step.
    pub start: i64,
    /// Time of the latest.
    pub last: i64,
    /// Its latest link, in the run's arena.
    pub head: usize,
    /// How many steps it has taken.
    pub length: usize,
}

/// The attempts whose latest step is the same: one, or with `max_gap` all that are not dominated.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    pub attempts: Vec<Attempt>,
    /// The attempt that was last here was ended by an exclusion.
    pub violated: bool,
}

/// By which the better of two attempts is told: [`Run::rank`].
pub(super) type Rank = (i64, usize, usize, Reverse<usize>);

fn rank(arena: &[Link], attempt: &Attempt) -> Rank {
    let last = arena[attempt.head];
    (attempt.start, attempt.length, last.event, Reverse(last.step))
}

/// The attempts of one entity.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) events: &'a [StepEvent],
    /// Where the first step has to fall.
    entry: TimeRange,
    pub(super) slots: Vec<Slot>,
    arena: Vec<Link>,
    /// Attempts made by the event at hand, with their step.
    made: Vec<(usize, Attempt)>,
    /// Start of the latest attempt opened.
    latest_start: Option<i64>,
    /// Place of the deepest step, and the first attempt that reached it.
    deepest: Option<(usize, Attempt)>,
    /// Shortest time from the first step to the last.
    pub shortest_ms: Option<i64>,
    /// An exclusion ended an attempt.
    pub excluded: bool,
    /// A tie group was too large to try its orders.
    pub fell_back: bool,
}

impl<'a> Run<'a> {
    /// A run over an entity that did nothing yet and may enter in `entry`.
    pub fn new(plan: &'a Plan, events: &'a [StepEvent], entry: TimeRange) -> Run<'a> {
        Run {
            plan,
            events,
            entry,
            slots: vec![Slot::default(); plan.steps],
            arena: Vec::new(),
            made: Vec::new(),
            latest_start: None,
            deepest: None,
            shortest_ms: None,
            excluded: false,
            fell_back: false,
        }
    }

    /// Starts over behind what was seen.
    pub fn reset(&mut self) {
        for slot in &mut self.slots {
            slot.attempts.clear();
            slot.violated = false;
        }
        self.arena.clear();
        (self.latest_start, self.deepest, self.shortest_ms) = (None, None, None);
        self.excluded = false;
    }

    /// Takes the events `from..from + count`, which are tied, or one event. In total order.
    pub fn feed(&mut self, from: usize, count: usize) {
        if count > 1 {
            self.feed_tied(from, count);
        } else {
            self.feed_one(from);
        }
    }

    pub(super) fn feed_one(&mut self, place: usize) {
        let event = &self.events[place];
        let mut made = std::mem::take(&mut self.made);
        for step in event.steps() {
            let next = if step == 0 {
                self.opened(place)
            } else {
                self.advanced(step, place)
            };
            made.extend(next.map(|attempt| (step, attempt)));
        }
        for (step, attempt) in &made {
            self.note(*step, attempt);
        }
        if self.plan.can_end() {
            self.exclude_by(place);
            self.kill_by(place);
        }
        for (step, attempt) in made.drain(..) {
            self.settle(step, attempt);
        }
        self.made = made;
    }

    /// An attempt that the event opens.
    fn opened(&mut self, place: usize) -> Option<Attempt> {
        self.may_open(place).then(|| {
            self.started(self.events[place].ts);
            self.open(place)
        })
    }

    /// Whether the event may open an attempt, and no earlier one did where only the first counts.
    pub(super) fn may_open(&self, place: usize) -> bool {
        !(self.plan.first && self.latest_start.is_some())
            && self.plan.may_enter(&self.events[place], self.entry)
    }

    pub(super) fn open(&mut self, place: usize) -> Attempt {
        let ts = self.events[place].ts;
        Attempt {
            start: ts,
            last: ts,
            head: self.link(0, place, None),
            length: 1,
        }
    }

    pub(super) fn started(&mut self, ts: i64) {
        self.latest_start = self.latest_start.max(Some(ts));
    }

    /// The attempt with the latest start that the event moves to the step.
    fn advanced(&mut self, step: usize, place: usize) -> Option<Attempt> {
        let plan = self.plan;
        let candidates = plan.before[step]
            .iter()
            .flat_map(|before| &self.slots[*before].attempts);
        let best = candidates
            .filter(|attempt| self.may_take(attempt, place))
            .max_by_key(|attempt| self.rank(attempt))
            .copied();
        best.map(|attempt| self.take(&attempt, step, place))
    }

    /// Of two attempts the one with the latest start; the longer chain; the latest last event; if that could be
    /// either of two optional steps, the earlier one.
    pub(super) fn rank(&self, attempt: &Attempt) -> Rank {
        rank(&self.arena, attempt)
    }

    /// Whether an attempt may take the event as its next step.
    pub(super) fn may_take(&self, attempt: &Attempt, place: usize) -> bool {
        let event = &self.events[place];
        let in_time = event.ts - attempt.start <= self.plan.window_ms
            && self
                .plan
                .max_gap_ms
                .is_none_or(|gap| event.ts - attempt.last <= gap);
        // A copy that was delivered again is the same event.
        in_time
            && self
                .links(attempt.head)
                .all(|link| self.events[link.event].id != event.id)
    }

    pub(super) fn take(&mut self, attempt: &Attempt, step: usize, place: usize) -> Attempt {
        Attempt {
            start: attempt.start,
            last: self.events[place].ts,
            head: self.link(step, place, Some(attempt.head)),
            length: attempt.length + 1,
        }
    }

    fn link(&mut self, step: usize, event: usize, previous: Option<usize>) -> usize {
        self.arena.push(Link {
            step,
            event,
            previous,
        });
        self.arena.len() - 1
    }

    /// The links of an attempt, the latest first.
    pub(super) fn links(&self, head: usize) -> impl Iterator<Item = Link> + '_ {
        std::iter::successors(Some(self.arena[head]), |link| {
            link.previous.map(|at| self.arena[at])
        })
    }

    /// Keeps what the attempt means for the report.
    pub(super) fn note(&mut self, step: usize, attempt: &Attempt) {
        if self.deepest.is_none_or(|(deepest, _)| deepest < step) {
            self.deepest = Some((step, *attempt));
        }
        self.note_time(step, attempt);
    }

    /// Keeps the shortest time from the first step to the last.
    pub(super) fn note_time(&mut self, step: usize, attempt: &Attempt) {
        if step + 1 == self.plan.steps {
            let took = (attempt.last - attempt.start).max(0);
            self.shortest_ms = Some(self.shortest_ms.map_or(took, |shortest| shortest.min(took)));
        }
    }

    /// Ends the attempts that an exclusion, which is none of their steps, does not let live.
    pub(super) fn exclude_by(&mut self, place: usize) {
        let (plan, event) = (self.plan, &self.events[place]);
        for (from, until) in plan.excluded_by(event) {
            for slot in &mut self.slots[from..until] {
                let before = slot.attempts.len();
                // Expiry is judged before exclusion.
                slot.attempts
                    .retain(|attempt| event.ts - attempt.start > plan.window_ms);
                slot.violated |= slot.attempts.len() < before;
                self.excluded |= slot.attempts.len() < before;
            }
        }
    }

    /// In strict order: ends the attempts whose latest step the event, which is not their next, does not repeat.
    pub(super) fn kill_by(&mut self, place: usize) {
        let event = &self.events[place];
        if self.plan.strict && event.counts() {
            for (step, slot) in self.slots.iter_mut().enumerate() {
                if !event.matches(step) {
                    slot.attempts.clear();
                }
            }
        }
    }

    /// Puts an attempt in its place, unless one that can do as much is there already. A step that is repeated counts
    /// when it was first done; the first step, and with a longest gap each, when it was last done.
    pub(super) fn settle(&mut self, step: usize, attempt: Attempt) {
        let (slot, arena) = (&mut self.slots[step], &self.arena);
        let first_counts = step > 0 && self.plan.max_gap_ms.is_none();
        let as_able = |other: &Attempt, than: &Attempt| {
            let is_equal = (other.start, other.last) == (than.start, than.last);
            other.start >= than.start
                && (first_counts
                    || other.last >= than.last && (!is_equal || rank(arena, other) >= rank(arena, than)))
        };
        if slot.attempts.iter().any(|other| as_able(other, &attempt)) {
            return;
        }
        slot.attempts.retain(|other| !as_able(&attempt, other));
        slot.attempts.push(attempt);
        slot.violated = false;
    }

    /// The deepest step reached, from 0; `None`: never entered.
    pub fn deepest(&self) -> Option<usize> {
        self.deepest.map(|(step, _)| step)
    }

    /// Whether the last step was reached.
    pub fn converted(&self) -> bool {
        self.deepest() == Some(self.plan.steps - 1)
    }

    /// Start of the latest attempt opened.
    pub fn latest_start(&self) -> Option<i64> {
        self.latest_start
    }

    /// Whether any attempt was not ended.
    pub fn alive(&self) -> bool {
        self.slots.iter().any(|slot| !slot.attempts.is_empty())
    }

    /// Whether the deepest attempt was ended by an exclusion, and none as deep is clean.
    pub fn violated(&self) -> bool {
        let plan = self.plan;
        let Some(deepest) = self.deepest() else {
            return false;
        };
        let depth = plan.depth[deepest];
        let as_deep = || (0..plan.steps).filter(|step| plan.depth[*step] == depth);
        as_deep().any(|step| self.slots[step].violated)
            && as_deep().all(|step| self.slots[step].attempts.is_empty())
    }

    /// The first attempt to reach the last step, else the deepest one: its links in order of steps.
    pub fn reported(&self) -> Vec<Link> {
        let Some((_, attempt)) = self.deepest else {
            return Vec::new();
        };
        let mut links: Vec<Link> = self.links(attempt.head).collect();
        links.reverse();
        links
    }
}
