//! Which version of the override map a project has, read once for each revision.

use moka::future::Cache;

use super::freshness::Revision;
use crate::event::ProjectNumber;
use crate::store::{Store, StoreError};

/// Projects that are remembered.
const MOST: u64 = 1_000;

/// Versions of override maps. Cheap to clone.
#[derive(Clone)]
pub struct Versions {
    store: Store,
    known: Cache<(ProjectNumber, Revision), u64>,
}

impl Versions {
    /// Remembers nothing yet.
    pub fn new(store: Store) -> Versions {
        Versions {
            store,
            known: Cache::new(MOST),
        }
    }

    /// The project's version under a revision; without one nothing that is remembered counts.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn of(&self, project: ProjectNumber, revision: Option<Revision>) -> Result<u64, StoreError> {
        let read = self.store.latest_identity(project);
        match revision {
            Some(revision) => match self.known.try_get_with((project, revision), read).await {
                Ok(version) => Ok(version),
                Err(error) => Err((*error).clone()),
            },
            None => read.await,
        }
    }
}
