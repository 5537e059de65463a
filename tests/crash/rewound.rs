//! Redis is restored from an older copy of its directory while everything else runs on. Its batch numbers would
//! begin again, and ClickHouse would drop new rows as duplicates: the shards must stop, and lose nothing.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use footfall::event::ProjectNumber;
use footfall::stream::{EventStream, StreamOptions};
use serde_json::Value;

use super::cluster::{Cluster, Part, SHARDS};
use super::oracle::look;
use super::producers::{Manners, Producers};
use super::tenants::register;
use super::{alone, until};

const PATIENCE: Duration = Duration::from_secs(120);

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (kind, to) = (entry.file_type().expect("a kind"), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &to);
        } else if kind.is_file() {
            std::fs::copy(entry.path(), to).expect("a copy");
        }
    }
}

/// How often the two workers have said that they stop a shard, because Redis went back in time.
fn stopped(cluster: &Cluster) -> Vec<u16> {
    let logs = cluster.log(Part::WorkerOne) + &cluster.log(Part::WorkerTwo);
    let mut shards: Vec<u16> = logs
        .lines()
        .filter(|line| line.contains("shard stopped") && line.contains("went back in time"))
        .filter_map(|line| line.split("shard=").nth(1)?.split(' ').next()?.parse().ok())
        .collect();
    shards.sort_unstable();
    shards.dedup();
    shards
}

/// Runs until every shard has committed since the copy, restores, and goes on; `workers_too`: they start again
/// with Redis, else they never notice more than a short absence.
async fn restored(workers_too: bool) {
    let _alone = alone().await;
    // Long enough for workers that run to keep their leases over it all; those that start must wait for them.
    let lease = if workers_too { "2" } else { "30" };
    let mut cluster = Cluster::start_with(&[("FOOTFALL_LEASE_S", lease)]).await;
    let projects = register(&cluster).await;
    let producers = Producers::start(&cluster.capture, &projects, 31, Manners::default());
    producers.acknowledge(30).await;
    // At rest: whoever runs on sees nothing strange in the copy, neither a plan nor another owner.
    producers.pause().await;
    cluster.drained(PATIENCE).await;
    cluster.shared_out().await;

    cluster.kill(Part::Redis).await;
    let (directory, backup) = (
        cluster.redis.directory().to_owned(),
        tempfile::tempdir().expect("a folder"),
    );
    copy(
        &directory.join("appendonlydir"),
        &backup.path().join("appendonlydir"),
    );
    cluster.restart(Part::Redis).await;
    producers.resume();
    cluster.works(PATIENCE).await;
    producers.acknowledge(60).await;
    let truth = producers.pause().await;
    cluster.drained(PATIENCE).await;
    let before = look(&cluster, &projects, &truth).await;
    assert!(before.holds(), "{before}");
    let told: HashSet<_> = truth
        .iter()
        .filter(|(_, sent)| sent.acknowledged)
        .map(|(key, _)| *key)
        .collect();

    cluster.kill(Part::Redis).await;
    if workers_too {
        cluster.kill(Part::WorkerOne).await;
        cluster.kill(Part::WorkerTwo).await;
    }
    std::fs::remove_dir_all(directory.join("appendonlydir")).expect("removed");
    copy(
        &backup.path().join("appendonlydir"),
        &directory.join("appendonlydir"),
    );
    cluster.restart(Part::Redis).await;
    if workers_too {
        cluster.restart(Part::WorkerOne).await;
        cluster.restart(Part::WorkerTwo).await;
    }
    producers.resume();
    producers.acknowledge(60).await;
    until("every shard has stopped", PATIENCE, async || {
        (stopped(&cluster).len() == usize::from(SHARDS)).then_some(())
    })
    .await;
    producers.acknowledge(20).await;
    let truth = producers.finish().await;

    // What ClickHouse holds is what it held; whatever was answered 200 since then still waits.
    let after = look(&cluster, &projects, &truth).await;
    let waiting = waiting(&cluster).await;
    let missing = truth.iter().filter(|(key @ (place, number), sent)| {
        let new = sent.acknowledged && !told.contains(key);
        new && !waiting.contains(&(projects[*place].number, *number))
    });
    let (missing, new) = (missing.count(), after.acknowledged - before.acknowledged);
    eprintln!(
        "Redis restored from an older copy{}: {} rows in the tables before, {} after; of {new} events answered 200 since \
         then {missing} do not wait in the stream",
        if workers_too {
            ", workers started again"
        } else {
            ""
        },
        before.rows,
        after.rows,
    );
    assert_eq!((after.rows, missing), (before.rows, 0));
    assert_eq!((after.raw.doubled, after.rollups.doubled), (0, 0));
    assert!(new > 0, "the endpoint goes on taking");

    // The operator's word, and everything is as if nothing had happened.
    let workers = [Part::WorkerOne, Part::WorkerTwo];
    for worker in workers {
        cluster.stop(worker).await;
    }
    cluster.run(&["doctor", "--adopt"]).await;
    for worker in workers {
        cluster.restart(worker).await;
    }
    cluster.drained(PATIENCE).await;
    let adopted = look(&cluster, &projects, &truth).await;
    eprintln!("after doctor --adopt:\n{adopted}");
    assert!(adopted.holds());
    cluster.end().await;
}

/// The numbers of the events that lie in the stream.
async fn waiting(cluster: &Cluster) -> HashSet<(ProjectNumber, u64)> {
    let options = StreamOptions {
        url: cluster.redis.url(),
        prefix: "ff:".into(),
        shards: SHARDS,
        max_entries: 200_000,
        request_key_ttl_s: 86_400,
        dedup_window_s: 3_600,
        min_replicas: 0,
    };
    let stream = EventStream::connect(&options).await.expect("Redis");
    let mut found = HashSet::new();
    for shard in 0..SHARDS {
        let entries = stream.read_range(shard, "0-0", None, u64::MAX, u64::MAX).await;
        for entry in entries.expect("entries") {
            for event in entry.kept().expect("events") {
                let properties: Value = serde_json::from_str(&event.props).expect("JSON");
                found.insert((event.project, properties["n"].as_u64().expect("a number")));
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_went_back_in_time_stops_workers_that_start() {
    restored(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_went_back_in_time_stops_workers_that_run() {
    restored(false).await;
}
