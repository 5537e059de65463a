//! The funnel by trying every chain.

#[cfg(test)]
mod actor_tests;
mod attempts;
mod chains;
mod doer;
mod parts;
#[cfg(test)]
pub(super) mod tests;
mod why;

use self::attempts::{Outcome, outcomes};
use self::doer::{Doer, Seen, doers};
use super::{People, fraction};
use crate::event::Zone;
use crate::metrics::funnel::report::{ActorRow, Counted};
use crate::metrics::funnel::spec::{Count, Entity, FunnelSpec, Order, View};
use crate::metrics::funnel::{FunnelOverall, FunnelReport, FunnelStepReport};
use crate::metrics::time::{Moment, TimeRange};

/// An outcome with its events.
#[derive(Clone)]
struct Found<'a> {
    outcome: Outcome,
    events: Vec<Seen<'a>>,
}

impl Found<'_> {
    fn ts(&self, link: usize) -> i64 {
        self.events[self.outcome.chain[link].1].event.ts
    }

    /// When the chain did the step (in any order: had completed so many).
    fn at(&self, step: usize) -> Option<i64> {
        let link = self.outcome.chain.iter().position(|(other, _)| *other == step)?;
        Some(self.ts(link))
    }
}

/// The report of the funnel over a project's events. It lists no actors: [`actors`] does.
pub fn funnel<'a>(
    spec: &FunnelSpec,
    zone: &Zone,
    now_ms: i64,
    events: impl Into<People<'a>>,
) -> FunnelReport {
    let people = events.into();
    let doers = doers(spec, &people);
    let whole = entry(spec);
    let found: Vec<Found> = doers.iter().flat_map(|doer| of_doer(spec, doer, whole)).collect();
    FunnelReport {
        steps: steps(spec, &found),
        overall: overall(spec, &found),
        window_ms: spec.window_ms,
        from: Moment(spec.from_ms),
        to: Moment(spec.to_ms),
        is_final: spec.to_ms + spec.window_ms <= now_ms,
        counted: counted(spec),
        breakdown: spec
            .breakdown
            .as_ref()
            .map(|asked| parts::breakdown(spec, asked, &found)),
        trend: match spec.view {
            View::Trend(interval, week) => {
                Some(parts::trend(spec, (zone, interval, week), now_ms, &doers, &found))
            }
            _ => None,
        },
        time: match spec.view {
            View::Time(from, to) => Some(parts::time(&found, from, to)),
            _ => None,
        },
        sweep: match &spec.view {
            View::Sweep(windows) => Some(parts::sweep(spec, windows, &doers)),
            _ => None,
        },
        why_not: spec.why_not.then(|| why::counts(&actors(spec, &people))),
        actors: None,
        preset_limits: spec
            .preset
            .map(|preset| preset.limits().iter().map(|text| text.to_string()).collect()),
    }
}

/// Everybody in the funnel, with their reported chain and why it went no further; in no order.
pub fn actors<'a>(spec: &FunnelSpec, events: impl Into<People<'a>>) -> Vec<ActorRow> {
    let people = events.into();
    let doers = doers(spec, &people);
    let found = doers.iter().flat_map(|doer| of_doer(spec, doer, entry(spec)));
    found.map(|found| why::row(spec, &found, &people)).collect()
}

fn entry(spec: &FunnelSpec) -> TimeRange {
    TimeRange {
        from_ms: spec.from_ms,
        to_ms: spec.to_ms,
    }
}

/// The outcomes of an entity: of several sessions the best, in totals all.
fn of_doer<'a>(spec: &FunnelSpec, doer: &Doer<'a>, entry: TimeRange) -> Vec<Found<'a>> {
    let mut found = Vec::new();
    for part in doer {
        for outcome in outcomes(spec, part, entry) {
            let events = part.clone();
            found.push(Found { outcome, events });
        }
    }
    if spec.count == Count::Total {
        return found;
    }
    let best = found.into_iter().min_by_key(|found| {
        let (step, place) = found.outcome.chain[found.outcome.chain.len() - 1];
        let event = found.events[place].event;
        let deepest_first = std::cmp::Reverse((found.outcome.depth, step));
        (deepest_first, event.ts, event.seq, event.id)
    });
    best.into_iter().collect()
}

