//! The queue of rollup days that must be computed again from raw events, and the numbers of generations.

use std::str::FromStr;
use std::time::Duration;

use super::{EventStream, StreamError, scripts};
use crate::event::{Day, ProjectNumber};

/// A claimed rebuild whose roller fell silent is due again after this long. One that works keeps it.
pub const CLAIM: Duration = Duration::from_secs(30);

/// Which rollup a day belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RollupKind {
    /// Counts per quarter hour; the day is a UTC day.
    Counts,
    /// Sketches per day; the day is a day of the project's zone.
    Sketches,
    /// Sketches of every day with activity, after a change of zone. Which days those are is settled when it is
    /// due, because a backfill may be on its way into the tables; the day is the one on which it was asked for.
    AllSketches,
    /// Names that were seen; the day is a UTC day.
    Schema,
}

impl RollupKind {
    /// The name in Redis.
    pub fn as_str(self) -> &'static str {
        match self {
            RollupKind::Counts => "counts",
            RollupKind::Sketches => "sketches",
            RollupKind::AllSketches => "all-sketches",
            RollupKind::Schema => "schema",
        }
    }
}

/// A rollup day that must be computed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rebuild {
    pub project: ProjectNumber,
    pub kind: RollupKind,
    pub day: Day,
}

/// A [`Rebuild`] that this roller works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    pub rebuild: Rebuild,
    score: i64,
}

impl std::fmt::Display for Rebuild {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.project, self.kind.as_str(), self.day)
    }
}

impl FromStr for Rebuild {
    type Err = ();

    fn from_str(member: &str) -> Result<Rebuild, ()> {
        let (project, rest) = member.split_once(':').ok_or(())?;
        let (kind, day) = rest.split_once(':').ok_or(())?;
        let kind = match kind {
            "counts" => RollupKind::Counts,
            "sketches" => RollupKind::Sketches,
            "all-sketches" => RollupKind::AllSketches,
            "schema" => RollupKind::Schema,
            _ => return Err(()),
        };
        let project = ProjectNumber(project.parse().map_err(drop)?);
        Ok(Rebuild {
            project,
            kind,
            day: day.parse().map_err(drop)?,
        })
    }
}

impl EventStream {
    /// Asks for rebuilds, due at `due_ms`. One that is asked for again keeps its earlier time; one that is
    /// being worked on will run once more.
    pub async fn queue_rebuilds(&self, rebuilds: &[Rebuild], due_ms: i64) -> Result<(), StreamError> {
        if rebuilds.is_empty() {
            return Ok(());
        }
        let mut command = redis::cmd("ZADD");
        command.arg(self.keys().rebuild()).arg("LT");
        for rebuild in rebuilds {
            command.arg(due_ms).arg(rebuild.to_string());
        }
        Ok(command.exec_async(&mut self.back()).await?)
    }

    /// The rebuilds that are due at `now_ms`, oldest first, at most `limit`.
    pub async fn due_rebuilds(&self, now_ms: i64, limit: usize) -> Result<Vec<Rebuild>, StreamError> {
        let mut command = redis::cmd("ZRANGE");
        command
            .arg(self.keys().rebuild())
            .arg("-inf")
            .arg(now_ms)
            .arg("BYSCORE")
            .arg("LIMIT")
            .arg(0)
            .arg(limit);
        let members: Vec<String> = command.query_async(&mut self.back()).await?;
        // A member that this version cannot read stays where a newer one finds it.
        Ok(members.iter().filter_map(|member| member.parse().ok()).collect())
    }

    /// Puts a due rebuild out of others' reach for [`CLAIM`]. Keep it with [`Self::keep_rebuild`] while it runs, finish it
    /// with [`Self::finish_rebuild`].
    pub async fn claim_rebuild(&self, rebuild: Rebuild, now_ms: i64) -> Result<Claimed, StreamError> {
        let score = now_ms.saturating_add(CLAIM.as_millis() as i64);
        let mut command = redis::cmd("ZADD");
        command
            .arg(self.keys().rebuild())
            .arg("XX")
            .arg(score)
            .arg(rebuild.to_string());
        command.exec_async(&mut self.back()).await?;
        Ok(Claimed { rebuild, score })
    }

