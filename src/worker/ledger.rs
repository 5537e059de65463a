//! A batch's share of the ledger: which entry brought which rows, and what became of them.
//!
//! A pure function of the entries and of the rows that ClickHouse refused, so every re-run gives the same.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::event::ledger::{ClientSequence, LATE_MS, LedgerRow, Outcome, minute_of};
use crate::event::{Day, Event, ProjectNumber, flag};
use crate::store::ledger::{LateDay, LedgerShare};
use crate::stream::ledger::{Notes, Waited};
use crate::stream::shard::Entry;

/// What an entry without a source is filed under: those of versions that did not note it.
const UNKNOWN_SOURCE: &str = "native";

/// One entry's part of the batch.
#[derive(Clone, Debug)]
pub(super) struct Share {
    project: ProjectNumber,
    received_at: i64,
    source: Arc<str>,
    /// Whether INGEST noted its rows as waiting.
    waits: bool,
    /// Whether it is a dead letter that is tried again.
    replayed: bool,
    /// Places of its kept rows among the batch's.
    rows: Range<usize>,
    /// Number of its rows that were dropped as re-sent.
    dropped: usize,
    /// Of its kept rows those that are stored, and what is noticed about them.
    stored: i64,
    late: i64,
    corrected: i64,
    clamped: i64,
}

impl Share {
    fn key(&self) -> (ProjectNumber, u32, &str) {
        (self.project, minute_of(self.received_at), &self.source)
    }
}

/// The entries of a batch, by their rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares {
    shares: Vec<Share>,
    notes: Vec<Notes>,
    late_days: BTreeMap<(ProjectNumber, Day), u64>,
    /// Start of the UTC hour in which the stream took the last entry, in seconds.
    received_hour: u32,
}

impl Shares {
    /// The next entry. `project` is that of all its rows, also those that were dropped; `None` without rows.
    pub fn begin(&mut self, entry: &Entry, project: Option<ProjectNumber>) {
        self.received_hour = taken_hour(entry);
        if !entry.notes.is_empty() {
            self.notes.push(entry.notes.clone());
        }
        let Some(project) = project else { return };
        let source = match (&entry.source, self.shares.last()) {
            (Some(source), _) => Arc::clone(source),
            (None, Some(last)) if &*last.source == UNKNOWN_SOURCE => Arc::clone(&last.source),
            (None, _) => Arc::from(UNKNOWN_SOURCE),
        };
        let from = self.shares.last().map_or(0, |last| last.rows.end);
        self.shares.push(Share {
            project,
            received_at: entry.received_at,
            source,
            waits: entry.source.is_some(),
            replayed: entry.replayed,
            rows: from..from,
            dropped: entry.dropped.len(),
            stored: 0,
            late: 0,
            corrected: 0,
            clamped: 0,
        });
    }

    /// A kept row of the entry, which is stored unless it is dead.
    pub fn row<T: AsRef<str>>(&mut self, row: &Event<T>, dead: bool) {
        let Some(share) = self.shares.last_mut() else {
            return;
        };
        share.rows.end += 1;
        if dead {
            return;
        }
        share.stored += 1;
        if row.received_at - row.ts > LATE_MS {
            share.late += 1;
            *self.late_days.entry((row.project, row.local_day)).or_default() += 1;
        }
        share.corrected += i64::from(row.flags & flag::TIME_CORRECTED != 0);
        share.clamped += i64::from(row.flags & flag::TIME_CLAMPED != 0);
    }

    /// Adds the entries behind these.
    pub fn append(&mut self, mut other: Shares) {
        let rows = self.shares.last().map_or(0, |last| last.rows.end);
        for share in &mut other.shares {
            share.rows = share.rows.start + rows..share.rows.end + rows;
        }
        self.shares.append(&mut other.shares);
        self.notes.append(&mut other.notes);
        for (day, count) in other.late_days {
            *self.late_days.entry(day).or_default() += count;
        }
        self.received_hour = other.received_hour;
    }

    /// Source and receipt of the entry that brought this row.
    pub fn origin(&self, row: usize) -> (Arc<str>, i64) {
        let place = self.shares.partition_point(|share| share.rows.end <= row);
        self.shares.get(place).map_or_else(
            || (Arc::from(UNKNOWN_SOURCE), 0),
            |share| (Arc::clone(&share.source), share.received_at),
        )
    }

