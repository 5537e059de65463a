//! Projects: what events belong to.

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};
use utoipa::ToSchema;
use uuid::Uuid;

use super::erasures::{NewErasure, Request};
use super::members::{Role, read_role};
use super::zones::ZoneChange;
use super::{KeyKind, Meta, MetaError, Moment, Page, Paged, Result, keys, new_id, raise_version, uuid_at};
use crate::event::{ProjectNumber, Zone};

/// A project as one caller sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"id": "019ab2c4-7d20-7a11-9d60-1de0a4c9b7f3", "number": 1,
    "organization_id": "019ab2c4-7d1f-7d02-8a4c-cc2d90b1e6aa", "name": "Web shop", "timezone": "Europe/Berlin",
    "created_at": "2026-11-23T10:15:00Z", "role": "owner", "write_key": "ffp_live_Ab3dEf6hIj9lMn2pQr5tUv8xYz10ab9xQz",
    "retention_months": null, "kept_from": null}))]
pub struct Project {
    /// The project's id.
    pub id: Uuid,
    /// Its number in the analytics tables. Never given out twice.
    #[schema(value_type = u32)]
    pub number: ProjectNumber,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// Its name.
    pub name: String,
    /// IANA name of the zone whose days its reports count in.
    pub timezone: String,
    /// When it was created.
    pub created_at: Moment,
    /// What the caller may do in it. A secret key reads: `viewer`.
    pub role: Role,
    /// Its oldest valid write key, for the snippet; null when all were revoked.
    #[schema(required)]
    pub write_key: Option<String>,
    /// Months that are kept beside the current one, 1 to 120; null: everything is kept.
    #[schema(required, minimum = 1, maximum = 120)]
    pub retention_months: Option<u32>,
    /// Events before this instant were removed because of that, and are refused; null: none.
    #[schema(required)]
    pub kept_from: Option<Moment>,
    /// Whether its zone never changed, so that the days stored with its events are those of its zone.
    #[serde(skip)]
    pub zone_kept: bool,
}

impl Project {
    /// The zone of [`Project::timezone`].
    pub fn zone(&self) -> Zone {
        // Only canonical names are stored; a name that a later tz database dropped reads as UTC.
        Zone::parse(&self.timezone).unwrap_or_else(|_| Zone::utc())
    }
}

/// What [`Meta::update_project`] shall change.
#[derive(Clone, Debug, Default)]
pub struct ProjectChange {
    /// The new name.
    pub name: Option<String>,
    /// The new zone.
    pub zone: Option<Zone>,
    /// The new number of months to keep; `Some(None)` keeps everything.
    pub retention_months: Option<Option<u32>>,
}

/// What [`Meta::update_project`] did.
#[derive(Clone, Debug)]
pub struct ProjectUpdate {
    /// The project afterwards.
    pub project: Project,
    /// Present when the zone is another one now.
    pub zone_change: Option<ZoneChange>,
}

macro_rules! project_select {
    ($role:literal, $tail:literal) => {
        concat!(
            "SELECT p.id, p.number, p.organization_id, p.name, p.timezone, p.created_at,
                 p.retention_months, p.kept_from, p.zone_kept, ",
            $role,
            " AS role, (SELECT k.lookup FROM api_keys k WHERE k.project_id = p.id AND k.kind = 'write'
                 AND k.revoked_at IS NULL ORDER BY k.id LIMIT 1) AS write_key FROM projects p ",
            $tail
        )
    };
}

impl Meta {
    /// Creates a project with a write key named "Default".
    pub async fn create_project(
        &self,
        organization: Uuid,
        name: &str,
        zone: &Zone,
        now_ms: i64,
    ) -> Result<Project> {
        let mut tx = self.write().await?;
        let project = insert(&mut tx, organization, name, zone, now_ms).await?;
        tx.commit().await?;
        Ok(project)
    }

