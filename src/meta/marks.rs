//! What people say about the names of a project's events and properties.

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::any::AnyRow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Meta, MetaError, Result};

/// Names of a project that may be marked.
pub const MOST_MARKS: i64 = 10_000;

/// What a name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    /// An event.
    Event,
    /// A property of events.
    Property,
    /// A property of persons.
    Person,
}

impl Named {
    fn as_str(self) -> &'static str {
        match self {
            Named::Event => "event",
            Named::Property => "property",
            Named::Person => "person",
        }
    }
}

/// What people say about a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"description": "An order was paid", "hidden": false, "verified": true}))]
pub struct Mark {
    /// What it means; empty when nobody said so.
    pub description: String,
    /// Left out where names are offered for choice. It is counted and can be asked about as before.
    pub hidden: bool,
    /// Somebody vouches for it: offered first.
    pub verified: bool,
}

/// What to change of a [`Mark`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MarkChange {
    /// The new description.
    pub description: Option<String>,
    /// Whether it is hidden.
    pub hidden: Option<bool>,
    /// Whether somebody vouches for it.
    pub verified: Option<bool>,
}

impl Meta {
    /// Every marked name of one kind, in no order.
    pub async fn marks(&self, project: Uuid, named: Named) -> Result<Vec<(String, Mark)>> {
        let rows = sqlx::query(
            "SELECT name, description, hidden, verified FROM schema_marks WHERE project_id = $1 AND kind = $2",
        )
        .bind(project.to_string())
        .bind(named.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| Ok((row.try_get("name")?, read_mark(row)?)))
            .collect()
    }

    /// Changes the mark of a name, which need not have been seen yet. A mark that says nothing is taken away.
    ///
    /// # Errors
    /// [`MetaError::MarkLimit`] when the project has [`MOST_MARKS`] and this would be one more.
    pub async fn mark(
        &self,
        project: Uuid,
        (named, name): (Named, &str),
        change: &MarkChange,
        (marked_by, now_ms): (&str, i64),
    ) -> Result<Mark> {
        let mut tx = self.write().await?;
        // Writing first holds the row, so that two changes at once do not undo each other.
        sqlx::query(
            "INSERT INTO schema_marks (project_id, kind, name, description, hidden, verified, updated_at, updated_by)
             VALUES ($1, $2, $3, COALESCE($4, ''), COALESCE($5, 0), COALESCE($6, 0), $7, $8)
             ON CONFLICT (project_id, kind, name) DO UPDATE SET
                 description = COALESCE($4, schema_marks.description), hidden = COALESCE($5, schema_marks.hidden),
                 verified = COALESCE($6, schema_marks.verified), updated_at = $7, updated_by = $8",
        )
        .bind(project.to_string())
        .bind(named.as_str())
        .bind(name)
        .bind(change.description.as_deref())
        .bind(change.hidden.map(i64::from))
        .bind(change.verified.map(i64::from))
        .bind(now_ms)
        .bind(marked_by)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "DELETE FROM schema_marks WHERE project_id = $1 AND kind = $2 AND name = $3
             AND description = '' AND hidden = 0 AND verified = 0",
        )
        .bind(project.to_string())
        .bind(named.as_str())
        .bind(name)
        .execute(&mut *tx)
        .await?;
        let row = sqlx::query(
            "SELECT description, hidden, verified,
                 (SELECT COUNT(*) FROM schema_marks m WHERE m.project_id = $1) AS marks
             FROM schema_marks WHERE project_id = $1 AND kind = $2 AND name = $3",
        )
        .bind(project.to_string())
        .bind(named.as_str())
        .bind(name)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else {
            tx.commit().await?;
            return Ok(Mark::default());
        };
        if row.try_get::<i64, _>("marks")? > MOST_MARKS {
            return Err(MetaError::MarkLimit(MOST_MARKS));
        }
        tx.commit().await?;
        read_mark(&row)
    }
}

fn read_mark(row: &AnyRow) -> Result<Mark> {
    Ok(Mark {
        description: row.try_get("description")?,
        hidden: row.try_get::<i64, _>("hidden")? != 0,
        verified: row.try_get::<i64, _>("verified")? != 0,
    })
}
