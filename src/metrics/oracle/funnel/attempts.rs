//! What the chains of an entity come to.

use super::chains::{Ended, Run, Step};
use super::doer::Seen;
use crate::metrics::funnel::spec::{Count, FunnelSpec, OnExclusion, Order, Reentry};
use crate::metrics::time::TimeRange;

/// Mandatory steps reached, and the reported chain.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub depth: usize,
    pub chain: Vec<Step>,
}

/// The outcomes of one run.
pub fn outcomes(spec: &FunnelSpec, events: &[Seen], entry: TimeRange) -> Vec<Outcome> {
    match (spec.order, spec.count, spec.reentry) {
        (Order::Any, ..) => any_order(spec, events, entry).into_iter().collect(),
        (_, Count::Unique, _) => unique(spec, events, entry).into_iter().collect(),
        (_, Count::Total, Reentry::Any) => overlapping(spec, events, entry),
        (_, Count::Total, Reentry::First) => one_after_the_other(spec, events, entry),
    }
}

fn depth_of(spec: &FunnelSpec, step: usize) -> usize {
    spec.steps[..=step].iter().filter(|step| !step.optional).count()
}

fn unique(spec: &FunnelSpec, events: &[Seen], entry: TimeRange) -> Option<Outcome> {
    let run = Run::new(spec, events, entry);
    let chain = run.reported();
    let depth = depth_of(spec, chain.last()?.0);
    if spec.on_exclusion == OnExclusion::Drop && is_dropped(&run, depth) {
        return None;
    }
    Some(Outcome { depth, chain })
}

/// Whether the attempts at the deepest step were ended by an exclusion. One that was replaced at its step by an
/// attempt with a later start shares the fate of that.
fn is_dropped(run: &Run, depth: usize) -> bool {
    let mut clean = false;
    let mut violated = false;
    for step in (0..run.spec.steps.len()).filter(|step| depth_of(run.spec, *step) == depth) {
        let mut here: Option<Vec<Step>> = None;
        let mut is_violated = false;
        for place in 0..run.events.len() {
            let moment = run.moment(place);
            if place > 0 && run.moment(place - 1) == moment {
                continue;
            }
            match here.as_ref().and_then(|chain| run.ended_at(chain, moment)) {
                Some(Ended::Excluded) => (here, is_violated) = (None, true),
                Some(Ended::Killed) => here = None,
                None => {}
            }
            let start = |chain: &Vec<Step>| run.ts(chain[0].1);
            let made = run.chains.iter().filter(|chain| {
                let (last, place) = chain[chain.len() - 1];
                last == step && run.moment(place) == moment
            });
            let ended = |chain: &Vec<Step>| run.ended_at(chain, moment);
            let alive = made
                .clone()
                .filter(|chain| ended(chain).is_none())
                .max_by_key(|chain| start(chain));
            if let Some(chain) = alive
                && here.as_ref().is_none_or(|other| start(chain) > start(other))
            {
                (here, is_violated) = (Some(chain.clone()), false);
            }
            let lost = made
                .filter(|chain| ended(chain) == Some(Ended::Excluded))
                .map(start)
                .max();
            if lost > here.as_ref().map(start) {
                is_violated = true;
            }
        }
        clean |= here.is_some();
        violated |= is_violated;
    }
    violated && !clean
}

/// The first place whose event can open an attempt.
fn first_entry(spec: &FunnelSpec, events: &[Seen], entry: TimeRange, from: usize) -> Option<usize> {
    (from..events.len())
        .find(|place| events[*place].steps[0] && entry.contains(events[*place].event.ts))
        .filter(|_| !spec.steps.is_empty())
}

/// Where the moment of a place begins and ends.
fn moment(spec: &FunnelSpec, events: &[Seen], place: usize) -> (usize, usize) {
    if spec.tie_ms == 0 {
        return (place, place + 1);
    }
    let same = |other: &Seen| {
        other.event.ts.div_euclid(spec.tie_ms) == events[place].event.ts.div_euclid(spec.tie_ms)
    };
    let first = events.iter().position(same).unwrap_or(place);
    (
        first,
        first + events[first..].iter().take_while(|other| same(other)).count(),
    )
}

