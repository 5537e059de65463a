//! Events that count as having happened at the same time: an attempt may take them in any order, each once.
//!
//! For each step the best attempt is kept *for each set* of the group's events that it used, since what it used
//! it cannot use again; after the group the sets are forgotten. Only events that fit two steps, or a step and an
//! exclusion, make a difference: the sets are of those.

use std::cmp::Reverse;

use super::matcher::{Attempt, Link, Run};
use super::plan::mark;

/// The most events of a group whose sets are tried; beyond, the group is taken in total order.
const MOST: usize = 8;

/// An attempt made within the group.
#[derive(Clone, Copy, Debug)]
struct Made {
    attempt: Attempt,
    /// Which of the ambiguous events it used.
    used: u8,
    /// Its step before the group; `None`: it was opened within.
    base: Option<usize>,
}

impl Run<'_> {
    /// Takes the tied events `from..from + count`.
    pub(super) fn feed_tied(&mut self, from: usize, count: usize) {
        let places = from..from + count;
        let is_ambiguous = |place: &usize| {
            let marks = self.events[*place].marks;
            let steps = (marks & mark::STEPS).count_ones();
            steps > 1 || (steps == 1 && marks & !mark::STEPS & !mark::COUNTS != 0)
        };
        let ambiguous: Vec<usize> = places.clone().filter(is_ambiguous).collect();
        if ambiguous.len() > MOST {
            self.fell_back = true;
            places.for_each(|place| self.feed_one(place));
            return;
        }
        let bit = |place: usize| {
            let index = ambiguous.iter().position(|other| *other == place);
            index.map_or(0, |index| 1_u8 << index)
        };
        let mut made: Vec<Vec<Made>> = vec![Vec::new(); self.plan.steps];
        for step in 0..self.plan.steps {
            for place in places.clone().filter(|place| self.events[*place].matches(step)) {
                let next = if step == 0 {
                    self.opened_within(place, bit(place))
                } else {
                    self.advanced_within(&made, step, place, bit(place))
                };
                for one in next {
                    self.keep(&mut made[step], one);
                }
            }
        }
        self.close_group(made, places);
    }

    fn opened_within(&mut self, place: usize, used: u8) -> Vec<Made> {
        if !self.may_open(place) {
            return Vec::new();
        }
        vec![Made {
            attempt: self.open(place),
            used,
            base: None,
        }]
    }

    /// Everything that the event moves to the step: attempts from before the group, and those made within.
    fn advanced_within(&mut self, made: &[Vec<Made>], step: usize, place: usize, bit: u8) -> Vec<Made> {
        let mut found = Vec::new();
        for &before in &self.plan.before[step] {
            let older = self.slots[before].attempts.iter().map(|attempt| Made {
                attempt: *attempt,
                used: 0,
                base: Some(before),
            });
            let able = older.chain(made[before].iter().copied());
            found.extend(able.filter(|one| one.used & bit == 0 && self.may_take(&one.attempt, place)));
        }
        for one in &mut found {
            one.attempt = self.take(&one.attempt, step, place);
            one.used |= bit;
            self.note_time(step, &one.attempt);
        }
        found
    }

    /// Keeps the attempt unless one with the same past and the same events used can do as much.
    fn keep(&self, made: &mut Vec<Made>, one: Made) {
        let gap = self.plan.max_gap_ms.is_some();
        let same = |other: &Made| other.used == one.used && other.base == one.base;
        let as_able = |a: &Made, b: &Made| {
            self.rank(&a.attempt) >= self.rank(&b.attempt) && (!gap || a.attempt.last >= b.attempt.last)
        };
        if made.iter().any(|other| same(other) && as_able(other, &one)) {
            return;
        }
        made.retain(|other| !(same(other) && as_able(&one, other)));
        made.push(one);
    }

    /// Steps first; then what ends attempts; then what was made takes its place.
    fn close_group(&mut self, mut made: Vec<Vec<Made>>, places: std::ops::Range<usize>) {
        for one in &made[0] {
            self.started(one.attempt.start);
        }
        // Nothing came first at one moment: the best does, to be reported and to be gone on with.
        for (step, made) in made.iter_mut().enumerate() {
            made.sort_by_key(|one| Reverse(self.rank(&one.attempt)));
            for one in made {
                self.note(step, &one.attempt);
            }
        }
        if self.plan.can_end() {
            self.end_older(places.clone());
        }
        for (step, made) in made.into_iter().enumerate() {
            let mut newest_excluded = None;
            for one in &made {
                if self.plan.can_end() && self.is_excluded(step, one, places.clone()) {
                    newest_excluded = newest_excluded.max(Some(one.attempt.start));
                } else if !self.plan.strict || self.is_undisturbed(one, places.clone()) {
                    self.settle(step, one.attempt);
                }
            }
            // What it would have replaced shares its fate.
            let slot = &mut self.slots[step];
            if newest_excluded > slot.attempts.iter().map(|attempt| attempt.start).max() {
                slot.violated = true;
                self.excluded = true;
            }
        }
    }

    /// Ends attempts from before the group that used none of its events.
    fn end_older(&mut self, places: std::ops::Range<usize>) {
        places.clone().for_each(|place| self.exclude_by(place));
        places.for_each(|place| self.kill_by(place));
    }

    /// Whether an exclusion of the group, which the attempt did not use, ends it.
    fn is_excluded(&self, step: usize, one: &Made, places: std::ops::Range<usize>) -> bool {
        let Some(base) = one.base else {
            return false;
        };
        self.unused(one, places).into_iter().any(|place| {
            let event = &self.events[place];
            let in_window = event.ts - one.attempt.start <= self.plan.window_ms;
            let mut over = self.plan.excluded_by(event);
            in_window && over.any(|(from, until)| base >= from && step < until)
        })
    }

    /// Whether, in strict order, each event of the group that the attempt did not use repeats a step that was its
    /// latest at some moment of the group. What was opened within the group came after the others.
    fn is_undisturbed(&self, one: &Made, places: std::ops::Range<usize>) -> bool {
        let Some(base) = one.base else {
            return true;
        };
        let within = |link: &Link| places.contains(&link.event);
        let steps: Vec<usize> = self
            .links(one.attempt.head)
            .take_while(within)
            .map(|link| link.step)
            .chain([base])
            .collect();
        self.unused(one, places.clone()).into_iter().all(|place| {
            let event = &self.events[place];
            !event.counts() || steps.iter().any(|step| event.matches(*step))
        })
    }

    /// The events of the group that the attempt did not use.
    fn unused(&self, one: &Made, places: std::ops::Range<usize>) -> Vec<usize> {
        let links = || self.links(one.attempt.head);
        places
            .filter(|place| links().all(|link| link.event != *place))
            .collect()
    }
}
