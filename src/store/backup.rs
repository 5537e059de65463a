//! Copies of the whole database by ClickHouse itself (`BACKUP`, `RESTORE`), for the embedded engine.

use super::{Store, StoreError};

/// How long one may take. A copy of 100 GB at 100 MB/s is 17 minutes.
const WITHIN_S: u64 = 6 * 3600;

impl Store {
    /// Copies every table into `file`, an archive (`.tar`) below the engine's `backups` folder. Each table is
    /// copied as it is at one moment; that the moments agree is the caller's business.
    ///
    /// # Errors
    /// What ClickHouse says; a file that is there already is not overwritten.
    pub async fn backup_to(&self, file: &str) -> Result<(), StoreError> {
        let sql = format!("BACKUP DATABASE {} TO File({{file:String}})", self.database);
        self.copying(&sql, file).await
    }

    /// Brings the tables of an archive that [`Store::backup_to`] wrote into an engine that has none.
    ///
    /// # Errors
    /// What ClickHouse says; tables that hold rows already are not touched.
    pub async fn restore_from(&self, file: &str) -> Result<(), StoreError> {
        let sql = format!("RESTORE DATABASE {} FROM File({{file:String}})", self.database);
        self.copying(&sql, file).await
    }

    async fn copying(&self, sql: &str, file: &str) -> Result<(), StoreError> {
        // Ours may not exist yet.
        let unbound = self.writer.clone().with_database("system");
        let query = unbound.query_raw(sql).param("file", file);
        Ok(query
            .with_setting("max_execution_time", WITHIN_S.to_string())
            .execute()
            .await?)
    }

    /// Rows of the raw table, all projects.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn events_stored(&self) -> Result<u64, StoreError> {
        Ok(self.statement("SELECT count() FROM events").fetch_one().await?)
    }
}
