//! What a shard counts and what there is to count, seen at one moment: for the audit.

use futures_util::future::try_join_all;

use super::shard::batch_number;
use super::{EventStream, StreamError, scripts};

/// Entries of a shard, and kinds of waiting rows, that are counted at most: above that a look would hold Redis up
/// for longer than some milliseconds.
const MOST_COUNTED: u64 = 500;

/// The books of a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    pub shard: u16,
    /// Number of the last committed batch as the tables name it; before the first that of its incarnation's start.
    pub cut: u64,
    /// The largest batch number that the tables may hold: that of the plan, if there is one.
    pub planned: u64,
    /// Counters, as in [`super::ShardCounters`].
    pub rows_in: u64,
    pub rows_out: u64,
    pub rows_dead: u64,
    pub rows_discarded: u64,
    pub rows_removed: u64,
    /// Whether rows are being removed, so that `rows_removed` is behind.
    pub removing: bool,
    /// Dead letters, and those that the index knows.
    pub letters: u64,
    pub letters_indexed: u64,
    /// Kept rows of the stream's entries; `None` while there are too many entries to count.
    pub rows_waiting: Option<u64>,
    /// Those of them that are noted as waiting by project, minute and source.
    pub rows_noted: Option<u64>,
    /// The sum of those notes; `None` while there are too many.
    pub notes: Option<u64>,
}

impl EventStream {
    /// The books of every shard, each seen at one moment.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn books(&self) -> Result<Vec<Books>, StreamError> {
        try_join_all((0..self.shards()).map(|shard| self.shard_books(shard))).await
    }

    async fn shard_books(&self, shard: u16) -> Result<Books, StreamError> {
        let mut call = scripts::BOOKS.prepare_invoke();
        call.key(self.keys().st(shard))
            .key(self.keys().ev(shard))
            .key(self.keys().dlq(shard))
            .key(self.keys().dead(shard))
            .key(self.keys().pend(shard))
            .arg(MOST_COUNTED);
        type Answer = (Vec<u64>, u64, u64, i64, i64, i64);
        let (fields, letters, letters_indexed, waiting, noted, notes): Answer =
            call.invoke_async(&mut self.back()).await?;
        let [
            incarnation,
            seq,
            p_seq,
            rows_in,
            rows_out,
            rows_dead,
            rows_discarded,
            rows_removed,
            removing,
        ] = fields[..]
        else {
            return Err(StreamError::Content {
                key: self.keys().st(shard),
                detail: format!("{} fields", fields.len()),
            });
        };
        // Also of the number 0: an incarnation that has just begun lies behind every batch of those before it.
        let batch = |seq: u64| batch_number(incarnation.max(1), seq);
        Ok(Books {
            shard,
            cut: batch(seq),
            planned: batch(seq.max(p_seq)),
            rows_in,
            rows_out,
            rows_dead,
            rows_discarded,
            rows_removed,
            removing: removing != 0,
            letters,
            letters_indexed,
            rows_waiting: u64::try_from(waiting).ok(),
            rows_noted: u64::try_from(noted).ok(),
            notes: u64::try_from(notes).ok(),
        })
    }
}
