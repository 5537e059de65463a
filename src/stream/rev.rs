//! What a reader of answers needs to know of the stream: how fresh they are, and whether they changed.

use std::collections::{HashMap, HashSet};

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

/// How the stream and some projects stand: what tells whether an answer is still the right one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Receipt of the first uncommitted row over all shards.
    pub first_waiting: Option<i64>,
    /// Rows taken and not committed yet.
    pub pending_rows: u64,
    /// Moves whenever a shard is begun anew, as by a Redis that was restored from a copy: revisions from before
    /// mean nothing then.
    pub incarnations: u64,
    /// Moves whenever stored rows are removed, or dead letters come or go: what was received long ago may be gone, or come
    /// only now.
    pub upheavals: u64,
    /// Of each project that was asked about.
    pub revs: HashMap<ProjectNumber, u64>,
    /// Projects with a commit whose revision is still to be raised: what was remembered may lack it.
    pub unannounced: HashSet<ProjectNumber>,
    /// Those asked about that have sketches waiting to be computed anew.
    pub rebuilding: HashSet<ProjectNumber>,
}

impl Standing {
    /// How fresh answers are for a question of `now_ms`, which came before this was looked at.
    pub fn as_of(&self, now_ms: i64) -> AsOf {
        let settled = now_ms - APPEND_TIMEOUT.as_millis() as i64;
        AsOf {
            as_of: self.first_waiting.map_or(settled, |first| first.min(settled)),
            pending_rows: self.pending_rows,
        }
    }
}

impl ShardCounters {
    /// One number of what is removed and of what is dead: they move on their own.
    fn upheavals(&self) -> u64 {
        (self.rows_removed << 32).wrapping_add(self.rows_dead)
    }
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
        Ok(self.standing(&[]).await?.as_of(now_ms))
    }

    /// How fresh the tables are and which revisions these projects have, for many questions at once. The shards
    /// are looked at before the revisions: a commit that the first look saw has raised its projects' revisions
    /// before the second, or is listed as unannounced.
    pub async fn standing(&self, projects: &[ProjectNumber]) -> Result<Standing, StreamError> {
        let shards = try_join_all((0..self.shards()).map(|shard| self.waiting(shard))).await?;
        let mut standing = Standing {
            first_waiting: shards.iter().filter_map(|shard| shard.first).min(),
            pending_rows: shards.iter().map(|shard| shard.counters.rows_waiting).sum(),
            incarnations: shards.iter().map(|shard| shard.incarnation).sum(),
            upheavals: shards
                .iter()
                .fold(0, |sum, shard| shard.counters.upheavals().wrapping_add(sum)),
            unannounced: shards.iter().flat_map(|shard| shard.unannounced()).collect(),
            ..Standing::default()
        };
        if projects.is_empty() {
            return Ok(standing);
        }
        let (rebuilds, revs) = tokio::join!(
            self.rebuilds_waiting(),
            try_join_all(projects.iter().map(|&project| self.rev(project)))
        );
        standing.revs = projects.iter().copied().zip(revs?).collect();
        if rebuilds? > 0 {
            for &project in projects {
                if self.sketches_pending(project).await? > 0 {
                    standing.rebuilding.insert(project);
                }
            }
        }
        Ok(standing)
    }

    /// The shard's counters.
    pub async fn shard_counters(&self, shard: u16) -> Result<ShardCounters, StreamError> {
        Ok(self.waiting(shard).await?.counters)
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

    async fn waiting(&self, shard: u16) -> Result<ShardStanding, StreamError> {
        let mut call = scripts::WAITING.prepare_invoke();
        call.key(self.keys().st(shard)).key(self.keys().ev(shard));
        type Told = (u64, u64, u64, u64, u64, u64, String, String, u64);
        let told: Told = call.invoke_async(&mut self.front()).await?;
        let (
            rows_in,
            rows_out,
            rows_dead,
            rows_dup,
            rows_removed,
            rows_discarded,
            first,
            announce,
            incarnation,
        ) = told;
        let counters = ShardCounters {
            rows_in,
            rows_out,
            rows_dead,
            rows_discarded,
            rows_dup,
            rows_removed,
            rows_waiting: rows_in.saturating_sub(rows_out + rows_dead + rows_discarded),
        };
        Ok(ShardStanding {
            counters,
            first: first.parse().ok(),
            announce,
            incarnation,
        })
    }
}

/// What one shard says of itself.
struct ShardStanding {
    counters: ShardCounters,
    /// Receipt of its first uncommitted row.
    first: Option<i64>,
    /// Projects whose commit is not announced yet, comma-separated.
    announce: String,
    incarnation: u64,
}

impl ShardStanding {
    fn unannounced(&self) -> impl Iterator<Item = ProjectNumber> {
        let listed = self.announce.split(',');
        listed.filter_map(|number| number.parse().ok().map(ProjectNumber))
    }
}
