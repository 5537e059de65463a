//! The parts of a funnel's report that stand beside its steps.

use std::collections::{BTreeMap, HashMap};

use super::Values;
use super::breakdown::Slice;
use super::numbers::Numbers;
use super::plan::Plan;
use super::report::{
    ActorPage, ActorRow, Counted, FunnelPoint, FunnelSlice, NearMisses, SweepReport, SweepWindow,
};
use super::spec::{Attribution, Count, Entity, FunnelSpec};
use super::tally::Listed;
use super::times::median;
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

pub(super) fn page(
    spec: &FunnelSpec,
    limit: usize,
    mut listed: BTreeMap<(u64, u32), (Listed, ActorRow)>,
    values: &Values,
    total: u64,
) -> ActorPage {
    let more = listed.len() > limit;
    while listed.len() > limit {
        listed.pop_last();
    }
    let last = listed
        .last_key_value()
        .map(|((entity, place), _)| format!("{entity:x}-{place}"));
    let row = |(who, row): (Listed, ActorRow)| {
        let held = who.held[..spec.hold.len()].iter();
        let group = || {
            u32::try_from(who.person)
                .ok()
                .and_then(|number| values.text(number))
        };
        ActorRow {
            actor: match spec.entity {
                Entity::Group => String::new(),
                Entity::Person | Entity::Session => format!("{:016x}", who.person),
            },
            group: match spec.entity {
                Entity::Group => group().map(str::to_owned),
                Entity::Person | Entity::Session => None,
            },
            held: held
                .filter_map(|value| values.text(*value).map(str::to_owned))
                .collect(),
            ..row
        }
    };
    ActorPage {
        total,
        actors: listed.into_values().map(row).collect(),
        next: last.filter(|_| more),
    }
}
