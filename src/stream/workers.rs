//! Which workers live, so that they share the shards.

use std::time::Duration;

use super::{EventStream, StreamError, scripts};

impl EventStream {
    /// Notes that `owner` lives; answers the number of living workers, it included. Once it has been silent for
    /// `ttl` it does not count any more when shards are shared out.
    pub async fn heartbeat(&self, owner: &str, ttl: Duration) -> Result<u64, StreamError> {
        self.beat(owner, ttl.as_millis() as u64).await
    }

    /// Takes `owner` off the list at once, so that the others need not wait.
    pub async fn sign_off(&self, owner: &str) -> Result<(), StreamError> {
        self.beat(owner, 0).await.map(drop)
    }

    pub(super) async fn beat(&self, owner: &str, ttl_ms: u64) -> Result<u64, StreamError> {
        let mut call = scripts::HEARTBEAT.prepare_invoke();
        call.key(self.keys().workers()).arg(owner).arg(ttl_ms);
        Ok(call.invoke_async(&mut self.back()).await?)
    }
}
