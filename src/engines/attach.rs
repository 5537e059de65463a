//! Joining an installation: through the server that runs on the directory, else with engines of our own.
//!
//! ```text
//! run file of a living server  --> its engines; they outlive us
//! nobody holds an engine's directory --> ours, one command after the other (lock of the data directory)
//! a server starts or ends, a command works --> wait
//! ```

use std::path::Path;
use std::time::{Duration, Instant};

use super::lock::{self, DirectoryLock};
use super::runfile::Running;
use super::{ClickHouseAddress, EngineError, EngineOptions, Engines, directory};

/// How long a command waits for a server that starts or ends, or for another command.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl Engines {
    /// Joins the engines of the server that runs on this data directory; where none runs, starts them as
    /// [`Engines::start`] does, and other commands wait until they have ended. An engine with a URL is used as
    /// the URL says.
    ///
    /// # Errors
    /// As [`Engines::start`]; [`EngineError::InUse`] after a minute of waiting.
    pub async fn attach(options: EngineOptions) -> Result<Self, EngineError> {
        if let (Some(clickhouse), Some(redis)) = (&options.clickhouse_url, &options.redis_url) {
            return Ok(Engines::joined(
                ClickHouseAddress::parse(clickhouse)?,
                redis.clone(),
                false,
            ));
        }
        let unusable = |error: EngineError| EngineError::DataDirectory(error.to_string());
        directory::create_private(&options.data_dir).map_err(unusable)?;
        let data_dir = options
            .data_dir
            .canonicalize()
            .map_err(EngineError::file(&options.data_dir))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(running) = Running::find(&data_dir) {
                return Engines::join(&options, running);
            }
            let mut refusal = match in_use(&data_dir) {
                Some(refusal) => refusal,
                None => match alone(&options, &data_dir).await {
                    Ok(engines) => return Ok(engines),
                    // A server or another command was faster.
                    Err(error) if in_use(&data_dir).is_some() => error,
                    Err(error @ EngineError::InUse { .. }) => error,
                    Err(error) => return Err(error),
                },
            };
            if Instant::now() >= deadline {
                if let Some(held) = in_use(&data_dir) {
                    refusal = held;
                }
                return Err(refusal);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The engines of `running`, but for those that have a URL of their own.
    fn join(options: &EngineOptions, running: Running) -> Result<Self, EngineError> {
        let clickhouse = match &options.clickhouse_url {
            Some(url) => ClickHouseAddress::parse(url)?,
            None => running.clickhouse,
        };
        Ok(match &options.redis_url {
            Some(url) => Engines::joined(clickhouse, url.clone(), false),
            None => Engines::joined(clickhouse, running.redis_url, running.redis_embedded),
        })
    }

    fn joined(address: ClickHouseAddress, redis_url: String, redis_embedded: bool) -> Self {
        Self {
            address,
            redis_url,
            redis_embedded,
            joined: true,
            clickhouse: None,
            redis: None,
            run_file: None,
            turn: None,
        }
    }
}

/// Engines of our own, and the turn that keeps other commands waiting.
async fn alone(options: &EngineOptions, data_dir: &Path) -> Result<Engines, EngineError> {
    let turn = DirectoryLock::take(data_dir, Duration::ZERO)?;
    let mut engines = Engines::start_unannounced(options.clone()).await?;
    engines.turn = Some(turn);
    Ok(engines)
}

/// Who holds an engine's directory right now, as the refusal that says so.
fn in_use(data_dir: &Path) -> Option<EngineError> {
    ["clickhouse", "redis"].iter().find_map(|engine| {
        let directory = data_dir.join(engine);
        let pid = lock::held_by(&directory)?;
        Some(EngineError::InUse { directory, pid })
    })
}
