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

/// Memory of the count of one quarter hour.
const QUARTER_BYTES: u64 = 40;
const QUARTERS_A_DAY: u64 = 96;

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

    /// Reads what is new, and what it does not know of these names and days; if all of it might take more than so many
    /// bytes, what it knows of others is forgotten first. The rows that ClickHouse read.
    pub(super) async fn refresh(
        &mut self,
        store: &Store,
        stream: &EventStream,
        project: ProjectNumber,
        (events, range): (&[String], DayRange),
        most_bytes: u64,
    ) -> Result<u64, BookError> {
        let unknown = || events.iter().filter(|event| !self.names.contains_key(*event));
        let hull = self.span.map_or(range, |span| DayRange {
            from: span.from.min(range.from),
            to: span.to.max(range.to),
        });
        let names = self.names.len() + unknown().count();
        let days_long = hull.to.0 - hull.from.0;
        let at_most = names as u64 * u64::from(days_long.unsigned_abs()) * QUARTERS_A_DAY * QUARTER_BYTES;
        if days_long > MOST_DAYS || names > MOST_NAMES || at_most > most_bytes {
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
        // The generations, then what is committed, then the rows. A generation that is noted here was made of no more
        // than the cuts say, so nothing of it is added again; one that comes later shows as another the next time.
        // Deltas go minutes after the switch that made them superfluous.
        let heads = store.heads(project, Kind::Counts, span.from, span.to).await?;
        let cuts = stream.cuts().await?;
        let headless: Vec<Day> = days(known).filter(|day| !self.heads.contains_key(day)).collect();
        let added = match old.is_empty() || self.span.is_none() {
            true => None,
            false => {
                let deltas = DeltaSpan {
                    from: known.from,
                    to: known.to,
                    behind: &self.passed,
                    upto: &cuts,
                };
                Some(store.new_counts(project, &old, deltas, &headless).await?)
            }
        };
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
        let second = |day: Day| {
            let second = i64::from(day.0) * (UTC_DAY_MS / 1000);
            second.clamp(0, i64::from(u32::MAX)) as u32
        };
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
            .map(|(name, quarters)| name.len() + 64 + quarters.len() * QUARTER_BYTES as usize)
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
