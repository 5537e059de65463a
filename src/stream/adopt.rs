//! Going on after Redis or ClickHouse was replaced or restored from an older copy: a new incarnation, whose batch
//! numbers ClickHouse has never seen, and a stream without the rows that the tables hold already.
//!
//! Only while no worker runs, and only by an operator's word (`footfall doctor --adopt`).

use redis::streams::StreamRangeReply;

use super::entry::Entry;
use super::ledger::Waited;
use super::shard::{Lease, answered};
use super::{EventStream, StreamError, codec, scripts};
use crate::event::Event;

impl EventStream {
    /// Workers whose heartbeat has not run out.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn live_workers(&self) -> Result<u64, StreamError> {
        // Nobody has this name: leaving changes nothing, and the answer is how many stay.
        self.beat("", 0).await
    }

    /// The last entry of a shard, `None` while it has none.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn last_entry(&self, shard: u16) -> Result<Option<String>, StreamError> {
        let mut command = redis::cmd("XREVRANGE");
        command.arg(self.keys().ev(shard)).arg("+").arg("-");
        let reply: StreamRangeReply = command.arg("COUNT").arg(1).query_async(&mut self.back()).await?;
        Ok(reply.ids.into_iter().next().map(|entry| entry.id))
    }

    /// Replaces an entry by one with these of its rows only, at the end of the stream; without rows it goes. Its
    /// notes go too: they came into the ledger with the rows that are stored.
    ///
    /// # Errors
    /// When Redis does not answer, or the shard is another's.
    pub async fn rewrite(&self, lease: &Lease, entry: &Entry, rows: &[Event]) -> Result<(), StreamError> {
        let packed = codec::pack(rows).map_err(|e| StreamError::Content {
            key: self.keys().ev(lease.shard),
            detail: e.to_string(),
        })?;
        let mut call = scripts::REWRITE.prepare_invoke();
        call.key(self.keys().st(lease.shard))
            .key(self.keys().ev(lease.shard));
        call.arg(lease.epoch).arg(&entry.id).arg(rows.len());
        call.arg(packed.bytes).arg(packed.unpacked);
        let word: String = call.invoke_async(&mut self.back()).await?;
        answered(&word, lease.shard, 0)
    }

    /// Whether the shard's rows are being removed: some are gone, and `rows_removed` does not say so yet.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn is_removing(&self, shard: u16) -> Result<bool, StreamError> {
        let mut command = redis::cmd("HEXISTS");
        command.arg(self.keys().st(shard)).arg("removing");
        Ok(command.query_async(&mut self.back()).await?)
    }

    /// Begins a new incarnation of the shard. `stored` rows are in the tables, `waiting` ones in the stream.
    ///
    /// # Errors
    /// When Redis does not answer, or the shard is another's.
    pub async fn begin_incarnation(
        &self,
        lease: &Lease,
        incarnation: u64,
        stored: u64,
        waiting: &[Waited],
        rows_waiting: u64,
    ) -> Result<(), StreamError> {
        let shard = lease.shard;
        let mut call = scripts::ADOPT.prepare_invoke();
        call.key(self.keys().st(shard))
            .key(self.keys().pend(shard))
            .key(self.keys().dlq(shard))
            .key(self.keys().removal(shard));
        call.arg(lease.epoch)
            .arg(incarnation)
            .arg(stored)
            .arg(rows_waiting);
        for waited in waiting {
            call.arg(waited.field()).arg(waited.rows);
        }
        let word: String = call.invoke_async(&mut self.back()).await?;
        answered(&word, shard, 0)
    }
}
