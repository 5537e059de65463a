//! What a team saves for itself: questions, dashboards and annotations, in a list with places of its own. What is
//! written in them is text here; how it changes and comes back is the same for all three.

mod change;
mod order;
mod versions;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Meta, MetaError, Moment, Page, Paged, Result, uuid_at};

pub use versions::SavedVersion;

/// For how long something deleted can be had back.
pub const KEPT_MS: i64 = 30 * 86_400_000;
/// How many states of one thing are kept, the present one included.
pub const KEPT_VERSIONS: i64 = 50;
/// How many deleted things of a kind can be had back.
const KEPT_DELETED: i64 = 1_000;

/// What is saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SavedKind {
    /// A question with a name.
    #[default]
    Question,
    /// Several of them on a page.
    Dashboard,
    /// A remark about a moment or some days, shown on charts.
    Annotation,
}

impl SavedKind {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            SavedKind::Question => "question",
            SavedKind::Dashboard => "dashboard",
            SavedKind::Annotation => "annotation",
        }
    }

    fn read(text: &str) -> Result<SavedKind> {
        [SavedKind::Question, SavedKind::Dashboard, SavedKind::Annotation]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| MetaError::Stored(format!("kind: {text}")))
    }

    /// How many of them a project may have.
    pub fn most(self) -> i64 {
        match self {
            SavedKind::Question => 1_000,
            SavedKind::Dashboard => 200,
            SavedKind::Annotation => 5_000,
        }
    }
}

/// What somebody wants to have saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What it is.
    pub kind: SavedKind,
    /// What it says, as JSON.
    pub body: String,
    /// The instants that an annotation speaks of, `[from, to)`.
    pub span: Option<(i64, i64)>,
}

/// Something saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedItem {
    /// Its id.
    pub id: Uuid,
    /// What it is.
    pub kind: SavedKind,
    /// Grows by one with every change.
    pub version: i64,
    /// What it says, as JSON.
    pub body: String,
    /// The name of whoever saved it first.
    pub created_by: String,
    /// When that was.
    pub created_at: Moment,
    /// The name of whoever changed it last.
    pub changed_by: String,
    /// When that was.
    pub changed_at: Moment,
    /// When it was deleted.
    pub deleted_at: Option<Moment>,
}

/// Who writes, where and when.
#[derive(Clone, Copy, Debug)]
pub struct Hand {
    /// The project.
    pub project: Uuid,
    /// The user.
    pub user: Uuid,
    /// UTC milliseconds.
    pub now_ms: i64,
}

/// Which of the things saved are listed.
#[derive(Clone, Copy, Debug)]
pub struct SavedFilter {
    /// Of this kind.
    pub kind: SavedKind,
    /// Those that were deleted instead of those that are there.
    pub deleted: bool,
    /// Annotations that speak of an instant in `[from, to)`.
    pub span: Option<(i64, i64)>,
    /// UTC milliseconds.
    pub now_ms: i64,
}

macro_rules! saved_select {
    ($tail:literal) => {
        concat!(
            "SELECT s.id, s.kind, s.version, s.body, s.created_at, s.changed_at, s.deleted_at,
                 c.name AS created_name, c.email AS created_email, w.name AS changed_name, w.email AS changed_email
             FROM saved s JOIN users c ON c.id = s.created_by JOIN users w ON w.id = s.changed_by ",
            $tail
        )
    };
}

impl Meta {
    /// One thing, unless it was deleted.
    pub async fn saved_item(&self, project: Uuid, id: Uuid) -> Result<Option<SavedItem>> {
        let row = sqlx::query(saved_select!(
            "WHERE s.project_id = $1 AND s.id = $2 AND s.deleted_at IS NULL"
        ))
        .bind(project.to_string())
        .bind(id.to_string())
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(read_item).transpose()
    }

    /// The things of a kind in their order.
    ///
    /// # Errors
    /// [`MetaError::NotFound`] where the page begins after something that is not there (any more).
    pub async fn saved_items(
        &self,
        project: Uuid,
        filter: SavedFilter,
        page: Page,
    ) -> Result<Paged<SavedItem>> {
        let after = match page.after {
            None => (i64::MIN, String::new()),
            Some(id) => {
                let row = sqlx::query("SELECT rank FROM saved WHERE project_id = $1 AND id = $2")
                    .bind(project.to_string())
                    .bind(id.to_string())
                    .fetch_optional(&self.pool)
                    .await?
                    .ok_or(MetaError::NotFound("page"))?;
                (row.try_get("rank")?, id.to_string())
            }
        };
        let (from, to) = filter.span.unwrap_or((i64::MIN, i64::MAX));
        let rows = sqlx::query(saved_select!(
            "WHERE s.project_id = $1 AND s.kind = $2 AND (s.rank > $3 OR (s.rank = $3 AND s.id > $4))
                 AND (s.until IS NULL OR (s.rank < $6 AND s.until > $5))
                 AND (($7 = 0 AND s.deleted_at IS NULL) OR ($7 = 1 AND s.deleted_at > $8))
             ORDER BY s.rank, s.id LIMIT $9"
        ))
        .bind(project.to_string())
        .bind(filter.kind.as_str())
        .bind(after.0)
        .bind(after.1)
        .bind(from)
        .bind(to)
        .bind(i64::from(filter.deleted))
        .bind(filter.now_ms - KEPT_MS)
        .bind(page.fetch())
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(read_item)
        .collect::<Result<Vec<_>>>()?;
        Ok(Paged::cut(rows, page, |item| item.id))
    }
}

/// As it is within a transaction that wrote it.
async fn item_in(tx: &mut Transaction<'static, Any>, id: Uuid) -> Result<SavedItem> {
    let row = sqlx::query(saved_select!("WHERE s.id = $1"))
        .bind(id.to_string())
        .fetch_one(&mut **tx)
        .await?;
    read_item(&row)
}

/// Takes everything away that a project saved, when it ends.
pub(super) async fn forget(tx: &mut Transaction<'static, Any>, project: Uuid) -> Result<()> {
    sqlx::query("DELETE FROM saved_versions WHERE saved_id IN (SELECT id FROM saved WHERE project_id = $1)")
        .bind(project.to_string())
        .execute(&mut **tx)
        .await?;
    sqlx::query("DELETE FROM saved WHERE project_id = $1")
        .bind(project.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn read_item(row: &AnyRow) -> Result<SavedItem> {
    Ok(SavedItem {
        id: uuid_at(row, "id")?,
        kind: SavedKind::read(&row.try_get::<String, _>("kind")?)?,
        version: row.try_get("version")?,
        body: row.try_get("body")?,
        created_by: who(row, "created_name", "created_email")?,
        created_at: Moment(row.try_get("created_at")?),
        changed_by: who(row, "changed_name", "changed_email")?,
        changed_at: Moment(row.try_get("changed_at")?),
        deleted_at: row.try_get::<Option<i64>, _>("deleted_at")?.map(Moment),
    })
}

/// What colleagues call somebody: the name, or the address of who gave none.
fn who(row: &AnyRow, name: &'static str, email: &'static str) -> Result<String> {
    let name: String = row.try_get(name)?;
    Ok(if name.is_empty() {
        row.try_get(email)?
    } else {
        name
    })
}
