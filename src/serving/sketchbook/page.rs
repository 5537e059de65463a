//! One event name's days.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::BookError;
use crate::event::{Day, ProjectNumber};
use crate::metrics::sketch::Expanded;
use crate::metrics::time::DayRange;
use crate::serving::freshness::Revision;
use crate::store::Store;
use crate::store::compact::Kind;
use crate::store::rollups::DeltaSpan;
use crate::stream::EventStream;

/// Days that a page spans at most; a question about others begins it anew.
const MOST_DAYS: i32 = 1_100;

/// The decoded days of one event name, and the windows counted over them.
#[derive(Debug, Default)]
pub struct Page {
    /// The revision under which all of it is right.
    revision: Option<Revision>,
    /// The days that it knows about, with or without activity.
    span: Option<DayRange>,
    /// The latest generation of each day that has one.
    heads: BTreeMap<Day, u64>,
    /// For each shard the last batch whose deltas are in.
    passed: Vec<u64>,
    days: BTreeMap<Day, Expanded>,
    counts: HashMap<(Day, Day), u64>,
}

impl Page {
    /// The distinct actors of a window of local days.
    pub fn count(&mut self, window: DayRange) -> u64 {
        let key = (window.from, window.to);
        if let Some(&count) = self.counts.get(&key) {
            return count;
        }
        let mut all: Option<Expanded> = None;
        for day in self
            .days
            .range(window.from..window.to.max(window.from))
            .map(|(_, day)| day)
        {
            match &mut all {
                Some(all) => all.absorb(day),
                None => all = Some(day.clone()),
            }
        }
        let count = all.map_or(0, |all| all.count());
        self.counts.insert(key, count);
        count
    }

    /// Whether nothing has to be read for these days.
    pub(super) fn is_current(&self, range: DayRange, revision: Option<Revision>) -> bool {
        let covered = self
            .span
            .is_some_and(|span| span.from <= range.from && range.to <= span.to);
        covered && revision.is_some() && self.revision == revision
    }

    /// It is right under this revision, which was read before it was refreshed.
    pub(super) fn settle(&mut self, revision: Option<Revision>) {
        self.revision = revision;
    }

    /// Reads what is new, and the days of `range` that it does not know. The rows that ClickHouse read.
    pub(super) async fn refresh(
        &mut self,
        store: &Store,
        stream: &EventStream,
        project: ProjectNumber,
        event: &str,
        range: DayRange,
    ) -> Result<u64, BookError> {
        let hull = self.span.map_or(range, |span| DayRange {
            from: span.from.min(range.from),
            to: span.to.max(range.to),
        });
        if hull.to.0 - hull.from.0 > MOST_DAYS {
            *self = Page::default();
        }
        let span = if self.span.is_some() { hull } else { range };
        // What is committed, first. The days' generations and what was added to known days may then be read in any
        // order: deltas go minutes after the switch that made them superfluous, and that switch shows in the
        // generations.
        let cuts = stream.cuts().await?;
        let known = self.span.unwrap_or(DayRange {
            from: span.from,
            to: span.from,
        });
        let headless: Vec<Day> = (known.from.0..known.to.0)
            .map(Day)
            .filter(|day| !self.heads.contains_key(day))
            .collect();
        let added = async {
            let deltas = DeltaSpan {
                from: known.from,
                to: known.to,
                behind: &self.passed,
                upto: &cuts,
            };
            match self.span {
                None => Ok(None),
                Some(_) => store
                    .new_sketch_deltas(project, event, deltas, &headless)
                    .await
                    .map(Some),
            }
        };
        let heads = store.heads(project, Kind::Sketches, span.from, span.to);
        let (heads, added) = tokio::try_join!(heads, added)?;
        let mut rows_read = heads.rows_read;
        let heads: BTreeMap<Day, u64> = heads.rows.into_iter().collect();
        let moved = |day: &Day| !known.contains(*day) || heads.get(day) != self.heads.get(day);
        let anew: BTreeSet<Day> = (span.from.0..span.to.0).map(Day).filter(moved).collect();
        let mut touched: BTreeSet<Day> = anew.clone();
        touched.extend(&headless);
        for day in &touched {
            self.days.remove(day);
        }
        if let Some(added) = added {
            rows_read += added.rows_read;
            for (day, bytes) in added.rows.iter().filter(|(day, _)| !anew.contains(day)) {
                self.days
                    .entry(*day)
                    .or_default()
                    .absorb(&Expanded::decode(bytes)?);
                touched.insert(*day);
            }
        }
        if !anew.is_empty() {
            let days: Vec<Day> = anew.iter().copied().collect();
            let found = store.sketches_of(project, event, &days, &cuts).await?;
            rows_read += found.rows_read;
            for (day, bytes) in &found.rows {
                self.days
                    .entry(*day)
                    .or_default()
                    .absorb(&Expanded::decode(bytes)?);
            }
        }
        self.counts
            .retain(|(from, to), _| touched.range(*from..(*to).max(*from)).next().is_none());
        self.span = Some(span);
        self.heads = heads;
        self.passed = cuts;
        Ok(rows_read)
    }

    pub(super) fn bytes(&self) -> u64 {
        let days: usize = self.days.values().map(|day| day.bytes() + 64).sum();
        (days + self.heads.len() * 48 + self.counts.len() * 48 + 256) as u64
    }
}
