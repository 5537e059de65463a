//! Removals at the shards: what was written down is not taken away, and nothing stays listed or marked for ever.

use std::time::Duration;

use footfall::event::{Subject, Which};
use footfall::stream::EventStream;
use footfall::stream::removal::Removal;
use uuid::Uuid;

use crate::harness::*;

const TURN: Duration = Duration::from_secs(60);

fn everything() -> Removal {
    Removal {
        id: Uuid::from_u128(7),
        subject: Subject {
            project: SHOP,
            which: Which::Until { until: NOW },
        },
    }
}

async fn is_still(stream: &EventStream) -> bool {
    stream.moving().await.unwrap().is_still()
}

#[tokio::test]
async fn a_removal_is_forgotten_only_when_it_was_carried_out() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    let removal = everything();
    let id = removal.id;
    let lease = stream.acquire(0, &owner("w"), TTL).await.unwrap().unwrap().lease;
    stream.hand_over(0, &removal).await.unwrap();
    assert_eq!(stream.count_removal(&lease, id, 5).await.unwrap(), Some(5));
    // A worker that was frozen comes to forget it, in the middle.
    stream.forget_removal(0, id).await.unwrap();
    assert_eq!(stream.removals(0).await.unwrap(), [removal]);
    stream.finish_removal(&lease, id).await.unwrap();
    assert_eq!(stream.removal_done(0, id).await.unwrap(), Some(5));
    assert_eq!(stream.shard_counters(0).await.unwrap().rows_removed, 5);
    assert_eq!(stream.carried_out(0).await.unwrap(), [id]);
    assert!(is_still(&stream).await);
    stream.forget_removal(0, id).await.unwrap();
    assert!(stream.carried_out(0).await.unwrap().is_empty());
    assert!(stream.removing().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_removal_whose_number_is_gone_does_not_keep_backups_waiting() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    let removal = everything();
    let lease = stream.acquire(0, &owner("w"), TTL).await.unwrap().unwrap().lease;
    stream.hand_over(0, &removal).await.unwrap();
    stream.count_removal(&lease, removal.id, 5).await.unwrap();
    assert!(!is_still(&stream).await);
    redis.run(&format!("HDEL t:removal:{{s0}} {}:rows", removal.id));
    stream.finish_removal(&lease, removal.id).await.unwrap();
    assert!(is_still(&stream).await);
}

#[tokio::test]
async fn one_worker_at_a_time_moves_erasures_on() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    assert!(stream.take_removing("a", TURN).await.unwrap());
    assert!(!stream.take_removing("b", TURN).await.unwrap());
    stream.leave_removing("b").await.unwrap();
    assert!(
        !stream.take_removing("b", TURN).await.unwrap(),
        "it is not b's to give"
    );
    stream.leave_removing("a").await.unwrap();
    assert!(stream.take_removing("b", TURN).await.unwrap());
}

#[tokio::test]
async fn the_ledger_is_folded_or_removed_from_but_not_both_at_once() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    assert!(stream.take_ledger("fold", TURN).await.unwrap());
    assert!(!stream.take_ledger("removal", TURN).await.unwrap());
    assert!(stream.take_ledger("fold", TURN).await.unwrap(), "it goes on");
    stream.leave_ledger("removal").await.unwrap();
    stream.leave_ledger("fold").await.unwrap();
    assert!(stream.take_ledger("removal", TURN).await.unwrap());
}

#[tokio::test]
async fn a_long_step_goes_on_under_a_pause_that_waits_for_it() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    assert!(stream.begin_roll("a", TURN).await.unwrap());
    assert!(stream.pause("backup").await.unwrap());
    assert!(!is_still(&stream).await);
    assert!(stream.keep_roll("a", TURN).await.unwrap());
    assert!(
        !stream.begin_roll("a", TURN).await.unwrap(),
        "the next step waits"
    );
    stream.end_roll("a").await.unwrap();
    assert!(is_still(&stream).await);
    assert!(!stream.keep_roll("a", TURN).await.unwrap(), "its note ran out");
    assert!(is_still(&stream).await);
}

#[tokio::test]
async fn a_new_incarnation_has_a_removal_counted_anew() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    let request = footfall::stream::Request::new(SHOP, None);
    stream.append(&request, events("ann", 0..10), NOW).await.unwrap();
    drain(&stream).await;
    let removal = everything();
    let lease = stream.acquire(0, &owner("w"), TTL).await.unwrap().unwrap().lease;
    stream.hand_over(0, &removal).await.unwrap();
    stream.count_removal(&lease, removal.id, 10).await.unwrap();
    assert!(stream.is_removing(0).await.unwrap());
    // Seven of them are deleted when the worker dies.
    stream.begin_incarnation(&lease, 2, 3, &[], 0).await.unwrap();
    assert!(!stream.is_removing(0).await.unwrap());
    let lease = stream.acquire(0, &owner("w"), TTL).await.unwrap().unwrap().lease;
    assert_eq!(stream.removals(0).await.unwrap(), std::slice::from_ref(&removal));
    assert_eq!(
        stream.count_removal(&lease, removal.id, 3).await.unwrap(),
        Some(3)
    );
    stream.finish_removal(&lease, removal.id).await.unwrap();
    let counters = stream.shard_counters(0).await.unwrap();
    assert_eq!((counters.rows_out, counters.rows_removed), (3, 3));
}
