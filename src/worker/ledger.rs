//! A batch's share of the ledger: which entry brought which rows, and what became of them.
//!
//! A pure function of the entries and of the rows that ClickHouse refused, so every re-run gives the same.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::event::ledger::minute_of;
use crate::event::{Event, ProjectNumber};
use crate::stream::codec::CodecError;
use crate::stream::ledger::Waited;
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
    /// Places of its kept rows among the batch's.
    rows: Range<usize>,
}

/// The entries of a batch, by their rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares(Vec<Share>);

impl Shares {
    /// Opens the entries: their kept rows, one entry after the other, and whose they are.
    pub fn open(entries: &[Entry]) -> Result<(Vec<Event>, Shares), CodecError> {
        let unknown: Arc<str> = Arc::from(UNKNOWN_SOURCE);
        let (mut events, mut shares) = (Vec::new(), Vec::new());
        for entry in entries {
            let from = events.len();
            events.extend(entry.kept()?);
            let Some(first) = events.get(from) else { continue };
            shares.push(Share {
                project: first.project,
                received_at: entry.received_at,
                source: Arc::clone(entry.source.as_ref().unwrap_or(&unknown)),
                waits: entry.source.is_some(),
                rows: from..events.len(),
            });
        }
        Ok((events, Shares(shares)))
    }

    /// Source and receipt of the entry that brought this row.
    pub fn origin(&self, row: usize) -> (Arc<str>, i64) {
        let place = self.0.partition_point(|share| share.rows.end <= row);
        self.0.get(place).map_or_else(
            || (Arc::from(UNKNOWN_SOURCE), 0),
            |share| (Arc::clone(&share.source), share.received_at),
        )
    }

    /// What waited for this batch, dead rows included.
    pub fn waited(&self) -> Vec<Waited> {
        let mut waited: BTreeMap<(ProjectNumber, u32, &Arc<str>), u64> = BTreeMap::new();
        for share in self.0.iter().filter(|share| share.waits) {
            let key = (share.project, minute_of(share.received_at), &share.source);
            *waited.entry(key).or_default() += share.rows.len() as u64;
        }
        let one = |((project, minute, source), rows): (_, _)| Waited {
            project,
            minute,
            source: Arc::clone(source),
            rows,
        };
        waited.into_iter().map(one).collect()
    }
}
