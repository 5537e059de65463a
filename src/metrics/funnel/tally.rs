//! Gathers a funnel's numbers, one person at a time, in any order of persons.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::attempts::{Outcome, outcomes};
use super::breakdown::Slice;
use super::entity::{Doer, begin_earlier, doers};
use super::listing::{Listed, Listing};
use super::marks::ByMarks;
use super::matcher::Link;
use super::numbers::Numbers;
use super::parts::{breakdown, counted, reasons, sweep, trend};
use super::plan::Plan;
use super::report::{ActorRow, ChainStep, FunnelReport};
use super::spec::{FunnelSpec, View};
use super::times::TimeReport;
use super::why::{Reason, why_not};
use super::{StepEvent, Values};
use crate::event::Zone;
use crate::metrics::time::{self, Bucket, Moment, TimeRange};

/// Gathers a funnel's numbers. Memory: two numbers an outcome and step (for exact medians), a few a value of the
/// breakdown, a page of actors; nothing that grows with events.
#[derive(Clone, Debug)]
pub struct FunnelTally {
    pub(super) spec: Arc<FunnelSpec>,
    pub(super) plan: Plan,
    /// Of the sweep, if one is asked for.
    pub(super) sweep: Option<Plan>,
    all: Numbers,
    slices: HashMap<Slice, Numbers>,
    pub(super) buckets: Vec<Bucket>,
    pub(super) points: Vec<Numbers>,
    times: Vec<u64>,
    left_out: u64,
    pub(super) shortest: Vec<u64>,
    /// By reason and step that was not reached.
    reasons: BTreeMap<(Reason, usize), u64>,
    listing: Listing,
    fell_back: bool,
    /// What the persons need who come as marks; lent out while one of them is taken.
    pub(super) by_marks: Option<Box<ByMarks>>,
    /// Where the events that are taken begin; `None`: with the very first.
    since_ms: Option<i64>,
    /// Persons of whom more has to be known.
    pub(super) put_aside: Vec<u64>,
}

impl FunnelTally {
    /// A tally of nobody so far. The zone is that of the buckets.
    pub fn new(spec: &FunnelSpec, zone: &Zone) -> FunnelTally {
        let plan = Plan::new(spec);
        let buckets = match spec.view {
            View::Trend(interval, week) => time::buckets(zone, spec.entry_range(), interval, week),
            View::Steps | View::Time(..) | View::Sweep(_) => Vec::new(),
        };
        FunnelTally {
            all: Numbers::new(&plan),
            points: vec![Numbers::untimed(&plan); buckets.len()],
            slices: HashMap::new(),
            times: Vec::new(),
            left_out: 0,
            shortest: Vec::new(),
            reasons: BTreeMap::new(),
            listing: Listing::default(),
            fell_back: false,
            by_marks: None,
            since_ms: Some(spec.facts_range().from_ms).filter(|since| *since > 0),
            put_aside: Vec::new(),
            sweep: Plan::of_sweep(spec),
            spec: Arc::new(spec.clone()),
            buckets,
            plan,
        }
    }

    /// The same tally of persons whose events are taken from the very first one on.
    pub fn of_all_time(mut self) -> FunnelTally {
        self.since_ms = None;
        self
    }

