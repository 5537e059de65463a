//! The rules of [`super::matcher`] where nothing but order and window decides: every step follows the one before, and
//! nothing ends an attempt. That is most funnels, and most persons of the others.
//!
//! Kept is, as there, the attempt with the latest start for each step. What is left out is what cannot happen here:
//! several attempts a step, optional steps, ties. A property test holds the two to the same answer.

use super::StepMark;
use super::matcher::Link;
use super::plan::{Plan, mark};
use super::spec::MAX_STEPS;
use crate::metrics::time::TimeRange;

/// How far one person came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// The reported chain, in order of time; empty: never entered.
    pub chain: Vec<Link>,
    /// Shortest time from the first step to the last.
    pub shortest_ms: Option<i64>,
}

/// Start of no attempt: before all others.
const NEVER: i64 = i64::MIN;

/// The matcher, to be used for one person after the other.
#[derive(Clone, Debug, Default)]
pub struct Plain {
    /// For each step, the start of its attempt.
    starts: [i64; MAX_STEPS],
    /// For each step, the places of its attempt's events up to it.
    chains: [[u32; MAX_STEPS]; MAX_STEPS],
    reached: Reached,
}

impl Plain {
    /// Whether nothing but order and window decides in the plan's funnel, for persons without ties.
    pub fn applies(plan: &Plan) -> bool {
        !plan.any_order
            && !plan.can_end()
            && !plan.total
            && plan.max_gap_ms.is_none()
            && !plan.optional.contains(&true)
    }

    /// One person's events, in order and no two at the same place.
    pub fn run(&mut self, plan: &Plan, events: &[StepMark], entry: TimeRange) -> &Reached {
        let last = plan.steps - 1;
        self.starts[..plan.steps].fill(NEVER);
        // Steps that the deepest attempt reached, and the first such attempt.
        let (mut depth, mut reported) = (0, [0; MAX_STEPS]);
        let mut shortest_ms: Option<i64> = None;
        for (place, event) in (0_u32..).zip(events) {
            let ts = event.ts();
            let mut left = event.marks & mark::STEPS;
            // From the last step down: an event cannot follow itself.
            while left != 0 {
                let step = left.ilog2() as usize;
                left ^= mark::step(step);
                let start = match step {
                    0 if entry.contains(ts) && !(plan.first && depth > 0) => ts,
                    0 => NEVER,
                    _ => self.starts[step - 1],
                };
                if start == NEVER || ts - start > plan.window_ms {
                    continue;
                }
                if step == last {
                    shortest_ms = Some(shortest_ms.map_or(ts - start, |shortest| shortest.min(ts - start)));
                }
                // Of first steps at one instant the last one; of others what was done first.
                if start > self.starts[step] || step == 0 {
                    self.starts[step] = start;
                    let (before, own) = self.chains.split_at_mut(step);
                    if let Some(before) = before.last() {
                        own[0][..step].copy_from_slice(&before[..step]);
                    }
                    own[0][step] = place;
                }
                if depth <= step {
                    (depth, reported) = (step + 1, self.chains[step]);
                }
            }
            if depth > last && !plan.on_and_on {
                break;
            }
        }
        let chain = &mut self.reached.chain;
        chain.clear();
        chain.extend((0..depth).map(|step| Link::new(step, reported[step] as usize)));
        self.reached.shortest_ms = shortest_ms;
        &self.reached
    }
}
