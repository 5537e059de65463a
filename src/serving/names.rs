//! Which names of events a project has ever had, so that an answer can warn of one that it never had. That a name happened
//! stays true, whatever is removed later: questions about known names cost nothing.

use moka::future::Cache;

use crate::event::ProjectNumber;
use crate::store::{Store, StoreError};

/// Names that are remembered.
const MOST: u64 = 50_000;

/// Names of each project. Cheap to clone.
#[derive(Clone)]
pub struct Names {
    store: Store,
    happened: Cache<(ProjectNumber, String), ()>,
}

impl Names {
    /// Remembers nothing yet.
    pub fn new(store: Store) -> Names {
        Names {
            store,
            happened: Cache::new(MOST),
        }
    }

    /// Those of the names that the project never had, in their order, each once.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn unknown(&self, project: ProjectNumber, names: &[String]) -> Result<Vec<String>, StoreError> {
        let mut unknown: Vec<String> = Vec::new();
        for name in names {
            let is_known = self.happened.contains_key(&(project, name.clone()));
            if !is_known && !unknown.contains(name) {
                unknown.push(name.clone());
            }
        }
        if unknown.is_empty() {
            return Ok(unknown);
        }
        let happened = self.store.names_among(project, &unknown).await?;
        unknown.retain(|name| !happened.contains(name));
        for name in happened {
            self.happened.insert((project, name), ()).await;
        }
        Ok(unknown)
    }
}
