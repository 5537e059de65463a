//! An installation of separate roles: two engines, a capture process, two workers and an api process, each of
//! which can be killed, frozen and started again by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::process::Signal;

use super::client::Address;
use super::engine::Engine;
use super::installation::{Installation, Running, START, Victim};
use super::until;

/// Shards of the stream: two for each worker.
pub const SHARDS: u16 = 4;
/// Seconds that a worker's shards stay its own when it falls silent.
pub const LEASE_S: u64 = 2;

/// A process of the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    ClickHouse,
    Redis,
    Capture,
    WorkerOne,
    WorkerTwo,
    Api,
}

impl Part {
    pub const ALL: [Part; 6] = [
        Part::ClickHouse,
        Part::Redis,
        Part::Capture,
        Part::WorkerOne,
        Part::WorkerTwo,
        Part::Api,
    ];

    /// What figures are kept by.
    pub fn name(self) -> &'static str {
        match self {
            Part::ClickHouse => "clickhouse",
            Part::Redis => "redis",
            Part::Capture => "capture",
            Part::WorkerOne | Part::WorkerTwo => "worker",
            Part::Api => "api",
        }
    }

    /// The folder of a role's process, and the job that it has.
    fn role(self) -> Option<(&'static str, &'static str)> {
        match self {
            Part::Capture => Some(("capture", "capture")),
            Part::WorkerOne => Some(("worker-one", "worker")),
            Part::WorkerTwo => Some(("worker-two", "worker")),
            Part::Api => Some(("api", "api")),
            Part::ClickHouse | Part::Redis => None,
        }
    }
}

/// The running installation.
pub struct Cluster {
    pub clickhouse: Engine,
    pub redis: Engine,
    /// Where events are sent.
    pub capture: Address,
    /// Where questions are asked.
    pub api: Address,
    roles: BTreeMap<Part, Running>,
    /// More environment of the processes that are started from now on.
    settings: BTreeMap<&'static str, String>,
    /// Last, so that whoever is left is killed when everything above is gone.
    installation: Installation,
}

impl Cluster {
    /// Starts all of it on empty directories.
    pub async fn start() -> Cluster {
        Cluster::start_with(&[]).await
    }

