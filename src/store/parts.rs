//! How far merges are behind.

use super::{Store, StoreError, Table};

impl Store {
    /// The most active parts that one partition of the tables of batches has. ClickHouse slows inserts down at
    /// `parts_to_delay_insert` (1,000) and refuses them at `parts_to_throw_insert` (3,000).
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn most_parts(&self) -> Result<u64, StoreError> {
        let tables = [
            Table::Events,
            Table::CountDeltas,
            Table::SketchDeltas,
            Table::ActorDays,
        ];
        Ok(self
            .statement(
                "SELECT max(parts) FROM ( \
                   SELECT count() AS parts FROM system.parts \
                   WHERE database = {database:String} AND has({tables:Array(String)}, table) AND active \
                   GROUP BY table, partition_id)",
            )
            .param("database", &self.database)
            .param("tables", tables.map(Table::name))
            .fetch_one()
            .await?)
    }
}
