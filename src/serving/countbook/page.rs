//! One project's counts.

use std::collections::{BTreeMap, BTreeSet};

use super::MOST_DAYS;
use crate::event::zone::UTC_DAY_MS;
use crate::event::{Day, ProjectNumber};
use crate::metrics::time::DayRange;
use crate::serving::freshness::Revision;
use crate::serving::shelf::BookError;
use crate::store::Store;
use crate::store::compact::Kind;
use crate::store::rollups::{CountRow, DeltaSpan};
use crate::stream::EventStream;

/// Event names that a page knows at most; a question about more of them begins it anew.
const MOST_NAMES: usize = 200;

/// Events by start of the UTC quarter hour, in seconds.
type Quarters = BTreeMap<u32, u64>;

/// What is known of some event names on some days.
#[derive(Debug, Default)]
pub struct Page {
    /// The revision under which all of it is right.
    revision: Option<Revision>,
    /// The UTC days that it knows about.
    span: Option<DayRange>,
    /// The latest generation of each day that has one.
    heads: BTreeMap<Day, u64>,
    /// For each shard the last batch whose deltas are in.
    passed: Vec<u64>,
    names: BTreeMap<String, Quarters>,
}

impl Page {
    /// The events of this name by start of their quarter hour, within `[from, to)` seconds.
    pub fn of(&self, event: &str, from_s: u32, to_s: u32) -> impl Iterator<Item = (u32, u64)> {
        let quarters = self.names.get(event).into_iter();
        quarters.flat_map(move |quarters| {
            let within = quarters.range(from_s..to_s.max(from_s));
            within.map(|(at, count)| (*at, *count))
        })
    }

    /// Whether nothing has to be read for these names and days.
    pub(super) fn is_current(&self, events: &[String], range: DayRange, revision: Option<Revision>) -> bool {
        let covered = self
            .span
            .is_some_and(|span| span.from <= range.from && range.to <= span.to);
        covered
            && revision.is_some()
            && self.revision == revision
            && events.iter().all(|event| self.names.contains_key(event))
    }

    /// It is right under this revision, which was read before it was refreshed.
    pub(super) fn settle(&mut self, revision: Option<Revision>) {
        self.revision = revision;
    }

    /// Reads what is new, and what it does not know of these names and days. The rows that ClickHouse read.
    pub(super) async fn refresh(
        &mut self,
        store: &Store,
        stream: &EventStream,
        project: ProjectNumber,
        events: &[String],
        range: DayRange,
    ) -> Result<u64, BookError> {
        let unknown = || events.iter().filter(|event| !self.names.contains_key(*event));
        let hull = self.span.map_or(range, |span| DayRange {
            from: span.from.min(range.from),
            to: span.to.max(range.to),
        });
        if hull.to.0 - hull.from.0 > MOST_DAYS || self.names.len() + unknown().count() > MOST_NAMES {
            *self = Page::default();
        }
        let span = if self.span.is_some() { hull } else { range };
        let known = self.span.unwrap_or(DayRange {
            from: span.from,
            to: span.from,
        });
        let old: Vec<String> = self.names.keys().cloned().collect();
        let new: BTreeSet<&String> = events
            .iter()
            .filter(|event| !self.names.contains_key(*event))
            .collect();
        let new: Vec<String> = new.into_iter().cloned().collect();
        // What is committed, first. The days' generations and what was added to known days may then be read in any
        // order: deltas go minutes after the switch that made them superfluous, and that switch shows in the
        // generations.
        let cuts = stream.cuts().await?;
        let headless: Vec<Day> = days(known).filter(|day| !self.heads.contains_key(day)).collect();
        let added = async {
            match old.is_empty() || self.span.is_none() {
                true => Ok(None),
                false => {
                    let deltas = DeltaSpan {
                        from: known.from,
                        to: known.to,
                        behind: &self.passed,
                        upto: &cuts,
                    };
                    store.new_counts(project, &old, deltas, &headless).await.map(Some)
                }
            }
        };
        let (heads, added) = tokio::try_join!(store.heads(project, Kind::Counts, span.from, span.to), added)?;
        let mut rows_read = heads.rows_read;
        let heads: BTreeMap<Day, u64> = heads.rows.into_iter().collect();
        let moved = |day: &Day| !known.contains(*day) || heads.get(day) != self.heads.get(day);
        let anew: BTreeSet<Day> = days(span).filter(moved).collect();
        for day in anew.iter().chain(&headless) {
            self.forget(*day);
        }
        if let Some(added) = added {
            rows_read += added.rows_read;
            let rows = added.rows.into_iter();
            self.add(rows.filter(|row| !anew.contains(&day_of(row))));
        }
        let anew: Vec<Day> = anew.into_iter().collect();
        let all: Vec<Day> = days(span).collect();
        for (names, days) in [(&old, &anew), (&new, &all)] {
            if !names.is_empty() && !days.is_empty() {
                let found = store.counts_of(project, names, days, &cuts).await?;
                rows_read += found.rows_read;
                self.add(found.rows.into_iter());
            }
        }
        for name in new {
            self.names.entry(name).or_default();
        }
        self.span = Some(span);
        self.heads = heads;
        self.passed = cuts;
        Ok(rows_read)
    }

    fn add(&mut self, rows: impl Iterator<Item = CountRow>) {
        for row in rows {
            let quarters = self.names.entry(row.event).or_default();
            *quarters.entry(row.bucket).or_default() += row.count;
        }
    }

    fn forget(&mut self, day: Day) {
        let second = |day: Day| u32::try_from(i64::from(day.0) * (UTC_DAY_MS / 1000)).unwrap_or(u32::MAX);
        for quarters in self.names.values_mut() {
            let gone: Vec<u32> = quarters
                .range(second(day)..second(day.plus(1)))
                .map(|(at, _)| *at)
                .collect();
            for at in gone {
                quarters.remove(&at);
            }
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let names = self.names.iter();
        let names: usize = names
            .map(|(name, quarters)| name.len() + 64 + quarters.len() * 40)
            .sum();
        (names + self.heads.len() * 48 + 256) as u64
    }
}

fn days(range: DayRange) -> impl Iterator<Item = Day> {
    (range.from.0..range.to.0).map(Day)
}

fn day_of(row: &CountRow) -> Day {
    Day::of_utc(i64::from(row.bucket) * 1000)
}
