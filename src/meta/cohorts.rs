//! Cohorts: what they mean, and when their members were last looked for.

use serde_json::Value;
use sqlx::Row;
use sqlx::any::AnyRow;
use uuid::Uuid;

use super::projects::{read_number, read_zone};
use super::{Meta, MetaError, Moment, Page, Paged, Result, new_id, uuid_at};
use crate::event::{ProjectNumber, Zone};

/// Cohorts of one project.
pub const MAX_COHORTS: u32 = 200;

/// A cohort of a project.
#[derive(Clone, Debug, PartialEq)]
pub struct Cohort {
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The rules, as they were written; `None`: an uploaded list.
    pub definition: Option<Value>,
    /// Email of who made it.
    pub created_by: String,
    /// When.
    pub created_at: Moment,
    /// Email of who changed it last.
    pub changed_by: String,
    /// When.
    pub changed_at: Moment,
    /// When its members were last looked for; `None`: not since its rules changed.
    pub refreshed_at: Option<Moment>,
    /// Why that failed.
    pub problem: Option<String>,
    /// When its members were last written down; `None`: not yet.
    pub computed_at: Option<Moment>,
    /// How many they were then.
    pub size: u64,
}

/// A new cohort, or what shall change of one: members that are `None` stay.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CohortChange {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The rules.
    pub definition: Option<Value>,
}

/// A cohort whose members have to be looked for, taken by one worker.
#[derive(Clone, Debug, PartialEq)]
pub struct DueCohort {
    /// The cohort.
    pub id: Uuid,
    /// The project in the analytics tables.
    pub project: ProjectNumber,
    /// The project's zone.
    pub zone: Zone,
    /// Somebody was removed since its members were last looked for: those from before are not to be kept.
    pub after_removal: bool,
}

macro_rules! cohort_select {
    ($tail:literal) => {
        concat!(
            "SELECT c.id, c.name, c.description, c.definition, c.created_by, c.created_at, c.changed_by, c.changed_at,
                 c.refreshed_at, c.problem, c.computed_at, c.size FROM cohorts c ",
            $tail
        )
    };
}

