//! Whose turn it is. One worker moves erasures on; the others look whether it still lives.
//!
//! A look takes as long as its erasures' mutations, so the turn is prolonged all the while. A worker that was frozen
//! past it must not go on with what it read before: every erasure is read again before its step, and within a step
//! before what could undo another worker's.

use super::{MOST_OPEN, Open, RemoveError, Remover, TURN};

impl Remover {
    /// Moves every erasure under way on by one state, where nothing holds it; the number of those that moved. One
    /// that fails does not keep the others. Nothing moves while workers are paused, or while another remover has
    /// the turn.
    pub async fn step_all(&self, now_ms: i64) -> Result<u32, RemoveError> {
        if !self.stream.take_removing(&self.owner, TURN).await? {
            return Ok(0);
        }
        let moved = self.look(now_ms).await;
        self.stream.leave_removing(&self.owner).await?;
        moved
    }

    /// The same for whoever has the turn.
    pub(super) async fn look(&self, now_ms: i64) -> Result<u32, RemoveError> {
        if !self.stream.begin_roll(&self.owner, TURN).await? {
            return Ok(0);
        }
        let moved = self.step_each(now_ms).await;
        self.stream.end_roll(&self.owner).await?;
        moved
    }

    async fn step_each(&self, now_ms: i64) -> Result<u32, RemoveError> {
        let mut moved = 0;
        let mut failed = None;
        for listed in self.meta.open_erasures(MOST_OPEN).await? {
            let has_turn = self.stream.take_removing(&self.owner, TURN).await?;
            // Not prolonged but begun again: a pause need not wait for all the others.
            if !has_turn || !self.stream.begin_roll(&self.owner, TURN).await? {
                break;
            }
            let now = self.meta.open_erasure(listed.id).await?;
            let Some(open) = now.filter(|now| now.is_where(&listed)) else {
                continue;
            };
            match self.holding(Box::pin(self.step(&open, now_ms))).await {
                Ok(true) => moved += 1,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(erasure = %open.id, state = open.state.as_str(), %error, "an erasure waits");
                    failed = Some(error);
                }
            }
        }
        failed.map_or(Ok(moved), Err)
    }

    /// Runs a step and keeps the turn meanwhile. A step whose turn was lost ends where it waits: the other worker
    /// does it again.
    async fn holding<T>(&self, step: impl Future<Output = Result<T, RemoveError>>) -> Result<T, RemoveError> {
        let mut step = std::pin::pin!(step);
        loop {
            match tokio::time::timeout(TURN / 4, &mut step).await {
                Ok(done) => return done,
                Err(_) => {
                    // An engine that is away for a moment is asked again well before the turn runs out.
                    if let Err(lost @ RemoveError::Overtaken) = self.keep_turn().await {
                        return Err(lost);
                    }
                }
            }
        }
    }

    /// Makes sure that the turn is still ours and the erasure where it was read.
    pub(super) async fn still(&self, open: &Open) -> Result<(), RemoveError> {
        self.keep_turn().await?;
        let now = self.meta.open_erasure(open.id).await?;
        now.is_some_and(|now| now.is_where(open))
            .then_some(())
            .ok_or(RemoveError::Overtaken)
    }

    async fn keep_turn(&self) -> Result<(), RemoveError> {
        let kept = self.stream.take_removing(&self.owner, TURN).await?
            && self.stream.keep_roll(&self.owner, TURN).await?;
        kept.then_some(()).ok_or(RemoveError::Overtaken)
    }

    /// Takes removals off the shards' lists whose erasure has ended: a worker that was frozen may have handed one
    /// over once more. Until it is gone, the audit judges neither the shard nor the project.
    pub async fn forget_ended(&self) -> Result<(), RemoveError> {
        for shard in 0..self.stream.shards() {
            for id in self.stream.carried_out(shard).await? {
                if self.meta.open_erasure(id).await?.is_none() {
                    self.stream.forget_removal(shard, id).await?;
                }
            }
        }
        Ok(())
    }
}
