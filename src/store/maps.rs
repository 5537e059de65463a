//! Override maps in memory: read whole once, then what is new.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use clickhouse::Row;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use super::{Store, StoreError};
use crate::event::ProjectNumber;
use crate::metrics::identity::Overrides;

/// Rows of all maps that are kept: at most 171 MB. Beyond, those that are not asked for are read again when they are.
const MOST_ROWS: usize = 4_000_000;

/// Projects that are looked at together.
const AT_ONCE: usize = 8;

/// The override maps of some projects, as they were at one time.
#[derive(Clone, Default)]
pub struct Maps {
    maps: HashMap<ProjectNumber, Arc<Overrides>>,
}

impl Maps {
    /// The map of a project; none where everybody's events are their own.
    pub fn of(&self, project: ProjectNumber) -> Option<&Overrides> {
        self.maps.get(&project).map(Arc::as_ref)
    }

    /// The same, to be kept while something else runs.
    pub(super) fn shared(&self, project: ProjectNumber) -> Option<Arc<Overrides>> {
        self.maps.get(&project).map(Arc::clone)
    }
}

/// The maps that a store keeps. Cheap to clone; clones share them.
#[derive(Clone, Default)]
pub(super) struct KeptMaps {
    kept: Arc<Mutex<HashMap<ProjectNumber, Kept>>>,
}

#[derive(Clone, Default)]
struct Kept {
    version: u64,
    map: Arc<Overrides>,
}

impl Store {
    /// The latest version of the map of each of these projects that has one.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn latest_overrides(
        &self,
        projects: &[ProjectNumber],
    ) -> Result<Vec<(ProjectNumber, u64)>, StoreError> {
        #[derive(Row, Deserialize)]
        struct Latest {
            project: u32,
            latest: u64,
        }
        let select = "SELECT project, max(version) AS latest FROM person_map WHERE project";
        let query = match projects {
            // A question is one project's.
            [project] => self.question(
                *project,
                &format!("{select} = {{project:UInt32}} GROUP BY project"),
            ),
            projects => {
                let numbers: Vec<u32> = projects.iter().map(|project| project.0).collect();
                let sql = format!("{select} IN {{projects:Array(UInt32)}} GROUP BY project");
                self.reader.query_raw(&sql).param("projects", numbers)
            }
        };
        let rows: Vec<Latest> = query.fetch_all().await?;
        let rows = rows.into_iter();
        Ok(rows.map(|row| (ProjectNumber(row.project), row.latest)).collect())
    }

    /// The override maps of these projects, no older than this call.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn override_maps(&self, projects: &[ProjectNumber]) -> Result<Maps, StoreError> {
        if self.past {
            return self.maps_of_then(projects).await;
        }
        if let Some(supposed) = &self.supposed {
            let real = Store {
                supposed: None,
                ..self.clone()
            };
            let mut maps = Box::pin(real.override_maps(projects)).await?;
            for project in projects {
                let map = maps.maps.entry(*project).or_default();
                Arc::make_mut(map).extend(supposed.rows().iter().copied());
            }
            return Ok(maps);
        }
        let latest = self.latest_overrides(projects).await?;
        let read = stream::iter(latest).map(async |(project, version)| {
            let Kept {
                version: kept,
                mut map,
            } = self.maps.of(project);
            if kept < version {
                let (rows, version) = self.overrides_since(project, kept).await?;
                Arc::make_mut(&mut map).extend(rows);
                let map = map.clone();
                self.maps.keep(project, Kept { version, map });
            }
            Ok::<_, StoreError>((project, map))
        });
        let maps: HashMap<_, _> = read.buffer_unordered(AT_ONCE).try_collect().await?;
        self.maps.shrink(&maps);
        Ok(Maps { maps })
    }
}

impl Store {
    /// The maps as they were: read whole, and not kept.
    async fn maps_of_then(&self, projects: &[ProjectNumber]) -> Result<Maps, StoreError> {
        let mut maps = HashMap::new();
        for &project in projects {
            let (rows, _) = self.overrides_since(project, 0).await?;
            let mut map = Overrides::default();
            map.extend(rows);
            maps.insert(project, Arc::new(map));
        }
        Ok(Maps { maps })
    }
}

impl KeptMaps {
    fn of(&self, project: ProjectNumber) -> Kept {
        self.kept().get(&project).cloned().unwrap_or_default()
    }

    /// Keeps a map unless somebody else brought a newer one meanwhile.
    fn keep(&self, project: ProjectNumber, map: Kept) {
        let mut kept = self.kept();
        let known = kept.entry(project).or_default();
        if known.version < map.version {
            *known = map;
        }
    }

    fn shrink(&self, wanted: &HashMap<ProjectNumber, Arc<Overrides>>) {
        let mut kept = self.kept();
        let rows: usize = kept.values().map(|kept| kept.map.len()).sum();
        if rows > MOST_ROWS {
            kept.retain(|project, _| wanted.contains_key(project));
        }
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<ProjectNumber, Kept>> {
        self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
