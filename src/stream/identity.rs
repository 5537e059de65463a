//! Whose turn it is to learn a project's identity.

use std::time::Duration;

use super::{EventStream, StreamError};
use crate::event::ProjectNumber;

impl EventStream {
    /// Takes or keeps the turn to write the project's override map; false while somebody else has it. Two writers at
    /// once could each miss what the other just learned.
    pub async fn take_identity(
        &self,
        project: ProjectNumber,
        owner: &str,
        ttl: Duration,
    ) -> Result<bool, StreamError> {
        self.take_turn(&self.keys().identity(project), owner, ttl).await
    }

    /// Gives the turn up, if it is still `owner`'s.
    pub async fn leave_identity(&self, project: ProjectNumber, owner: &str) -> Result<(), StreamError> {
        self.leave_turn(&self.keys().identity(project), owner).await
    }
}
