//! Whose turn it is to change rollups. One worker rolls a project, folds the ledger or notes names; the others leave it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{RollError, Roller};
use crate::event::ProjectNumber;
use crate::stream::StreamError;

/// How long the turn to roll a project, or to change the ledger, stays with a worker that fell silent. One that works
/// keeps it.
pub(super) const TURN: Duration = Duration::from_secs(30);

/// How long whoever pauses workers waits for one that fell silent; longer than a day's compaction takes.
const AT_WORK: Duration = Duration::from_secs(300);

impl Roller {
    /// Runs `work`, which folds the ledger or removes from it, unless somebody else does; whether it ran. A fold
    /// replaces whole days by what it read of them before, so what was removed in between would come back.
    pub(super) async fn with_ledger(
        &self,
        work: impl Future<Output = Result<(), RollError>>,
    ) -> Result<bool, RollError> {
        let owner = self.next_name();
        let take = || self.stream.take_ledger(&owner, TURN);
        if !take().await? {
            return Ok(false);
        }
        let worked = keeping(take, work).await;
        self.stream.leave_ledger(&owner).await?;
        worked.map(|()| true)
    }

    /// Runs `work` unless another roller has the project.
    pub(super) async fn in_turn(
        &self,
        project: ProjectNumber,
        work: impl Future<Output = Result<(), RollError>>,
    ) -> Result<(), RollError> {
        let owner = self.next_name();
        let take = || self.stream.take_roll(project, &owner, TURN);
        if !take().await? {
            return Ok(());
        }
        let worked = keeping(take, self.unless_paused(Box::pin(work))).await;
        self.stream.leave_roll(project, &owner).await?;
        worked
    }

    /// Runs `work`, which changes rollups, unless workers are paused; what is due stays due.
    pub(super) async fn unless_paused(
        &self,
        work: impl Future<Output = Result<(), RollError>>,
    ) -> Result<(), RollError> {
        // A name for each time: clones work at once, and the end of one must not look like the other's.
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

/// Runs `work` and meanwhile takes the turn again and again, before it runs out.
pub(super) async fn keeping<T, Taking>(take: impl Fn() -> Taking, work: impl Future<Output = T>) -> T
where
    Taking: Future<Output = Result<bool, StreamError>>,
{
    // Futures that hold futures: on the heap, a thread's stack stays small.
    let mut work = Box::pin(work);
    loop {
        match tokio::time::timeout(TURN / 4, &mut work).await {
            Ok(worked) => return worked,
            // Redis being away for a moment does no harm: it is asked again before the time runs out.
            Err(_) => drop(take().await),
        }
    }
}
