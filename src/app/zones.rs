//! The time zone of every project in memory, as of about a second ago: what the roller computes days with.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::event::{ProjectNumber, Zone};
use crate::meta::Meta;
use crate::worker::roll::ZoneKnown;

const REFRESH_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct Known {
    zones: HashMap<ProjectNumber, Zone>,
    deleted: HashSet<ProjectNumber>,
}

/// Every project's zone. Cheap to clone; clones share the map.
#[derive(Clone, Debug, Default)]
pub struct Zones {
    known: Arc<RwLock<Known>>,
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
        match self.known(project) {
            ZoneKnown::Is(zone) => Some(zone),
            ZoneKnown::Deleted | ZoneKnown::NotYet => None,
        }
    }

    /// The same, which also tells a deleted project from one that was not heard of yet.
    pub fn known(&self, project: ProjectNumber) -> ZoneKnown {
        let known = self.known.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        match known.zones.get(&project) {
            Some(zone) => ZoneKnown::Is(zone.clone()),
            None if known.deleted.contains(&project) => ZoneKnown::Deleted,
            None => ZoneKnown::NotYet,
        }
    }

    /// Reads them again.
    pub async fn refresh(&self, meta: &Meta) -> anyhow::Result<()> {
        let fresh = Known {
            zones: meta.project_zones().await?.into_iter().collect(),
            deleted: meta.deleted_projects().await?.into_iter().collect(),
        };
        *self
            .known
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner()) = fresh;
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