    /// What waited for this batch, dead rows included.
    pub fn waited(&self) -> Vec<Waited> {
        let mut waited: BTreeMap<(ProjectNumber, u32, &Arc<str>, bool), u64> = BTreeMap::new();
        for share in self
            .shares
            .iter()
            .filter(|share| share.waits && !share.rows.is_empty())
        {
            let minute = minute_of(share.received_at);
            let key = (share.project, minute, &share.source, share.replayed);
            *waited.entry(key).or_default() += share.rows.len() as u64;
        }
        let one = |((project, minute, source, replayed), rows): ((_, _, &Arc<str>, _), _)| Waited {
            project,
            minute,
            source: Arc::clone(source),
            rows,
            replayed,
        };
        waited.into_iter().map(one).collect()
    }

    /// What the batch adds to the ledger.
    pub fn ledger(&self) -> LedgerShare {
        let mut counts = Counts::default();
        for share in &self.shares {
            let kept = share.rows.len() as i64;
            counts.add(share, Outcome::Stored, share.stored);
            counts.add(share, Outcome::Duplicate, share.dropped as i64);
            // A dead letter was counted as such when it died: it is one no longer.
            let letters = if share.replayed { kept } else { 0 };
            counts.add(share, Outcome::Quarantined, kept - share.stored - letters);
            counts.add(share, Outcome::Late, share.late);
            counts.add(share, Outcome::ClockCorrected, share.corrected);
            counts.add(share, Outcome::TimeClamped, share.clamped);
        }
        for row in self.notes.iter().flat_map(|notes| &notes.rows) {
            counts.note(row);
        }
        let late_day = |(&(project, day), &count): (&(_, _), &_)| LateDay { project, day, count };
        LedgerShare {
            rows: counts.rows(),
            sequences: self.sequences(),
            late_days: self.late_days.iter().map(late_day).collect(),
            received_hour: self.received_hour,
        }
    }

    /// One row for each client and minute.
    fn sequences(&self) -> Vec<ClientSequence> {
        let mut united: BTreeMap<(ProjectNumber, u32, &str, u64), ClientSequence> = BTreeMap::new();
        for noted in self.notes.iter().flat_map(|notes| &notes.sequences) {
            let key = (noted.project, noted.minute, &*noted.source, noted.client);
            united
                .entry(key)
                .and_modify(|all| {
                    all.first = all.first.min(noted.first);
                    all.last = all.last.max(noted.last);
                    all.count += noted.count;
                })
                .or_insert_with(|| noted.clone());
        }
        united.into_values().collect()
    }
}

/// The hour in which Redis took an entry, which its id begins with. By this hour the ledger's days are filed:
/// nothing comes into one that is over.
fn taken_hour(entry: &Entry) -> u32 {
    let ms: u64 = entry
        .id
        .split('-')
        .next()
        .and_then(|ms| ms.parse().ok())
        .unwrap_or(0);
    u32::try_from(ms / 3_600_000 * 3_600).unwrap_or(u32::MAX)
}

/// Ledger rows, added up.
#[derive(Default)]
struct Counts<'a>(BTreeMap<(ProjectNumber, u32, &'a str, Outcome, &'a str), i64>);

impl<'a> Counts<'a> {
    fn add(&mut self, share: &'a Share, outcome: Outcome, count: i64) {
        let (project, minute, source) = share.key();
        if count != 0 {
            *self.0.entry((project, minute, source, outcome, "")).or_default() += count;
        }
    }

    fn note(&mut self, row: &'a LedgerRow) {
        let key = (row.project, row.minute, &*row.source, row.outcome, &*row.reason);
        *self.0.entry(key).or_default() += row.count;
    }

    fn rows(self) -> Vec<LedgerRow> {
        let row =
            |((project, minute, source, outcome, reason), count): ((_, _, &str, _, &str), _)| LedgerRow {
                project,
                minute,
                source: source.to_owned(),
                outcome,
                reason: reason.to_owned(),
                count,
            };
        self.0
            .into_iter()
            .filter(|(_, count)| *count != 0)
            .map(row)
            .collect()
    }
}
