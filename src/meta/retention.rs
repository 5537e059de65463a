//! Retention: how many months a project keeps, and since when it refuses what is older.

use jiff::ToSpan;
use sqlx::Row;
use uuid::Uuid;

use super::projects::{read_number, read_zone};
use super::{Meta, Result, new_id, raise_version, uuid_at};
use crate::event::{Day, ProjectNumber, Zone};

/// A new limit takes effect this long after it was set, so that a mistake can be taken back.
pub const TAKES_EFFECT_AFTER_MS: i64 = 24 * 3_600_000;

/// The first instant of what a project keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cutoff {
    /// Whose.
    pub project: ProjectNumber,
    /// UTC milliseconds: a month of the project's zone begins.
    pub kept_from: i64,
}

/// The first instant that a project keeps which keeps `months` months beside the current one.
pub fn cutoff(zone: &Zone, months: u32, now_ms: i64) -> i64 {
    let first = zone.local_day(now_ms).date().first_of_month();
    zone.day_start(Day::from_date(first.saturating_sub(i64::from(months).months())))
}

impl Meta {
    /// Lets retention take effect where its limit moved on: writes an erasure of what is older, which endpoints
    /// refuse from then on. A limit that went back is lifted once no removal is under way. The projects whose
    /// limit changed.
    pub async fn enforce_retention(&self, now_ms: i64) -> Result<Vec<Cutoff>> {
        let rows = sqlx::query(
            "SELECT id, number, timezone, retention_months, retention_set_at, kept_from FROM projects
             WHERE deleted_at IS NULL AND (retention_months IS NOT NULL OR kept_from IS NOT NULL)",
        )
        .fetch_all(&self.pool)
        .await?;
        let mut moved = Vec::new();
        for row in &rows {
            let (id, project) = (uuid_at(row, "id")?, read_number(row)?);
            let months: Option<i64> = row.try_get("retention_months")?;
            let since: Option<i64> = row.try_get("retention_set_at")?;
            let kept_from: Option<i64> = row.try_get("kept_from")?;
            let zone = read_zone(row)?;
            let wanted =
                months.map(|months| cutoff(&zone, u32::try_from(months).unwrap_or(u32::MAX), now_ms));
            let settled = since.is_none_or(|since| now_ms >= since + TAKES_EFFECT_AFTER_MS);
            let changed = match (wanted, kept_from) {
                (Some(wanted), from) if from.is_none_or(|from| from < wanted) => {
                    settled && self.keep_from(id, project, kept_from, wanted, now_ms).await?
                }
                (wanted, Some(from)) if wanted.is_none_or(|wanted| wanted < from) => {
                    self.lift(project, from, wanted).await?
                }
                _ => false,
            };
            if changed && let Some(kept_from) = wanted {
                moved.push(Cutoff { project, kept_from });
            }
        }
        Ok(moved)
    }

    /// Moves the limit on, together with the erasure of what lies before it.
    async fn keep_from(
        &self,
        id: Uuid,
        project: ProjectNumber,
        before: Option<i64>,
        kept_from: i64,
        now_ms: i64,
    ) -> Result<bool> {
        let mut tx = self.write().await?;
        let moved = sqlx::query(
            "UPDATE projects SET kept_from = $2
             WHERE id = $1 AND deleted_at IS NULL AND COALESCE(kept_from, 0) = COALESCE($3, 0)",
        )
        .bind(id.to_string())
        .bind(kept_from)
        .bind(before)
        .execute(&mut *tx)
        .await?;
        if moved.rows_affected() == 0 {
            // Another worker was faster.
            return Ok(false);
        }
        let version = raise_version(&mut tx).await?;
        sqlx::query(
            "INSERT INTO erasures (id, project_id, project, kind, hashes, to_ms, until_ms, version, state, detail,
                 progress, requested_at)
             VALUES ($1, $2, $3, 'retention', '[]', $4, $5, $6, 'requested', $7, '{}', $5)",
        )
        .bind(new_id(now_ms).to_string())
        .bind(id.to_string())
        .bind(i64::from(project.0))
        .bind(kept_from)
        .bind(now_ms)
        .bind(version)
        .bind("older events are refused from now on")
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Takes the limit back to `wanted`, unless events before it are being removed: none may arrive between their
    /// being counted and their being deleted.
    async fn lift(&self, project: ProjectNumber, from: i64, wanted: Option<i64>) -> Result<bool> {
        let mut tx = self.write().await?;
        let lifted = sqlx::query(
            "UPDATE projects SET kept_from = $3 WHERE number = $1 AND kept_from = $2 AND NOT EXISTS
                 (SELECT 1 FROM erasures e WHERE e.project = $1 AND e.kind = 'retention' AND e.finished_at IS NULL)",
        )
        .bind(i64::from(project.0))
        .bind(from)
        .bind(wanted)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if lifted > 0 {
            raise_version(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(lifted > 0)
    }
}
