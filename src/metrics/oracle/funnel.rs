//! The funnel by trying every chain.

use super::{by_person, fraction};
use crate::event::Event;
use crate::metrics::funnel::{FunnelOverall, FunnelReport, FunnelSpec, FunnelStepReport};
use crate::metrics::time::Moment;

/// The report of the funnel over a project's events.
pub fn funnel(spec: &FunnelSpec, now_ms: i64, events: &[Event]) -> FunnelReport {
    let chains: Vec<Vec<i64>> = by_person(events)
        .values()
        .map(|events| chain_of_person(spec, events))
        .filter(|chain| !chain.is_empty())
        .collect();
    let reached = |step: usize| chains.iter().filter(|chain| chain.len() > step).count();
    let last = spec.steps.len() - 1;
    let steps = spec.steps.iter().enumerate().map(|(i, step)| {
        let dropped = if i == last { 0 } else { reached(i) - reached(i + 1) };
        FunnelStepReport {
            index: i + 1,
            name: step.name.clone().unwrap_or(step.events.join(" or ")),
            events: step.events.clone(),
            reached: reached(i) as u64,
            dropped: dropped as u64,
            rate_from_start: fraction(reached(i), reached(0)),
            rate_from_previous: if i == 0 {
                None
            } else {
                fraction(reached(i), reached(i - 1))
            },
            drop_off_rate: if i == last {
                None
            } else {
                fraction(dropped, reached(i))
            },
            median_from_previous_ms: if i == 0 {
                None
            } else {
                median_between(&chains, i - 1, i)
            },
            median_from_start_ms: if i == 0 {
                None
            } else {
                median_between(&chains, 0, i)
            },
        }
    });
    FunnelReport {
        steps: steps.collect(),
        overall: FunnelOverall {
            entered: reached(0) as u64,
            converted: reached(last) as u64,
            rate: fraction(reached(last), reached(0)),
            median_ms: median_between(&chains, 0, last),
        },
        window_ms: spec.window_ms,
        from: Moment(spec.from_ms),
        to: Moment(spec.to_ms),
        is_final: spec.to_ms + spec.window_ms <= now_ms,
    }
}

/// The times of the reported chain of the only person in the slice; empty if they never entered.
#[cfg(test)]
pub(in crate::metrics) fn reported_chain(spec: &FunnelSpec, events: &[Event]) -> Vec<i64> {
    let persons = by_person(events);
    assert_eq!(persons.len(), 1);
    persons
        .values()
        .map(|events| chain_of_person(spec, events))
        .collect::<Vec<_>>()
        .concat()
}

/// The times of a person's reported chain; empty if they never entered.
///
/// The first to reach the deepest step; of several that reach it with the same event, the one that started last;
/// of those, the one whose earlier steps were each done first (the step before the last decides first).
fn chain_of_person(spec: &FunnelSpec, events: &[&Event]) -> Vec<i64> {
    let mut chains = Vec::new();
    extend(spec, events, &mut Vec::new(), &mut chains);
    let best = chains.into_iter().min_by_key(|chain| {
        let deepest_first = std::cmp::Reverse(chain.len());
        let end = chain[chain.len() - 1];
        let latest_start_first = std::cmp::Reverse(events[chain[0]].ts);
        let earlier_steps: Vec<usize> = chain.iter().skip(1).rev().copied().collect();
        (deepest_first, end, latest_start_first, earlier_steps)
    });
    best.unwrap_or_default()
        .into_iter()
        .map(|i| events[i].ts)
        .collect()
}

/// Adds every chain that begins with `chain` to `found`: places of events in ascending order, one a step.
fn extend(spec: &FunnelSpec, events: &[&Event], chain: &mut Vec<usize>, found: &mut Vec<Vec<usize>>) {
    if !chain.is_empty() {
        found.push(chain.clone());
    }
    let Some(step) = spec.steps.get(chain.len()) else {
        return;
    };
    let next = chain.last().map_or(0, |last| last + 1);
    for i in next..events.len() {
        let allowed = match chain.first() {
            None => spec.from_ms <= events[i].ts && events[i].ts < spec.to_ms,
            Some(first) => events[i].ts - events[*first].ts <= spec.window_ms,
        };
        if allowed && step.events.contains(&events[i].event) {
            chain.push(i);
            extend(spec, events, chain, found);
            chain.pop();
        }
    }
}

/// The median time between two steps, over the chains that have both.
fn median_between(chains: &[Vec<i64>], from: usize, to: usize) -> Option<f64> {
    let mut times: Vec<i64> = chains
        .iter()
        .filter(|chain| chain.len() > to)
        .map(|chain| chain[to] - chain[from])
        .collect();
    times.sort_unstable();
    match times.len() {
        0 => None,
        n if n % 2 == 1 => Some(times[n / 2] as f64),
        n => Some((times[n / 2 - 1] as f64 + times[n / 2] as f64) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::worlds::{self, tally};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(worlds::seeded(600))]

        #[test]
        fn the_matcher_finds_what_trying_every_chain_finds(
            spec in worlds::funnel_spec(), world in worlds::seconds(),
        ) {
            let now = 40_000;
            prop_assert_eq!(tally(&spec, now, &world), funnel(&spec, now, &world));
        }

        #[test]
        fn removing_an_unrelated_event_changes_nothing(
            spec in worlds::funnel_spec(), world in worlds::seconds(),
        ) {
            let names = spec.event_names();
            let mut related = world.clone();
            related.retain(|event| names.contains(&event.event));
            prop_assert_eq!(tally(&spec, 0, &related), tally(&spec, 0, &world));
        }

        #[test]
        fn removing_a_step_event_never_raises_a_number(
            spec in worlds::funnel_spec(), world in worlds::seconds(), which in any::<prop::sample::Index>(),
        ) {
            let gone = which.get(&world).id;
            let mut fewer = world.clone();
            fewer.retain(|event| event.id != gone);
            for (less, more) in tally(&spec, 0, &fewer).steps.iter().zip(tally(&spec, 0, &world).steps) {
                prop_assert!(less.reached <= more.reached);
            }
        }

        #[test]
        fn a_longer_window_never_lowers_a_number_and_steps_never_rise(
            spec in worlds::funnel_spec(), world in worlds::seconds(), more_ms in 0..5_000_i64,
        ) {
            let mut wider = spec.clone();
            wider.window_ms += more_ms;
            let (narrow, wide) = (tally(&spec, 0, &world), tally(&wider, 0, &world));
            for (narrow, wide) in narrow.steps.iter().zip(&wide.steps) {
                prop_assert!(narrow.reached <= wide.reached);
            }
            for pair in wide.steps.windows(2) {
                prop_assert!(pair[0].reached >= pair[1].reached);
                prop_assert_eq!(pair[0].dropped, pair[0].reached - pair[1].reached);
            }
        }
    }
}
