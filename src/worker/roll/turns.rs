//! Whose turn it is: who has a project or a rebuild in hand, who folds the ledger, and that workers are not paused.
//!
//! Whoever works keeps what they took, and what a worker had that fell silent is free after half a minute, or one where two
//! at once do harm. A roller that was frozen longer and goes on is harmless: it draws or holds an older generation, and the
//! switch knows that.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{RollError, Roller};
use crate::event::ProjectNumber;
use crate::stream::StreamError;
use crate::stream::rebuild::{CLAIM, Rebuild};

/// How long a project stays with a roller that fell silent.
const TURN: Duration = Duration::from_secs(30);

/// The same where two at once do harm: a worker has to be frozen for longer before somebody else begins. An erasure waits
/// as long for one that died.
pub(super) const ALONE: Duration = Duration::from_secs(60);

/// How long whoever pauses workers waits for one that fell silent; longer than the work takes.
const AT_WORK: Duration = Duration::from_secs(300);

impl Roller {
    /// Runs `work`, which folds the ledger or removes from it, unless somebody else does; whether it ran. A fold
    /// replaces whole days by what it read of them before, so what was removed in between would come back.
    pub(super) async fn with_ledger(
        &self,
        work: impl Future<Output = Result<(), RollError>>,
    ) -> Result<bool, RollError> {
        let owner = self.next_name();
        let take = || self.stream.take_ledger(&owner, ALONE);
        if !take().await? {
            return Ok(false);
        }
        let worked = keeping(ALONE, take, Box::pin(work)).await;
        self.stream.leave_ledger(&owner).await?;
        worked.map(|()| true)
    }

    /// Runs `work` unless another roller has the project.
    pub(super) async fn in_turn(
        &self,
        project: ProjectNumber,
        work: impl Future<Output = Result<(), RollError>>,
    ) -> Result<(), RollError> {
        // A name for each time, here and below: clones work at once, and must not pass for one another.
        let owner = self.next_name();
        let take = || self.stream.take_roll(project, &owner, TURN);
        if !take().await? {
            return Ok(());
        }
        let worked = keeping(TURN, take, Box::pin(self.unless_paused(work))).await;
        self.stream.leave_roll(project, &owner).await?;
        worked
    }

    /// Runs `work` on a rebuild, which nobody else begins meanwhile, and takes it off the queue when it says that it is
    /// done.
    pub(super) async fn claimed(
        &self,
        rebuild: Rebuild,
        now_ms: i64,
        work: impl Future<Output = Result<bool, RollError>>,
    ) -> Result<(), RollError> {
        let mut claimed = self.stream.claim_rebuild(rebuild, now_ms).await?;
        let began = Instant::now();
        let mut work = Box::pin(work);
        let is_done = loop {
            match tokio::time::timeout(CLAIM / 4, &mut work).await {
                Ok(done) => break done?,
                Err(_) => {
                    let now_ms = now_ms.saturating_add(began.elapsed().as_millis() as i64);
                    // As above.
                    claimed = self.stream.keep_rebuild(claimed, now_ms).await.unwrap_or(claimed);
                }
            }
        };
        if is_done {
            self.stream.finish_rebuild(claimed).await?;
        }
        Ok(())
    }

    /// Runs `work`, which changes rollups, unless workers are paused; what is due stays due.
    pub(super) async fn unless_paused(
        &self,
        work: impl Future<Output = Result<(), RollError>>,
    ) -> Result<(), RollError> {
        let note = self.next_name();
        if !self.stream.begin_roll(&note, AT_WORK).await? {
            return Ok(());
        }
        let worked = work.await;
        self.stream.end_roll(&note).await?;
        worked
    }

    pub(super) fn next_name(&self) -> String {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        format!("{}:{turn}", self.owner)
    }
}

/// Runs `work` and takes the turn again meanwhile, well before its time runs out. Work that holds much is given in a box: a
/// thread's stack is small for futures in futures.
pub(super) async fn keeping<T, Taking>(
    ttl: Duration,
    take: impl Fn() -> Taking,
    mut work: impl Future<Output = T> + Unpin,
) -> T
where
    Taking: Future<Output = Result<bool, StreamError>>,
{
    loop {
        match tokio::time::timeout(ttl / 4, &mut work).await {
            Ok(worked) => return worked,
            // Redis being away for a moment does no harm: it is asked again before the time runs out.
            Err(_) => drop(take().await),
        }
    }
}
