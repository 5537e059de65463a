//! Each process in turn is killed while clients send.

use std::time::Instant;

use fastrand::Rng;
use rustix::process::Signal;

use super::client::{Address, Client};
use super::installation::{Installation, Running, Victim};
use super::truth::{agrees, compare, range, stored};
use super::writers::{DAYS, Writers};
use super::{alone, setting};

/// Starts `serve` and notes where it is.
pub async fn serve(installation: &Installation, address: &Address, arguments: &[&str]) -> Running {
    let arguments: Vec<&str> = ["serve"].iter().chain(arguments).copied().collect();
    let mut running = installation.start(&arguments);
    address.set(running.says("listens on").await);
    running
}

/// Lets the writers finish and waits for quiet; then everything must agree.
pub async fn settle(what: &str, client: &Client, writers: Writers, faults: usize, began: Instant) {
    let ledger = writers.finish().await;
    client.quiet().await;
    let rows = stored(client).await;
    let found = compare(&rows, &ledger);
    eprintln!(
        "{what} {faults} times: {} events answered 200 ({} requests sent again), {} given up of which {} are stored, \
         {} lost, {} doubled, {} foreign, {:.0} s",
        found.acknowledged,
        ledger.retries,
        ledger.given_up.len(),
        found.given_up_stored,
        found.lost,
        found.doubled,
        found.foreign,
        began.elapsed().as_secs_f64(),
    );
    assert_eq!((found.lost, found.doubled, found.foreign), (0, 0, 0), "{found:?}");
    agrees(client, &rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_killed_what_was_answered_200_is_stored_and_counted_once() {
    let _alone = alone().await;
    let began = Instant::now();
    let seed = setting("FOOTFALL_CRASH_SEED", 7);
    let mut rng = Rng::with_seed(seed);
    let installation = Installation::new();
    let address = Address::default();
    let mut running = serve(&installation, &address, &[]).await;
    let client = Client::register(address.clone(), range(DAYS)).await;
    let writers = Writers::start(&client, 3, seed);

    let mut kills = 0;
    for _ in 0..setting("FOOTFALL_CRASH_ROUNDS", 1) {
        // Between two lives an engine is killed three times at most: at the sixth end within a minute it is
        // given up, and the program ends.
        for last in [Victim::Main, Victim::Everything] {
            if kills > 0 {
                // The leases of the life before have run out, and every shard is at work again: with nobody at
                // work a kill proves little.
                client.catches_up().await;
            }
            let mut engines = [Victim::ClickHouse, Victim::RedisServer, Victim::ClickHouse];
            if rng.bool() {
                engines[rng.usize(..3)] = Victim::RedisShim;
            }
            rng.shuffle(&mut engines);
            for victim in engines.into_iter().chain([last]) {
                if victim == last || rng.bool() {
                    client.counts_more().await;
                }
                writers.acknowledge(rng.usize(1..30)).await;
                running.kill(victim).await;
                kills += 1;
            }
            running = serve(&installation, &address, &[]).await;
        }
    }
    settle("killed", &client, writers, kills, began).await;
    running.stop(Signal::TERM).await;
    installation.nobody_is_left().await;
}
