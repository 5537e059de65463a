//! The owner's share of a removal: between two batches it deletes the subject's rows of its shard.
//!
//! ```text
//! count -> the count is written down (fenced) -> DELETE -> count is 0 -> rows_removed += what was written down
//! ```
//!
//! No plan is open and nothing of the subject can arrive any more (the gate in [`crate::stream::removal`]), so the
//! number cannot change between being written down and being deleted; whoever goes on after a crash finds it.
//! ClickHouse refusing keeps no batch waiting: the removal is tried again later.

use std::time::{Duration, Instant};

use super::super::insert::{fresh, holding};
use super::super::outcome::{DeliverError, Step};
use super::{Deliverer, Delivery};
use crate::fault;
use crate::identity::Control;
use crate::stream::StreamError;
use crate::stream::removal::Removal;

/// Pause after a removal that did not succeed.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Times that rows are deleted before somebody has to look why they stay.
const DELETES: u32 = 3;

impl Deliverer {
    /// The same where persons may have been erased.
    pub fn with_control(self, control: Control) -> Deliverer {
        Deliverer {
            learner: self.learner.with_control(control),
            ..self
        }
    }
}

impl Delivery {
    /// Carries out what waits; `None` when nothing does.
    pub(super) async fn carry_out_removals(&mut self) -> Result<Option<Step>, DeliverError> {
        if self.removals_wait.is_some_and(|until| Instant::now() < until) {
            return Ok(None);
        }
        self.removals_wait = None;
        let waiting = match self.deliverer.stream.removals(self.lease.shard).await {
            // A newer version's, perhaps. No reason to stop the shard.
            Err(error @ StreamError::Content { .. }) => {
                tracing::error!(shard = self.lease.shard, %error, "removals wait");
                self.removals_wait = Some(Instant::now() + AGAIN_AFTER);
                return Ok(None);
            }
            waiting => waiting?,
        };
        let mut rows = None;
        for removal in waiting {
            match self.carry_out(&removal).await {
                Ok(Some(taken)) => *rows.get_or_insert(0) += taken,
                Ok(None) => {}
                Err(lost @ DeliverError::Lost(_)) => return Err(lost),
                Err(error) => {
                    tracing::warn!(shard = self.lease.shard, removal = %removal.id, %error, "a removal waits");
                    self.removals_wait = Some(Instant::now() + AGAIN_AFTER);
                    break;
                }
            }
        }
        Ok(rows.map(|rows| Step::Removed { rows }))
    }

    /// Rows that it took; `None` while workers are paused.
    async fn carry_out(&mut self, removal: &Removal) -> Result<Option<u64>, DeliverError> {
        let (stream, store) = (&self.deliverer.stream, &self.deliverer.store);
        let lease = &mut self.lease;
        let (id, subject, shard) = (removal.id, &removal.subject, lease.shard);
        fresh(stream, lease).await?;
        let found = holding(stream, lease, store.subject_rows(subject, shard)).await??;
        let Some(taken) = stream.count_removal(lease, id, found).await? else {
            return Ok(None);
        };
        fault::point("removal.after_count").await?;
        let mut left = found;
        for _ in 0..DELETES {
            if left == 0 {
                break;
            }
            fresh(stream, lease).await?;
            holding(stream, lease, store.delete_subject_rows(subject, shard)).await??;
            fault::point("removal.after_delete").await?;
            left = holding(stream, lease, store.subject_rows(subject, shard)).await??;
        }
        if left > 0 {
            return Err(DeliverError::Waiting(format!(
                "{left} rows stay after being deleted {DELETES} times"
            )));
        }
        // Pairs of ids that were learned may be gone now, and have to be learned when they come again.
        self.deliverer.learner.forget();
        // What is remembered of the project's answers still counts them.
        stream.raise_rev(&[subject.project]).await?;
        stream.finish_removal(lease, id).await?;
        tracing::info!(shard, removal = %id, rows = taken, "rows removed");
        Ok(Some(taken))
    }
}