    /// Keeps a claimed rebuild for another [`CLAIM`], unless it was asked for again or another roller took it.
    pub async fn keep_rebuild(&self, claimed: Claimed, now_ms: i64) -> Result<Claimed, StreamError> {
        let score = now_ms.saturating_add(CLAIM.as_millis() as i64);
        let mut call = scripts::KEEP_REBUILD.prepare_invoke();
        call.key(self.keys().rebuild())
            .arg(claimed.rebuild.to_string())
            .arg(claimed.score)
            .arg(score);
        let kept: u64 = call.invoke_async(&mut self.back()).await?;
        Ok(if kept == 1 {
            Claimed { score, ..claimed }
        } else {
            claimed
        })
    }

    /// Takes a finished rebuild off the queue, unless it was asked for again meanwhile.
    pub async fn finish_rebuild(&self, claimed: Claimed) -> Result<(), StreamError> {
        let mut call = scripts::FINISH_REBUILD.prepare_invoke();
        call.key(self.keys().rebuild())
            .arg(claimed.rebuild.to_string())
            .arg(claimed.score);
        let _: u64 = call.invoke_async(&mut self.back()).await?;
        Ok(())
    }

    /// The rebuilds that wait or run, at most `limit`.
    pub async fn rebuilds(&self, limit: usize) -> Result<Vec<Rebuild>, StreamError> {
        self.due_rebuilds(i64::MAX, limit).await
    }

    /// Rebuilds that wait or run.
    pub async fn rebuilds_waiting(&self) -> Result<u64, StreamError> {
        Ok(redis::cmd("ZCARD")
            .arg(self.keys().rebuild())
            .query_async(&mut self.back())
            .await?)
    }

    /// Sketches of the project that wait to be rebuilt or are being rebuilt: until then they may hold the days of
    /// a zone that is gone. Usually one look at an empty queue.
    pub async fn sketches_pending(&self, project: ProjectNumber) -> Result<u64, StreamError> {
        if self.rebuilds_waiting().await? == 0 {
            return Ok(0);
        }
        let mut cursor = 0_u64;
        let mut pending = 0;
        loop {
            let mut command = redis::cmd("ZSCAN");
            command
                .arg(self.keys().rebuild())
                .arg(cursor)
                .arg("MATCH")
                .arg(format!("{project}:*sketches:*"))
                .arg("COUNT")
                .arg(1_000);
            let (next, found): (u64, Vec<String>) = command.query_async(&mut self.back()).await?;
            // Members and scores in turn.
            pending += found.len() as u64 / 2;
            if next == 0 {
                return Ok(pending);
            }
            cursor = next;
        }
    }

    /// Draws the number of a new generation of rollups. Draw it *before* reading what the generation is made
    /// of: then the order of numbers is the order of reads, and the largest is never the staler one.
    pub async fn next_generation(&self) -> Result<u64, StreamError> {
        self.raise(self.keys().generations()).await
    }

    /// Makes every further generation larger than `known`, the largest that the tables hold.
    pub async fn generations_above(&self, known: u64) -> Result<(), StreamError> {
        let mut call = scripts::FLOOR.key(self.keys().generations());
        let _: String = call.arg(known).invoke_async(&mut self.back()).await?;
        Ok(())
    }

    /// Takes or keeps the project for rolling, for `ttl`; false when somebody else has it. Only saves double work: two
    /// rollers of one project are harmless.
    pub async fn take_roll(
        &self,
        project: ProjectNumber,
        owner: &str,
        ttl: Duration,
    ) -> Result<bool, StreamError> {
        self.take_turn(&self.keys().roll(project), owner, ttl).await
    }

    /// Gives the project back, if it is still `owner`'s.
    pub async fn leave_roll(&self, project: ProjectNumber, owner: &str) -> Result<(), StreamError> {
        self.leave_turn(&self.keys().roll(project), owner).await
    }
}
