//! A redis-server of a test's own and events to put into it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use footfall::event::{Day, Event, ProjectNumber};
use footfall::stream::ledger::Waited;
use footfall::stream::shard::{Commit, DeadRow};
use footfall::stream::{EventStream, StreamOptions};
use uuid::Uuid;

pub const NOW: i64 = 1_795_000_000_000;
pub const TTL: Duration = Duration::from_secs(10);
pub const SHOP: ProjectNumber = ProjectNumber(1);
pub const BLOG: ProjectNumber = ProjectNumber(2);

/// A redis-server of a test's own, on a Unix socket in a directory that goes with it.
pub struct Redis {
    server: Child,
    socket: PathBuf,
    _dir: tempfile::TempDir,
}

impl Redis {
    pub async fn start() -> Redis {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("r.sock");
        let server = serve(&socket);
        let redis = Redis {
            server,
            socket,
            _dir: dir,
        };
        redis.answers().await;
        redis
    }

    /// Kills the server and starts another one in its place, which kept what was acknowledged.
    pub async fn killed_and_restarted(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
        self.server = serve(&self.socket);
        self.answers().await;
    }

    async fn answers(&self) {
        let ping = || redis::cmd("PING").exec(&mut redis::Client::open(self.url())?.get_connection()?);
        let deadline = Instant::now() + Duration::from_secs(20);
        while ping().is_err() {
            assert!(Instant::now() < deadline, "redis-server did not come up");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket.display())
    }

    pub fn options(&self) -> StreamOptions {
        StreamOptions {
            url: self.url(),
            prefix: "t:".into(),
            shards: 1,
            max_entries: 1_000,
            request_key_ttl_s: 86_400,
            dedup_window_s: 3_600,
            min_replicas: 0,
        }
    }

    pub async fn stream(&self) -> EventStream {
        EventStream::connect(&self.options()).await.unwrap()
    }

    /// Runs a command as an operator would.
    pub fn run(&self, command: &str) {
        let mut words = command.split(' ');
        let mut connection = redis::Client::open(self.url()).unwrap().get_connection().unwrap();
        redis::cmd(words.next().unwrap())
            .arg(words.collect::<Vec<_>>())
            .exec(&mut connection)
            .unwrap();
    }
}

fn serve(socket: &Path) -> Child {
    Command::new("redis-server")
        .args([
            "--port",
            "0",
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--unixsocket",
        ])
        .arg(socket)
        .arg("--dir")
        .arg(socket.parent().unwrap())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server on the PATH")
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// An event with the client's own id `id`.
pub fn event(project: ProjectNumber, person: &str, id: u128) -> Event {
    let packed = serde_json::json!({
        "project": project, "event": "view", "ts": NOW, "seq": 0, "id": Uuid::from_u128(id), "received_at": NOW,
        "distinct_id": person, "device_id": person, "user_id": "", "session": 0, "path": "/", "host": "",
        "referrer_host": "", "utm_source": "", "utm_medium": "", "utm_campaign": "", "country": "", "region": "",
        "city": "", "browser": "", "os": "", "device": "", "lib": "", "amount": 0.0, "currency": "",
        "props": "{}", "flags": 0, "local_day": Day::of_utc(NOW),
    });
    serde_json::from_value(packed).unwrap()
}

pub fn events(person: &str, ids: std::ops::Range<u128>) -> Vec<Event> {
    ids.map(|id| event(SHOP, person, id)).collect()
}

pub fn owner(name: &str) -> Arc<str> {
    Arc::from(name)
}

pub async fn waiting(stream: &EventStream) -> u64 {
    let mut rows = 0;
    for shard in 0..stream.shards() {
        rows += stream.shard_counters(shard).await.unwrap().rows_waiting;
    }
    rows
}

/// The end of a batch whose rows were noted as nobody's.
pub fn committed(seq: u64, rows_stored: u64, dead: &[DeadRow]) -> Commit<'_> {
    Commit {
        seq,
        rows_stored,
        dead,
        projects: &[SHOP],
        waited: &[],
    }
}

/// Plans and commits everything that waits in shard 0, as a worker whose inserts all went well.
pub async fn drain(stream: &EventStream) {
    let got = stream.acquire(0, &owner("drain"), TTL).await.unwrap().unwrap();
    let entries = stream
        .read_range(0, &got.done, None, 200_000, 64 << 20)
        .await
        .unwrap();
    let rows: u64 = entries.iter().map(|entry| entry.rows).sum();
    let kept: usize = entries.iter().map(|entry| entry.kept().unwrap().len()).sum();
    let waited: Vec<Waited> = entries
        .iter()
        .filter_map(|entry| entry.waited().unwrap())
        .collect();
    let plan = stream
        .plan(&got.lease, &entries.last().unwrap().id, rows, 1, 0)
        .await
        .unwrap()
        .unwrap();
    stream
        .commit(
            &got.lease,
            Commit {
                waited: &waited,
                ..committed(plan.seq, kept as u64, &[])
            },
        )
        .await
        .unwrap();
    stream.announce(&got.lease).await.unwrap();
    stream.release(&got.lease).await.unwrap();
}