impl Meta {
    /// Creates a cohort; without a definition it is a list.
    pub async fn create_cohort(
        &self,
        project: Uuid,
        new: &CohortChange,
        by: &str,
        now_ms: i64,
    ) -> Result<Cohort> {
        let mut tx = self.write().await?;
        let row = sqlx::query("SELECT COUNT(*) AS known FROM cohorts WHERE project_id = $1")
            .bind(project.to_string())
            .fetch_one(&mut *tx)
            .await?;
        if row.try_get::<i64, _>("known")? >= i64::from(MAX_COHORTS) {
            return Err(MetaError::CohortLimit);
        }
        let id = new_id(now_ms);
        sqlx::query(
            "INSERT INTO cohorts (id, project_id, name, description, definition, created_by, created_at, changed_by,
                 changed_at, refreshed_at, claimed_until, computed_at, size)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $6, $7, 0, 0, 0, 0)",
        )
        .bind(id.to_string())
        .bind(project.to_string())
        .bind(new.name.as_deref().unwrap_or_default())
        .bind(new.description.as_deref().unwrap_or_default())
        .bind(new.definition.as_ref().map(Value::to_string))
        .bind(by)
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.cohort(project, id)
            .await?
            .ok_or(MetaError::NotFound("cohort"))
    }

    /// The cohorts of a project.
    pub async fn cohorts(&self, project: Uuid, page: Page) -> Result<Paged<Cohort>> {
        let rows = sqlx::query(cohort_select!(
            "WHERE c.project_id = $1 AND c.id > $2 ORDER BY c.id LIMIT $3"
        ))
        .bind(project.to_string())
        .bind(page.after_text())
        .bind(page.fetch())
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(read_cohort)
        .collect::<Result<Vec<_>>>()?;
        Ok(Paged::cut(rows, page, |cohort| cohort.id))
    }

    /// A cohort of a project.
    pub async fn cohort(&self, project: Uuid, cohort: Uuid) -> Result<Option<Cohort>> {
        let row = sqlx::query(cohort_select!("WHERE c.project_id = $1 AND c.id = $2"))
            .bind(project.to_string())
            .bind(cohort.to_string())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read_cohort).transpose()
    }

    /// Changes a cohort. New rules are looked through at the next occasion. A list stays a list, and rules stay rules.
    pub async fn change_cohort(
        &self,
        project: Uuid,
        cohort: Uuid,
        change: &CohortChange,
        by: &str,
        now_ms: i64,
    ) -> Result<Cohort> {
        let changed = sqlx::query(
            "UPDATE cohorts SET name = COALESCE($3, name), description = COALESCE($4, description),
                 definition = COALESCE($5, definition), changed_by = $6, changed_at = $7,
                 refreshed_at = CASE WHEN CAST($5 AS TEXT) IS NULL OR refreshed_at < 0 THEN refreshed_at ELSE 0 END
             WHERE project_id = $1 AND id = $2",
        )
        .bind(project.to_string())
        .bind(cohort.to_string())
        .bind(change.name.as_deref())
        .bind(change.description.as_deref())
        .bind(change.definition.as_ref().map(Value::to_string))
        .bind(by)
        .bind(now_ms)
        .execute(&self.pool)
        .await?
        .rows_affected();
        if changed == 0 {
            return Err(MetaError::NotFound("cohort"));
        }
        self.cohort(project, cohort)
            .await?
            .ok_or(MetaError::NotFound("cohort"))
    }

    /// Deletes a cohort.
    pub async fn delete_cohort(&self, project: Uuid, cohort: Uuid) -> Result<()> {
        let deleted = sqlx::query("DELETE FROM cohorts WHERE project_id = $1 AND id = $2")
            .bind(project.to_string())
            .bind(cohort.to_string())
            .execute(&self.pool)
            .await?
            .rows_affected();
        match deleted {
            0 => Err(MetaError::NotFound("cohort")),
            _ => Ok(()),
        }
    }

    /// Deletes all cohorts of a project.
    pub async fn forget_cohorts(&self, project: ProjectNumber) -> Result<()> {
        sqlx::query("DELETE FROM cohorts WHERE project_id IN (SELECT id FROM projects WHERE number = $1)")
            .bind(i64::from(project.0))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Lets the members of all cohorts of a project be looked for at the next occasion, since somebody was removed. Whoever
    /// looks for them at the moment may have seen who is gone: what they find does not count as looked for. A time below
    /// zero says so.
    pub async fn cohorts_are_due(&self, project: ProjectNumber, now_ms: i64) -> Result<()> {
        sqlx::query(
            "UPDATE cohorts SET refreshed_at = $2 WHERE project_id IN (SELECT id FROM projects WHERE number = $1)",
        )
        .bind(i64::from(project.0))
        .bind(-now_ms)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Takes the cohort that was not looked through for longest, if that was before `before_ms` and nobody else has it;
    /// until `until_ms` it is the caller's. One that is due since this very millisecond waits for the next: a look that
    /// begins with the removal does not count.
    pub async fn claim_cohort(
        &self,
        before_ms: i64,
        now_ms: i64,
        until_ms: i64,
    ) -> Result<Option<DueCohort>> {
        let row = sqlx::query(
            "SELECT c.id, c.refreshed_at, p.number, p.timezone FROM cohorts c JOIN projects p ON p.id = c.project_id
             WHERE c.refreshed_at < $1 AND -c.refreshed_at < $2 AND c.claimed_until <= $2 AND p.deleted_at IS NULL
             ORDER BY c.refreshed_at, c.id LIMIT 1",
        )
        .bind(before_ms)
        .bind(now_ms)
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let due = DueCohort {
            id: uuid_at(&row, "id")?,
            project: read_number(&row)?,
            zone: read_zone(&row)?,
            after_removal: row.try_get::<i64, _>("refreshed_at")? < 0,
        };
        let claimed =
            sqlx::query("UPDATE cohorts SET claimed_until = $2 WHERE id = $1 AND claimed_until <= $3")
                .bind(due.id.to_string())
                .bind(until_ms)
                .bind(now_ms)
                .execute(&self.pool)
                .await?
                .rows_affected();
        Ok((claimed > 0).then_some(due))
    }

    /// What a cohort means, for whoever claimed it; `None`: it is deleted. The inner `None`: a list.
    pub async fn cohort_definition(&self, cohort: Uuid) -> Result<Option<Option<Value>>> {
        let row = sqlx::query(cohort_select!("WHERE c.id = $1"))
            .bind(cohort.to_string())
            .fetch_optional(&self.pool)
            .await?;
        let cohort = row.as_ref().map(read_cohort).transpose()?;
        Ok(cohort.map(|cohort| cohort.definition))
    }

    /// Notes that members were looked for, from `since_ms` on: how many there are, or why that failed. Nobody has the
    /// cohort any more. What changed after it began is due again.
    pub async fn cohort_refreshed(
        &self,
        cohort: Uuid,
        since_ms: i64,
        found: std::result::Result<u64, &str>,
    ) -> Result<()> {
        let size = found.ok().map(|size| i64::try_from(size).unwrap_or(i64::MAX));
        sqlx::query(
            "UPDATE cohorts SET refreshed_at = CASE WHEN changed_at > $2 OR -refreshed_at >= $2 THEN refreshed_at ELSE $2 END,
                 computed_at = CASE WHEN CAST($3 AS BIGINT) IS NULL THEN computed_at ELSE $2 END,
                 size = COALESCE($3, size), problem = $4, claimed_until = 0 WHERE id = $1",
        )
        .bind(cohort.to_string())
        .bind(since_ms)
        .bind(size)
        .bind(found.err())
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

fn read_cohort(row: &AnyRow) -> Result<Cohort> {
    let definition = row.try_get::<Option<String>, _>("definition")?;
    let definition = definition.map(|text| {
        serde_json::from_str(&text).map_err(|error| MetaError::Stored(format!("definition: {error}")))
    });
    let refreshed_at: i64 = row.try_get("refreshed_at")?;
    let computed_at: i64 = row.try_get("computed_at")?;
    Ok(Cohort {
        id: uuid_at(row, "id")?,
        name: row.try_get("name")?,
        description: row.try_get("description")?,
        definition: definition.transpose()?,
        created_by: row.try_get("created_by")?,
        created_at: Moment(row.try_get("created_at")?),
        changed_by: row.try_get("changed_by")?,
        changed_at: Moment(row.try_get("changed_at")?),
        refreshed_at: (refreshed_at > 0).then_some(Moment(refreshed_at)),
        problem: row.try_get("problem")?,
        computed_at: (computed_at > 0).then_some(Moment(computed_at)),
        size: row.try_get::<i64, _>("size")?.unsigned_abs(),
    })
}
