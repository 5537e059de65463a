//! What the tables hold of a history that Redis no longer knows. For `footfall doctor --adopt`.

use std::collections::{BTreeSet, HashSet};

use clickhouse::Row;
use serde::Deserialize;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::event::{Day, Event, ProjectNumber};

/// A project's days that an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TouchedDay {
    pub project: ProjectNumber,
    /// UTC day: that of the counts.
    pub day: Day,
    /// Local day: that of the sketches.
    pub local_day: Day,
}

impl Store {
    /// Those of these events that are stored. At most some ten thousand at a time. An id means something only
    /// with its project and person, as in the event-id window: two tenants may use the same.
    ///
    /// # Errors
    /// When ClickHouse cannot say.
    pub async fn stored_events(
        &self,
        shard: u16,
        events: &[Event],
    ) -> Result<HashSet<(ProjectNumber, u64, Uuid)>, StoreError> {
        #[derive(Row, Deserialize)]
        struct Stored {
            project: u32,
            actor: u64,
            #[serde(with = "clickhouse::serde::uuid")]
            id: Uuid,
        }
        let projects: BTreeSet<u32> = events.iter().map(|event| event.project.0).collect();
        let days: BTreeSet<u16> = events.iter().map(|event| event.day().as_u16()).collect();
        let actors: BTreeSet<u64> = events.iter().map(Event::actor).collect();
        let stored: Vec<Stored> = self
            .statement(
                "SELECT project, actor, id FROM events WHERE shard = {shard:UInt16} AND project IN {projects:Array(UInt32)} \
                 AND toUInt16(day) IN {days:Array(UInt16)} AND actor IN {actors:Array(UInt64)}",
            )
            .param("shard", shard)
            .param("projects", projects.into_iter().collect::<Vec<_>>())
            .param("days", days.into_iter().collect::<Vec<_>>())
            .param("actors", actors.into_iter().collect::<Vec<_>>())
            .fetch_all()
            .await?;
        Ok(stored
            .into_iter()
            .map(|row| (ProjectNumber(row.project), row.actor, row.id))
            .collect())
    }

    /// The days of the shard's events that came with later batches than `batch`.
    ///
    /// # Errors
    /// When ClickHouse cannot say.
    pub async fn days_after(&self, shard: u16, batch: u64) -> Result<Vec<TouchedDay>, StoreError> {
        #[derive(Row, Deserialize)]
        struct Touched {
            project: u32,
            day: u16,
            local_day: u16,
        }
        let touched: Vec<Touched> = self
            .statement(
                "SELECT DISTINCT project, day, local_day FROM events \
                 WHERE shard = {shard:UInt16} AND batch > {batch:UInt64}",
            )
            .param("shard", shard)
            .param("batch", batch)
            .fetch_all()
            .await?;
        Ok(touched
            .into_iter()
            .map(|row| TouchedDay {
                project: ProjectNumber(row.project),
                day: Day(row.day.into()),
                local_day: Day(row.local_day.into()),
            })
            .collect())
    }
}
