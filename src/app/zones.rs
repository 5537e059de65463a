//! The time zone of every project in memory, as of about a second ago: what the roller computes days with.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::event::{ProjectNumber, Zone};
use crate::meta::Meta;

const REFRESH_EVERY: Duration = Duration::from_secs(1);

/// Every project's zone. Cheap to clone; clones share the map.
#[derive(Clone, Debug, Default)]
pub struct Zones {
    map: Arc<RwLock<HashMap<ProjectNumber, Zone>>>,
}

impl Zones {
    /// Reads them all.
    pub async fn read(meta: &Meta) -> anyhow::Result<Zones> {
        let zones = Zones::default();
        zones.refresh(meta).await?;
        Ok(zones)
    }

    /// The project's zone; `None` when there is no such project (any more).
    pub fn of(&self, project: ProjectNumber) -> Option<Zone> {
        self.map
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .get(&project)
            .cloned()
    }

    /// Reads them again.
    pub async fn refresh(&self, meta: &Meta) -> anyhow::Result<()> {
        let fresh = meta.project_zones().await?.into_iter().collect();
        *self.map.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = fresh;
        Ok(())
    }

    /// Follows changes until `stop`. A control database that is away only delays them.
    pub async fn follow(&self, meta: &Meta, stop: CancellationToken) {
        let mut seen = None;
        loop {
            match meta.version().await {
                Ok(version) if seen != Some(version) => match self.refresh(meta).await {
                    Ok(()) => seen = Some(version),
                    Err(error) => tracing::warn!(%error, "the projects' zones were not read"),
                },
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the projects' zones were not read"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(REFRESH_EVERY) => {}
            }
        }
    }
}
