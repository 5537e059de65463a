//! Refresh tokens: 256 random bits, stored as SHA-256, each good for one rotation. A token that is shown again
//! was stolen (or its successor was), so its whole family ends (RFC 9700, section 4.14.2). Except at once: two
//! tabs of a browser, or a client whose answer was lost, show the same token again within [`GRACE_MS`].

use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};
use uuid::Uuid;

use super::key_text::digest;
use super::migrate::hex;
use super::{Meta, Result, new_id, random_bytes, uuid_at};

/// How long a refresh token is good for if nobody uses it, in milliseconds: 30 days.
pub const REFRESH_TOKEN_LIFE_MS: i64 = 30 * 86_400_000;

/// How long after its rotation a token may be shown again, as long as no successor was used, in milliseconds.
pub const GRACE_MS: i64 = 10_000;

/// What became of a presented refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It was good; here is its successor.
    Rotated(OpenSession),
    /// It had been used before, and not just now: every token of its family is revoked now.
    Reused,
    /// Unknown, expired or revoked.
    Invalid,
}

/// A session that begins or goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// Whose session it is.
    pub user: Uuid,
    /// Which one: the same from sign-in to the end.
    pub family: Uuid,
    /// The token for the next rotation.
    pub refresh_token: String,
}

impl Meta {
    /// Begins a session: the first token of a new family. Clears away the user's expired ones.
    pub async fn begin_session(&self, user: Uuid, now_ms: i64) -> Result<OpenSession> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM refresh_tokens WHERE user_id = $1 AND expires_at <= $2")
            .bind(user.to_string())
            .bind(now_ms)
            .execute(&mut *tx)
            .await?;
        let session = insert(&mut tx, new_id(now_ms), user, now_ms).await?;
        tx.commit().await?;
        Ok(session)
    }

    /// Exchanges a refresh token for a successor. The one that was exchanged last may come again within
    /// [`GRACE_MS`] and gets another successor; every other reuse is [`Rotation::Reused`].
    pub async fn rotate_session(&self, token: &str, now_ms: i64) -> Result<Rotation> {
        let mut tx = self.write().await?;
        let hash = digest(token);
        let used = sqlx::query(
            "UPDATE refresh_tokens SET used_at = $2
             WHERE token_hash = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $2
             RETURNING family, user_id",
        )
        .bind(&hash)
        .bind(now_ms)
        .fetch_optional(&mut *tx)
        .await?;
        let outcome = match used {
            Some(row) => Rotation::Rotated(go_on(&mut tx, &row, now_ms).await?),
            None => {
                let reused = sqlx::query(
                    "SELECT id, family, user_id, used_at FROM refresh_tokens
                     WHERE token_hash = $1 AND used_at IS NOT NULL AND revoked_at IS NULL",
                )
                .bind(&hash)
                .fetch_optional(&mut *tx)
                .await?;
                match reused {
                    Some(row) if was_just_used(&mut tx, &row, now_ms).await? => {
                        Rotation::Rotated(go_on(&mut tx, &row, now_ms).await?)
                    }
                    Some(row) => {
                        revoke_family(&mut tx, &row.try_get::<String, _>("family")?, now_ms).await?;
                        Rotation::Reused
                    }
                    None => Rotation::Invalid,
                }
            }
        };
        tx.commit().await?;
        Ok(outcome)
    }

    /// Gives a user another password and ends all sessions but `keep`. `known_hash` is the hash that the caller
    /// proved to know; false when it is not the user's any more, and then nothing changes.
    pub async fn change_password(
        &self,
        user: Uuid,
        known_hash: &str,
        new_hash: &str,
        keep: Option<Uuid>,
        now_ms: i64,
    ) -> Result<bool> {
        let mut tx = self.write().await?;
        let changed = sqlx::query("UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2")
            .bind(user.to_string())
            .bind(known_hash)
            .bind(new_hash)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        if changed == 0 {
            return Ok(false);
        }
        sqlx::query(
            "UPDATE refresh_tokens SET revoked_at = $3
             WHERE user_id = $1 AND family <> $2 AND revoked_at IS NULL",
        )
        .bind(user.to_string())
        .bind(keep.unwrap_or_default().to_string())
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Ends the session that a refresh token belongs to. An unknown token ends nothing and is no error.
    pub async fn end_session(&self, token: &str, now_ms: i64) -> Result<()> {
        let mut tx = self.write().await?;
        let row = sqlx::query("SELECT family FROM refresh_tokens WHERE token_hash = $1")
            .bind(digest(token))
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(row) = row {
            revoke_family(&mut tx, &row.try_get::<String, _>("family")?, now_ms).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// The next token of the session that `row` belongs to.
async fn go_on(tx: &mut Transaction<'static, Any>, row: &AnyRow, now_ms: i64) -> Result<OpenSession> {
    insert(tx, uuid_at(row, "family")?, uuid_at(row, "user_id")?, now_ms).await
}

/// Whether the used token of `row` is the one that was rotated last, within the grace: no token that was made
/// from then on has been used.
async fn was_just_used(tx: &mut Transaction<'static, Any>, row: &AnyRow, now_ms: i64) -> Result<bool> {
    let used_at: i64 = row.try_get("used_at")?;
    if now_ms - used_at >= GRACE_MS {
        return Ok(false);
    }
    let successor = sqlx::query(
        "SELECT id FROM refresh_tokens
         WHERE family = $1 AND id <> $2 AND created_at >= $3 AND used_at IS NOT NULL LIMIT 1",
    )
    .bind(row.try_get::<String, _>("family")?)
    .bind(row.try_get::<String, _>("id")?)
    .bind(used_at)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(successor.is_none())
}

async fn insert(
    tx: &mut Transaction<'static, Any>,
    family: Uuid,
    user: Uuid,
    now_ms: i64,
) -> Result<OpenSession> {
    let token = hex(&random_bytes()?);
    sqlx::query(
        "INSERT INTO refresh_tokens (id, family, user_id, token_hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(new_id(now_ms).to_string())
    .bind(family.to_string())
    .bind(user.to_string())
    .bind(digest(&token))
    .bind(now_ms)
    .bind(now_ms + REFRESH_TOKEN_LIFE_MS)
    .execute(&mut **tx)
    .await?;
    Ok(OpenSession {
        user,
        family,
        refresh_token: token,
    })
}

async fn revoke_family(tx: &mut Transaction<'static, Any>, family: &str, now_ms: i64) -> Result<()> {
    sqlx::query("UPDATE refresh_tokens SET revoked_at = $2 WHERE family = $1 AND revoked_at IS NULL")
        .bind(family)
        .bind(now_ms)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
