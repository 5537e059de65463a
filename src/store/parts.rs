//! How far merges are behind.

use super::{Store, StoreError};

impl Store {
    /// The most active parts that one partition of the tables of batches has. ClickHouse slows inserts down at
    /// `parts_to_delay_insert` (1,000) and refuses them at `parts_to_throw_insert` (3,000).
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn most_parts(&self) -> Result<u64, StoreError> {
        Ok(self
            .statement(
                "SELECT max(parts) FROM ( \
                   SELECT count() AS parts FROM system.parts \
                   WHERE database = {database:String} AND active \
                   AND table IN ('events', 'count_deltas', 'sketch_deltas', 'actor_days', 'profiles', 'profile_properties', 'profile_adds', 'ledger') \
                   GROUP BY table, partition_id)",
            )
            .param("database", &self.database)
            .fetch_one()
            .await?)
    }
}
