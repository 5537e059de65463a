//! Engines in a folder of their own, and the program's roles as processes beside them.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use footfall::engines::Engines;
use footfall::store::{Credentials, Store, StoreOptions};
use footfall::stream::{EventStream, StreamOptions};
use rustix::process::{Pid, Signal, kill_process};

use crate::engines::{self, process::Process};

/// Running engines.
pub struct Installation {
    folder: tempfile::TempDir,
    engines: Engines,
    shards: u16,
}

/// A database, a key prefix, and what lies in them.
pub struct Rooms {
    pub store: Store,
    pub stream: EventStream,
}

/// A process with some of the roles.
pub struct Role {
    child: Child,
    log: PathBuf,
}

impl Installation {
    /// Starts ClickHouse and Redis.
    pub async fn start(shards: u16) -> anyhow::Result<Installation> {
        let folder = tempfile::Builder::new().prefix("footfall-bench-").tempdir()?;
        let engines = engines::start(folder.path()).await?;
        Ok(Installation {
            folder,
            engines,
            shards,
        })
    }

    /// The engines' own processes.
    pub fn engines(&self) -> Vec<Process> {
        engines::processes(&self.engines)
    }

    /// An empty database and stream. The window of event ids is off: it is the endpoint's cost.
    pub async fn rooms(&self, name: &str) -> anyhow::Result<Rooms> {
        let at = self.engines.clickhouse();
        let account = |who: &footfall::engines::Credentials| Credentials {
            user: who.user.clone(),
            password: who.password.clone(),
        };
        let store = Store::connect(StoreOptions {
            url: at.url.clone(),
            database: database(name),
            writer: account(&at.writer),
            reader: account(&at.reader),
        })
        .await?;
        store.migrate().await?;
        let stream = EventStream::connect(&StreamOptions {
            url: self.engines.redis_url().to_owned(),
            prefix: format!("{name}:"),
            shards: self.shards,
            max_entries: 10_000_000,
            request_key_ttl_s: 86_400,
            dedup_window_s: 0,
            min_replicas: 0,
        })
        .await?;
        Ok(Rooms { store, stream })
    }

    /// Starts `footfall serve` with these roles on the rooms of this name.
    pub fn serve(&self, name: &str, roles: &str) -> anyhow::Result<Role> {
        let at = self.engines.clickhouse();
        let host = at.url.trim_start_matches("http://");
        let url = format!(
            "http://{}:{}@{host}/{}",
            at.writer.user,
            at.writer.password,
            database(name)
        );
        let log = self.folder.path().join(format!("{name}.log"));
        let child = Command::new(env!("CARGO_BIN_EXE_footfall"))
            .args(["serve", "--listen", "127.0.0.1:0", "--roles", roles, "--data-dir"])
            .arg(self.folder.path().join(name))
            .args(["--shards", &self.shards.to_string()])
            .args(["--redis-prefix", &format!("{name}:")])
            .env("FOOTFALL_CLICKHOUSE_URL", url)
            .env("FOOTFALL_REDIS_URL", self.engines.redis_url())
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(log.with_extension("out"))?)
            .stderr(std::fs::File::create(&log)?)
            .spawn()
            .context("starting footfall serve")?;
        Ok(Role { child, log })
    }

    /// Stops the engines.
    pub async fn stop(self) {
        self.engines.stop().await;
    }
}

fn database(name: &str) -> String {
    format!("footfall_{name}")
}

impl Rooms {
    /// Rows in `events`.
    pub async fn stored(&self) -> anyhow::Result<u64> {
        Ok(self.store.rows_by_shard().await?.values().sum())
    }

    /// Rows that are committed.
    pub async fn committed(&self) -> anyhow::Result<u64> {
        let mut rows = 0;
        for shard in 0..self.stream.shards() {
            rows += self.stream.shard_counters(shard).await?.rows_out;
        }
        Ok(rows)
    }
}

impl Role {
    /// As a process to be measured.
    pub fn process(&self, name: &'static str) -> Process {
        Process {
            name,
            pid: self.child.id(),
        }
    }

    /// The address that it prints once it listens.
    pub async fn url(&mut self) -> anyhow::Result<String> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let printed = std::fs::read_to_string(self.log.with_extension("out"))?;
            if let Some((_, rest)) = printed.split_once("http://") {
                let address: String = rest.chars().take_while(|c| !c.is_whitespace()).collect();
                return Ok(format!("http://{}", address.trim_end_matches('/')));
            }
            if Instant::now() > deadline || self.child.try_wait()?.is_some() {
                bail!("footfall serve does not listen; its log:\n{}", self.words());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Lines of its log that are warnings or errors.
    pub fn complaints(&self) -> Vec<String> {
        let words = self.words();
        let lines = words
            .lines()
            .filter(|line| line.contains("WARN") || line.contains("ERROR"));
        lines.map(str::to_owned).collect()
    }

    fn words(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Asks it to stop, as Ctrl-C does, and says how long that took.
    pub async fn stop(mut self) -> anyhow::Result<Duration> {
        let asked = Instant::now();
        let pid = Pid::from_raw(self.child.id() as i32).context("a pid")?;
        kill_process(pid, Signal::TERM)?;
        while self.child.try_wait()?.is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(asked.elapsed())
    }
}