    /// The persons that were put aside. Of those who came as marks, events have to be taken with their ids; of the
    /// others, who may have been in the middle of a session, from the very first one on.
    pub fn take_put_aside(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.put_aside)
    }

    /// Takes all events of one person (or group), in total order. Events out of range are harmless. Somebody whose
    /// sessions may have begun before the events did is put aside.
    pub fn add(&mut self, person: u64, events: &[StepEvent]) {
        // Most people of a project never enter: a look is cheaper than a run.
        if !events.iter().any(|event| self.may_enter(event)) {
            return;
        }
        if self.spec.uses_sessions()
            && self
                .since_ms
                .is_some_and(|since| begin_earlier(&self.spec, since, events))
        {
            self.put_aside.push(person);
            return;
        }
        let mut place = 0;
        let spec = self.spec.clone();
        for doer in doers(&spec, events) {
            for (part, outcome) in self.outcomes_of(&doer) {
                self.count(person, place, &doer, (&doer.parts[part], events), &outcome);
                place += 1;
            }
            self.add_to_trend(&doer);
            self.add_to_sweep(&doer);
        }
    }

    /// The outcomes of one entity, each with its part: the best one, or in totals all of them.
    fn outcomes_of(&mut self, doer: &Doer) -> Vec<(usize, Outcome)> {
        let mut found = Vec::new();
        for (part, events) in doer.parts.iter().enumerate() {
            let (outcomes, fell_back) = outcomes(&self.plan, events, self.plan.entry);
            self.fell_back |= fell_back;
            found.extend(outcomes.into_iter().map(|outcome| (part, outcome)));
        }
        if !self.plan.total && found.len() > 1 {
            let best = best_part(&self.plan, &doer.parts, &found);
            return vec![found.swap_remove(best)];
        }
        found
    }

    fn count(
        &mut self,
        person: u64,
        place: u32,
        doer: &Doer,
        (events, all): (&[StepEvent], &[StepEvent]),
        outcome: &Outcome,
    ) {
        let Outcome { depth, chain, .. } = outcome;
        let value = |place: usize| events[place].value;
        self.add_chain(*depth, chain, |place| events[place].ts, value);
        let reason = match self.spec.why_not {
            true => why_not(&self.plan, outcome, events, all),
            false => None,
        };
        if let Some(why) = &reason {
            *self.reasons.entry((why.reason, why.step)).or_default() += 1;
        }
        let Some(wanted) = &self.spec.actors else {
            return;
        };
        let step = |link: &Link| ChainStep {
            step: link.step + 1,
            at: Moment(events[link.event].ts),
            event_id: uuid::Uuid::from_u128(events[link.event].id),
        };
        let row = ActorRow {
            actor: String::new(),
            distinct_id: None,
            group: None,
            held: Vec::new(),
            depth: *depth,
            chain: chain.iter().map(step).collect(),
            why_not: reason,
        };
        let held = doer.held;
        let last = self.plan.full_depth();
        self.listing
            .take(wanted, last, place, Listed { person, held }, row);
    }

    /// Counts a reported chain. `ts` and breakdown's `value` of an event by its place.
    pub(super) fn add_chain(
        &mut self,
        depth: usize,
        chain: &[Link],
        ts: impl Fn(usize) -> i64,
        value: impl Fn(usize) -> u32,
    ) {
        self.all.add(&self.plan, depth, chain, &ts);
        if let Some(breakdown) = &self.spec.breakdown {
            let slice = Slice::of(breakdown.attribution, chain, value);
            let numbers = self
                .slices
                .entry(slice)
                .or_insert_with(|| Numbers::new(&self.plan));
            numbers.add(&self.plan, depth, chain, &ts);
        }
        if let View::Time(from, to) = self.spec.view {
            let at = |row: usize| match self.plan.any_order {
                true => chain.get(row),
                false => chain.iter().find(|link| link.step == row),
            };
            match (at(from), at(to)) {
                (Some(from), Some(to)) => {
                    let took = ts(to.event) - ts(from.event);
                    self.times.push(took.max(0).unsigned_abs());
                }
                _ => self.left_out += 1,
            }
        }
    }

    /// Where every entry opens an attempt and entities are counted, each bucket is a run of its own; else each
    /// attempt lies in the bucket of its entry.
    fn add_to_trend(&mut self, doer: &Doer) {
        if self.buckets.is_empty() {
            return;
        }
        if self.plan.total || self.plan.first {
            for (part, outcome) in self.outcomes_of(doer) {
                let events = &doer.parts[part];
                let entry = outcome.chain.first().map(|link| events[link.event].ts);
                if let Some(bucket) = entry.and_then(|ts| time::bucket_of(&self.buckets, ts)) {
                    let ts = |place: usize| events[place].ts;
                    self.points[bucket].add(&self.plan, outcome.depth, &outcome.chain, ts);
                }
            }
            return;
        }
        for bucket in self.entered_buckets(doer) {
            let (entry, near) = self.entries_of(bucket);
            let mut found = Vec::new();
            let mut parts: Vec<Cow<'_, [StepEvent]>> = Vec::new();
            for events in &doer.parts {
                let from = events.partition_point(|event| event.ts < near.from_ms);
                let to = events.partition_point(|event| event.ts < near.to_ms);
                let part = &events[from..to.max(from)];
                let (outcomes, _) = outcomes(&self.plan, part, entry);
                found.extend(outcomes.into_iter().map(|outcome| (parts.len(), outcome)));
                parts.push(Cow::Borrowed(part));
            }
            if !found.is_empty() {
                let (part, outcome) = &found[best_part(&self.plan, &parts, &found)];
                let ts = |place: usize| parts[*part][place].ts;
                self.points[bucket].add(&self.plan, outcome.depth, &outcome.chain, ts);
            }
        }
    }

    /// Where an entry lies in the bucket, and where whatever may follow it lies.
    pub(super) fn entries_of(&self, bucket: usize) -> (TimeRange, TimeRange) {
        let Bucket { start, end, .. } = self.buckets[bucket];
        let range = self.plan.entry;
        let entry = TimeRange {
            from_ms: start.max(range.from_ms),
            to_ms: end.min(range.to_ms),
        };
        let near = TimeRange {
            from_ms: entry.from_ms - self.plan.tie_ms,
            to_ms: entry.to_ms + self.plan.window_ms + 1,
        };
        (entry, near)
    }

    /// The shortest window in which the entity would convert.
    fn add_to_sweep(&mut self, doer: &Doer) {
        if let Some(plan) = &self.sweep {
            for events in &doer.parts {
                self.shortest.extend(shortest_window(plan, events));
            }
        }
    }

    /// Whether the event may be an entry.
    fn may_enter(&self, event: &StepEvent) -> bool {
        self.plan.may_begin(event.marks) && self.plan.entry.contains(event.ts)
    }

    /// The buckets in which the entity may enter.
    fn entered_buckets(&self, doer: &Doer) -> Vec<usize> {
        let events = doer.parts.iter().flat_map(|part| part.iter());
        let mut found: Vec<usize> = events
            .filter(|event| self.may_enter(event))
            .filter_map(|event| time::bucket_of(&self.buckets, event.ts))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Takes what another tally of the same funnel gathered.
    pub fn absorb(&mut self, other: FunnelTally) {
        self.all.absorb(other.all);
        for (slice, numbers) in other.slices {
            let own = self
                .slices
                .entry(slice)
                .or_insert_with(|| Numbers::new(&self.plan));
            own.absorb(numbers);
        }
        for (own, numbers) in self.points.iter_mut().zip(other.points) {
            own.absorb(numbers);
        }
        self.times.extend(other.times);
        self.left_out += other.left_out;
        self.shortest.extend(other.shortest);
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
        if let Some(wanted) = &self.spec.actors {
            self.listing.absorb(other.listing, wanted);
        }
        self.fell_back |= other.fell_back;
        self.put_aside.extend(other.put_aside);
    }

    /// Whether a group of ties was too large for its orders to be tried: the total order decided there.
    pub fn fell_back(&self) -> bool {
        self.fell_back
    }

    /// The report. `values` are the texts behind the numbers of values.
    pub fn finish(mut self, values: &Values, now_ms: i64) -> FunnelReport {
        let (spec, plan) = (&self.spec, &self.plan);
        let steps = self.all.steps(spec, plan);
        let overall = self.all.overall(plan);
        let has = |asked: bool| asked.then_some(());
        FunnelReport {
            steps,
            window_ms: spec.window_ms,
            from: Moment(spec.from_ms),
            to: Moment(spec.to_ms),
            is_final: spec.to_ms + spec.window_ms <= now_ms,
            counted: counted(spec),
            breakdown: spec
                .breakdown
                .is_some()
                .then(|| breakdown(spec, plan, self.slices, values)),
            trend: has(matches!(spec.view, View::Trend(..)))
                .map(|()| trend(spec, plan, &self.buckets, &self.points, now_ms)),
            time: match spec.view {
                View::Time(from, to) => Some(TimeReport::new((from, to), &mut self.times, self.left_out)),
                View::Steps | View::Trend(..) | View::Sweep(_) => None,
            },
            sweep: match &spec.view {
                View::Sweep(windows) => Some(sweep(spec, windows, overall.entered, &self.shortest)),
                View::Steps | View::Trend(..) | View::Time(..) => None,
            },
            why_not: has(spec.why_not).map(|()| reasons(&self.reasons)),
            actors: spec
                .actors
                .as_ref()
                .map(|wanted| self.listing.page(spec, wanted, values)),
            preset_limits: spec
                .preset
                .map(|preset| preset.limits().iter().map(|text| (*text).to_owned()).collect()),
            overall,
        }
    }
}

