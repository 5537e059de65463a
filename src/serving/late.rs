//! Events that came more than a day late, by the day on which they happened: every answer warns of those in its range.

use std::collections::BTreeMap;
use std::sync::Arc;

use moka::future::Cache;

use super::freshness::Revision;
use crate::event::{Day, ProjectNumber};
use crate::store::{Store, StoreError};

/// Projects that are remembered.
const MOST: u64 = 1_000;

type Days = Arc<BTreeMap<Day, u64>>;

/// Late events of each project. Cheap to clone.
#[derive(Clone)]
pub struct Late {
    store: Store,
    known: Cache<(ProjectNumber, Revision), Days>,
}

impl Late {
    /// Remembers nothing yet.
    pub fn new(store: Store) -> Late {
        Late {
            store,
            known: Cache::new(MOST),
        }
    }

    /// Reads what [`Late::between`] will need. What goes wrong shows there.
    pub async fn look(&self, project: ProjectNumber, revision: Option<Revision>) {
        if let Some(revision) = revision {
            // An error is not remembered.
            let _ = self.days(project, revision).await;
        }
    }

    /// The project's late events of the local days `[from, to)` under a revision; without one nothing that is
    /// remembered counts.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn between(
        &self,
        project: ProjectNumber,
        revision: Option<Revision>,
        (from, to): (Day, Day),
    ) -> Result<u64, StoreError> {
        let known = match revision {
            Some(revision) => self.days(project, revision).await,
            None => None,
        };
        let days = match known {
            Some(days) => days,
            None => Arc::new(self.store.late_days(project).await?.into_iter().collect()),
        };
        Ok(days.range(from..to.max(from)).map(|(_, events)| events).sum())
    }

    /// From memory, or read once for all who ask at the same time; `None` when that went wrong.
    async fn days(&self, project: ProjectNumber, revision: Revision) -> Option<Days> {
        let read = async {
            let days = self.store.late_days(project).await?;
            Ok::<Days, StoreError>(Arc::new(days.into_iter().collect()))
        };
        self.known.try_get_with((project, revision), read).await.ok()
    }
}
