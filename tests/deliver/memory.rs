//! A worker's memory is bounded over all its shards, and nothing gets stuck for want of it.

use std::time::Duration;

use footfall::stream::append::Request;
use footfall::worker::deliver::{DeliverOptions, Delivered, Step};

use crate::harness::*;

/// Enough for one large batch at a time.
fn little() -> DeliverOptions {
    DeliverOptions {
        memory: 64 << 10,
        ..DeliverOptions::default()
    }
}

#[tokio::test]
async fn sixteen_full_shards_drain_through_the_memory_of_one() {
    let world = World::new(16).await;
    let mut all = Vec::new();
    for request in 0..60 {
        let sent = events(SHOP, 100);
        let request = format!("{request}");
        let request = Request::new(SHOP, Some(&request));
        world.stream.append(&request, sent.clone(), NOW).await.unwrap();
        all.extend(sent);
    }
    let deliverer = world.deliverer_of(little());
    let shards: Vec<_> = (0..16)
        .map(|shard| {
            let deliverer = deliverer.clone();
            tokio::spawn(async move {
                let mut batches = 0;
                while deliverer.deliver_once(shard).await.unwrap() != Delivered::Nothing {
                    batches += 1;
                }
                batches
            })
        })
        .collect();
    let mut batches = 0;
    for shard in shards {
        let drained = tokio::time::timeout(Duration::from_secs(120), shard).await;
        batches += drained.expect("nothing is stuck").unwrap();
    }
    assert!(
        batches > 16,
        "one batch of a shard does not fit: {batches} batches"
    );
    world.holds_exactly(&all).await;
}

#[tokio::test]
async fn a_batch_that_was_planned_with_more_memory_is_finished_with_less() {
    let world = World::new(1).await;
    let sent = events(SHOP, 1_000);
    world
        .stream
        .append(&Request::new(SHOP, None), sent.clone(), NOW)
        .await
        .unwrap();
    let mut dies = world.deliverer().own(0).await.unwrap().expect("the lease");
    assert!(matches!(dies.step().await.unwrap(), Step::Planned { .. }));
    world.lease_runs_out(0).await;
    let frugal = world.deliverer_of(DeliverOptions {
        memory: 1 << 20,
        max_bytes: 8 << 10,
        ..DeliverOptions::default()
    });
    let delivered = frugal.deliver_once(0).await.unwrap();
    assert!(
        matches!(delivered, Delivered::Batch { rows: 1_000, .. }),
        "{delivered:?}"
    );
    world.holds_exactly(&sent).await;
}

#[tokio::test]
async fn a_batch_that_cannot_go_on_gives_its_memory_to_other_shards() {
    let world = World::new(2).await;
    let sent = events(SHOP, 400);
    world
        .stream
        .append(&Request::new(SHOP, None), sent.clone(), NOW)
        .await
        .unwrap();
    // As much as one batch may have: both shards cannot have one at once.
    let deliverer = world.deliverer_of(DeliverOptions {
        memory: 8 << 10,
        ..DeliverOptions::default()
    });
    let mut stuck = deliverer.own(0).await.unwrap().expect("the lease");
    assert!(matches!(stuck.step().await.unwrap(), Step::Planned { .. }));
    assert_eq!(
        stuck.step().await.unwrap(),
        Step::Inserted {
            table: footfall::store::batch::Table::Events
        }
    );
    assert!(!stuck.put_down(), "nobody waits for its memory");
    let other = {
        let deliverer = deliverer.clone();
        tokio::spawn(async move { deliverer.deliver_once(1).await.unwrap() })
    };
    let mut tries = 0;
    while !stuck.put_down() {
        tries += 1;
        assert!(tries < 600, "the other shard waits for memory");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(
        matches!(other.await.unwrap(), Delivered::Batch { .. }),
        "the other goes on"
    );
    finish(&mut stuck).await.unwrap();
    stuck.release().await;
    world.drain(&world.deliverer()).await;
    world.holds_exactly(&sent).await;
}
