//! Refresh tokens: 256 random bits, stored as SHA-256, each good for one rotation. A token that is shown a
//! second time was stolen (or its successor was), so its whole family ends (RFC 9700, section 4.14.2).

use sqlx::{Any, Row, Transaction};
use uuid::Uuid;

use super::key_text::digest;
use super::migrate::hex;
use super::{Meta, Result, new_id, random_bytes, uuid_at};

/// How long a refresh token is good for if nobody uses it, in milliseconds: 30 days.
pub const REFRESH_TOKEN_LIFE_MS: i64 = 30 * 86_400_000;

/// What became of a presented refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It was good; here is its successor.
    Rotated(RotatedSession),
    /// It had been used before: every token of its family is revoked now.
    Reused,
    /// Unknown, expired or revoked.
    Invalid,
}

/// A session that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotatedSession {
    /// Whose session it is.
    pub user: Uuid,
    /// The token for the next rotation.
    pub refresh_token: String,
}

impl Meta {
    /// Begins a session: the first token of a new family. Clears away the user's expired ones.
    pub async fn begin_session(&self, user: Uuid, now_ms: i64) -> Result<String> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM refresh_tokens WHERE user_id = $1 AND expires_at <= $2")
            .bind(user.to_string())
            .bind(now_ms)
            .execute(&mut *tx)
            .await?;
        let token = insert(&mut tx, new_id(now_ms), user, now_ms).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Exchanges a refresh token for its successor. Of two calls with the same token one is [`Rotation::Reused`].
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
            Some(row) => {
                let user = uuid_at(&row, "user_id")?;
                let refresh_token = insert(&mut tx, uuid_at(&row, "family")?, user, now_ms).await?;
                Rotation::Rotated(RotatedSession { user, refresh_token })
            }
            None => {
                let reused = sqlx::query(
                    "SELECT family FROM refresh_tokens
                     WHERE token_hash = $1 AND used_at IS NOT NULL AND revoked_at IS NULL",
                )
                .bind(&hash)
                .fetch_optional(&mut *tx)
                .await?;
                match reused {
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

async fn insert(tx: &mut Transaction<'static, Any>, family: Uuid, user: Uuid, now_ms: i64) -> Result<String> {
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
    Ok(token)
}

async fn revoke_family(tx: &mut Transaction<'static, Any>, family: &str, now_ms: i64) -> Result<()> {
    sqlx::query("UPDATE refresh_tokens SET revoked_at = $2 WHERE family = $1 AND revoked_at IS NULL")
        .bind(family)
        .bind(now_ms)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