    /// The projects of all organizations that a user is a member of.
    pub async fn projects_of(&self, user: Uuid, page: Page) -> Result<Paged<Project>> {
        let rows = sqlx::query(project_select!(
            "m.role",
            "JOIN members m ON m.organization_id = p.organization_id AND m.user_id = $1
             WHERE p.deleted_at IS NULL AND p.id > $2 ORDER BY p.id LIMIT $3"
        ))
        .bind(user.to_string())
        .bind(page.after_text())
        .bind(page.fetch())
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(read_project)
        .collect::<Result<Vec<_>>>()?;
        Ok(Paged::cut(rows, page, |project| project.id))
    }

    /// A project, if it exists and the user is a member of its organization.
    pub async fn project_for(&self, project: Uuid, user: Uuid) -> Result<Option<Project>> {
        let row = sqlx::query(project_select!(
            "m.role",
            "JOIN members m ON m.organization_id = p.organization_id AND m.user_id = $2
             WHERE p.deleted_at IS NULL AND p.id = $1"
        ))
        .bind(project.to_string())
        .bind(user.to_string())
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(read_project).transpose()
    }

    /// A project as its own secret key sees it. Asks nothing about who wants to know.
    pub async fn project(&self, project: Uuid) -> Result<Option<Project>> {
        let row = sqlx::query(project_select!(
            "'viewer'",
            "WHERE p.deleted_at IS NULL AND p.id = $1"
        ))
        .bind(project.to_string())
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(read_project).transpose()
    }

    /// Numbers of the projects that were deleted.
    pub async fn deleted_projects(&self) -> Result<Vec<ProjectNumber>> {
        sqlx::query("SELECT number FROM projects WHERE deleted_at IS NOT NULL")
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(read_number)
            .collect()
    }

    /// Changes a project (as `user` sees it). Raises [`Meta::version`]; a new zone stays pending until
    /// its rebuild is queued.
    pub async fn update_project(
        &self,
        project: Uuid,
        user: Uuid,
        change: ProjectChange,
        now_ms: i64,
    ) -> Result<ProjectUpdate> {
        let mut tx = self.write().await?;
        // Writing first holds the row, so that the comparison below sees what is really replaced.
        sqlx::query("UPDATE projects SET name = COALESCE($2, name) WHERE id = $1 AND deleted_at IS NULL")
            .bind(project.to_string())
            .bind(&change.name)
            .execute(&mut *tx)
            .await?;
        if let Some(months) = change.retention_months {
            // The same limit again does not begin the day of grace anew.
            sqlx::query(
                "UPDATE projects SET retention_months = $2, retention_set_at = $3
                 WHERE id = $1 AND deleted_at IS NULL AND COALESCE(retention_months, 0) <> COALESCE($2, 0)",
            )
            .bind(project.to_string())
            .bind(months.map(i64::from))
            .bind(now_ms)
            .execute(&mut *tx)
            .await?;
        }
        let row = sqlx::query(project_select!(
            "m.role",
            "JOIN members m ON m.organization_id = p.organization_id AND m.user_id = $2
             WHERE p.deleted_at IS NULL AND p.id = $1"
        ))
        .bind(project.to_string())
        .bind(user.to_string())
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(MetaError::NotFound("project"))?;
        let mut updated = read_project(&row)?;
        let mut zone_change = None;
        if let Some(zone) = change.zone.filter(|zone| zone.name() != updated.timezone) {
            sqlx::query(
                "UPDATE projects SET timezone = $2, zone_changed_at = $3, zone_kept = 0 WHERE id = $1",
            )
            .bind(project.to_string())
            .bind(zone.name())
            .bind(now_ms)
            .execute(&mut *tx)
            .await?;
            updated.timezone = zone.name().to_owned();
            updated.zone_kept = false;
            zone_change = Some(ZoneChange {
                project: updated.number,
                zone,
                changed_at: now_ms,
            });
        }
        raise_version(&mut tx).await?;
        tx.commit().await?;
        Ok(ProjectUpdate {
            project: updated,
            zone_change,
        })
    }

