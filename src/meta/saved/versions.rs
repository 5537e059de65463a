//! What something saved said before, and going back there.
//!
//! Going back is a change like any other, so that nothing is lost by it. A version knows which one brought its content:
//! an undo goes to what stood before *that* one, so that undoing twice goes back twice.

use sqlx::{Any, Row, Transaction};
use uuid::Uuid;

use super::change::{hold, put};
use super::{Draft, Hand, KEPT_VERSIONS, SavedItem, who};
use crate::meta::{Meta, MetaError, Moment, Result};

/// What stood there.
pub(super) struct State {
    pub body: String,
    pub span: Option<(i64, i64)>,
}

impl State {
    pub fn of(draft: &Draft) -> State {
        State {
            body: draft.body.clone(),
            span: draft.span,
        }
    }
}

/// A state that something saved was in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedVersion {
    /// Its number.
    pub version: i64,
    /// The version that brought this content: an earlier one after an undo.
    pub shows: i64,
    /// What it said, as JSON.
    pub body: String,
    /// The name of whoever made it so.
    pub changed_by: String,
    /// When.
    pub changed_at: Moment,
}

impl Meta {
    /// The versions that are kept, the latest first.
    ///
    /// # Errors
    /// [`MetaError::NotFound`].
    pub async fn saved_versions(&self, project: Uuid, id: Uuid) -> Result<Vec<SavedVersion>> {
        let found = sqlx::query(
            "SELECT v.version, v.shows, v.body, v.changed_at, u.name, u.email
             FROM saved_versions v JOIN saved s ON s.id = v.saved_id JOIN users u ON u.id = v.changed_by
             WHERE s.project_id = $1 AND s.id = $2 AND s.deleted_at IS NULL ORDER BY v.version DESC",
        )
        .bind(project.to_string())
        .bind(id.to_string())
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(|row| {
            Ok(SavedVersion {
                version: row.try_get("version")?,
                shows: row.try_get("shows")?,
                body: row.try_get("body")?,
                changed_by: who(row, "name", "email")?,
                changed_at: Moment(row.try_get("changed_at")?),
            })
        })
        .collect::<Result<Vec<_>>>()?;
        if found.is_empty() {
            return Err(MetaError::NotFound("saved thing"));
        }
        Ok(found)
    }

    /// Undoes the last change that was not undone yet.
    ///
    /// # Errors
    /// [`MetaError::NothingToUndo`] at the oldest version that is kept; else as [`Meta::change_saved`].
    pub async fn undo_saved(&self, id: Uuid, seen: Option<&[i64]>, hand: Hand) -> Result<SavedItem> {
        let mut tx = self.write().await?;
        let held = hold(&mut tx, id, seen, hand).await?;
        let (shown, _) = state(&mut tx, id, held.version)
            .await?
            .ok_or(MetaError::NothingToUndo)?;
        let (shows, state) = state(&mut tx, id, shown - 1)
            .await?
            .ok_or(MetaError::NothingToUndo)?;
        let item = put(&mut tx, id, (held.version + 1, shows), &state, hand).await?;
        tx.commit().await?;
        Ok(item)
    }

    /// Goes back to what a version said.
    ///
    /// # Errors
    /// [`MetaError::NotFound`] also where that version is not kept any more; else as [`Meta::change_saved`].
    pub async fn revert_saved(
        &self,
        id: Uuid,
        version: i64,
        seen: Option<&[i64]>,
        hand: Hand,
    ) -> Result<SavedItem> {
        let mut tx = self.write().await?;
        let held = hold(&mut tx, id, seen, hand).await?;
        let (_, state) = state(&mut tx, id, version)
            .await?
            .ok_or(MetaError::NotFound("version"))?;
        // A change of its own, so that an undo takes it back.
        let next = held.version + 1;
        let item = put(&mut tx, id, (next, next), &state, hand).await?;
        tx.commit().await?;
        Ok(item)
    }
}

/// What a version shows, and the version that brought it.
async fn state(tx: &mut Transaction<'static, Any>, id: Uuid, version: i64) -> Result<Option<(i64, State)>> {
    let row = sqlx::query(
        "SELECT shows, body, rank, until FROM saved_versions WHERE saved_id = $1 AND version = $2",
    )
    .bind(id.to_string())
    .bind(version)
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| {
        let (from, to): (Option<i64>, Option<i64>) = (row.try_get("rank")?, row.try_get("until")?);
        let state = State {
            body: row.try_get("body")?,
            span: from.zip(to),
        };
        Ok((row.try_get("shows")?, state))
    })
    .transpose()
}

/// Writes a version down, and forgets those that are too many.
pub(super) async fn write_version(
    tx: &mut Transaction<'static, Any>,
    id: Uuid,
    (version, shows): (i64, i64),
    state: &State,
    hand: Hand,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO saved_versions (saved_id, version, shows, body, rank, until, changed_by, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id.to_string())
    .bind(version)
    .bind(shows)
    .bind(&state.body)
    .bind(state.span.map(|(from, _)| from))
    .bind(state.span.map(|(_, to)| to))
    .bind(hand.user.to_string())
    .bind(hand.now_ms)
    .execute(&mut **tx)
    .await?;
    sqlx::query("DELETE FROM saved_versions WHERE saved_id = $1 AND version <= $2")
        .bind(id.to_string())
        .bind(version - KEPT_VERSIONS)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
