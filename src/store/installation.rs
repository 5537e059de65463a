//! Numbers of the installation that Redis keeps too: where the two disagree, one of them was replaced or
//! restored from a backup, and the shards must stop rather than reuse a batch number.

use super::{Store, StoreError};

impl Store {
    /// Holds the number of stream shards to what this database was set up with; records it the first time.
    ///
    /// # Errors
    /// [`StoreError::ShardsDiffer`].
    pub async fn settle_shards(&self, shards: u16) -> Result<(), StoreError> {
        match self.recorded("shards").await? {
            None => self.record("shards", shards.into()).await,
            Some(recorded) if recorded == u64::from(shards) => Ok(()),
            Some(recorded) => Err(StoreError::ShardsDiffer {
                recorded,
                asked: shards.into(),
            }),
        }
    }

    /// The incarnation (the high part of batch numbers) that was recorded last; `None` before the first.
    ///
    /// # Errors
    /// When ClickHouse cannot say.
    pub async fn incarnation(&self) -> Result<Option<u64>, StoreError> {
        self.recorded("incarnation").await
    }

    /// Records a new incarnation.
    ///
    /// # Errors
    /// When ClickHouse does not store it.
    pub async fn record_incarnation(&self, incarnation: u64) -> Result<(), StoreError> {
        self.record("incarnation", incarnation).await
    }

    pub(super) async fn recorded(&self, name: &str) -> Result<Option<u64>, StoreError> {
        Ok(self
            .statement(
                "SELECT value FROM installation WHERE name = {name:String} ORDER BY recorded_at DESC, value DESC LIMIT 1",
            )
            .param("name", name)
            .fetch_optional()
            .await?)
    }

    pub(super) async fn record(&self, name: &str, value: u64) -> Result<(), StoreError> {
        Ok(self
            .statement("INSERT INTO installation (name, value) SELECT {name:String}, {value:UInt64}")
            .param("name", name)
            .param("value", value)
            .with_setting("async_insert", "0")
            .execute()
            .await?)
    }
}
