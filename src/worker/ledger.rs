//! A batch's share of the ledger: which entry brought which rows, and what became of them.
//!
//! A pure function of the entries and of the rows that ClickHouse refused, so every re-run gives the same.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use crate::event::ledger::{ClientSequence, LATE_MS, LedgerRow, Outcome, minute_of};
use crate::event::{Day, Event, ProjectNumber, flag};
use crate::store::ledger::{LateDay, LedgerShare};
use crate::stream::codec::{self, CodecError};
use crate::stream::ledger::{Notes, Waited};
use crate::stream::shard::Entry;

/// What an entry without a source is filed under: those of versions that did not note it.
const UNKNOWN_SOURCE: &str = "native";

/// One entry's part of the batch.
#[derive(Clone, Debug)]
struct Share {
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
    /// Start of the UTC hour in which the stream took the last entry, in seconds.
    received_hour: u32,
}

impl Shares {
    /// Opens the entries: their kept rows, one entry after the other, and whose they are.
    pub fn open(entries: &[Entry]) -> Result<(Vec<Event>, Shares), CodecError> {
        let unknown: Arc<str> = Arc::from(UNKNOWN_SOURCE);
        let mut events = Vec::new();
        let mut opened = Shares {
            received_hour: entries.last().map_or(0, taken_hour),
            ..Shares::default()
        };
        for entry in entries {
            if !entry.notes.is_empty() {
                opened.notes.push(entry.notes.clone());
            }
            let from = events.len();
            events.extend(entry.kept()?);
            let project = match events.get(from) {
                Some(first) => first.project,
                // All rows of an entry are of one project, also those that were dropped.
                None => match codec::unpack(&entry.packed)?.first() {
                    Some(dropped) => dropped.project,
                    None => continue,
                },
            };
            opened.shares.push(Share {
                project,
                received_at: entry.received_at,
                source: Arc::clone(entry.source.as_ref().unwrap_or(&unknown)),
                waits: entry.source.is_some(),
                replayed: entry.replayed,
                rows: from..events.len(),
                dropped: entry.dropped.len(),
            });
        }
        Ok((events, opened))
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

    /// What the batch adds to the ledger, when the rows of these numbers are dead.
    pub fn ledger(&self, events: &[Event], dead: &BTreeSet<usize>) -> LedgerShare {
        let mut counts = Counts::default();
        let mut late_days: BTreeMap<(ProjectNumber, Day), u64> = BTreeMap::new();
        for share in &self.shares {
            let died = dead.range(share.rows.clone()).count() as i64;
            let kept = share.rows.len() as i64;
            counts.add(share, Outcome::Stored, kept - died);
            counts.add(share, Outcome::Duplicate, share.dropped as i64);
            // A dead letter was counted as such when it died: it is one no longer.
            let letters = if share.replayed { kept } else { 0 };
            counts.add(share, Outcome::Quarantined, died - letters);
            let (mut late, mut corrected, mut clamped) = (0, 0, 0);
            let rows = share.rows.clone().filter(|row| !dead.contains(row));
            for event in rows.filter_map(|row| events.get(row)) {
                if event.received_at - event.ts > LATE_MS {
                    late += 1;
                    *late_days.entry((event.project, event.local_day)).or_default() += 1;
                }
                corrected += i64::from(event.flags & flag::TIME_CORRECTED != 0);
                clamped += i64::from(event.flags & flag::TIME_CLAMPED != 0);
            }
            counts.add(share, Outcome::Late, late);
            counts.add(share, Outcome::ClockCorrected, corrected);
            counts.add(share, Outcome::TimeClamped, clamped);
        }
        for row in self.notes.iter().flat_map(|notes| &notes.rows) {
            counts.note(row);
        }
        let late_day = |((project, day), count)| LateDay { project, day, count };
        LedgerShare {
            rows: counts.rows(),
            sequences: self.sequences(),
            late_days: late_days.into_iter().map(late_day).collect(),
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
