//! Saving, changing, deleting and having back. Every change is a version; none overwrites what its writer did not see.

use sqlx::{Any, Row, Transaction};
use uuid::Uuid;

use super::versions::{State, write_version};
use super::{Draft, Hand, KEPT_DELETED, KEPT_MS, SavedItem, SavedKind, item_in, order};
use crate::meta::{Meta, MetaError, Result, new_id};

/// What a transaction found and holds.
pub(super) struct Held {
    pub kind: SavedKind,
    pub version: i64,
}

impl Meta {
    /// Saves something new, at the end of its list.
    ///
    /// # Errors
    /// [`MetaError::SavedLimit`] where the project has as many as it may.
    pub async fn save(&self, draft: &Draft, hand: Hand) -> Result<SavedItem> {
        let mut tx = self.write().await?;
        purge(&mut tx, hand).await?;
        room_for(&mut tx, draft.kind, hand.project).await?;
        let rank = match draft.span {
            Some((from, _)) => from,
            None => order::end(&mut tx, hand.project, draft.kind).await?,
        };
        let id = new_id(hand.now_ms);
        sqlx::query(
            "INSERT INTO saved (id, project_id, kind, rank, until, version, body, created_by, created_at, changed_by,
                 changed_at) VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $7, $8)",
        )
        .bind(id.to_string())
        .bind(hand.project.to_string())
        .bind(draft.kind.as_str())
        .bind(rank)
        .bind(draft.span.map(|(_, to)| to))
        .bind(&draft.body)
        .bind(hand.user.to_string())
        .bind(hand.now_ms)
        .execute(&mut *tx)
        .await?;
        write_version(&mut tx, id, (1, 1), &State::of(draft), hand).await?;
        let item = item_in(&mut tx, id).await?;
        tx.commit().await?;
        Ok(item)
    }

    /// Puts something else in its place. `seen`: the versions that its writer may have looked at; `None`: whatever
    /// stands there.
    ///
    /// # Errors
    /// [`MetaError::NotFound`]; [`MetaError::SavedChanged`] where it was changed since.
    pub async fn change_saved(
        &self,
        id: Uuid,
        draft: &Draft,
        seen: Option<&[i64]>,
        hand: Hand,
    ) -> Result<SavedItem> {
        let mut tx = self.write().await?;
        let held = hold(&mut tx, id, seen, hand).await?;
        if held.kind != draft.kind {
            return Err(MetaError::NotFound(draft.kind.as_str()));
        }
        let version = held.version + 1;
        let item = put(&mut tx, id, (version, version), &State::of(draft), hand).await?;
        tx.commit().await?;
        Ok(item)
    }

    /// Deletes. For 30 days it can be had back.
    ///
    /// # Errors
    /// As [`Meta::change_saved`].
    pub async fn delete_saved(&self, id: Uuid, seen: Option<&[i64]>, hand: Hand) -> Result<()> {
        let mut tx = self.write().await?;
        hold(&mut tx, id, seen, hand).await?;
        sqlx::query("UPDATE saved SET deleted_at = $2 WHERE id = $1")
            .bind(id.to_string())
            .bind(hand.now_ms)
            .execute(&mut *tx)
            .await?;
        purge(&mut tx, hand).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Has something back that was deleted; what was not deleted stays as it is.
    ///
    /// # Errors
    /// [`MetaError::NotFound`] after 30 days; [`MetaError::SavedLimit`] where others took its place.
    pub async fn restore_saved(&self, id: Uuid, hand: Hand) -> Result<SavedItem> {
        let mut tx = self.write().await?;
        // Writing first holds the row.
        let row = sqlx::query(
            "UPDATE saved SET version = version
             WHERE id = $1 AND project_id = $2 AND (deleted_at IS NULL OR deleted_at > $3) RETURNING kind, deleted_at",
        )
        .bind(id.to_string())
        .bind(hand.project.to_string())
        .bind(hand.now_ms - KEPT_MS)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(MetaError::NotFound("deleted thing: after 30 days it is gone for good"))?;
        if row.try_get::<Option<i64>, _>("deleted_at")?.is_some() {
            let kind = SavedKind::read(&row.try_get::<String, _>("kind")?)?;
            room_for(&mut tx, kind, hand.project).await?;
            sqlx::query("UPDATE saved SET deleted_at = NULL WHERE id = $1")
                .bind(id.to_string())
                .execute(&mut *tx)
                .await?;
        }
        let item = item_in(&mut tx, id).await?;
        tx.commit().await?;
        Ok(item)
    }
}

