//! Waiting for entries without asking again and again: a blocking read on a connection of its own.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value};

use super::{EventStream, StreamError};

/// Waits for the entries of one shard.
pub struct Waiter {
    stream: EventStream,
    key: String,
    connection: Option<MultiplexedConnection>,
}

impl EventStream {
    /// A waiter for the shard's entries.
    pub fn waiter(&self, shard: u16) -> Waiter {
        Waiter {
            stream: self.clone(),
            key: self.keys().ev(shard),
            connection: None,
        }
    }
}

impl Waiter {
    /// Returns true as soon as there is an entry after `done`, false when none came within `longest`.
    pub async fn entry_after(&mut self, done: &str, longest: Duration) -> Result<bool, StreamError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.stream.dedicated().await?,
        };
        let mut command = redis::cmd("XREAD");
        command
            .arg("COUNT")
            .arg(1)
            .arg("BLOCK")
            .arg(longest.as_millis().max(1) as u64);
        command.arg("STREAMS").arg(&self.key).arg(done);
        // The connection has no time-out of its own, and one that hung is not used again.
        let answer = tokio::time::timeout(
            longest + Duration::from_secs(2),
            command.query_async(&mut connection),
        );
        let value: Value = answer
            .await
            .map_err(|_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut)))??;
        self.connection = Some(connection);
        Ok(value != Value::Nil)
    }
}
