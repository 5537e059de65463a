//! Child processes: the engines that an installation does not bring itself.
//!
//! [`Engines::start`] starts what has no URL, waits until it answers and keeps it running; nothing here knows
//! what is stored in them. Who holds whom:
//!
//! ```text
//! footfall serve ──pipe──> footfall engine clickhouse   loads libchdb and is ClickHouse      (flock on clickhouse/)
//!          └──────pipe──> footfall engine redis ──────> redis-server                        (flock on redis/)
//! ```
//!
//! However the first one dies, its pipes close and the engines end. An engine that ends by itself is started
//! again ([`child`]); a second start on a directory in use is refused by the lock ([`lock`]). A command joins the
//! engines of a running server instead ([`Engines::attach`]).

pub mod address;
mod attach;
mod chdb;
pub mod checks;
pub mod child;
mod clickhouse;
mod clickhouse_config;
mod directory;
pub mod error;
mod library;
pub mod lock;
pub mod log;
mod memory;
mod redis;
mod runfile;
mod shim;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

pub use address::{ClickHouseAddress, Credentials};
pub use checks::{Check, checks};
pub use error::{EngineError, ProcessError};
pub use redis::policy_warnings as redis_policy_warnings;

use child::Child;
use lock::DirectoryLock;
use runfile::{RunFile, Running};

/// Exit code of an engine process that did not start for a reason that it said in one line.
const REFUSED: u8 = 75;

/// What to start, and from where.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Our own program, which the children are started from: the engines are subcommands of it.
    pub program: PathBuf,
    /// The installation's directory; made when it is not there.
    pub data_dir: PathBuf,
    /// An external ClickHouse; none starts one.
    pub clickhouse_url: Option<String>,
    /// An external Redis; none starts one.
    pub redis_url: Option<String>,
    /// `libchdb.so`, when not in its usual places.
    pub chdb_library: Option<PathBuf>,
    /// `redis-server`, when not the one on the PATH.
    pub redis_server: Option<PathBuf>,
    /// Most bytes of the embedded Redis; none chooses by the machine's memory.
    pub redis_max_memory: Option<u64>,
}

/// The engines of an installation: ours, or somebody else's.
///
/// Dropping it lets ours end by themselves; [`Engines::stop`] waits for that. It does not depend on the runtime
/// that started it, so tests with a runtime each can share one.
pub struct Engines {
    address: ClickHouseAddress,
    redis_url: String,
    redis_embedded: bool,
    /// They run whether we do or not.
    joined: bool,
    clickhouse: Option<Child>,
    redis: Option<Child>,
    /// Tells commands where the embedded ones are.
    run_file: Option<RunFile>,
    /// Of a command that started them for itself.
    turn: Option<DirectoryLock>,
}

impl Engines {
    /// Starts what has no URL, both at once, and waits until it answers. Commands that [`Engines::attach`] join
    /// these engines from now on.
    ///
    /// # Errors
    /// The first engine that cannot run, in words; the other one is stopped again.
    pub async fn start(options: EngineOptions) -> Result<Self, EngineError> {
        let data_dir = options.data_dir.clone();
        let mut engines = Self::start_unannounced(options).await?;
        if engines.clickhouse.is_none() && engines.redis.is_none() {
            return Ok(engines);
        }
        let running = Running {
            clickhouse: engines.address.clone(),
            redis_url: engines.redis_url.clone(),
            redis_embedded: engines.redis_embedded,
        };
        match RunFile::publish(&data_dir, &running) {
            Ok(file) => engines.run_file = Some(file),
            Err(error) => {
                engines.stop().await;
                return Err(error);
            }
        }
        Ok(engines)
    }