fn counted(spec: &FunnelSpec) -> Counted {
    if spec.count == Count::Total {
        return Counted::Attempts;
    }
    if !spec.hold.is_empty() {
        return Counted::Pairs;
    }
    match spec.entity {
        Entity::Person => Counted::Persons,
        Entity::Session => Counted::Sessions,
        Entity::Group => Counted::Groups,
    }
}

/// Those who came to the step; to an optional one, those whose chain has it.
fn reached(spec: &FunnelSpec, found: &[Found], step: usize) -> usize {
    let depth = spec.steps[..=step].iter().filter(|step| !step.optional).count();
    let came = |found: &&Found| match spec.steps[step].optional {
        true => found.at(step).is_some(),
        false => found.outcome.depth >= depth,
    };
    found.iter().filter(came).count()
}

fn mandatory_before(spec: &FunnelSpec, step: usize) -> Option<usize> {
    (0..step).rev().find(|before| !spec.steps[*before].optional)
}

fn overall(spec: &FunnelSpec, found: &[Found]) -> FunnelOverall {
    let last = spec.steps.len() - 1;
    let (entered, converted) = (reached(spec, found, 0), reached(spec, found, last));
    FunnelOverall {
        entered: entered as u64,
        converted: converted as u64,
        rate: fraction(converted, entered),
        median_ms: median(times(found, |_| Some(0), last)),
    }
}

fn steps(spec: &FunnelSpec, found: &[Found]) -> Vec<FunnelStepReport> {
    let last = spec.steps.len() - 1;
    let row = |i: usize| {
        let step = &spec.steps[i];
        let next = (i + 1..=last).find(|next| !spec.steps[*next].optional);
        let here = reached(spec, found, i);
        let dropped = match next {
            Some(next) if !step.optional => here - reached(spec, found, next),
            _ => 0,
        };
        let any = spec.order == Order::Any;
        let names = step.events.iter().map(|alternative| alternative.event.clone());
        let mut names: Vec<String> = names.collect();
        names.dedup();
        // The mandatory step before, on the chain.
        let previous = |_: &Found| mandatory_before(spec, i);
        FunnelStepReport {
            index: i + 1,
            name: match (&step.name, any) {
                (_, true) => format!("{} of {} completed", i + 1, last + 1),
                (Some(name), _) => name.clone(),
                (None, _) => names.join(" or "),
            },
            events: if any { Vec::new() } else { names },
            optional: step.optional,
            reached: here as u64,
            dropped: dropped as u64,
            rate_from_start: fraction(here, reached(spec, found, 0)),
            rate_from_previous: mandatory_before(spec, i)
                .and_then(|before| fraction(here, reached(spec, found, before))),
            drop_off_rate: if i == last || step.optional {
                None
            } else {
                fraction(dropped, here)
            },
            median_from_previous_ms: median(times(found, previous, i)),
            median_from_start_ms: if i == 0 {
                None
            } else {
                median(times(found, |_| Some(0), i))
            },
        }
    };
    (0..=last).map(row).collect()
}

/// The times from one step to another, of those whose chain has both.
fn times(found: &[Found], from: impl Fn(&Found) -> Option<usize>, to: usize) -> Vec<i64> {
    let took = |found: &Found| Some((found.at(to)? - found.at(from(found)?)?).max(0));
    let mut times: Vec<i64> = found.iter().filter_map(took).collect();
    times.sort_unstable();
    times
}

/// The middle of sorted times.
fn median(times: Vec<i64>) -> Option<f64> {
    match times.len() {
        0 => None,
        n if n % 2 == 1 => Some(times[n / 2] as f64),
        n => Some((times[n / 2 - 1] as f64 + times[n / 2] as f64) / 2.0),
    }
}

/// The times of the reported chain of the only person in the slice; empty if they never entered. And the depth.
#[cfg(test)]
pub(in crate::metrics) fn reported_chain<'a>(
    spec: &FunnelSpec,
    events: impl Into<People<'a>>,
) -> Vec<(usize, Vec<i64>)> {
    let doers = doers(spec, &events.into());
    let found = doers.iter().flat_map(|doer| of_doer(spec, doer, entry(spec)));
    let chain = |found: Found| {
        let times = (0..found.outcome.chain.len())
            .map(|link| found.ts(link))
            .collect();
        (found.outcome.depth, times)
    };
    found.map(chain).collect()
}
