//! Lays the tables: numbered statements, each repeatable, each recorded with its checksum.

use clickhouse::Row;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Store, StoreError};

/// A statement of `migrations/clickhouse`.
struct Statement {
    file: &'static str,
    sql: &'static str,
}

macro_rules! statements {
    ($($file:literal),* $(,)?) => {
        &[$(Statement {
            file: $file,
            sql: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/clickhouse/", $file)),
        }),*]
    };
}

/// In this order. The first creates the table that records the others.
const STATEMENTS: &[Statement] = statements![
    "0001_migrations.sql",
    "0002_installation.sql",
    "0003_events.sql",
    "0004_count_deltas.sql",
    "0005_sketch_deltas.sql",
    "0006_counts.sql",
    "0007_sketches.sql",
    "0008_compactions.sql",
    "0009_actor_days.sql",
    "0010_ledger.sql",
    "0011_client_sequences.sql",
    "0012_late_days.sql",
    "0013_identity_edges.sql",
    "0014_identity_rulings.sql",
    "0015_identity_markers.sql",
    "0016_person_map.sql",
    "0017_person_changes.sql",
    "0018_profiles.sql",
    "0019_profile_properties.sql",
    "0020_profile_adds.sql",
    "0024_cohort_members.sql",
    "0025_cohort_sizes.sql",
    "0026_schema_days.sql",
    "0027_schema_looks.sql",
    "0030_events_merges.sql",
    "0031_identity_moves.sql",
    "0032_events_blocks.sql",
];

/// What a file said when it ran somewhere, by its number, where a table that was laid then serves as well: for settings
/// that ClickHouse takes only from the statement that makes the table.
const FORMERLY: &[(u32, &str)] = &[
    // Granules of 8,192 rows.
    (
        3,
        "6038511f7cc419b883821ec98219bd8583aa8387f047ad4d74c923c609282705",
    ),
];

/// The tables that the statements make, one a file: `0003_events.sql` makes `events`.
pub(super) fn table_names() -> impl Iterator<Item = &'static str> {
    let name = |statement: &Statement| statement.file.get(5..)?.strip_suffix(".sql");
    STATEMENTS.iter().filter_map(name)
}

/// A migration that ran now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub version: u32,
    /// Its file in `migrations/clickhouse`.
    pub file: String,
}

#[derive(Row, Deserialize)]
struct Recorded {
    version: u32,
    checksum: String,
}

impl Store {
    /// Creates the database and whatever is missing in it; returns what ran now (nothing, the second time).
    /// Two processes may do it at the same time: every statement is repeatable.
    ///
    /// # Errors
    /// [`StoreError::ChangedMigration`] when a file differs from what ran here, before anything is run.
    pub async fn migrate(&self) -> Result<Vec<Applied>, StoreError> {
        // the database cannot be the session's before it exists
        let create = format!("CREATE DATABASE IF NOT EXISTS {}", self.database);
        self.writer
            .clone()
            .with_database("system")
            .query_raw(&create)
            .execute()
            .await?;
        self.statement(STATEMENTS[0].sql).execute().await?;

        let recorded: Vec<Recorded> = self
            .statement("SELECT version, checksum FROM migrations")
            .fetch_all()
            .await?;
        for statement in STATEMENTS {
            let (version, checksum) = (statement.version(), statement.checksum());
            let mut earlier = recorded.iter().filter(|row| row.version == version);
            if earlier.any(|row| row.checksum != checksum && !is_former(row)) {
                return Err(StoreError::ChangedMigration {
                    file: statement.file.to_owned(),
                });
            }
        }

        let mut applied = Vec::new();
        for statement in STATEMENTS {
            let version = statement.version();
            if recorded.iter().any(|row| row.version == version) {
                continue;
            }
            self.statement(statement.sql).execute().await?;
            self.statement(
                "INSERT INTO migrations (version, name, checksum) \
                 SELECT {version:UInt32}, {name:String}, {checksum:String}",
            )
            .param("version", version)
            .param("name", statement.file)
            .param("checksum", statement.checksum())
            .with_setting("async_insert", "0")
            .execute()
            .await?;
            applied.push(Applied {
                version,
                file: statement.file.to_owned(),
            });
        }
        Ok(applied)
    }
}

/// Whether this is how a file was once, and may have been.
fn is_former(recorded: &Recorded) -> bool {
    FORMERLY
        .iter()
        .any(|(version, checksum)| *version == recorded.version && *checksum == recorded.checksum)
}

impl Statement {
    /// The number that the file's name starts with.
    fn version(&self) -> u32 {
        self.file[..4]
            .parse()
            .expect("a test holds that every file starts with four digits")
    }

    fn checksum(&self) -> String {
        Sha256::digest(self.sql)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_listed_in_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/clickhouse");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let listed: Vec<&str> = STATEMENTS.iter().map(|statement| statement.file).collect();
        assert_eq!(listed, files);
        let versions: Vec<u32> = STATEMENTS.iter().map(Statement::version).collect();
        assert!(versions.is_sorted_by(|one, next| one < next), "{versions:?}");
    }
}
