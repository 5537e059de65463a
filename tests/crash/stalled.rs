//! Two workers share an installation; one is frozen past its lease and wakes up with a batch in its hands.

use std::time::Instant;

use rustix::process::Signal;

use super::client::{Address, Client};
use super::installation::{Installation, Running};
use super::killed::{serve, settle};
use super::process::Process;
use super::truth::range;
use super::writers::{DAYS, Writers};
use super::{alone, setting};

/// A process that only works, on the engines of another.
async fn worker(installation: &Installation, name: &str, first: &Running) -> Running {
    let data = installation.data();
    let family = first.main.descendants();
    let engine = family
        .iter()
        .find(|process: &&Process| process.command.contains("engine clickhouse"));
    let command = &engine.expect("a ClickHouse").command;
    let port = command
        .split("--port ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .expect("its port");
    let passwords = std::fs::read_to_string(data.join("clickhouse/passwords")).expect("its passwords");
    let password = passwords
        .lines()
        .find_map(|line| line.strip_prefix("rw="))
        .expect("the writer's");
    let environment = [
        (
            "FOOTFALL_CLICKHOUSE_URL",
            format!("http://rw:{password}@127.0.0.1:{port}/footfall"),
        ),
        (
            "FOOTFALL_REDIS_URL",
            format!("redis+unix://{}?db=0", data.join("redis/redis.sock").display()),
        ),
        (
            "FOOTFALL_DATABASE_URL",
            format!("sqlite:{}", data.join("meta.sqlite").display()),
        ),
        ("FOOTFALL_SHARDS", "4".to_owned()),
    ];
    let mut running = installation.start_beside(name, &["serve", "--roles", "worker"], &environment);
    running.says("listens on").await;
    running
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_wakes_up_after_its_lease_doubles_and_loses_nothing() {
    let _alone = alone().await;
    let began = Instant::now();
    let installation = Installation::new();
    let address = Address::default();
    let mut first = serve(&installation, &address, &["--roles", "capture,api"]).await;
    let client = Client::register(address.clone(), range(DAYS)).await;
    let mut workers = [
        worker(&installation, "one", &first).await,
        worker(&installation, "two", &first).await,
    ];
    let seed = setting("FOOTFALL_CRASH_SEED", 5);
    let writers = Writers::start(&client, 3, seed);
    let mut rng = fastrand::Rng::with_seed(seed);
    client.counts_more().await;
    for _ in 0..setting("FOOTFALL_CRASH_ROUNDS", 1) {
        for worker in &workers {
            writers.acknowledge(rng.usize(1..40)).await;
            worker.main.signal(Signal::STOP);
            // What was pending at the stall is stored only if the other one has taken the shards over.
            client.catches_up().await;
            worker.main.signal(Signal::CONT);
        }
    }
    let stalls = 2 * setting("FOOTFALL_CRASH_ROUNDS", 1) as usize;
    settle("stalled", &client, writers, stalls, began).await;
    for worker in &mut workers {
        worker.stop(Signal::TERM).await;
    }
    first.stop(Signal::TERM).await;
    installation.nobody_is_left().await;
}
