//! A funnel made ready for matching: what its wishes mean for a single event. A new wish changes the spec and
//! this file, not the loops of the matcher.

use super::StepEvent;
use super::spec::{Count, FunnelSpec, OnExclusion, Order, RangeAppliesTo, Reentry, View};
use crate::metrics::time::TimeRange;

/// Bits of [`StepEvent::marks`].
pub mod mark {
    use crate::metrics::funnel::spec::MAX_STEPS;

    /// The event satisfies the step (from 0).
    pub const fn step(step: usize) -> u32 {
        1 << step
    }

    /// The event is one of the exclusion (from 0).
    pub const fn exclusion(exclusion: usize) -> u32 {
        1 << (MAX_STEPS + exclusion)
    }

    /// All steps.
    pub const STEPS: u32 = (1 << MAX_STEPS) - 1;
    /// The event counts in strict order: it is not ignored.
    pub const COUNTS: u32 = 1 << 30;
}

/// A funnel made ready for matching.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many steps.
    pub steps: usize,
    /// `before[i]`: the steps that step i may follow: the one before and, over optional steps only, each further
    /// back to the nearest mandatory one.
    pub before: Vec<Vec<usize>>,
    /// `depth[i]`: mandatory steps among 0..=i.
    pub depth: Vec<usize>,
    /// Which steps may be left out.
    pub optional: Vec<bool>,
    /// Longest time from the first step to the last.
    pub window_ms: i64,
    /// Longest time from one step to the next.
    pub max_gap_ms: Option<i64>,
    /// An exclusion ends attempts whose latest step lies in `from..until` (steps from 0).
    pub exclusions: Vec<(usize, usize)>,
    /// An entity whose deepest attempt was ended by an exclusion leaves every step.
    pub drop: bool,
    /// Other events end attempts.
    pub strict: bool,
    /// Steps in any order.
    pub any_order: bool,
    /// Only the first entry opens an attempt.
    pub first: bool,
    /// Attempts are counted, not entities.
    pub total: bool,
    /// Events with the same `floor(ts / tie_ms)` happened at the same time; 0: the total order decides.
    pub tie_ms: i64,
    /// Conversion does not end a run: the shortest time is looked for.
    pub on_and_on: bool,
    /// Where the first step has to fall.
    pub entry: TimeRange,
    /// Where every event has to fall.
    pub bounds: Option<TimeRange>,
}

impl Plan {
    /// The plan of a spec.
    pub fn new(spec: &FunnelSpec) -> Plan {
        let optional: Vec<bool> = spec.steps.iter().map(|step| step.optional).collect();
        let before = (0..optional.len())
            .map(|step| steps_before(step, &optional))
            .collect();
        let depth = optional
            .iter()
            .scan(0, |depth, optional| {
                *depth += usize::from(!optional);
                Some(*depth)
            })
            .collect();
        Plan {
            steps: spec.steps.len(),
            before,
            depth,
            optional,
            window_ms: spec.window_ms,
            max_gap_ms: spec.max_gap_ms,
            exclusions: spec.exclusions.iter().map(|x| (x.after, x.before)).collect(),
            drop: spec.on_exclusion == OnExclusion::Drop,
            strict: spec.order == Order::Strict,
            any_order: spec.order == Order::Any,
            first: spec.reentry == Reentry::First,
            total: spec.count == Count::Total,
            tie_ms: spec.tie_ms,
            on_and_on: false,
            entry: spec.entry_range(),
            bounds: (spec.range_applies_to == RangeAppliesTo::All).then(|| spec.entry_range()),
        }
    }

    /// The plan of a sweep: the longest of its windows, and conversion ends nothing.
    pub fn of_sweep(spec: &FunnelSpec) -> Option<Plan> {
        matches!(spec.view, View::Sweep(_)).then(|| Plan {
            window_ms: spec.longest_window(),
            on_and_on: true,
            ..Plan::new(spec)
        })
    }

    /// Whether the event may open an attempt.
    pub fn may_enter(&self, event: &StepEvent, entry: TimeRange) -> bool {
        event.matches(0) && entry.contains(event.ts)
    }

    /// Whether an event of these marks is one with which somebody may begin: a first step, or in any order any step.
    pub fn may_begin(&self, marks: u32) -> bool {
        let begins = if self.any_order {
            mark::STEPS
        } else {
            mark::step(0)
        };
        marks & begins != 0
    }

    /// Whether the step may be left out.
    pub fn is_optional(&self, step: usize) -> bool {
        self.optional[step]
    }

    /// How deep somebody is who came to the step. In any order a step stands for how many were completed.
    pub fn depth_of(&self, step: usize) -> usize {
        self.depth[step]
    }

    /// The depth of those who converted.
    pub fn full_depth(&self) -> usize {
        self.depth[self.steps - 1]
    }

    /// The nearest mandatory step before.
    pub fn mandatory_before(&self, step: usize) -> Option<usize> {
        (0..step).rev().find(|before| !self.optional[*before])
    }

    /// Whether events that are no step can end an attempt.
    pub fn can_end(&self) -> bool {
        self.strict || !self.exclusions.is_empty()
    }

    /// The exclusions that an event is one of, as the steps `from..until` whose attempts it ends.
    pub fn excluded_by(&self, event: &StepEvent) -> impl Iterator<Item = (usize, usize)> + '_ {
        let marks = event.marks;
        let places = self.exclusions.iter().enumerate();
        places
            .filter(move |(i, _)| marks & mark::exclusion(*i) != 0)
            .map(|(_, steps)| *steps)
    }

    /// Which tie group an instant belongs to; without ties every event is on its own.
    pub fn tie_group(&self, ts: i64) -> Option<i64> {
        (self.tie_ms > 0).then(|| ts.div_euclid(self.tie_ms))
    }

    /// The length of the run of tied events that begins at `from`.
    pub fn tied(&self, events: &[StepEvent], from: usize) -> usize {
        let Some(group) = self.tie_group(events[from].ts) else {
            return 1;
        };
        let rest = &events[from..];
        rest.iter()
            .take_while(|event| self.tie_group(event.ts) == Some(group))
            .count()
    }
}

fn steps_before(step: usize, optional: &[bool]) -> Vec<usize> {
    let mut before = Vec::new();
    for earlier in (0..step).rev() {
        before.push(earlier);
        if !optional[earlier] {
            break;
        }
    }
    before
}
