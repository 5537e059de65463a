//! The whole map anew, when most of what was known of a project is erased.

use std::collections::BTreeSet;

use super::{LearnError, Learner};
use crate::event::ProjectNumber;
use crate::metrics::identity::{Id, Override};

impl Learner {
    /// Takes every row of the map back and learns what is left. May be done again when it was cut off.
    ///
    /// # Errors
    /// As [`Learner::learn`].
    pub async fn begin_again(&self, project: ProjectNumber, at_ms: i64) -> Result<(), LearnError> {
        let turn = self.take_turn(project).await?;
        let taken_back = self.take_back(project).await;
        self.stream.leave_identity(project, &turn).await?;
        if taken_back? {
            let left = self.store.paired_ids(project).await?;
            let left: BTreeSet<Id> = left.iter().filter_map(|id| Id::read(id)).collect();
            self.learn(project, &left, at_ms).await?;
        }
        Ok(())
    }

    /// Whether there was a row.
    async fn take_back(&self, project: ProjectNumber) -> Result<bool, LearnError> {
        let (mapped, _) = self.store.overrides_since(project, 0).await?;
        let actors: BTreeSet<u64> = mapped.into_iter().map(|row| row.actor).collect();
        if actors.is_empty() {
            return Ok(false);
        }
        let own: Vec<Override> = actors.into_iter().map(Override::own).collect();
        let version = self.store.identity_version(project).await? + 1;
        self.store.write_overrides(project, &own, version).await?;
        self.stream.raise_rev(&[project]).await?;
        Ok(true)
    }
}
