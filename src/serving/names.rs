//! Which names of events a project has ever had, so that an answer can warn of one that it never had.
//!
//! That a name happened stays true, whatever is removed later, so it is remembered for good; that it never did only
//! under the revision under which that was found. So questions about known names cost nothing.

use moka::future::Cache;

use super::freshness::Revision;
use crate::event::ProjectNumber;
use crate::store::{Store, StoreError};

/// Names that are remembered.
const MOST: u64 = 50_000;

/// What is known of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Happened,
    /// Not under this revision.
    Never(Revision),
}

/// Names of each project. Cheap to clone.
#[derive(Clone)]
pub struct Names {
    store: Store,
    known: Cache<(ProjectNumber, String), Known>,
}

impl Names {
    /// Remembers nothing yet.
    pub fn new(store: Store) -> Names {
        Names {
            store,
            known: Cache::new(MOST),
        }
    }

    /// Those of the names that the project never had under a revision, in their order, each once; without a revision
    /// nothing is taken for unknown that is remembered as such.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn unknown<'a>(
        &self,
        project: ProjectNumber,
        revision: Option<Revision>,
        names: &[&'a str],
    ) -> Result<Vec<&'a str>, StoreError> {
        let mut unknown: Vec<&str> = Vec::new();
        let mut open: Vec<String> = Vec::new();
        for name in names {
            if unknown.contains(name) {
                continue;
            }
            match self.known.get(&(project, (*name).to_owned())).await {
                Some(Known::Happened) => continue,
                Some(Known::Never(then)) if Some(then) == revision => {}
                _ => open.push((*name).to_owned()),
            }
            unknown.push(name);
        }
        if open.is_empty() {
            return Ok(unknown);
        }
        let happened = self.store.names_among(project, &open).await?;
        unknown.retain(|name| !happened.iter().any(|known| known == name));
        for name in open {
            let known = match (happened.contains(&name), revision) {
                (true, _) => Known::Happened,
                (false, Some(revision)) => Known::Never(revision),
                (false, None) => continue,
            };
            self.known.insert((project, name), known).await;
        }
        Ok(unknown)
    }
}
