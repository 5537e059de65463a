//! What a reader of answers needs to know of the stream: how fresh they are, and whether they changed.

use super::{APPEND_TIMEOUT, EventStream, StreamError, scripts};
use crate::event::ProjectNumber;
use futures_util::future::try_join_all;

/// How far the tables are behind the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsOf {
    /// Everything received before this instant (UTC milliseconds) is in the answers: the receipt of the
    /// first uncommitted row over all shards, and never later than now minus [`APPEND_TIMEOUT`].
    pub as_of: i64,
    /// Rows taken and not committed yet.
    pub pending_rows: u64,
}

/// A shard's counters since the installation began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardCounters {
    /// Rows taken in, without those dropped as re-sent.
    pub rows_in: u64,
    /// Rows stored in ClickHouse.
    pub rows_out: u64,
    /// Rows that ClickHouse refused, kept as dead letters.
    pub rows_dead: u64,
    /// Dead letters that were thrown away.
    pub rows_discarded: u64,
    /// Rows dropped because the window knew their id.
    pub rows_dup: u64,
    /// Rows removed on purpose afterwards (erasure, retention).
    pub rows_removed: u64,
    /// Rows in the stream that wait for their batch to be committed.
    pub rows_waiting: u64,
}

impl EventStream {
    /// The project's revision: it differs whenever an answer could. 0 for a project that has no events.
    pub async fn rev(&self, project: ProjectNumber) -> Result<u64, StreamError> {
        let rev: Option<u64> = redis::cmd("GET")
            .arg(self.keys().rev(project))
            .query_async(&mut self.front())
            .await?;
        Ok(rev.unwrap_or(0))
    }

    /// Tells every reader that answers of these projects may have changed.
    pub async fn raise_rev(&self, projects: &[ProjectNumber]) -> Result<(), StreamError> {
        try_join_all(
            projects
                .iter()
                .map(|&project| self.raise(self.keys().rev(project))),
        )
        .await?;
        Ok(())
    }

    pub(super) async fn raise(&self, counter: String) -> Result<u64, StreamError> {
        Ok(scripts::RAISE.key(counter).invoke_async(&mut self.back()).await?)
    }

    /// How fresh answers are at `now_ms`. Ask it before the question runs.
    pub async fn as_of(&self, now_ms: i64) -> Result<AsOf, StreamError> {
        let all = try_join_all((0..self.shards()).map(|shard| self.waiting(shard))).await?;
        let settled = now_ms - APPEND_TIMEOUT.as_millis() as i64;
        Ok(AsOf {
            as_of: all.iter().filter_map(|(_, first)| *first).fold(settled, i64::min),
            pending_rows: all.iter().map(|(counters, _)| counters.rows_waiting).sum(),
        })
    }

    /// The shard's counters.
    pub async fn shard_counters(&self, shard: u16) -> Result<ShardCounters, StreamError> {
        Ok(self.waiting(shard).await?.0)
    }

    /// Rows of the shard that ClickHouse refused and that are kept as dead letters.
    pub async fn dead_letters(&self, shard: u16) -> Result<u64, StreamError> {
        Ok(redis::cmd("XLEN")
            .arg(self.keys().dlq(shard))
            .query_async(&mut self.front())
            .await?)
    }

    /// When Redis took the oldest entry that is not committed, by its own clock, in UTC milliseconds; `None`
    /// when nothing waits.
    pub async fn oldest_entry_ms(&self) -> Result<Option<i64>, StreamError> {
        let mut oldest = None;
        for shard in 0..self.shards() {
            let first: Vec<(String, redis::Value)> = redis::cmd("XRANGE")
                .arg(self.keys().ev(shard))
                .arg("-")
                .arg("+")
                .arg("COUNT")
                .arg(1)
                .query_async(&mut self.back())
                .await?;
            let taken = first
                .first()
                .and_then(|(id, _)| id.split('-').next()?.parse().ok());
            oldest = oldest.into_iter().chain(taken).min();
        }
        Ok(oldest)
    }

    async fn waiting(&self, shard: u16) -> Result<(ShardCounters, Option<i64>), StreamError> {
        let mut call = scripts::WAITING.prepare_invoke();
        call.key(self.keys().st(shard)).key(self.keys().ev(shard));
        let (rows_in, rows_out, rows_dead, rows_dup, rows_removed, rows_discarded, first): (
            u64,
            u64,
            u64,
            u64,
            u64,
            u64,
            String,
        ) = call.invoke_async(&mut self.front()).await?;
        let counters = ShardCounters {
            rows_in,
            rows_out,
            rows_dead,
            rows_discarded,
            rows_dup,
            rows_removed,
            rows_waiting: rows_in.saturating_sub(rows_out + rows_dead + rows_discarded),
        };
        Ok((counters, first.parse().ok()))
    }
}
