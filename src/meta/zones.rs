//! The time zones of projects, and which of them were changed.

use sqlx::Row;

use super::projects::{read_number, read_zone};
use super::{Meta, Result};
use crate::event::{ProjectNumber, Zone};

/// A project whose zone changed and whose days must be built again. It stays listed by
/// [`Meta::pending_zone_changes`] until [`Meta::zone_rebuild_queued`] confirms it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneChange {
    /// The project.
    pub project: ProjectNumber,
    /// Its zone now.
    pub zone: Zone,
    /// When it changed, UTC milliseconds: the name of this change.
    pub changed_at: i64,
}

impl Meta {
    /// Number and zone of every project, by number: what the worker rolls up.
    pub async fn project_zones(&self) -> Result<Vec<(ProjectNumber, Zone)>> {
        sqlx::query("SELECT number, timezone FROM projects WHERE deleted_at IS NULL ORDER BY number")
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(|row| Ok((read_number(row)?, read_zone(row)?)))
            .collect()
    }

    /// Zone changes whose rebuild nobody confirmed: look once at start, a crash may have come between.
    pub async fn pending_zone_changes(&self) -> Result<Vec<ZoneChange>> {
        sqlx::query(
            "SELECT number, timezone, zone_changed_at FROM projects
             WHERE zone_changed_at IS NOT NULL AND deleted_at IS NULL ORDER BY number",
        )
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(|row| {
            Ok(ZoneChange {
                project: read_number(row)?,
                zone: read_zone(row)?,
                changed_at: row.try_get("zone_changed_at")?,
            })
        })
        .collect()
    }

    /// The rebuild of this change is queued. A newer change of the same project stays pending.
    pub async fn zone_rebuild_queued(&self, change: &ZoneChange) -> Result<()> {
        sqlx::query("UPDATE projects SET zone_changed_at = NULL WHERE number = $1 AND zone_changed_at = $2")
            .bind(i64::from(change.project.0))
            .bind(change.changed_at)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Whether a project has the zone with which it was created, so that the days noted with its events are those that
    /// questions mean. Not known of old projects, and not of one that is unknown.
    pub async fn zone_kept(&self, project: ProjectNumber) -> Result<bool> {
        let row = sqlx::query("SELECT zone_kept FROM projects WHERE number = $1")
            .bind(i64::from(project.0))
            .fetch_optional(&self.pool)
            .await?;
        let kept = row.map(|row| row.try_get::<i64, _>("zone_kept")).transpose()?;
        Ok(kept == Some(1))
    }
}
