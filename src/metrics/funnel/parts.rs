//! The parts of a funnel's report that stand beside its steps.

use std::collections::{BTreeMap, HashMap};

use super::Values;
use super::breakdown::Slice;
use super::numbers::Numbers;
use super::plan::Plan;
use super::report::{
    Counted, FunnelPoint, FunnelSlice, NearMisses, ReasonAtStep, ReasonCount, SweepReport, SweepWindow,
};
use super::spec::{Attribution, Count, Entity, FunnelSpec};
use super::times::median;
use super::why::Reason;
use crate::metrics::rate;
use crate::metrics::time::{Bucket, Moment};

pub(super) fn counted(spec: &FunnelSpec) -> Counted {
    match (spec.count, spec.hold.is_empty(), spec.entity) {
        (Count::Total, ..) => Counted::Attempts,
        (Count::Unique, false, _) => Counted::Pairs,
        (Count::Unique, true, Entity::Person) => Counted::Persons,
        (Count::Unique, true, Entity::Session) => Counted::Sessions,
        (Count::Unique, true, Entity::Group) => Counted::Groups,
    }
}

/// The largest values, then the rest, then what is no value.
pub(super) fn breakdown(
    spec: &FunnelSpec,
    plan: &Plan,
    slices: HashMap<Slice, Numbers>,
    values: &Values,
) -> Vec<FunnelSlice> {
    let asked = spec.breakdown.as_ref();
    let limit = asked.map_or(0, |breakdown| breakdown.limit);
    let known_from = match asked.map(|breakdown| breakdown.attribution) {
        Some(Attribution::Step(step)) => step,
        _ => 0,
    };
    let (mut shown, mut others): (Vec<_>, Vec<_>) =
        slices.into_iter().partition(|(slice, _)| slice.is_value());
    shown.sort_by_cached_key(|(slice, numbers)| (std::cmp::Reverse(numbers.reached(1)), slice.label(values)));
    let rest = shown.split_off(limit.min(shown.len()));
    if !rest.is_empty() {
        let mut other = Numbers::new(plan);
        rest.into_iter().for_each(|(_, numbers)| other.absorb(numbers));
        shown.push((Slice::Other, other));
    }
    others.sort_by_key(|(slice, _)| *slice);
    shown.extend(others);
    let report = |(slice, mut numbers): (Slice, Numbers)| {
        let known_from = if slice == Slice::DidNotReach {
            plan.steps
        } else {
            known_from
        };
        numbers.slice(plan, slice.label(values), known_from)
    };
    shown.into_iter().map(report).collect()
}

pub(super) fn trend(
    spec: &FunnelSpec,
    plan: &Plan,
    buckets: &[Bucket],
    points: &[Numbers],
    now_ms: i64,
) -> Vec<FunnelPoint> {
    let point = |(bucket, numbers): (&Bucket, &Numbers)| {
        let reached = numbers.reached_mandatory(plan);
        let (entered, converted) = (numbers.reached(1), numbers.reached(plan.full_depth()));
        FunnelPoint {
            start: Moment(bucket.start),
            date: bucket.date,
            entered,
            converted,
            rate: rate(converted, entered),
            reached,
            is_final: bucket.end + spec.window_ms <= now_ms,
        }
    };
    buckets.iter().zip(points).map(point).collect()
}

pub(super) fn sweep(spec: &FunnelSpec, windows: &[i64], entered: u64, shortest: &[u64]) -> SweepReport {
    let within = |window: u64| shortest.iter().filter(|took| **took <= window).count() as u64;
    let window = spec.window_ms.unsigned_abs();
    let over = shortest
        .iter()
        .filter_map(|took| took.checked_sub(window))
        .filter(|over| *over > 0);
    let mut over: Vec<u64> = over.collect();
    SweepReport {
        windows: windows
            .iter()
            .map(|window| {
                let converted = within(window.unsigned_abs());
                SweepWindow {
                    window_ms: *window,
                    converted,
                    rate: rate(converted, entered),
                }
            })
            .collect(),
        near_misses: NearMisses {
            count: over.len() as u64,
            least_over_ms: over.iter().copied().min(),
            median_over_ms: median(&mut over),
        },
    }
}

/// How many for each reason, and at which step.
pub(super) fn reasons(counts: &BTreeMap<(Reason, usize), u64>) -> Vec<ReasonCount> {
    let mut found: Vec<ReasonCount> = Vec::new();
    for ((reason, step), count) in counts {
        let at_step = ReasonAtStep {
            step: *step,
            count: *count,
        };
        match found.last_mut().filter(|last| last.reason == *reason) {
            Some(last) => {
                last.count += count;
                last.steps.push(at_step);
            }
            None => found.push(ReasonCount {
                reason: *reason,
                count: *count,
                steps: vec![at_step],
            }),
        }
    }
    found
}
