//! Entries of the stream as a batch needs them: rows ready to be sent, and what they add to the rollups. Nothing
//! in between is kept, so a batch costs little more memory than its rows.

use std::num::NonZero;
use std::thread;

use crate::store::batch::{BatchName, ExpectedEvents};
use crate::store::rows::EventRows;
use crate::stream::codec::{CodecError, Unpacker};
use crate::stream::shard::Entry;

use super::partial::Tally;

/// Rows for which it is worth to start a thread.
const A_THREAD: u64 = 20_000;

/// Threads that work on one batch at most: other shards' batches want the rest.
const MOST_THREADS: usize = 4;

/// What becomes of a batch's entries.
pub(super) struct Loaded {
    pub rows: EventRows,
    pub expected: ExpectedEvents,
    pub tally: Tally,
}

impl Loaded {
    /// Unpacks and encodes the entries, in parallel when they are many. Costs CPU: not for a runtime's thread.
    pub fn of(name: BatchName, entries: &[Entry]) -> Result<Loaded, CodecError> {
        let rows: u64 = entries.iter().map(|entry| entry.rows).sum();
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = cores.min(MOST_THREADS).min((rows / A_THREAD) as usize).max(1);
        if threads == 1 {
            return Loaded::one_by_one(name, entries, |_| true);
        }
        let share = entries.len().div_ceil(threads);
        let parts: Vec<_> = thread::scope(|scope| {
            let parts: Vec<_> = entries
                .chunks(share)
                .map(|entries| scope.spawn(move || Loaded::one_by_one(name, entries, |_| true)))
                .collect();
            parts.into_iter().map(|part| part.join()).collect()
        });
        let mut loaded = Loaded::nothing(name);
        for part in parts {
            let part = part.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            loaded.rows.append(part.rows);
            loaded.expected.merge(part.expected);
            loaded.tally.merge(part.tally);
        }
        Ok(loaded)
    }

    /// The same without the rows whose number in the batch is not `wanted`.
    pub fn one_by_one(
        name: BatchName,
        entries: &[Entry],
        wanted: impl Fn(usize) -> bool,
    ) -> Result<Loaded, CodecError> {
        let mut loaded = Loaded::nothing(name);
        let mut unpacker = Unpacker::new()?;
        let mut number = 0;
        for entry in entries {
            for row in entry.kept_in(&mut unpacker)? {
                if wanted(number) {
                    loaded.rows.push(&row);
                    loaded.expected.add(&row);
                    loaded.tally.add(&row);
                }
                number += 1;
            }
        }
        Ok(loaded)
    }

    fn nothing(name: BatchName) -> Loaded {
        Loaded {
            rows: EventRows::new(name),
            expected: ExpectedEvents::default(),
            tally: Tally::default(),
        }
    }
}
