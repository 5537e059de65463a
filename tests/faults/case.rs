//! What one case works on: a world, and the processes that live in it one after the other.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use footfall::engines::Engines;
use footfall::event::{Event, ProjectNumber, Zone};
use footfall::meta::{Meta, Project, Registration, hash_password};
use footfall::stream::Request;
use futures_util::{FutureExt, StreamExt, stream};

use super::harness::*;
use super::life::Life;
use super::until;
use super::world::engines;

/// How long a batch may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Of the shop's owner, `ada@example.com`.
pub const PASSWORD: &str = "correct horse battery";

/// What happens at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Killed there.
    Killed,
    /// Frozen there until a successor has done the work; then it goes on.
    Frozen,
}

impl Fault {
    pub const BOTH: [Fault; 2] = [Fault::Killed, Fault::Frozen];

    /// `FOOTFALL_FAULT` for the n-th passing of a point.
    pub fn at(self, point: &str, n: u32) -> String {
        let action = match self {
            Fault::Killed => "kill",
            Fault::Frozen => "stop",
        };
        format!("{point}:{n}:{action}")
    }

    /// Waits until it has happened.
    pub async fn strikes(self, life: &mut Life, point: &str) {
        match self {
            Fault::Killed => life.dies_at(point).await,
            Fault::Frozen => life.freezes_at(point).await,
        }
    }
}

/// An installation of which only the engines run.
pub struct Case {
    pub world: World,
    /// Seconds of a lease. By a long one's own clock a frozen owner never has a doubt when it wakes up.
    pub lease_s: u32,
    clickhouse_url: String,
    shards: u16,
    dir: tempfile::TempDir,
    lives: AtomicU32,
}

impl Case {
    pub async fn new(shards: u16) -> Case {
        Case::on(engines().await, shards).await
    }

    /// A case on these engines.
    pub async fn on(engines: &Engines, shards: u16) -> Case {
        let world = World::on(engines, shards).await;
        Case {
            lease_s: 10,
            clickhouse_url: world.clickhouse_url(engines),
            shards,
            world,
            dir: tempfile::tempdir().expect("a folder"),
            lives: AtomicU32::new(0),
        }
    }

    /// A file of the case.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The control database of every process of the case.
    pub fn meta_url(&self) -> String {
        format!("sqlite:{}", self.path("meta.sqlite").display())
    }

    /// Makes the project [`SHOP`], in UTC.
    pub async fn shop(&self) -> Project {
        let meta = Meta::connect(&self.meta_url()).await.expect("a control database");
        meta.migrate(NOW).await.expect("its tables");
        let registration = Registration {
            email: "ada@example.com".into(),
            password_hash: hash_password(PASSWORD.to_owned()).await.expect("a hash"),
            name: "Ada".into(),
            organization: "Example".into(),
            project: Some("Shop".into()),
            zone: Zone::utc(),
        };
        let registered = meta.register(registration, false, NOW).await.expect("registered");
        meta.close().await;
        let project = registered.project.expect("a project");
        assert_eq!(project.number, SHOP);
        project
    }

    /// Starts a role; `faults` is its `FOOTFALL_FAULT`, `left_out` its `FOOTFALL_LEFT_OUT`.
    pub fn start(&self, role: &str, faults: &str, left_out: &str) -> Life {
        let life = self.lives.fetch_add(1, Ordering::Relaxed) + 1;
        let environment = [
            ("FOOTFALL_ROLES", role.to_owned()),
            ("FOOTFALL_FAULT", faults.to_owned()),
            ("FOOTFALL_LEFT_OUT", left_out.to_owned()),
            ("FOOTFALL_LISTEN", "127.0.0.1:0".to_owned()),
            (
                "FOOTFALL_DATA_DIR",
                self.path(&format!("life-{life}")).display().to_string(),
            ),
            ("FOOTFALL_CLICKHOUSE_URL", self.clickhouse_url.clone()),
            ("FOOTFALL_REDIS_URL", self.world.redis_url.clone()),
            ("FOOTFALL_REDIS_PREFIX", self.world.prefix.clone()),
            ("FOOTFALL_DATABASE_URL", self.meta_url()),
            ("FOOTFALL_LEASE_S", self.lease_s.to_string()),
            ("FOOTFALL_SHARDS", self.shards.to_string()),
            ("FOOTFALL_SIGNING_SECRET", "faults".repeat(8)),
        ];
        Life::start(self.path(&format!("life-{life}.log")), &environment)
    }

    /// A worker that nothing happens to.
    pub fn worker(&self) -> Life {
        self.start("worker", "", "")
    }

    /// Has `n` events acknowledged in one request.
    pub async fn send(&self, n: u32) -> Vec<Event> {
        let sent = events(SHOP, n);
        self.append(SHOP, sent.clone()).await;
        sent
    }

    pub async fn append(&self, project: ProjectNumber, sent: Vec<Event>) {
        let id = uuid::Uuid::new_v4().to_string();
        let request = Request::new(project, Some(&id));
        let appended = self.world.stream.append(&request, sent, NOW).await;
        assert!(appended.expect("acknowledged").duplicates.is_empty());
    }

    /// Rows that the stream has taken.
    pub async fn rows_in(&self) -> u64 {
        let mut rows = 0;
        for shard in 0..self.shards {
            rows += self
                .world
                .stream
                .shard_counters(shard)
                .await
                .expect("counters")
                .rows_in;
        }
        rows
    }

    /// Waits until nothing waits any more and the readers were told.
    pub async fn drained(&self) {
        until("everything is committed and announced", PATIENCE, async || {
            for shard in 0..self.shards {
                let counters = self.world.stream.shard_counters(shard).await.expect("counters");
                if counters.rows_waiting > 0 || self.world.announces(shard).await {
                    return None;
                }
            }
            Some(())
        })
        .await;
    }
}

/// Runs cases, some at a time, and fails with the names of all that failed.
pub async fn run_all<F: Future<Output = ()>>(at_a_time: usize, cases: Vec<(String, F)>) {
    let (began, count) = (Instant::now(), cases.len());
    let mut running = stream::iter(cases)
        .map(async |(name, case)| (name, AssertUnwindSafe(case).catch_unwind().await))
        .buffer_unordered(at_a_time);
    let mut failed = Vec::new();
    while let Some((name, passed)) = running.next().await {
        if passed.is_err() {
            eprintln!("failed: {name}");
            failed.push(name);
        }
    }
    eprintln!("{count} cases in {:.1} s", began.elapsed().as_secs_f64());
    assert!(
        failed.is_empty(),
        "of {count} cases {} failed, their words are above: {failed:#?}",
        failed.len()
    );
}
