//! A real replica: what it has not confirmed does not count as done.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use footfall::stream::shard::Acquired;
use footfall::stream::{AppendError, EventStream, Request, StreamError, StreamOptions};

use crate::harness::*;

/// A redis-server on loopback, in a directory that goes with it.
struct Server {
    process: Child,
    port: u16,
    dir: tempfile::TempDir,
}

impl Server {
    fn start(replica_of: Option<u16>) -> Server {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let dir = tempfile::tempdir().unwrap();
        Server {
            process: Server::serve(port, &dir, replica_of),
            port,
            dir,
        }
    }

    fn serve(port: u16, dir: &tempfile::TempDir, replica_of: Option<u16>) -> Child {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]);
        command.args(["--repl-diskless-sync-delay", "0", "--port", &port.to_string()]);
        command.arg("--dir").arg(dir.path());
        if let Some(master) = replica_of {
            command.args(["--replicaof", "127.0.0.1", &master.to_string()]);
        }
        command
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server on the PATH")
    }

    fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn start_again(&mut self, replica_of: u16) {
        self.process = Server::serve(self.port, &self.dir, Some(replica_of));
    }

    fn ask(&self, command: &str) -> Option<String> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).ok()?;
        let mut words = command.split(' ');
        let mut asked = redis::cmd(words.next()?);
        asked
            .arg(words.collect::<Vec<_>>())
            .query(&mut client.get_connection().ok()?)
            .ok()
    }

    /// Waits until INFO says so.
    async fn says(&self, line: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self
            .ask("INFO replication")
            .is_some_and(|info| info.contains(line))
        {
            assert!(Instant::now() < deadline, "{} never said {line}", self.port);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn stream(&self, min_replicas: u16) -> EventStream {
        let options = StreamOptions {
            url: format!("redis://127.0.0.1:{}", self.port),
            prefix: "t:".into(),
            shards: 1,
            max_entries: 1_000,
            request_key_ttl_s: 86_400,
            dedup_window_s: 3_600,
            min_replicas,
        };
        EventStream::connect(&options).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn pair() -> (Server, Server) {
    let master = Server::start(None);
    master.says("role:master").await;
    let replica = Server::start(Some(master.port));
    master.says("state=online").await;
    (master, replica)
}

async fn send(stream: &EventStream, id: u128) -> Result<bool, AppendError> {
    let (name, rows) = (id.to_string(), events("ann", id..id + 1));
    let answer = stream.append(&Request::new(SHOP, Some(&name)), rows, NOW).await?;
    assert!(answer.duplicates.is_empty());
    Ok(answer.replayed)
}

fn too_few<T: std::fmt::Debug>(answer: Result<T, StreamError>) {
    let error = answer.unwrap_err().to_string();
    assert!(error.contains("too few replicas"), "{error}");
}

#[tokio::test]
async fn what_was_acknowledged_survives_the_loss_of_the_master() {
    let (mut master, replica) = pair().await;
    let stream = master.stream(1).await;
    for id in 0..20 {
        assert!(!send(&stream, id).await.unwrap());
    }
    let Acquired { lease, done, .. } = stream.acquire(0, &owner("w"), TTL).await.unwrap().unwrap();
    let entries = stream.read_range(0, &done, None, 1_000, 1 << 20).await.unwrap();
    let (last, rows) = (&entries.last().unwrap().id, entries.len() as u64);
    let plan = stream.plan(&lease, last, rows, 1, 0).await.unwrap().unwrap();
    master.stop();
    replica.ask("REPLICAOF NO ONE");
    replica.says("role:master").await;
    let stream = replica.stream(0).await;
    assert_eq!(waiting(&stream).await, 20);
    // The lease was replicated too, and runs out by itself.
    replica.ask("DEL t:lease:{s0}");
    let found = stream.acquire(0, &owner("v"), TTL).await.unwrap().unwrap();
    assert_eq!(found.plan, Some(plan));
    for id in 0..20 {
        assert!(send(&stream, id).await.unwrap(), "the request keys are there too");
    }
}

#[tokio::test]
async fn without_its_replica_nothing_is_acknowledged_and_afterwards_everything_once() {
    let (master, mut replica) = pair().await;
    let stream = master.stream(1).await;
    assert!(!send(&stream, 1).await.unwrap());
    let Acquired { lease, done, .. } = stream.acquire(0, &owner("w"), TTL).await.unwrap().unwrap();

    replica.stop();
    let refused = send(&stream, 2).await;
    assert!(
        matches!(&refused, Err(AppendError::Unavailable(why)) if why.contains("too few replicas")),
        "{refused:?}"
    );
    // Also the second time, when it lies in the master already, and through a connection that wrote nothing yet.
    assert!(send(&stream, 2).await.is_err());
    assert!(send(&master.stream(1).await, 2).await.is_err());
    let entries = stream.read_range(0, &done, None, 1_000, 1 << 20).await.unwrap();
    let (last, rows) = (entries.last().unwrap().id.clone(), entries.len() as u64);
    too_few(stream.plan(&lease, &last, rows, 1, 0).await);
    too_few(stream.acquire(0, &owner("w"), TTL).await.map(drop));
    // The first time, and when it lies in the master already.
    for _ in 0..2 {
        too_few(stream.gate(0, 5).await);
    }

    replica.start_again(master.port);
    master.says("state=online").await;
    assert!(
        send(&stream, 2).await.unwrap(),
        "it was stored at the first sending"
    );
    let found = stream.acquire(0, &owner("w"), TTL).await.unwrap().unwrap();
    let plan = stream
        .plan(&found.lease, &last, rows, 1, 0)
        .await
        .unwrap()
        .unwrap();
    stream.try_again(&found.lease, plan.seq).await.unwrap();
    stream
        .commit(&found.lease, committed(plan.seq, rows, &[]))
        .await
        .unwrap();
    assert_eq!(waiting(&stream).await, 0);
    assert!(!send(&stream, 3).await.unwrap());

    // Rows are deleted only once their number is safe.
    replica.stop();
    let id = uuid::Uuid::from_u128(7);
    for _ in 0..2 {
        too_few(stream.count_removal(&found.lease, id, 5).await);
    }
    too_few(stream.finish_removal(&found.lease, id).await);
}
