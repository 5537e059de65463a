//! What learning has to know from the control database: the secrets with which erased ids are salted, which are kept away
//! from what they salt, and whether a project's days are still those of its events' capture.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;

use crate::event::ProjectNumber;
use crate::metrics::identity::Salt;

type Read<T> = dyn Fn(ProjectNumber) -> BoxFuture<'static, Result<T, String>> + Send + Sync;

/// Asks for it, for each secret once. Cheap to clone; clones share what they read.
#[derive(Clone, Default)]
pub struct Control {
    salt: Option<Arc<Read<Vec<u8>>>>,
    zone_kept: Option<Arc<Read<bool>>>,
    known: Arc<Mutex<HashMap<ProjectNumber, Vec<u8>>>>,
}

impl Control {
    /// Secrets that are read so, and whether a project has the zone with which it was created.
    pub fn new(
        salt: impl Fn(ProjectNumber) -> BoxFuture<'static, Result<Vec<u8>, String>> + Send + Sync + 'static,
        zone_kept: impl Fn(ProjectNumber) -> BoxFuture<'static, Result<bool, String>> + Send + Sync + 'static,
    ) -> Control {
        Control {
            salt: Some(Arc::new(salt)),
            zone_kept: Some(Arc::new(zone_kept)),
            known: Arc::default(),
        }
    }

    /// The project's salt. Without secrets it is nobody's: fit for projects where nobody was erased.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub async fn salt_of(&self, project: ProjectNumber) -> Result<Salt, String> {
        let known = self.known().get(&project).cloned();
        let secret = match (known, &self.salt) {
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

    /// How many days before and after the local day that was noted with an event the present one may be. Without a
    /// control database zones do not change.
    ///
    /// # Errors
    /// Why it cannot be told.
    pub async fn days_off(&self, project: ProjectNumber) -> Result<i32, String> {
        match &self.zone_kept {
            Some(read) => Ok(i32::from(!read(project).await?)),
            None => Ok(0),
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<ProjectNumber, Vec<u8>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