/// Holds something that is there until the transaction ends, if its writer has seen how it is.
pub(super) async fn hold(
    tx: &mut Transaction<'static, Any>,
    id: Uuid,
    seen: Option<&[i64]>,
    hand: Hand,
) -> Result<Held> {
    // Writing first holds the row, so that two writers come one after the other.
    let row = sqlx::query(
        "UPDATE saved SET version = version WHERE id = $1 AND project_id = $2 AND deleted_at IS NULL
         RETURNING kind, version",
    )
    .bind(id.to_string())
    .bind(hand.project.to_string())
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(MetaError::NotFound("saved thing"))?;
    let held = Held {
        kind: SavedKind::read(&row.try_get::<String, _>("kind")?)?,
        version: row.try_get("version")?,
    };
    if seen.is_some_and(|seen| !seen.contains(&held.version)) {
        return Err(MetaError::SavedChanged(held.version));
    }
    Ok(held)
}

/// Puts a state in place as this version, which shows what the second one brought.
pub(super) async fn put(
    tx: &mut Transaction<'static, Any>,
    id: Uuid,
    version: (i64, i64),
    state: &State,
    hand: Hand,
) -> Result<SavedItem> {
    sqlx::query(
        "UPDATE saved SET version = $2, body = $3, rank = COALESCE($4, rank), until = $5, changed_by = $6,
             changed_at = $7 WHERE id = $1",
    )
    .bind(id.to_string())
    .bind(version.0)
    .bind(&state.body)
    .bind(state.span.map(|(from, _)| from))
    .bind(state.span.map(|(_, to)| to))
    .bind(hand.user.to_string())
    .bind(hand.now_ms)
    .execute(&mut **tx)
    .await?;
    write_version(tx, id, version, state, hand).await?;
    item_in(tx, id).await
}

/// Refuses one more than a project may have.
async fn room_for(tx: &mut Transaction<'static, Any>, kind: SavedKind, project: Uuid) -> Result<()> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS n FROM saved WHERE project_id = $1 AND kind = $2 AND deleted_at IS NULL",
    )
    .bind(project.to_string())
    .bind(kind.as_str())
    .fetch_one(&mut **tx)
    .await?;
    if row.try_get::<i64, _>("n")? < kind.most() {
        return Ok(());
    }
    Err(MetaError::SavedLimit(format!(
        "a project has at most {} {}s: delete one first",
        kind.most(),
        kind.as_str()
    )))
}

/// Takes away for good what was deleted too long ago, or before too many others.
async fn purge(tx: &mut Transaction<'static, Any>, hand: Hand) -> Result<()> {
    for kind in [SavedKind::Question, SavedKind::Dashboard, SavedKind::Annotation] {
        let gone = sqlx::query(
            "SELECT id FROM saved WHERE project_id = $1 AND kind = $2 AND deleted_at IS NOT NULL
             AND (deleted_at <= $3 OR deleted_at < COALESCE((SELECT deleted_at FROM saved WHERE project_id = $1
                 AND kind = $2 AND deleted_at IS NOT NULL ORDER BY deleted_at DESC LIMIT 1 OFFSET $4), 0))",
        )
        .bind(hand.project.to_string())
        .bind(kind.as_str())
        .bind(hand.now_ms - KEPT_MS)
        .bind(KEPT_DELETED - 1)
        .fetch_all(&mut **tx)
        .await?;
        for row in gone {
            let id: String = row.try_get("id")?;
            for statement in [
                "DELETE FROM saved_versions WHERE saved_id = $1",
                "DELETE FROM saved WHERE id = $1",
            ] {
                sqlx::query(statement).bind(&id).execute(&mut **tx).await?;
            }
        }
    }
    Ok(())
}
