//! The secrets with which erased ids are salted. They are in the control database, away from what they salt.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;

use crate::event::ProjectNumber;
use crate::metrics::identity::Salt;

type Read = dyn Fn(ProjectNumber) -> BoxFuture<'static, Result<Vec<u8>, String>> + Send + Sync;

/// Reads a project's secret once. Cheap to clone; clones share what they read.
#[derive(Clone, Default)]
pub struct Salts {
    read: Option<Arc<Read>>,
    known: Arc<Mutex<HashMap<ProjectNumber, Vec<u8>>>>,
}

impl Salts {
    /// Secrets that are read so.
    pub fn new(
        read: impl Fn(ProjectNumber) -> BoxFuture<'static, Result<Vec<u8>, String>> + Send + Sync + 'static,
    ) -> Salts {
        Salts {
            read: Some(Arc::new(read)),
            known: Arc::default(),
        }
    }

    /// The project's salt. Without secrets it is nobody's: fit for projects where nobody was erased.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub async fn of(&self, project: ProjectNumber) -> Result<Salt, String> {
        let known = self.known().get(&project).cloned();
        let secret = match (known, &self.read) {
            (Some(secret), _) => secret,
            (None, None) => Vec::new(),
            (None, Some(read)) => {
                let secret = read(project).await?;
                self.known().insert(project, secret.clone());
                secret
            }
        };
        Ok(Salt::new(&secret, project))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<ProjectNumber, Vec<u8>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