    /// Deletes a project: its keys stop, nobody can ask about it, and everything of it is erased (the erasure's
    /// id is the answer). The row stays, so that the number is never given out again.
    pub async fn delete_project(&self, project: Uuid, deleted_by: &str, now_ms: i64) -> Result<Uuid> {
        let mut tx = self.write().await?;
        let row = sqlx::query(
            "UPDATE projects SET deleted_at = $2 WHERE id = $1 AND deleted_at IS NULL RETURNING number",
        )
        .bind(project.to_string())
        .bind(now_ms)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(MetaError::NotFound("project"))?;
        let erasure = Request {
            project,
            number: read_number(&row)?,
            what: NewErasure::Project,
            until: i64::MAX,
            requested_by: Some(deleted_by),
            now_ms,
        };
        let (erasure, _) = erasure.write(&mut tx).await?;
        sqlx::query("UPDATE api_keys SET revoked_at = $2 WHERE project_id = $1 AND revoked_at IS NULL")
            .bind(project.to_string())
            .bind(now_ms)
            .execute(&mut *tx)
            .await?;
        super::saved::forget(&mut tx, project).await?;
        sqlx::query("DELETE FROM schema_marks WHERE project_id = $1")
            .bind(project.to_string())
            .execute(&mut *tx)
            .await?;
        // The erasure has raised the version.
        tx.commit().await?;
        Ok(erasure)
    }

    /// A project that may be deleted, if the user is a member of its organization: for what outlives it.
    pub async fn project_even_deleted(&self, project: Uuid, user: Uuid) -> Result<Option<Project>> {
        let row = sqlx::query(project_select!(
            "m.role",
            "JOIN members m ON m.organization_id = p.organization_id AND m.user_id = $2 WHERE p.id = $1"
        ))
        .bind(project.to_string())
        .bind(user.to_string())
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(read_project).transpose()
    }
}

/// Inserts a project and its first write key.
pub(super) async fn insert(
    tx: &mut Transaction<'static, Any>,
    organization: Uuid,
    name: &str,
    zone: &Zone,
    now_ms: i64,
) -> Result<Project> {
    let row = sqlx::query(
        "INSERT INTO counters (name, value) VALUES ('project_number', 1)
         ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value AS number",
    )
    .fetch_one(&mut **tx)
    .await?;
    let number = read_number(&row)?;
    let id = new_id(now_ms);
    sqlx::query(
        "INSERT INTO projects (id, number, organization_id, name, timezone, created_at, zone_kept)
         VALUES ($1, $2, $3, $4, $5, $6, 1)",
    )
    .bind(id.to_string())
    .bind(i64::from(number.0))
    .bind(organization.to_string())
    .bind(name)
    .bind(zone.name())
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    let key = keys::insert(tx, id, KeyKind::Write, "Default", now_ms).await?;
    raise_version(tx).await?;
    Ok(Project {
        id,
        number,
        organization_id: organization,
        name: name.to_owned(),
        timezone: zone.name().to_owned(),
        created_at: Moment(now_ms),
        // Who may create a project manages it; the api writes the caller's own role over this.
        role: Role::Owner,
        write_key: key.key,
        retention_months: None,
        kept_from: None,
        zone_kept: true,
    })
}

fn read_project(row: &AnyRow) -> Result<Project> {
    Ok(Project {
        id: uuid_at(row, "id")?,
        number: read_number(row)?,
        organization_id: uuid_at(row, "organization_id")?,
        name: row.try_get("name")?,
        timezone: row.try_get("timezone")?,
        created_at: Moment(row.try_get("created_at")?),
        role: read_role(row)?,
        write_key: row.try_get("write_key")?,
        retention_months: row
            .try_get::<Option<i64>, _>("retention_months")?
            .and_then(|months| u32::try_from(months).ok()),
        kept_from: row.try_get::<Option<i64>, _>("kept_from")?.map(Moment),
        zone_kept: row.try_get::<i64, _>("zone_kept")? == 1,
    })
}

pub(super) fn read_number(row: &AnyRow) -> Result<ProjectNumber> {
    let number: i64 = row.try_get("number")?;
    u32::try_from(number)
        .map(ProjectNumber)
        .map_err(|_| MetaError::Stored(format!("project number: {number}")))
}

pub(super) fn read_zone(row: &AnyRow) -> Result<Zone> {
    let name: String = row.try_get("timezone")?;
    Ok(Zone::parse(&name).unwrap_or_else(|_| Zone::utc()))
}
