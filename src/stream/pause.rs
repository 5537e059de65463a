//! A pause of all workers at a boundary: no batch is open, none begins, no rollup is being written. Then the
//! three engines hold the same history, and a backup may copy them one after the other. The endpoint goes on:
//! what it takes meanwhile waits in the stream.
//!
//! A pause runs out by itself, so that whoever asked for it may die; and it is refused while another holds.

use std::time::Duration;

use super::{EventStream, StreamError, scripts};

/// How long a pause holds without being prolonged.
pub const PAUSE_TTL: Duration = Duration::from_secs(30);

/// What still moves under a pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moving {
    /// Shards with a planned batch, or rows that are being removed.
    pub batches: u16,
    /// Rollers that are at work.
    pub rollers: u64,
}

impl Moving {
    /// Whether the boundary is reached.
    pub fn is_still(&self) -> bool {
        *self == Moving::default()
    }
}

impl EventStream {
    /// Asks every worker to stop at its next boundary; false while somebody else's pause holds. Ask
    /// [`Self::moving`] until it is still, and [`Self::prolong_pause`] well within [`PAUSE_TTL`].
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn pause(&self, owner: &str) -> Result<bool, StreamError> {
        for key in self.pauses() {
            if !self.hold(&key, owner, false).await? {
                self.resume(owner).await?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Keeps one's own pause; false when it ran out, and with it the boundary is lost.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn prolong_pause(&self, owner: &str) -> Result<bool, StreamError> {
        for key in self.pauses() {
            if !self.hold(&key, owner, true).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Lets the workers go on.
    ///
    /// # Errors
    /// When Redis does not answer; then the pause runs out.
    pub async fn resume(&self, owner: &str) -> Result<(), StreamError> {
        for key in self.pauses() {
            let mut call = scripts::RESUME.key(key);
            let _: u64 = call.arg(owner).invoke_async(&mut self.back()).await?;
        }
        Ok(())
    }

    /// What has not come to rest yet.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn moving(&self) -> Result<Moving, StreamError> {
        let mut moving = Moving::default();
        for shard in 0..self.shards() {
            let open: (Option<u64>, Option<String>) = redis::cmd("HMGET")
                .arg(self.keys().st(shard))
                .arg("p_seq")
                .arg("removing")
                .query_async(&mut self.back())
                .await?;
            moving.batches += u16::from(open != (None, None));
        }
        let (seconds, _): (i64, i64) = redis::cmd("TIME").query_async(&mut self.back()).await?;
        moving.rollers = redis::cmd("ZCOUNT")
            .arg(self.keys().rolling())
            .arg(seconds * 1000)
            .arg("+inf")
            .query_async(&mut self.back())
            .await?;
        Ok(moving)
    }

    /// Notes that `owner` is about to write rollups, for at most `ttl`; false while workers are paused.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn begin_roll(&self, owner: &str, ttl: Duration) -> Result<bool, StreamError> {
        self.note_roll(owner, ttl, false).await
    }

    /// Prolongs such a note, also while workers are paused: the pause waits for it. False when it ran out and
    /// workers are paused since.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn keep_roll(&self, owner: &str, ttl: Duration) -> Result<bool, StreamError> {
        self.note_roll(owner, ttl, true).await
    }

    async fn note_roll(&self, owner: &str, ttl: Duration, keep: bool) -> Result<bool, StreamError> {
        let mut call = scripts::BEGIN_ROLL.prepare_invoke();
        call.key(self.keys().rolling()).key(self.keys().pause_rollers());
        call.arg(owner).arg(ttl.as_millis() as u64).arg(u8::from(keep));
        let noted: u64 = call.invoke_async(&mut self.back()).await?;
        Ok(noted == 1)
    }

    /// Notes that `owner` writes no more rollups.
    ///
    /// # Errors
    /// When Redis does not answer; then the note runs out.
    pub async fn end_roll(&self, owner: &str) -> Result<(), StreamError> {
        let mut command = redis::cmd("ZREM");
        command.arg(self.keys().rolling()).arg(owner);
        Ok(command.exec_async(&mut self.back()).await?)
    }

    fn pauses(&self) -> Vec<String> {
        let shards = (0..self.shards()).map(|shard| self.keys().pause(shard));
        shards.chain([self.keys().pause_rollers()]).collect()
    }

    async fn hold(&self, key: &str, owner: &str, prolong: bool) -> Result<bool, StreamError> {
        let mut call = scripts::PAUSE.key(key);
        call.arg(owner)
            .arg(PAUSE_TTL.as_millis() as u64)
            .arg(u8::from(prolong));
        let held: u64 = call.invoke_async(&mut self.back()).await?;
        Ok(held == 1)
    }
}