    async fn start_unannounced(options: EngineOptions) -> Result<Self, EngineError> {
        let data_dir = &options.data_dir;
        let unusable = |error: EngineError| EngineError::DataDirectory(error.to_string());
        directory::create_private(data_dir).map_err(unusable)?;
        let data_dir = data_dir.canonicalize().map_err(EngineError::file(data_dir))?;
        let logs = data_dir.join("logs");
        directory::create_private(&logs).map_err(unusable)?;

        let clickhouse = async {
            match &options.clickhouse_url {
                Some(url) => ClickHouseAddress::parse(url).map(|address| (None, address)),
                None => {
                    let (child, address) =
                        clickhouse::start(&options, &data_dir, logs.join("clickhouse.log")).await?;
                    Ok((Some(child), address))
                }
            }
        };
        let redis = async {
            match &options.redis_url {
                Some(url) => {
                    warn_of_policy(url).await;
                    Ok((None, url.clone()))
                }
                None => {
                    let (child, url) = redis::start(&options, &data_dir, logs.join("redis.log")).await?;
                    Ok((Some(child), url))
                }
            }
        };
        match futures_util::future::join(clickhouse, redis).await {
            (Ok((clickhouse, address)), Ok((redis, redis_url))) => Ok(Self {
                address,
                redis_url,
                redis_embedded: redis.is_some(),
                joined: false,
                clickhouse,
                redis,
                run_file: None,
                turn: None,
            }),
            (Err(error), Ok((child, _))) => {
                stop_all([&child]).await;
                Err(error)
            }
            (Ok((child, _)), Err(error)) => {
                stop_all([&child]).await;
                Err(error)
            }
            (Err(error), Err(_)) => Err(error),
        }
    }

    /// Where ClickHouse is, and who we are there.
    pub fn clickhouse(&self) -> &ClickHouseAddress {
        &self.address
    }

    /// Where Redis is, in the syntax of the `redis` crate.
    pub fn redis_url(&self) -> &str {
        &self.redis_url
    }

    /// Whether Redis is an embedded one: its default number of shards differs.
    pub fn redis_is_embedded(&self) -> bool {
        self.redis_embedded
    }

    /// Whether they run whether we do or not: another process of the installation may be at work in them.
    pub fn are_joined(&self) -> bool {
        self.joined
    }

    /// The processes that we started and their pids.
    pub fn pids(&self) -> Vec<(&'static str, u32)> {
        let pid = |name, child: &Option<Child>| Some((name, child.as_ref()?.pid()?));
        [pid("clickhouse", &self.clickhouse), pid("redis", &self.redis)]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Waits until an engine has been given up; then the process should end with this error. Never returns
    /// otherwise.
    pub async fn failed(&self) -> ProcessError {
        let failed = async |child: &Option<Child>| match child {
            Some(child) => child.failed().await,
            None => std::future::pending().await,
        };
        tokio::select! {
            error = failed(&self.clickhouse) => error,
            error = failed(&self.redis) => error,
        }
    }

    /// Ends our engines cleanly and waits for them; joined ones run on. Capture and workers must have stopped
    /// before.
    pub async fn stop(&self) {
        if let Some(file) = &self.run_file {
            file.withdraw();
        }
        stop_all([&self.clickhouse, &self.redis]).await;
    }
}

async fn stop_all(children: impl IntoIterator<Item = &Option<Child>>) {
    futures_util::future::join_all(children.into_iter().flatten().map(Child::stop)).await;
}

/// An external Redis may be weaker than its owner knows. A server that cannot be asked is the stream's to report.
async fn warn_of_policy(url: &str) {
    for warning in redis::policy_warnings(url).await.unwrap_or_default() {
        tracing::warn!("the external Redis can lose events: {warning}");
    }
}

/// The hidden `footfall engine …`: what our children are.
#[derive(Debug, clap::Subcommand)]
pub enum EngineCommand {
    /// Be ClickHouse until stdin ends.
    Clickhouse(clickhouse::ClickHouseCommand),
    /// Run a redis-server until stdin ends.
    Redis(redis::RedisCommand),
    /// Become a program that the kernel ends when its parent does.
    Leash {
        /// The parent's pid.
        #[arg(long)]
        parent: u32,
        /// Program and arguments.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

/// Runs an engine on the calling thread, which must be the main one, before any runtime was started. The
/// reason of a refusal is the last line on stderr.
pub fn run(command: &EngineCommand) -> ExitCode {
    let result = match command {
        EngineCommand::Clickhouse(command) => clickhouse::run(command),
        EngineCommand::Redis(command) => redis::run(command),
        EngineCommand::Leash { parent, command } => Err(shim::leash(*parent, command)),
    };
    result.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::from(REFUSED)
    })
}
