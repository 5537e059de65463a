//! Migrations: embedded, checksummed, each run once, in the transaction that records it.

use sha2::{Digest, Sha256};
use sqlx::Row;

use super::{Engine, Meta, MetaError, Result};

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../migrations/meta/", $name, ".sql")))),*]
    };
}

/// Every migration, in order.
const MIGRATIONS: &[(&str, &str)] = embedded![
    "0001_accounts",
    "0002_projects",
    "0003_removals",
    "0004_zone_kept",
    "0006_cohorts",
    "0007_schema_marks",
    "0008_saved",
];

/// A migration that [`Meta::migrate`] ran just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedMigration {
    /// File name without `.sql`.
    pub name: &'static str,
}

impl Meta {
    /// Runs what was not run yet; safe when several processes start together, and on every start.
    /// Refuses when a released migration was edited or the database is of a newer version.
    pub async fn migrate(&self, now_ms: i64) -> Result<Vec<AppliedMigration>> {
        let mut tx = self.write().await?;
        if self.engine == Engine::Postgres {
            // "footfall" as a number. Held until the transaction ends; void is no type of the Any driver.
            sqlx::query("SELECT CAST(pg_advisory_xact_lock(7381246029) AS TEXT)")
                .execute(&mut *tx)
                .await?;
        }
        sqlx::query(
            "CREATE TABLE IF NOT EXISTS migrations (
                 name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)",
        )
        .execute(&mut *tx)
        .await?;
        let recorded = sqlx::query("SELECT name, checksum FROM migrations ORDER BY name")
            .fetch_all(&mut *tx)
            .await?
            .iter()
            .map(|row| Ok((row.try_get("name")?, row.try_get("checksum")?)))
            .collect::<Result<Vec<(String, String)>>>()?;
        if let Some((name, _)) = recorded
            .iter()
            .find(|(name, _)| !MIGRATIONS.iter().any(|(known, _)| known == name))
        {
            return Err(MetaError::Migration(format!(
                "the control database has migration {name}, which this version does not know: run the newer footfall"
            )));
        }
        let mut applied = Vec::new();
        for (name, statements) in MIGRATIONS {
            let checksum = hex(&Sha256::digest(statements.as_bytes()));
            match recorded.iter().find(|(known, _)| known == name) {
                Some((_, then)) if *then == checksum => continue,
                Some(_) => {
                    return Err(MetaError::Migration(format!(
                        "migrations/meta/{name}.sql was edited after it ran on this database"
                    )));
                }
                None => {}
            }
            sqlx::raw_sql(*statements).execute(&mut *tx).await?;
            sqlx::query("INSERT INTO migrations (name, checksum, applied_at) VALUES ($1, $2, $3)")
                .bind(*name)
                .bind(checksum)
                .bind(now_ms)
                .execute(&mut *tx)
                .await?;
            applied.push(AppliedMigration { name });
        }
        tx.commit().await?;
        Ok(applied)
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
