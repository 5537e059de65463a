//! Persons of whom whose, when and what is all that is known ([`StepMark`]): nearly all of them go through the
//! [`plain`](super::plain) matcher, the others through the general one, and those whose order only ids can tell are
//! put aside.

use super::plain::Plain;
use super::plan::{Plan, mark};
use super::{FunnelTally, StepEvent, StepMark};
use crate::metrics::time;

/// What persons need who come as marks.
#[derive(Clone, Debug, Default)]
pub(super) struct ByMarks {
    plain: Plain,
    events: Vec<StepEvent>,
}

impl FunnelTally {
    /// Takes all events of one person, in order, of a funnel that does not [need ids](super::FunnelSpec::needs_ids).
    /// Somebody of whom only ids can tell what happened at one millisecond is put aside.
    pub fn add_marks(&mut self, marks: &[StepMark]) {
        let entry = self.plan.entry;
        let begins = |mark: &StepMark| self.plan.may_begin(mark.marks) && entry.contains(mark.ts());
        if !marks.iter().any(begins) {
            return;
        }
        if marks.chunk_by(|a, b| a.ts() == b.ts()).any(is_unsure) {
            self.put_aside.push(marks[0].person);
            return;
        }
        let mut own = self.by_marks.take().unwrap_or_default();
        if Plain::applies(&self.plan) && !has_ties(&self.plan, marks) {
            self.add_plain(marks, &mut own.plain);
        } else {
            own.events.clear();
            let events = marks.iter().enumerate();
            own.events.extend(events.map(|(place, mark)| mark.event(place)));
            self.add(marks[0].person, &own.events);
        }
        self.by_marks = Some(own);
    }

    fn add_plain(&mut self, marks: &[StepMark], plain: &mut Plain) {
        let ts = |place: usize| marks[place].ts();
        let chain = &plain.run(&self.plan, marks, self.plan.entry).chain;
        self.add_chain(chain.len(), chain, ts, |place| marks[place].value);
        if !self.buckets.is_empty() {
            self.add_plain_to_trend(marks, plain);
        }
        if let Some(sweep) = &self.sweep {
            let shortest = plain.run(sweep, marks, sweep.entry).shortest_ms;
            self.shortest.extend(shortest.map(i64::unsigned_abs));
        }
    }

    /// Each bucket is a run of its own, unless only the first entry counts.
    fn add_plain_to_trend(&mut self, marks: &[StepMark], plain: &mut Plain) {
        let mut done = None;
        for mark in marks {
            let ts = mark.ts();
            if !self.plan.may_begin(mark.marks) || !self.plan.entry.contains(ts) {
                continue;
            }
            let Some(bucket) = time::bucket_of(&self.buckets, ts).filter(|bucket| done != Some(*bucket))
            else {
                continue;
            };
            done = Some(bucket);
            let (entry, near) = self.entries_of(bucket);
            let from = marks.partition_point(|mark| mark.ts() < near.from_ms);
            let to = marks.partition_point(|mark| mark.ts() < near.to_ms);
            let part = &marks[from..to];
            let chain = &plain.run(&self.plan, part, entry).chain;
            self.points[bucket].add(&self.plan, chain.len(), chain, |place| part[place].ts());
            if self.plan.first {
                return;
            }
        }
    }
}

/// The most events of one moment that are compared with each other.
const COMPARED: usize = 8;

/// Whether of a moment's events, which are in order as far as it is known, ids may tell something: which of two at the
/// same place in their batches came first, or that one is another one's copy that was delivered again. Events of the same
/// single step (or of none) are as good as one.
fn is_unsure(moment: &[StepMark]) -> bool {
    let kind = |mark: &StepMark| (mark.marks, mark.value);
    let first = kind(&moment[0]);
    if moment.iter().all(|mark| kind(mark) == first) {
        return moment.len() > 1 && (first.0 & mark::STEPS).count_ones() > 1;
    }
    let same_place = moment.windows(2).any(|pair| pair[0].at == pair[1].at);
    let may_be_copies = || {
        let pairs = moment.iter().enumerate();
        pairs
            .clone()
            .any(|(n, one)| moment[..n].iter().any(|other| kind(one) == kind(other)))
    };
    same_place || moment.len() > COMPARED || may_be_copies()
}

/// Whether any two of the events, which are in order, are tied.
fn has_ties(plan: &Plan, marks: &[StepMark]) -> bool {
    let group = |mark: &StepMark| plan.tie_group(mark.ts());
    plan.tie_ms > 0 && marks.windows(2).any(|pair| group(&pair[0]) == group(&pair[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether ids may matter among events of one moment: place in the batch, steps, value.
    fn unsure(moment: &[(u64, u32, u32)]) -> bool {
        let mark = |(place, marks, value): &(u64, u32, u32)| StepMark::new(1, 5, *place, *marks, *value);
        is_unsure(&moment.iter().map(mark).collect::<Vec<_>>())
    }

    #[test]
    fn ids_matter_where_order_is_unknown_or_one_may_be_the_others_copy() {
        assert!(!unsure(&[(0, 0b01, 0)]));
        assert!(!unsure(&[(0, 0b01, 0), (1, 0b10, 0)]), "their places tell");
        assert!(unsure(&[(0, 0b01, 0), (0, 0b10, 0)]), "the same place");
        assert!(!unsure(&[(0, 0b01, 0), (0, 0b01, 0)]), "one step, twice");
        assert!(
            unsure(&[(0, 0b11, 0), (3, 0b11, 0)]),
            "two steps from one event and its copy"
        );
        assert!(
            unsure(&[(0, 0b01, 0), (1, 0b10, 0), (3, 0b01, 0)]),
            "a copy after another event"
        );
        assert!(unsure(&[(0, 0b01, 1), (0, 0b01, 2)]), "which value came first");
    }
}
