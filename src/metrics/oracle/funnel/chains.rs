//! Every chain of an entity's events that the rules allow.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::doer::Seen;
use crate::metrics::funnel::spec::{FunnelSpec, Order, Reentry};
use crate::metrics::time::TimeRange;

/// A step and the place of its event.
pub type Step = (usize, usize);

/// A chain before a moment, and within it.
type Parts<'a> = (&'a [Step], &'a [Step]);

/// The events of one run and the rules over them.
pub struct Run<'a> {
    pub spec: &'a FunnelSpec,
    pub events: &'a [Seen<'a>],
    /// Where the first step has to fall.
    pub entry: TimeRange,
    /// Every chain, as far as it came at each of its steps.
    pub chains: Vec<Vec<Step>>,
}

/// What ended a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Excluded,
    Killed,
}

impl<'a> Run<'a> {
    pub fn new(spec: &'a FunnelSpec, events: &'a [Seen<'a>], entry: TimeRange) -> Run<'a> {
        let mut run = Run {
            spec,
            events,
            entry,
            chains: Vec::new(),
        };
        let mut found = Vec::new();
        run.extend(&mut Vec::new(), &mut found);
        run.chains = found;
        run
    }

    pub fn ts(&self, place: usize) -> i64 {
        self.events[place].event.ts
    }

    /// Events of the same moment are tied.
    pub fn moment(&self, place: usize) -> i64 {
        match self.spec.tie_ms {
            0 => place as i64,
            tie => self.ts(place).div_euclid(tie),
        }
    }

    pub fn enters(&self, place: usize) -> bool {
        self.events[place].steps[0] && self.entry.contains(self.ts(place))
    }

    fn extend(&self, chain: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
        for place in 0..self.events.len() {
            for step in 0..self.spec.steps.len() {
                if self.events[place].steps[step] && self.may_follow(chain, step, place) {
                    chain.push((step, place));
                    found.push(chain.clone());
                    self.extend(chain, found);
                    chain.pop();
                }
            }
        }
    }

    fn may_follow(&self, chain: &[Step], step: usize, place: usize) -> bool {
        let Some(&(last_step, last)) = chain.last() else {
            let earlier = (0..self.events.len())
                .filter(|other| self.enters(*other))
                .map(|other| self.moment(other));
            let is_first = self.spec.reentry == Reentry::Any || earlier.min() == Some(self.moment(place));
            return step == 0 && self.enters(place) && is_first;
        };
        let left_out = last_step + 1..step;
        let later = self.moment(place) >= self.moment(last) && chain.iter().all(|(_, other)| *other != place);
        step > last_step
            && left_out.clone().all(|between| self.spec.steps[between].optional)
            && later
            && self.ts(place) - self.ts(chain[0].1) <= self.spec.window_ms
            && self
                .spec
                .max_gap_ms
                .is_none_or(|gap| self.ts(place) - self.ts(last) <= gap)
            && self.ended(chain, self.moment(place)).is_none()
    }

    /// Whether, and by what, the chain was ended at a moment before `until`. An exclusion goes first.
    pub fn ended(&self, chain: &[Step], until: i64) -> Option<Ended> {
        let mut moments: Vec<i64> = (0..self.events.len()).map(|place| self.moment(place)).collect();
        moments.dedup();
        moments.retain(|moment| *moment < until);
        moments
            .into_iter()
            .find_map(|moment| self.ended_at(chain, moment))
    }

    /// Whether the events of one moment that the chain did not use end it.
    pub fn ended_at(&self, chain: &[Step], moment: i64) -> Option<Ended> {
        let places = || (0..self.events.len()).filter(|place| self.moment(*place) == moment);
        if places().any(|place| self.excluded_by(chain, place).is_some()) {
            Some(Ended::Excluded)
        } else if places().any(|place| self.is_killed_by(chain, place)) {
            Some(Ended::Killed)
        } else {
            None
        }
    }

    /// The step that a chain held before the moment of a place, and those that it took in it; nothing if it used
    /// the event, or was not there before.
    fn around(&self, chain: &[Step], place: usize) -> Option<(usize, Vec<usize>)> {
        let moment = self.moment(place);
        let before = chain.iter().filter(|(_, place)| self.moment(*place) < moment);
        let held = before.map(|(step, _)| *step).next_back()?;
        let within = chain.iter().filter(|(_, place)| self.moment(*place) == moment);
        let is_used = chain.iter().any(|(_, used)| *used == place);
        (!is_used).then(|| (held, within.map(|(step, _)| *step).collect()))
    }

    /// The exclusion as which an event ends a chain.
    pub fn excluded_by(&self, chain: &[Step], place: usize) -> Option<usize> {
        let (held, taken) = self.around(chain, place)?;
        let holds = *taken.last().unwrap_or(&held);
        let in_window = self.ts(place) - self.ts(chain[0].1) <= self.spec.window_ms;
        let is_one = |i: &usize| {
            let exclusion = &self.spec.exclusions[*i];
            self.events[place].exclusions[*i] && exclusion.after <= held && holds < exclusion.before
        };
        (0..self.spec.exclusions.len()).find(|i| in_window && is_one(i))
    }

    /// Whether an event kills a chain in strict order.
    pub fn is_killed_by(&self, chain: &[Step], place: usize) -> bool {
        let repeats = |step: &usize| self.events[place].steps[*step];
        self.around(chain, place).is_some_and(|(held, taken)| {
            let repeats_one = repeats(&held) || taken.iter().any(repeats);
            self.spec.order == Order::Strict && self.events[place].counts && !repeats_one
        })
    }

    /// The reported chain: the first to reach the deepest step; of those the one that started last; of those, as
    /// [`Run::best`] says.
    pub fn reported(&self) -> Vec<Step> {
        let deepest = self.chains.iter().map(|chain| last(chain).0).max();
        let of_step = self.chains.iter().filter(|chain| Some(last(chain).0) == deepest);
        let deep: Vec<&[Step]> = of_step.map(Vec::as_slice).collect();
        let end = deep.iter().map(|chain| self.end(chain)).min();
        let first = deep.into_iter().filter(|chain| Some(self.end(chain)) == end);
        let first: Vec<&[Step]> = first.collect();
        let start = first.iter().map(|chain| self.ts(chain[0].1)).max();
        let latest = first
            .into_iter()
            .filter(|chain| Some(self.ts(chain[0].1)) == start);
        self.best(latest.collect())
    }

    /// Of chains that start at the same instant and do the same step at the same moment: those whose steps before that
    /// moment are the best, and of those the longest, then the one whose last event is the latest; if the one before
    /// that could be either of two optional steps, the earlier one.
    fn best(&self, chains: Vec<&[Step]>) -> Vec<Step> {
        let parts = chains.into_iter().map(|chain| {
            let before = |(_, place): &Step| self.moment(*place) < self.end(chain);
            chain.split_at(chain.iter().take_while(|link| before(link)).count())
        });
        let mut by_base: BTreeMap<Option<usize>, Vec<Parts>> = BTreeMap::new();
        for (before, within) in parts {
            let base = before.last().map(|(step, _)| *step);
            by_base.entry(base).or_default().push((before, within));
        }
        let ways = by_base.into_iter().flat_map(|(base, parts)| {
            let before = base.map_or(Vec::new(), |step| {
                // A step counts when it was first done; the first step, and with a longest gap each, when it was last.
                let latest = step == 0 || self.spec.max_gap_ms.is_some();
                let time = |before: &[Step]| match latest {
                    true => (Reverse(self.end(before)), Reverse(self.ts(last(before).1))),
                    false => (Reverse(-self.end(before)), Reverse(0)),
                };
                let best = parts.iter().map(|(before, _)| time(before)).min();
                let befores = parts.iter().map(|(before, _)| *before);
                self.best(befores.filter(|before| Some(time(before)) == best).collect())
            });
            let way = move |(_, within): Parts| [&before, within].concat();
            parts.into_iter().map(way)
        });
        let best = ways.max_by_key(|way| {
            let previous = way.iter().nth_back(1);
            let previous = previous.map(|(step, place)| (*place, Reverse(*step)));
            (way.len(), last(way).1, previous)
        });
        best.unwrap_or_default()
    }

    /// The moment of a chain's last event.
    fn end(&self, chain: &[Step]) -> i64 {
        self.moment(last(chain).1)
    }
}

fn last(chain: &[Step]) -> Step {
    chain[chain.len() - 1]
}
