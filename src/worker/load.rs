//! Entries of the stream as a batch needs them: rows ready to be sent, and what they add to the rollups and
//! the ledger. Nothing in between is kept, so a batch costs little more memory than its rows.

use std::num::NonZero;
use std::ops::Range;
use std::thread;

use crate::store::batch::ExpectedEvents;
use crate::store::rows::{EventBlock, EventColumns};
use crate::stream::codec::{CodecError, Unpacker};
use crate::stream::shard::Entry;

use super::ledger::Shares;
use super::partial::Tally;

/// Rows for which it is worth to start a thread.
const A_THREAD: u64 = 20_000;

/// Threads that work on one batch at most: other shards' batches want the rest.
const MOST_THREADS: usize = 4;

/// What becomes of a batch's entries.
pub(super) struct Loaded {
    pub rows: EventColumns,
    pub expected: ExpectedEvents,
    pub tally: Tally,
    pub shares: Shares,
}

impl Loaded {
    /// Unpacks and encodes the entries, in parallel when they are many. Costs CPU: not for a runtime's thread.
    pub fn of(entries: &[Entry]) -> Result<Loaded, CodecError> {
        let rows: u64 = entries.iter().map(|entry| entry.rows).sum();
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = cores.min(MOST_THREADS).min((rows / A_THREAD) as usize).max(1);
        if threads == 1 {
            return Loaded::one_by_one(entries, |_| true);
        }
        let share = entries.len().div_ceil(threads);
        let parts: Vec<_> = thread::scope(|scope| {
            let parts: Vec<_> = entries
                .chunks(share)
                .map(|entries| scope.spawn(move || Loaded::one_by_one(entries, |_| true)))
                .collect();
            parts.into_iter().map(|part| part.join()).collect()
        });
        let mut loaded = Loaded::nothing();
        for part in parts {
            let part = part.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            loaded.rows.append(part.rows);
            loaded.expected.merge(part.expected);
            loaded.tally.merge(part.tally);
            loaded.shares.append(part.shares);
        }
        Ok(loaded)
    }

    /// The same without the rows whose number in the batch is not `wanted`.
    pub fn one_by_one(entries: &[Entry], wanted: impl Fn(usize) -> bool) -> Result<Loaded, CodecError> {
        let mut loaded = Loaded::nothing();
        let mut unpacker = Unpacker::new()?;
        let mut number = 0;
        for entry in entries {
            let rows = entry.rows_in(&mut unpacker)?;
            loaded.shares.begin(entry, rows.first().map(|row| row.project));
            for (_, row) in rows.iter().enumerate().filter(|(n, _)| entry.keeps(*n)) {
                let stored = wanted(number);
                if stored {
                    loaded.rows.push(row);
                    loaded.expected.add(row);
                    loaded.tally.add(row);
                }
                loaded.shares.row(row, !stored);
                number += 1;
            }
        }
        Ok(loaded)
    }

    /// The rows of these numbers alone.
    pub fn block(entries: &[Entry], wanted: &Range<usize>) -> Result<EventBlock, CodecError> {
        let mut columns = EventColumns::default();
        let mut unpacker = Unpacker::new()?;
        let mut first = 0;
        for entry in entries {
            let behind = first + (entry.rows as usize).saturating_sub(entry.dropped.len());
            if first < wanted.end && wanted.start < behind {
                let rows = entry.rows_in(&mut unpacker)?;
                let kept = rows.iter().enumerate().filter(|(n, _)| entry.keeps(*n));
                for (number, (_, row)) in (first..).zip(kept) {
                    if wanted.contains(&number) {
                        columns.push(row);
                    }
                }
            }
            first = behind;
        }
        Ok(columns.finish())
    }

    fn nothing() -> Loaded {
        Loaded {
            rows: EventColumns::default(),
            expected: ExpectedEvents::default(),
            tally: Tally::default(),
            shares: Shares::default(),
        }
    }
}
