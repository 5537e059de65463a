//! The worker as it runs in the product: leases, heartbeats, waking up, a graceful stop.

use footfall::stream::Request;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use footfall::clock::Clock;
use footfall::event::Zone;
use footfall::worker::Worker;
use footfall::worker::roll::{RollOptions, Roller, ZoneKnown};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::harness::*;

fn run(world: &World) -> (CancellationToken, JoinHandle<()>) {
    let zone_of = Arc::new(|_| ZoneKnown::Is(Zone::utc()));
    let roller = Roller::new(
        world.stream.clone(),
        world.store.clone(),
        zone_of,
        RollOptions::default(),
    );
    let worker = Worker::new(world.deliverer(), roller, Clock::system());
    let stop = CancellationToken::new();
    let token = stop.clone();
    (stop, tokio::spawn(async move { worker.run(token).await }))
}

/// Polls, because processes and tasks take their time.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < deadline, "not in a minute: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn owners(world: &World) -> Vec<Option<String>> {
    let mut owners = Vec::new();
    for shard in 0..world.stream.shards() {
        owners.push(world.owner(shard).await);
    }
    owners
}

#[tokio::test]
async fn workers_share_the_shards_and_hand_them_over_when_they_stop() {
    let world = World::new(4).await;
    let mut all = Vec::new();
    let (stop_first, first) = run(&world);
    let mut send = async || {
        let sent = events(SHOP, 100);
        world
            .stream
            .append(&Request::new(SHOP, None), sent.clone(), NOW)
            .await
            .unwrap();
        all.extend(sent);
        until("everything is delivered", async || {
            world.stream.as_of(NOW).await.unwrap().pending_rows == 0
        })
        .await;
    };
    send().await;
    let (stop_second, second) = run(&world);
    until("each has two shards", async || {
        let owners = owners(&world).await;
        let names: BTreeSet<_> = owners.iter().flatten().collect();
        let has = |name: &&String| owners.iter().flatten().filter(|o| o == name).count() == 2;
        names.len() == 2 && names.iter().all(has)
    })
    .await;
    send().await;
    stop_first.cancel();
    first.await.unwrap();
    until("the second has all", async || {
        let owners = owners(&world).await;
        owners.iter().all(Option::is_some) && owners.iter().flatten().collect::<BTreeSet<_>>().len() == 1
    })
    .await;
    send().await;
    stop_second.cancel();
    second.await.unwrap();
    assert_eq!(
        owners(&world).await,
        [None, None, None, None],
        "leases are given back"
    );
    world.holds_exactly(&all).await;
}
