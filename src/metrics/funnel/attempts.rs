//! What an entity's events come to: one outcome (unique), or one for each attempt (total).

use super::StepEvent;
use super::any_order::best_window;
use super::matcher::{Link, Run};
use super::plan::Plan;
use crate::metrics::time::TimeRange;

/// How far one attempt came (or one entity, where entities are counted).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Mandatory steps reached, at least 1.
    pub depth: usize,
    /// The reported chain, in order of time.
    pub chain: Vec<Link>,
    /// Shortest time from the first step to the last, within the longest window.
    pub shortest_ms: Option<i64>,
}

/// The outcomes of an entity's events, which are in total order; whoever never entered has none. The second part
/// tells whether a group of ties was too large for its orders to be tried.
pub fn outcomes(plan: &Plan, events: &[StepEvent], entry: TimeRange) -> (Vec<Outcome>, bool) {
    if plan.any_order {
        return (best_window(plan, events, entry).into_iter().collect(), false);
    }
    let mut gathered = Gathered {
        run: Run::new(plan, events, entry),
        outcomes: Vec::new(),
    };
    match (plan.total, plan.first) {
        (false, _) => gathered.once(),
        (true, false) => gathered.overlapping(),
        (true, true) => gathered.one_after_the_other(),
    }
    (gathered.outcomes, gathered.run.fell_back)
}

/// How the events of a moment ended an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Not,
    Converted,
    Excluded,
    Killed,
}

struct Gathered<'a> {
    run: Run<'a>,
    outcomes: Vec<Outcome>,
}

impl Gathered<'_> {
    /// Unique: the whole of the events is one run.
    fn once(&mut self) {
        let plan = self.run.plan;
        let mut at = 0;
        while at < self.run.events.len() && (plan.on_and_on || !self.run.converted()) {
            let count = plan.tied(self.run.events, at);
            self.run.feed(at, count);
            at += count;
        }
        self.close();
    }

    /// Attempts that overlap are one, ended by conversion or when every start is too long ago.
    fn overlapping(&mut self) {
        let mut at = 0;
        while at < self.run.events.len() {
            let count = self.run.plan.tied(self.run.events, at);
            if self.is_timed_out(at) {
                self.close();
            }
            self.run.feed(at, count);
            if self.run.converted() {
                self.close();
            }
            at += count;
        }
        self.close();
    }

    /// Attempts that do not overlap, each the run of its first entry.
    fn one_after_the_other(&mut self) {
        let mut at = 0;
        while at < self.run.events.len() {
            let count = self.run.plan.tied(self.run.events, at);
            if self.is_timed_out(at) {
                self.close();
            }
            // What ends an attempt in strict order may open the next; an exclusion may not.
            if self.take(at, count) == Ended::Killed {
                self.take(at, count);
            }
            at += count;
        }
        self.close();
    }

    /// Takes the events of one moment, and closes the attempt that they end.
    fn take(&mut self, at: usize, count: usize) -> Ended {
        self.run.excluded = false;
        self.run.feed(at, count);
        let ended = match (
            self.run.converted(),
            self.run.deepest().is_some() && !self.run.alive(),
        ) {
            (true, _) => Ended::Converted,
            (false, true) if self.run.excluded => Ended::Excluded,
            (false, true) => Ended::Killed,
            (false, false) => return Ended::Not,
        };
        self.close();
        ended
    }

    fn is_timed_out(&self, at: usize) -> bool {
        let start = self.run.latest_start();
        start.is_some_and(|start| self.run.events[at].ts - start > self.run.plan.window_ms)
    }

    fn close(&mut self) {
        if let Some(step) = self.run.deepest()
            && !(self.run.plan.drop && self.run.violated())
        {
            self.outcomes.push(Outcome {
                depth: self.run.plan.depth[step],
                chain: self.run.reported(),
                shortest_ms: self.run.shortest_ms,
            });
        }
        self.run.reset();
    }
}