/// Attempts that overlap are one: until conversion, or until the window of the latest entry is over.
fn overlapping(spec: &FunnelSpec, events: &[Seen], entry: TimeRange) -> Vec<Outcome> {
    let once = FunnelSpec {
        count: Count::Unique,
        ..spec.clone()
    };
    let last = spec.steps.len() - 1;
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(opening) = first_entry(spec, events, entry, from) {
        let (begin, _) = moment(spec, events, opening);
        let begin = begin.max(from);
        let mut latest = i64::MIN;
        let mut at = begin;
        let mut end = events.len();
        let mut resume = events.len();
        while at < events.len() {
            let (_, after) = moment(spec, events, at);
            if latest > i64::MIN && events[at].event.ts - latest > spec.window_ms {
                (end, resume) = (at, at);
                break;
            }
            for seen in &events[at..after] {
                if seen.steps[0] && entry.contains(seen.event.ts) {
                    latest = latest.max(seen.event.ts);
                }
            }
            let run = Run::new(&once, &events[begin..after], entry);
            if run.chains.iter().any(|chain| chain[chain.len() - 1].0 == last) {
                (end, resume) = (after, after);
                break;
            }
            at = after;
        }
        found.extend(shifted(unique(&once, &events[begin..end], entry), begin));
        from = resume;
    }
    found
}

/// Attempts of the first entry only, one after the other.
fn one_after_the_other(spec: &FunnelSpec, events: &[Seen], entry: TimeRange) -> Vec<Outcome> {
    let once = FunnelSpec {
        count: Count::Unique,
        ..spec.clone()
    };
    let last = spec.steps.len() - 1;
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(opening) = first_entry(spec, events, entry, from) {
        let (begin, opened) = moment(spec, events, opening);
        let begin = begin.max(from);
        let entries = events[begin..opened].iter();
        let entries = entries.filter(|seen| seen.steps[0] && entry.contains(seen.event.ts));
        let start = entries.map(|seen| seen.event.ts).max().unwrap_or(0);
        let (mut end, mut resume) = (events.len(), events.len());
        let mut at = begin;
        while at < events.len() {
            let (_, after) = moment(spec, events, at);
            if at > begin && events[at].event.ts - start > spec.window_ms {
                (end, resume) = (at, at);
                break;
            }
            let run = Run::new(&once, &events[begin..after], entry);
            let now = run.moment(at - begin);
            if run.chains.iter().any(|chain| chain[chain.len() - 1].0 == last) {
                (end, resume) = (after, after);
                break;
            }
            let before: Vec<_> = run
                .chains
                .iter()
                .filter(|chain| run.ended(chain, now).is_none())
                .collect();
            if before.iter().all(|chain| run.ended_at(chain, now).is_some()) {
                let excluded = before
                    .iter()
                    .any(|chain| run.ended_at(chain, now) == Some(Ended::Excluded));
                end = after;
                resume = if excluded { after } else { at };
                break;
            }
            at = after;
        }
        found.extend(shifted(unique(&once, &events[begin..end], entry), begin));
        from = resume;
    }
    found
}

fn shifted(outcome: Option<Outcome>, by: usize) -> Option<Outcome> {
    let mut outcome = outcome?;
    for (_, place) in &mut outcome.chain {
        *place += by;
    }
    Some(outcome)
}

/// The best window: the most steps, then the earliest completion, then the latest start. A row's time is when so
/// many steps could first be complete.
fn any_order(spec: &FunnelSpec, events: &[Seen], entry: TimeRange) -> Option<Outcome> {
    let mut sets = Vec::new();
    matchings(spec, events, entry, &mut Vec::new(), &mut sets);
    let ends = |set: &Vec<Step>| (set[0].1, set[set.len() - 1].1);
    let best = sets.iter().min_by_key(|set| {
        let (start, end) = ends(set);
        (std::cmp::Reverse(set.len()), end, std::cmp::Reverse(start))
    })?;
    let (start, _) = ends(best);
    let first_with = |steps: usize| {
        let fitting = sets.iter().filter(|set| set[0].1 == start && set.len() == steps);
        fitting.map(|set| ends(set).1).min()
    };
    let chain = (1..=best.len()).filter_map(|steps| Some((steps - 1, first_with(steps)?)));
    Some(Outcome {
        depth: best.len(),
        chain: chain.collect(),
    })
}

fn matchings(
    spec: &FunnelSpec,
    events: &[Seen],
    entry: TimeRange,
    set: &mut Vec<Step>,
    found: &mut Vec<Vec<Step>>,
) {
    let from = set.last().map_or(0, |(_, place)| place + 1);
    for place in from..events.len() {
        let fits = match set.first() {
            None => entry.contains(events[place].event.ts),
            Some((_, start)) => {
                let is_clean = |seen: &Seen| !seen.exclusions.contains(&true);
                events[place].event.ts - events[*start].event.ts <= spec.window_ms
                    && events[start + 1..place].iter().all(is_clean)
            }
        };
        for step in 0..spec.steps.len() {
            if fits && events[place].steps[step] && set.iter().all(|(other, _)| *other != step) {
                set.push((step, place));
                found.push(set.clone());
                matchings(spec, events, entry, set, found);
                set.pop();
            }
        }
    }
}
