//! The rules of a sequential funnel, over the events of one person in total order.
//!
//! For each depth the person's attempt with the *latest start* is kept: an attempt that started later can do
//! whatever an earlier one can, and has more of its window left. So one pass and one attempt a step find the
//! deepest attempt there is (SEMANTICS 1; `metrics::oracle` tries them all).

use super::{FunnelSpec, StepEvent};
use crate::metrics::time::TimeRange;

/// A funnel made ready for matching.
#[derive(Clone, Debug)]
pub struct Plan {
    /// By name index: the steps (from 0) that the name satisfies, the latest first, so that one event cannot
    /// advance an attempt that it has only just made.
    steps_by_name: Vec<Vec<usize>>,
    steps: usize,
    window_ms: i64,
}

/// The attempts of one person. Memory is bounded by the steps, not by the events.
#[derive(Clone, Debug)]
pub struct Run {
    /// Where the first step has to fall.
    entry: TimeRange,
    /// `best[i]`: of the attempts that have matched steps 0..=i, the one with the latest start.
    best: Vec<Attempt>,
    /// The times of the first attempt to reach the deepest step so far.
    reported: Vec<i64>,
}

/// The events that an attempt has used, a step each. Empty: nobody got there yet.
#[derive(Clone, Debug, Default)]
struct Attempt {
    chain: Vec<Link>,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    ts: i64,
    id: u128,
}

impl Plan {
    /// The plan of a spec.
    pub fn new(spec: &FunnelSpec) -> Plan {
        let names = spec.event_names();
        let mut steps_by_name = vec![Vec::new(); names.len() + 1];
        for (i, name) in names.iter().enumerate() {
            steps_by_name[i + 1] = (0..spec.steps.len())
                .rev()
                .filter(|step| spec.steps[*step].events.contains(name))
                .collect();
        }
        Plan {
            steps_by_name,
            steps: spec.steps.len(),
            window_ms: spec.window_ms,
        }
    }

    /// The steps that the event satisfies by name, the latest first.
    fn steps_of(&self, event: &StepEvent) -> &[usize] {
        self.steps_by_name
            .get(usize::from(event.name_index))
            .map_or(&[], Vec::as_slice)
    }

    /// Whether the event satisfies the first step by name.
    pub fn may_enter(&self, event: &StepEvent) -> bool {
        self.steps_of(event).last() == Some(&0)
    }

    /// Whether an attempt may take the event as its next step.
    fn may_take(&self, attempt: &Attempt, event: &StepEvent) -> bool {
        attempt
            .start()
            .is_some_and(|start| event.ts - start <= self.window_ms)
            && attempt.chain.iter().all(|link| link.id != event.id)
    }
}

impl Run {
    /// A person who did nothing yet and may enter in `entry`.
    pub fn new(plan: &Plan, entry: TimeRange) -> Run {
        Run {
            entry,
            best: vec![Attempt::default(); plan.steps],
            reported: Vec::with_capacity(plan.steps),
        }
    }

    /// Starts over with another person.
    pub fn reset(&mut self) {
        for attempt in &mut self.best {
            attempt.chain.clear();
        }
        self.reported.clear();
    }

    /// Takes the person's next event. Events come in total order; after conversion they change nothing.
    pub fn feed(&mut self, plan: &Plan, event: &StepEvent) {
        if self.depth() == plan.steps {
            return;
        }
        for &step in plan.steps_of(event) {
            let moved = if step == 0 {
                self.enter(event)
            } else {
                self.advance(plan, step, event)
            };
            if moved && self.depth() <= step {
                self.reported.clear();
                self.reported
                    .extend(self.best[step].chain.iter().map(|link| link.ts));
            }
        }
    }

    /// How many steps the deepest attempt has matched; 0: the person never entered.
    pub fn depth(&self) -> usize {
        self.reported.len()
    }

    /// The event times of the reported chain, a step each: the first attempt to complete, else the first to
    /// reach the deepest step.
    pub fn reported(&self) -> &[i64] {
        &self.reported
    }

    /// Every first step in range opens an attempt, which starts later than the one before.
    fn enter(&mut self, event: &StepEvent) -> bool {
        let inside = self.entry.contains(event.ts);
        if inside {
            self.best[0].chain.clear();
            self.best[0].take(event);
        }
        inside
    }

    /// Moves the best attempt of the step before on, unless as late a start is there already.
    fn advance(&mut self, plan: &Plan, step: usize, event: &StepEvent) -> bool {
        let (before, from) = self.best.split_at_mut(step);
        let (previous, here) = (&before[step - 1], &mut from[0]);
        // An absent attempt has no start, and None is less than any.
        let better = plan.may_take(previous, event) && previous.start() > here.start();
        if better {
            here.chain.clear();
            here.chain.extend_from_slice(&previous.chain);
            here.take(event);
        }
        better
    }
}

impl Attempt {
    fn start(&self) -> Option<i64> {
        self.chain.first().map(|link| link.ts)
    }

    fn take(&mut self, event: &StepEvent) {
        self.chain.push(Link {
            ts: event.ts,
            id: event.id,
        });
    }
}