/// The shortest window in which the events convert, up to the plan's.
fn shortest_window(plan: &Plan, events: &[StepEvent]) -> Option<u64> {
    let shortest = |plan: &Plan| outcomes(plan, events, plan.entry).0.first()?.shortest_ms;
    let longest = shortest(plan)?;
    if plan.tie_ms == 0 {
        return Some(longest.unsigned_abs());
    }
    // Tied events may lie beyond the last one: the rule itself is asked.
    let converts = |window_ms: i64| {
        let plan = Plan {
            window_ms,
            ..plan.clone()
        };
        shortest(&plan).is_some()
    };
    let (mut too_short, mut enough) = (-1, plan.window_ms);
    while enough - too_short > 1 {
        let middle = (too_short + enough) / 2;
        if converts(middle) {
            enough = middle;
        } else {
            too_short = middle;
        }
    }
    Some(enough.unsigned_abs())
}

/// Of several parts' outcomes: the deepest, then the first to come so far.
fn best_part(plan: &Plan, parts: &[Cow<'_, [StepEvent]>], found: &[(usize, Outcome)]) -> usize {
    let rank = |(part, outcome): &(usize, Outcome)| {
        let last = outcome.chain.last();
        let end = last
            .map(|link| &parts[*part][link.event])
            .map(|event| (event.ts, event.seq, event.id));
        let step = last.filter(|_| !plan.any_order).map(|link| link.step);
        (std::cmp::Reverse((outcome.depth, step)), end)
    };
    (0..found.len())
        .min_by_key(|place| rank(&found[*place]))
        .unwrap_or(0)
}
