//! The control database: accounts, projects and keys, in SQLite or PostgreSQL through one portable SQL.
//!
//! The SQL uses only what both engines share: TEXT, BIGINT and DOUBLE PRECISION, booleans as 0 and 1, times as
//! UTC milliseconds, `$1`, `ON CONFLICT`, `RETURNING`; order and cursors go by ids only (UUIDv7, so that the
//! order of ids is the order of creation), because the engines sort text differently.
//!
//! Time is an argument. Nothing here knows HTTP, Redis or ClickHouse.

mod accounts;
mod cohorts;
mod copy;
mod erasures;
mod error;
mod key_text;
mod keys;
mod marks;
mod members;
mod migrate;
mod page;
mod password;
mod projects;
mod registry;
mod retention;
mod saved;
mod sessions;
mod tombstones;
mod zones;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::{Any, AnyPool, Row, Transaction};
use uuid::Uuid;

pub use accounts::{Credentials, Organization, Registered, Registration, User};
pub use cohorts::{Cohort, CohortChange, DueCohort, MAX_COHORTS};
pub use erasures::{
    Certificate, Erasure, ErasureCounts, ErasureKind, ErasureState, MOST_NAMED, NamedIn, NewErasure, Open,
    Progress, RemovedCounts, TheirId,
};
pub use error::MetaError;
pub use key_text::{KeyKind, PublicPart, digest, parse_key};
pub use keys::{ApiKey, KeyInfo, KeySnapshot};
pub use marks::{MOST_MARKS, Mark, MarkChange, Named};
pub use members::{AddedMember, Member, NewMember, Role};
pub use migrate::AppliedMigration;
pub use page::{Moment, Page, Paged};
pub use password::{hash_password, verify_password};
pub use projects::{Project, ProjectChange, ProjectUpdate};
pub use registry::KeyRegistry;
pub use retention::Cutoff;
pub use saved::{Draft, Hand, KEPT_VERSIONS, SavedFilter, SavedItem, SavedKind, SavedVersion};
pub use sessions::{GRACE_MS, OpenSession, REFRESH_TOKEN_LIFE_MS, Rotation};
pub use tombstones::{Gone, Known, ProjectTombstones, Tombstones};
pub use zones::ZoneChange;

/// What every call of this room answers with.
pub type Result<T> = std::result::Result<T, MetaError>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Sqlite,
    Postgres,
}

/// The control database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Meta {
    pool: AnyPool,
    engine: Engine,
    /// When each key's use was written down last, so that a busy key costs one write a minute.
    touched: Arc<Mutex<HashMap<Uuid, i64>>>,
}

impl Meta {
    /// Refuses what [`Meta::connect`] would not even try.
    pub fn check_url(url: &str) -> Result<()> {
        engine_of(url).map(|_| ())
    }

    /// Opens `sqlite:path` (created when missing) or `postgres://…`. Nothing is migrated yet.
    pub async fn connect(url: &str) -> Result<Meta> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let engine = engine_of(url)?;
        let url = match engine {
            Engine::Sqlite if !url.contains("mode=") => {
                format!("{url}{}mode=rwc", if url.contains('?') { '&' } else { '?' })
            }
            _ => url.to_owned(),
        };
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(10))
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if engine == Engine::Sqlite {
                        // FULL: a revoked key or session must not come back after a power cut.
                        sqlx::raw_sql(
                            "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL;
                             PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
                        )
                        .execute(&mut *connection)
                        .await?;
                    }
                    Ok(())
                })
            })
            .connect(&url)
            .await?;
        Ok(Meta {
            pool,
            engine,
            touched: Arc::default(),
        })
    }

    /// Answers whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// `sqlite` or `postgresql`.
    pub fn engine(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgresql",
        }
    }

    /// Closes every connection; SQLite folds its journal back into the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Begins a transaction that will write. SQLite takes its single write lock at once: a transaction that
    /// reads first and writes later could fail half-way with "database is locked".
    async fn write(&self) -> Result<Transaction<'static, Any>> {
        Ok(match self.engine {
            Engine::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await?,
            Engine::Postgres => self.pool.begin().await?,
        })
    }

    /// The version of everything that a [`KeySnapshot`] holds and of what the api remembers of its callers: it moves
    /// with every change of a key, a project or a zone and with every member's new role or removal, in the
    /// transaction of the change.
    pub async fn version(&self) -> Result<i64> {
        let row = sqlx::query("SELECT value FROM versions WHERE name = 'keys'")
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map_or(Ok(0), |row| row.try_get("value"))?)
    }
}

fn engine_of(url: &str) -> Result<Engine> {
    if url.starts_with("sqlite:") {
        Ok(Engine::Sqlite)
    } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        Ok(Engine::Postgres)
    } else {
        Err(MetaError::UnknownEngine)
    }
}

impl Meta {
    /// Moves [`Meta::version`] to `least` if it lies before it: a control database that was restored from an older
    /// copy must not stand behind what the stream was told.
    pub async fn version_at_least(&self, least: i64) -> Result<()> {
        sqlx::query(
            "INSERT INTO versions (name, value) VALUES ('keys', $1)
             ON CONFLICT (name) DO UPDATE SET value = $1 WHERE versions.value < $1",
        )
        .bind(least)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// Moves [`Meta::version`] and answers where it is then.
async fn raise_version(tx: &mut Transaction<'static, Any>) -> Result<i64> {
    let row = sqlx::query(
        "INSERT INTO versions (name, value) VALUES ('keys', 1)
         ON CONFLICT (name) DO UPDATE SET value = versions.value + 1 RETURNING value",
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(row.try_get("value")?)
}

/// A new id whose order is the order of creation (to the millisecond).
fn new_id(now_ms: i64) -> Uuid {
    let now_ms = now_ms.max(0) as u64;
    Uuid::new_v7(uuid::Timestamp::from_unix(
        uuid::NoContext,
        now_ms / 1000,
        (now_ms % 1000) as u32 * 1_000_000,
    ))
}

/// 32 random bytes from the operating system.
fn random_bytes() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| MetaError::Random(error.to_string()))?;
    Ok(bytes)
}

/// Reads a UUID that is stored as text.
fn uuid_at(row: &AnyRow, column: &'static str) -> Result<Uuid> {
    let text: String = row.try_get(column)?;
    Uuid::parse_str(&text).map_err(|error| MetaError::Stored(format!("{column}: {error}")))
}