    /// The same with more environment.
    pub async fn start_with(settings: &[(&'static str, &str)]) -> Cluster {
        let installation = Installation::new();
        let mut cluster = Cluster {
            clickhouse: Engine::clickhouse(installation.folder()),
            redis: Engine::redis(installation.folder()),
            capture: Address::default(),
            api: Address::default(),
            roles: BTreeMap::new(),
            settings: BTreeMap::new(),
            installation,
        };
        cluster.set("FOOTFALL_LEASE_S", &LEASE_S.to_string());
        for (name, value) in settings {
            cluster.set(name, value);
        }
        for part in Part::ALL {
            cluster.restart(part).await;
        }
        cluster
    }

    /// Sets what processes that start from now on find in their environment.
    pub fn set(&mut self, name: &'static str, value: &str) {
        self.settings.insert(name, value.to_owned());
    }

    /// Takes a setting away again.
    pub fn unset(&mut self, name: &'static str) {
        self.settings.remove(name);
    }

    /// The control database.
    pub fn meta_url(&self) -> String {
        format!(
            "sqlite:{}",
            self.installation.folder().join("meta.sqlite").display()
        )
    }

    fn environment(&self) -> Vec<(&str, String)> {
        let fixed = [
            ("FOOTFALL_CLICKHOUSE_URL", self.clickhouse.url()),
            ("FOOTFALL_REDIS_URL", self.redis.url()),
            ("FOOTFALL_DATABASE_URL", self.meta_url()),
            ("FOOTFALL_SHARDS", SHARDS.to_string()),
            ("FOOTFALL_SIGNING_SECRET", "crash".repeat(8)),
            ("FOOTFALL_OPEN_SIGNUP", "true".to_owned()),
        ];
        let settings = self.settings.iter().map(|(name, value)| (*name, value.clone()));
        fixed.into_iter().chain(settings).collect()
    }

    /// Starts a part that does not run, again and again as a supervisor does: a role that meets an engine which is
    /// away ends with a word.
    pub async fn restart(&mut self, part: Part) {
        let Some((folder, job)) = part.role() else {
            return self.engine(part).start().await;
        };
        let mut running = None;
        let url = until("the role has started", START, async || {
            let process = match &mut running {
                Some(process) => process,
                None => running.insert(self.installation.start_beside(
                    folder,
                    &["serve", "--roles", job],
                    &self.environment(),
                )),
            };
            let url = process.said("listens on");
            if url.is_none() && process.ended().is_some() {
                running = None;
            }
            url
        })
        .await;
        match part {
            Part::Capture => self.capture.set(url),
            Part::Api => self.api.set(url),
            _ => {}
        }
        self.roles.insert(part, running.expect("it said so"));
    }

    /// Either engine.
    pub fn engine(&mut self, part: Part) -> &mut Engine {
        match part {
            Part::ClickHouse => &mut self.clickhouse,
            _ => &mut self.redis,
        }
    }

    /// Kills a part without a warning. One that does not run is not hit.
    pub async fn kill(&mut self, part: Part) {
        if part.role().is_none() {
            self.engine(part).kill();
        } else if let Some(mut running) = self.roles.remove(&part) {
            running.kill(Victim::Main).await;
        }
    }

    /// Sends a part a signal that does not end it.
    pub fn signal(&mut self, part: Part, signal: Signal) {
        match self.roles.get(&part) {
            Some(running) => running.main.signal(signal),
            None => self.engine(part).signal(signal),
        }
    }

    /// Runs a command of the installation to its end, which must be a good one.
    pub async fn run(&self, arguments: &[&str]) {
        let mut running = self
            .installation
            .start_beside("command", arguments, &self.environment());
        let status = running.end(START).await;
        assert!(status.success(), "{arguments:?}: {}", running.last_words());
    }

    /// Ends a role as an operator does.
    pub async fn stop(&mut self, part: Part) {
        if let Some(mut running) = self.roles.remove(&part) {
            running.stop(Signal::TERM).await;
        }
    }

    /// What a role wrote into its log.
    pub fn log(&self, part: Part) -> String {
        self.roles.get(&part).map_or_else(String::new, Running::whole_log)
    }

    /// Rows that workers have committed, and whether anything waits; `None` while Redis is away.
    pub async fn progress(&self) -> Option<Progress> {
        let look = async {
            let mut connection = self.redis.connection().await?;
            let mut progress = Progress::default();
            for shard in 0..SHARDS {
                let (state, entries): ((Option<u64>, Option<u64>), u64) = redis::pipe()
                    .cmd("HMGET")
                    .arg(format!("ff:st:{{s{shard}}}"))
                    .arg("rows_out")
                    .arg("p_seq")
                    .cmd("XLEN")
                    .arg(format!("ff:ev:{{s{shard}}}"))
                    .query_async(&mut connection)
                    .await?;
                progress.committed += state.0.unwrap_or(0);
                progress.planned += u64::from(state.1.is_some());
                progress.waiting += entries;
            }
            redis::RedisResult::Ok(progress)
        };
        let answer = tokio::time::timeout(Duration::from_secs(2), look).await;
        answer.ok()?.ok()
    }

    /// Waits until nothing waits for the tables.
    pub async fn drained(&self, within: Duration) {
        until("everything is in the tables", within, async || {
            let progress = self.progress().await?;
            (progress.planned == 0 && progress.waiting == 0).then_some(())
        })
        .await;
    }

    /// Waits until workers commit something more.
    pub async fn works(&self, within: Duration) {
        let mut before = None;
        until("a worker commits", within, async || {
            let now = self.progress().await?.committed;
            (now > *before.get_or_insert(now)).then_some(())
        })
        .await;
    }

    /// Waits until each of the two workers has half of the shards.
    pub async fn shared_out(&self) {
        until("the workers share the shards", START, async || {
            let mut connection = self.redis.connection().await.ok()?;
            let keys: Vec<String> = (0..SHARDS)
                .map(|shard| format!("ff:lease:{{s{shard}}}"))
                .collect();
            let leases: Vec<Option<String>> = redis::cmd("MGET")
                .arg(&keys)
                .query_async(&mut connection)
                .await
                .ok()?;
            let mut owners = BTreeMap::<String, u16>::new();
            for lease in leases {
                *owners.entry(lease?.split(':').next()?.to_owned()).or_default() += 1;
            }
            owners.values().eq([SHARDS / 2, SHARDS / 2].iter()).then_some(())
        })
        .await;
    }

    /// A setting of the running Redis.
    pub async fn configure_redis(&self, name: &str, value: &str) {
        let mut set = redis::cmd("CONFIG");
        set.arg("SET").arg(name).arg(value);
        let mut connection = self.redis.connection().await.expect("Redis");
        set.exec_async(&mut connection).await.expect("set");
    }

    /// Ends everything; nothing is left running.
    pub async fn end(mut self) {
        for part in [Part::Capture, Part::WorkerOne, Part::WorkerTwo, Part::Api] {
            self.stop(part).await;
        }
        self.clickhouse.kill();
        self.redis.kill();
        self.installation.nobody_is_left().await;
    }
}

/// How far the workers have come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Rows in committed batches.
    pub committed: u64,
    /// Shards with a batch under way.
    pub planned: u64,
    /// Entries in the streams.
    pub waiting: u64,
}
