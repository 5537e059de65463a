//! Counting retention person by person.

use super::calendar::Calendar;
use super::report::{CohortCount, RetentionReport, Table};
use super::spec::{RetentionEntry, RetentionRule, RetentionSpec};
use super::split::Splits;
use crate::event::Zone;
use crate::metrics::active::ActiveBuckets;

/// One event of a person that starts or returns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReturnEvent {
    /// Event time, UTC milliseconds.
    pub ts: i64,
    /// Place in the client's batch.
    pub seq: u32,
    /// Event id; its order is that of the UUID.
    pub id: u128,
    /// Whether it is a start.
    pub starts: bool,
    /// Whether it is a return.
    pub returns: bool,
    /// The breakdown's value, where there is a breakdown and a value.
    pub value: Option<String>,
}

/// Counts persons from their starts and returns. Memory is bounded by the table and by the events of one person;
/// the work for a person is that of sorting nothing: a search for each cell of each cohort they are in.
#[derive(Debug)]
pub struct RetentionTally {
    spec: RetentionSpec,
    calendar: Calendar,
    /// Whether cell 0 is the cohort's size.
    same: bool,
    counts: Vec<CohortCount>,
    splits: Splits,
    person: Option<u64>,
    events: Vec<ReturnEvent>,
    /// Times of the person's returns; reused.
    returns: Vec<i64>,
}

impl RetentionTally {
    /// A count of nobody so far.
    pub fn new(spec: &RetentionSpec, zone: &Zone) -> RetentionTally {
        let calendar = Calendar::new(spec, zone);
        let empty = CohortCount::empty(spec.cells.len());
        RetentionTally {
            counts: vec![empty; calendar.rows().len()],
            splits: Splits::default(),
            same: spec.returns_as_it_starts(),
            spec: spec.clone(),
            calendar,
            person: None,
            events: Vec::new(),
            returns: Vec::new(),
        }
    }

    /// Takes one event. A person's events come together, in any order.
    pub fn push(&mut self, person: u64, event: ReturnEvent) {
        if self.person != Some(person) {
            self.settle();
            self.person = Some(person);
        }
        self.events.push(event);
    }

    /// Counts one person from their events, in total order. Starts outside [`RetentionSpec::start_range`] are
    /// ignored.
    pub fn add_person(&mut self, events: &[ReturnEvent]) {
        self.returns.clear();
        self.returns
            .extend(events.iter().filter(|event| event.returns).map(|event| event.ts));
        let starts = self.spec.start_range();
        let mut last_row = None;
        let mut passed = 0;
        for event in events {
            passed += usize::from(event.returns);
            if !event.starts || !starts.contains(event.ts) {
                continue;
            }
            let row = match self.spec.range.contains(event.ts) {
                true => self.calendar.row_of(event.ts),
                false => None,
            };
            if let Some(row) = row
                && last_row != Some(row)
            {
                let returns = std::mem::take(&mut self.returns);
                let later = &returns[passed.min(returns.len())..];
                self.enter(row, (event.ts, event.value.as_deref()), later);
                self.returns = returns;
                last_row = Some(row);
            }
            if self.spec.entry != RetentionEntry::Recurring {
                return;
            }
        }
    }

    /// Counts one person by the times of their starts, in order, each of which is a return too; those before the range
    /// are left out.
    ///
    /// Means the same as their events where [`RetentionSpec::by_times`] says so.
    pub fn add_times(&mut self, times: &[i64]) {
        let mut from = 0;
        while let Some(ts) = times.get(from).filter(|ts| self.spec.range.contains(**ts)) {
            let Some(row) = self.calendar.row_of(*ts) else {
                return;
            };
            self.enter(row, (*ts, None), &times[from + 1..]);
            if self.spec.entry != RetentionEntry::Recurring {
                return;
            }
            let end = self.calendar.rows()[row].end;
            from += times[from..].partition_point(|ts| *ts < end);
        }
    }

    /// Counts `persons` who started in the same buckets of [`Calendar::buckets`], in the range, and returned in the
    /// same ones. Whoever was active `before` has started before the range.
    ///
    /// Means the same as their events where [`RetentionSpec::by_buckets`] says so.
    pub fn add_active(&mut self, people: &ActiveBuckets, persons: u64) {
        if people.before && self.spec.entry == RetentionEntry::FirstEver {
            return;
        }
        let rows = self.counts.len();
        for row in people.entered.iter().filter(|row| *row < rows) {
            let returned = |(from, to): (u32, u32)| people.active.any(row + from as usize, row + to as usize);
            let rule = Rule {
                spec: &self.spec,
                same: self.same,
            };
            let count = &mut self.counts[row];
            count.size += persons;
            rule.retained(returned, |column| count.retained[column] += persons);
            if self.spec.entry != RetentionEntry::Recurring {
                return;
            }
        }
    }

    /// The report. What has not happened by `as_of_ms` may still come.
    pub fn finish(mut self, as_of_ms: i64) -> RetentionReport {
        self.settle();
        let (spec, calendar) = (&self.spec, &self.calendar);
        let whole = Table::new(spec, calendar, as_of_ms, &self.counts);
        let limit = spec.breakdown.as_ref().map(|(_, limit)| *limit as usize);
        let breakdown = limit.map(|limit| self.splits.finish(spec, calendar, as_of_ms, limit));
        RetentionReport::new(spec, whole, breakdown)
    }

    fn settle(&mut self) {
        let mut events = std::mem::take(&mut self.events);
        events.sort_unstable();
        self.add_person(&events);
        events.clear();
        self.events = events;
    }

    /// Somebody starts at an instant, with a value; `later` are the times of the returns behind it, in order.
    fn enter(&mut self, row: usize, (start, value): (i64, Option<&str>), later: &[i64]) {
        let before = |k: u32| {
            let begin = self.calendar.period_start(row, start, k);
            later.partition_point(|at| *at < begin)
        };
        let returned = |(from, to): (u32, u32)| before(to) - before(from) >= self.spec.minimum as usize;
        let rule = Rule {
            spec: &self.spec,
            same: self.same,
        };
        let count = &mut self.counts[row];
        let mut split = match self.spec.breakdown {
            Some(_) => {
                let columns = self.spec.cells.len();
                Some(self.splits.count(value, row, columns))
            }
            None => None,
        };
        count.size += 1;
        if let Some(split) = &mut split {
            split.size += 1;
        }
        rule.retained(returned, |column| {
            count.retained[column] += 1;
            if let Some(split) = &mut split {
                split.retained[column] += 1;
            }
        });
    }
}

/// When somebody is retained, given whether there were enough returns in a stretch of periods.
struct Rule<'a> {
    spec: &'a RetentionSpec,
    same: bool,
}

impl Rule<'_> {
    /// Calls `count` for each column in which the person is retained.
    fn retained(&self, returned: impl Fn((u32, u32)) -> bool, mut count: impl FnMut(usize)) {
        let mut unbroken = true;
        for (column, &(from, to)) in self.spec.cells.iter().enumerate() {
            let is = match self.spec.rule {
                _ if self.same && from == 0 => true,
                RetentionRule::On => returned((from, to)),
                RetentionRule::OnOrAfter => returned((from, self.spec.end_period())),
                RetentionRule::Streak => {
                    // Period 0 breaks no streak.
                    unbroken &= from == 0 || returned((from, to));
                    unbroken
                }
            };
            if is {
                count(column);
            }
        }
    }
}
