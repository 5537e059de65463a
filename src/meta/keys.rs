//! Keys of projects, and the snapshot of all of them that capture keeps in memory.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};
use utoipa::ToSchema;
use uuid::Uuid;

use super::key_text::{self, KeyKind, digest, parse_key};
use super::projects::read_zone;
use super::tombstones::{ProjectTombstones, Tombstones};
use super::{Meta, MetaError, Moment, Page, Paged, Result, new_id, raise_version, uuid_at};
use crate::event::{ProjectNumber, Zone};

/// How long a use of a key may stay unwritten, in milliseconds.
const TOUCH_EVERY_MS: i64 = 60_000;

/// A key of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"id": "019ab2c4-8011-7f4e-b1f0-3f0f6a1d9c55", "kind": "write", "name": "Web shop",
    "prefix": "ffp_live_Ab3d", "last4": "9xQz", "created_at": "2026-11-23T10:15:00Z", "last_used_at": null,
    "key": "ffp_live_Ab3dEf6hIj9lMn2pQr5tUv8xYz10ab9xQz"}))]
pub struct ApiKey {
    /// The key's id (not the key).
    pub id: Uuid,
    /// What the key is good for.
    pub kind: KeyKind,
    /// What people call it.
    pub name: String,
    /// How the key begins.
    pub prefix: String,
    /// How the key ends.
    pub last4: String,
    /// When it was created.
    pub created_at: Moment,
    /// When it was used last, to the minute; null: never.
    #[schema(required)]
    pub last_used_at: Option<Moment>,
    /// The key itself. Always shown for write keys, which are public; for secret keys only in the answer to
    /// their creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What a presented key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// The project as ClickHouse and Redis know it.
    pub project: ProjectNumber,
    /// The project's zone.
    pub zone: Zone,
    /// What the key is good for.
    pub kind: KeyKind,
    /// The project's id.
    pub project_id: Uuid,
    /// The key's id, for [`Meta::touch_key`].
    pub key_id: Uuid,
    /// What the project must not take again; `None` where nothing was removed.
    pub tombstones: Option<Arc<ProjectTombstones>>,
}

/// Every valid key at one moment.
#[derive(Clone, Debug, Default)]
pub struct KeySnapshot {
    /// [`Meta::version`] read before the keys were: when it moved on, the snapshot may be behind.
    pub version: i64,
    /// By the key itself (write keys) or its [`digest`] (secret keys): the plain secret is nowhere.
    pub by_key: HashMap<String, KeyInfo>,
    /// What each project must not take again, that of deleted ones too.
    pub tombstones: Tombstones,
}

impl KeySnapshot {
    /// What a presented key stands for. A malformed one costs a checksum, no lookup.
    pub fn find(&self, presented: &str) -> Option<&KeyInfo> {
        match parse_key(presented)? {
            KeyKind::Write => self.by_key.get(presented),
            KeyKind::Secret => self.by_key.get(&digest(presented)),
        }
    }
}

macro_rules! info_select {
    ($tail:literal) => {
        concat!(
            "SELECT k.id, k.kind, k.lookup, k.project_id, p.number, p.timezone FROM api_keys k
             JOIN projects p ON p.id = k.project_id WHERE k.revoked_at IS NULL AND p.deleted_at IS NULL ",
            $tail
        )
    };
}

impl Meta {
    /// The keys of a project that are not revoked.
    pub async fn keys(&self, project: Uuid, page: Page) -> Result<Paged<ApiKey>> {
        let rows = sqlx::query(
            "SELECT id, kind, name, lookup, prefix, last4, created_at, last_used_at FROM api_keys
             WHERE project_id = $1 AND revoked_at IS NULL AND id > $2 ORDER BY id LIMIT $3",
        )
        .bind(project.to_string())
        .bind(page.after_text())
        .bind(page.fetch())
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(read_key)
        .collect::<Result<Vec<_>>>()?;
        Ok(Paged::cut(rows, page, |key| key.id))
    }

    /// Creates a key. The answer is the only place where a secret one is ever readable.
    pub async fn create_key(&self, project: Uuid, kind: KeyKind, name: &str, now_ms: i64) -> Result<ApiKey> {
        let mut tx = self.write().await?;
        let key = insert(&mut tx, project, kind, name, now_ms).await?;
        raise_version(&mut tx).await?;
        tx.commit().await?;
        Ok(key)
    }

    /// Revokes a key of a project.
    pub async fn revoke_key(&self, project: Uuid, key: Uuid, now_ms: i64) -> Result<()> {
        let mut tx = self.write().await?;
        let revoked = sqlx::query(
            "UPDATE api_keys SET revoked_at = $3 WHERE project_id = $1 AND id = $2 AND revoked_at IS NULL",
        )
        .bind(project.to_string())
        .bind(key.to_string())
        .bind(now_ms)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if revoked == 0 {
            return Err(MetaError::NotFound("key"));
        }
        raise_version(&mut tx).await?;
        tx.commit().await.map_err(MetaError::from)
    }

