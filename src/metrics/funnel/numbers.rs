//! How many came how far, and how long it took them.

use super::matcher::Link;
use super::plan::Plan;
use super::report::{FunnelOverall, FunnelSlice, FunnelStepReport};
use super::spec::{FunnelSpec, Order};
use super::times::median;
use crate::metrics::rate;

/// Numbers of outcomes. Memory: two numbers an outcome and step (for exact medians), or none without times.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// Whether times are kept.
    timed: bool,
    /// `deepest[i]`: outcomes whose depth is `i + 1`.
    deepest: Vec<u64>,
    /// Outcomes whose chain has the step.
    on_chain: Vec<u64>,
    from_previous: Vec<Vec<u64>>,
    from_start: Vec<Vec<u64>>,
}

impl Numbers {
    /// Of nobody so far.
    pub fn new(plan: &Plan) -> Numbers {
        Numbers {
            timed: true,
            deepest: vec![0; plan.steps],
            on_chain: vec![0; plan.steps],
            from_previous: vec![Vec::new(); plan.steps],
            from_start: vec![Vec::new(); plan.steps],
        }
    }

    /// Of nobody so far, and without times.
    pub fn untimed(plan: &Plan) -> Numbers {
        Numbers {
            timed: false,
            ..Numbers::new(plan)
        }
    }

    /// Counts an outcome. `ts` of an event by its place.
    pub fn add(&mut self, plan: &Plan, depth: usize, chain: &[Link], ts: impl Fn(usize) -> i64) {
        self.deepest[depth - 1] += 1;
        let took = |from: &Link, to: &Link| (ts(to.event) - ts(from.event)).max(0).unsigned_abs();
        for (place, link) in chain.iter().enumerate() {
            // In any order a row is how many steps were completed.
            let row = if plan.any_order { place } else { link.step };
            self.on_chain[row] += 1;
            if !self.timed {
                continue;
            }
            let mandatory = |other: &&Link| plan.any_order || !plan.optional[other.step];
            if let Some(previous) = chain[..place].iter().rev().find(mandatory) {
                self.from_previous[row].push(took(previous, link));
                self.from_start[row].push(took(&chain[0], link));
            }
        }
    }

    /// Counts what another counted.
    pub fn absorb(&mut self, other: Numbers) {
        let add =
            |to: &mut Vec<u64>, from: Vec<u64>| to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        add(&mut self.deepest, other.deepest);
        add(&mut self.on_chain, other.on_chain);
        let append = |to: &mut Vec<Vec<u64>>, from: Vec<Vec<u64>>| {
            to.iter_mut()
                .zip(from)
                .for_each(|(to, mut from)| to.append(&mut from));
        };
        append(&mut self.from_previous, other.from_previous);
        append(&mut self.from_start, other.from_start);
    }

    /// Outcomes whose depth is at least so much.
    pub fn reached(&self, depth: usize) -> u64 {
        self.deepest[depth - 1..].iter().sum()
    }

    /// Those who reached each step; of an optional step, those whose chain has it.
    fn reached_by_step(&self, plan: &Plan) -> Vec<u64> {
        let reached = |step: usize| match plan.is_optional(step) {
            true => self.on_chain[step],
            false => self.reached(plan.depth_of(step)),
        };
        (0..plan.steps).map(reached).collect()
    }

    /// Those who reached each mandatory step.
    pub fn reached_mandatory(&self, plan: &Plan) -> Vec<u64> {
        (1..=plan.full_depth()).map(|depth| self.reached(depth)).collect()
    }

    /// The numbers of each step.
    pub fn steps(&mut self, spec: &FunnelSpec, plan: &Plan) -> Vec<FunnelStepReport> {
        let reached = self.reached_by_step(plan);
        let last = plan.steps - 1;
        let mut rows = Vec::with_capacity(plan.steps);
        for (i, step) in spec.steps.iter().enumerate() {
            let optional = plan.is_optional(i);
            let dropped = match i == last || optional {
                true => 0,
                false => self.deepest[plan.depth_of(i) - 1],
            };
            let (name, events) = match spec.order {
                Order::Any => (format!("{} of {} completed", i + 1, plan.steps), Vec::new()),
                Order::Sequential | Order::Strict => (step.label(), step.names()),
            };
            rows.push(FunnelStepReport {
                index: i + 1,
                name,
                events,
                optional,
                reached: reached[i],
                dropped,
                rate_from_start: rate(reached[i], reached[0]),
                rate_from_previous: plan
                    .mandatory_before(i)
                    .and_then(|before| rate(reached[i], reached[before])),
                drop_off_rate: (i < last && !optional)
                    .then(|| rate(dropped, reached[i]))
                    .flatten(),
                median_from_previous_ms: median(&mut self.from_previous[i]),
                median_from_start_ms: median(&mut self.from_start[i]),
            });
        }
        rows
    }

    /// From the first step to the last.
    pub fn overall(&mut self, plan: &Plan) -> FunnelOverall {
        let (entered, converted) = (self.reached(1), self.reached(plan.full_depth()));
        FunnelOverall {
            entered,
            converted,
            rate: rate(converted, entered),
            median_ms: median(&mut self.from_start[plan.steps - 1]),
        }
    }

    /// The numbers of one value, which was read at the step `known_from`.
    pub fn slice(&mut self, plan: &Plan, value: String, known_from: usize) -> FunnelSlice {
        let reached = self.reached_by_step(plan);
        let of_step = |step: usize| {
            let before = plan.mandatory_before(step).filter(|_| step > known_from)?;
            rate(reached[step], reached[before])
        };
        FunnelSlice {
            value,
            rates: (0..plan.steps).map(of_step).collect(),
            overall: self.overall(plan),
            reached,
        }
    }
}
