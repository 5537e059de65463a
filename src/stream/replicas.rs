//! Believing a write only once enough replicas have it.
//!
//! A Redis that fails over to a replica forgets what the replica did not get. So where an installation asks
//! for replicas, what must survive that — entries, leases, plans, attempts, commits — is followed by `WAIT`,
//! and counts as done only when enough replicas have confirmed. What was written and not confirmed stays
//! written; whoever is told so does the step again, and each of these steps can be done again.
//!
//! `WAIT` asks about what its own connection wrote last. Both commands go out together, so no reconnect can
//! come between them, on a connection that nobody else uses: while it waits, everything behind it does.

use std::time::Duration;

use redis::aio::ConnectionManager;
use redis::{Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, Script, ScriptInvocation};

use super::scripts;

/// How long replicas may take. Shorter than what is left of an append's time once it was sent.
const WITHIN: Duration = Duration::from_secs(2);

/// A connection for scripts whose writes must be on replicas.
#[derive(Clone)]
pub(super) struct Replicated {
    connection: ConnectionManager,
    replicas: u16,
}

impl Replicated {
    /// Waits for so many replicas; 0 for none.
    pub fn new(connection: ConnectionManager, replicas: u16) -> Replicated {
        Replicated { connection, replicas }
    }

    /// Runs a script.
    ///
    /// # Errors
    /// Redis's, or that too few replicas confirmed in time.
    pub async fn invoke<T: FromRedisValue>(
        &self,
        script: &Script,
        call: &ScriptInvocation<'_>,
    ) -> Result<T, RedisError> {
        let mut pipeline = redis::pipe();
        pipeline.invoke_script(call);
        self.run(script, pipeline).await
    }

    /// Runs a command that calls a script by its hash.
    ///
    /// # Errors
    /// As [`Self::invoke`].
    pub async fn query<T: FromRedisValue>(&self, script: &Script, command: Cmd) -> Result<T, RedisError> {
        let mut pipeline = redis::pipe();
        pipeline.add_command(command);
        self.run(script, pipeline).await
    }

    async fn run<T: FromRedisValue>(&self, script: &Script, mut pipeline: Pipeline) -> Result<T, RedisError> {
        let mut connection = self.connection.clone();
        if self.replicas > 0 {
            let within = WITHIN.as_millis() as u64;
            pipeline.cmd("WAIT").arg(self.replicas).arg(within);
        }
        let mut answers: Result<Vec<redis::Value>, _> = pipeline.query_async(&mut connection).await;
        if let Err(error) = &answers
            && scripts::is_unknown(error)
        {
            let _: String = script.load_async(&mut connection).await?;
            answers = pipeline.query_async(&mut connection).await;
        }
        let mut answers = answers?.into_iter();
        let answer = answers.next().unwrap_or(redis::Value::Nil);
        if self.replicas > 0 {
            let confirmed = u16::from_redis_value(answers.next().unwrap_or(redis::Value::Nil))?;
            if confirmed < self.replicas {
                let found = format!("{confirmed} of {} within {WITHIN:?}", self.replicas);
                return Err(RedisError::from((
                    ErrorKind::Client,
                    "too few replicas confirmed the write",
                    found,
                )));
            }
        }
        Ok(T::from_redis_value(answer)?)
    }
}