    /// Every valid key of every project, and every tombstone. Of the latter only what is newer than `before` is
    /// read.
    pub async fn key_snapshot(&self, before: &KeySnapshot) -> Result<KeySnapshot> {
        // Version first: a change between the two reads is then seen as one more move, never missed.
        let version = self.version().await?;
        let tombstones = self.tombstones_after(&before.tombstones, before.version).await?;
        let by_key = sqlx::query(info_select!(""))
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(|row| {
                let mut info = read_info(row)?;
                info.tombstones = tombstones.get(&info.project).cloned();
                Ok((row.try_get("lookup")?, info))
            })
            .collect::<Result<_>>()?;
        Ok(KeySnapshot {
            version,
            by_key,
            tombstones,
        })
    }

    /// What a presented key stands for, asked from the database: exact to the moment.
    pub async fn find_key(&self, presented: &str) -> Result<Option<KeyInfo>> {
        let lookup = match parse_key(presented) {
            Some(KeyKind::Write) => presented.to_owned(),
            Some(KeyKind::Secret) => digest(presented),
            None => return Ok(None),
        };
        let row = sqlx::query(info_select!("AND k.lookup = $1"))
            .bind(lookup)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read_info).transpose()
    }

    /// Whether a key that was found earlier is still in force.
    pub async fn key_is_valid(&self, key: Uuid) -> Result<bool> {
        let row = sqlx::query(info_select!("AND k.id = $1"))
            .bind(key.to_string())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.is_some())
    }

    /// Notes that a key was used; written at most once a minute per key and process.
    pub async fn touch_key(&self, key: Uuid, now_ms: i64) -> Result<()> {
        if self.touch_is_due(key, now_ms) {
            self.write_touch(key, now_ms).await?;
        }
        Ok(())
    }

    /// Whether the use of a key is to be written down now: at most once a minute per key and process. Who is
    /// told so calls [`Meta::write_touch`].
    pub fn touch_is_due(&self, key: Uuid, now_ms: i64) -> bool {
        let mut touched = self
            .touched
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        match touched.get_mut(&key) {
            Some(then) if now_ms - *then < TOUCH_EVERY_MS => false,
            Some(then) => {
                *then = now_ms;
                true
            }
            None => {
                touched.insert(key, now_ms);
                true
            }
        }
    }

    /// Writes the use of a key down, unless that was done less than a minute ago.
    pub async fn write_touch(&self, key: Uuid, now_ms: i64) -> Result<()> {
        sqlx::query(
            "UPDATE api_keys SET last_used_at = $2
             WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)",
        )
        .bind(key.to_string())
        .bind(now_ms)
        .bind(now_ms - TOUCH_EVERY_MS)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// Inserts a key. The caller raises the version.
pub(super) async fn insert(
    tx: &mut Transaction<'static, Any>,
    project: Uuid,
    kind: KeyKind,
    name: &str,
    now_ms: i64,
) -> Result<ApiKey> {
    let id = new_id(now_ms);
    let key = key_text::generate(kind)?;
    let shown = key_text::public_part(&key, kind);
    let lookup = match kind {
        KeyKind::Write => key.clone(),
        KeyKind::Secret => digest(&key),
    };
    sqlx::query(
        "INSERT INTO api_keys (id, project_id, kind, name, lookup, prefix, last4, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id.to_string())
    .bind(project.to_string())
    .bind(kind.as_str())
    .bind(name)
    .bind(lookup)
    .bind(&shown.prefix)
    .bind(&shown.last4)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(ApiKey {
        id,
        kind,
        name: name.to_owned(),
        prefix: shown.prefix,
        last4: shown.last4,
        created_at: Moment(now_ms),
        last_used_at: None,
        key: Some(key),
    })
}

fn read_kind(row: &AnyRow) -> Result<KeyKind> {
    match row.try_get::<String, _>("kind")?.as_str() {
        "write" => Ok(KeyKind::Write),
        "secret" => Ok(KeyKind::Secret),
        other => Err(MetaError::Stored(format!("kind: {other}"))),
    }
}

fn read_key(row: &AnyRow) -> Result<ApiKey> {
    let kind = read_kind(row)?;
    Ok(ApiKey {
        id: uuid_at(row, "id")?,
        kind,
        name: row.try_get("name")?,
        prefix: row.try_get("prefix")?,
        last4: row.try_get("last4")?,
        created_at: Moment(row.try_get("created_at")?),
        last_used_at: row.try_get::<Option<i64>, _>("last_used_at")?.map(Moment),
        key: match kind {
            KeyKind::Write => Some(row.try_get("lookup")?),
            KeyKind::Secret => None,
        },
    })
}

fn read_info(row: &AnyRow) -> Result<KeyInfo> {
    Ok(KeyInfo {
        project: super::projects::read_number(row)?,
        zone: read_zone(row)?,
        kind: read_kind(row)?,
        project_id: uuid_at(row, "project_id")?,
        key_id: uuid_at(row, "id")?,
        tombstones: None,
    })
}
