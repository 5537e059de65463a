//! The workers' side: leases, plans, commits, announcements, rebuilds.

use std::time::Duration;

use footfall::event::{Day, Event, ProjectNumber};
use footfall::stream::rebuild::{CLAIM, Rebuild, RollupKind};
use footfall::stream::shard::{Commit, DeadRow};
use footfall::stream::{APPEND_TIMEOUT, EventStream, Request, StreamError, StreamOptions};

use crate::harness::*;

#[tokio::test]
async fn whoever_lost_the_lease_can_neither_plan_nor_try_nor_commit() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    stream
        .append(&Request::new(SHOP, None), events("ann", 0..10), NOW)
        .await
        .unwrap();
    let mut old = stream.acquire(0, &owner("old"), TTL).await.unwrap().unwrap();
    assert!(
        stream.acquire(0, &owner("new"), TTL).await.unwrap().is_none(),
        "the lease holds"
    );
    let end = stream
        .read_range(0, "0-0", None, 100, 1 << 20)
        .await
        .unwrap()
        .pop()
        .unwrap()
        .id;
    let planned = stream.plan(&old.lease, &end, 10, 1, 0).await.unwrap().unwrap();

    redis.run("DEL t:lease:{s0}"); // ran out
    let new = stream.acquire(0, &owner("new"), TTL).await.unwrap().unwrap();
    assert_eq!(new.plan.as_ref(), Some(&planned), "the new owner finds the plan");
    let fenced = |result: Result<(), StreamError>| assert!(matches!(result, Err(StreamError::Fenced(0))));
    fenced(stream.renew(&mut old.lease).await);
    fenced(stream.plan(&old.lease, &end, 10, 1, 0).await.map(drop));
    fenced(stream.try_again(&old.lease, planned.seq).await.map(drop));
    fenced(stream.mark_split(&old.lease, planned.seq).await);
    fenced(stream.commit(&old.lease, committed(planned.seq, 10, &[])).await);
    stream.release(&old.lease).await.unwrap();
    assert!(
        stream.acquire(0, &owner("old"), TTL).await.unwrap().is_none(),
        "nor give the other's lease away"
    );

    assert_eq!(stream.try_again(&new.lease, planned.seq).await.unwrap(), 1);
    stream
        .commit(&new.lease, committed(planned.seq, 10, &[]))
        .await
        .unwrap();
    let twice = stream.commit(&new.lease, committed(planned.seq, 10, &[])).await;
    assert!(matches!(twice, Err(StreamError::Stale { seq: 1, .. })));
    assert_eq!(waiting(&stream).await, 0);
}

#[tokio::test]
async fn a_written_plan_wins_over_another_boundary() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    for request in ["a", "b"] {
        stream
            .append(&Request::new(SHOP, Some(request)), events(request, 0..5), NOW)
            .await
            .unwrap();
    }
    let got = stream.acquire(0, &owner("w"), TTL).await.unwrap().unwrap();
    let entries = stream.read_range(0, "0-0", None, 1_000, 1 << 20).await.unwrap();
    let first = stream
        .plan(&got.lease, &entries[0].id, 5, 1, 0)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        stream
            .plan(&got.lease, &entries[1].id, 10, 2, 0)
            .await
            .unwrap()
            .unwrap(),
        first
    );
    assert_eq!(
        stream
            .read_range(0, "0-0", Some(&first.to), 1_000, 1 << 20)
            .await
            .unwrap()
            .len(),
        1
    );

    let dead = DeadRow {
        event: event(SHOP, "a", 0),
        code: 33,
        message: "cannot read".into(),
        source: "native curl/8.5.0".into(),
        received_at: NOW,
    };
    stream
        .commit(&got.lease, committed(first.seq, 4, &[dead]))
        .await
        .unwrap();
    let counters = stream.shard_counters(0).await.unwrap();
    assert_eq!(
        (
            counters.rows_in,
            counters.rows_out,
            counters.rows_dead,
            counters.rows_waiting
        ),
        (10, 4, 1, 5)
    );
    assert_eq!(stream.dead_letters(0).await.unwrap(), 1);
    let left = stream.read_range(0, "0-0", None, 1_000, 1 << 20).await.unwrap();
    assert_eq!(left.len(), 1, "trimmed exactly to the plan's end");
    assert_eq!(left[0].id, entries[1].id);
    assert_eq!(stream.cuts().await.unwrap(), [(1 << 40) + 1]);
}

#[tokio::test]
async fn a_new_owner_announces_what_the_last_one_committed() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    stream
        .append(&Request::new(SHOP, None), events("ann", 0..5), NOW)
        .await
        .unwrap();
    let dead = stream.acquire(0, &owner("dead"), TTL).await.unwrap().unwrap();
    let end = stream
        .read_range(0, "0-0", None, 100, 1 << 20)
        .await
        .unwrap()
        .pop()
        .unwrap()
        .id;
    let plan = stream.plan(&dead.lease, &end, 5, 1, 0).await.unwrap().unwrap();
    stream
        .commit(
            &dead.lease,
            Commit {
                projects: &[SHOP, BLOG],
                ..committed(plan.seq, 5, &[])
            },
        )
        .await
        .unwrap();
    assert_eq!(stream.rev(SHOP).await.unwrap(), 0);
    redis.run("DEL t:lease:{s0}");
    let next = stream.acquire(0, &owner("next"), TTL).await.unwrap().unwrap();
    assert_eq!(next.announce.as_deref(), Some("1,2"));
    assert_eq!((next.seq, next.done), (1, end));
    stream.announce(&next.lease).await.unwrap();
    assert_eq!(
        (stream.rev(SHOP).await.unwrap(), stream.rev(BLOG).await.unwrap()),
        (1, 1)
    );
    stream.announce(&next.lease).await.unwrap();
    assert_eq!(stream.rev(SHOP).await.unwrap(), 1, "and only once");
}

#[tokio::test]
async fn as_of_is_the_receipt_of_the_first_row_that_waits() {
    let redis = Redis::start().await;
    let stream = EventStream::connect(&StreamOptions {
        shards: 4,
        ..redis.options()
    })
    .await
    .unwrap();
    let settled = NOW - APPEND_TIMEOUT.as_millis() as i64;
    let fresh = stream.as_of(NOW).await.unwrap();
    assert_eq!((fresh.as_of, fresh.pending_rows), (settled, 0));
    for (person, at) in [("a", NOW - 70_000), ("b", NOW - 60_000), ("c", NOW - 1)] {
        let row = Event {
            received_at: at,
            ..event(SHOP, person, 1)
        };
        stream
            .append(&Request::new(SHOP, None), vec![row], NOW)
            .await
            .unwrap();
    }
    let behind = stream.as_of(NOW).await.unwrap();
    assert_eq!((behind.as_of, behind.pending_rows), (NOW - 70_000, 3));
}

#[tokio::test]
async fn the_number_of_shards_cannot_change() {
    let redis = Redis::start().await;
    redis.stream().await;
    let other = EventStream::connect(&StreamOptions {
        shards: 2,
        ..redis.options()
    })
    .await;
    assert!(matches!(
        other,
        Err(StreamError::ShardsDiffer { stored: 1, asked: 2 })
    ));
    let prefix = StreamOptions {
        prefix: "Bad Prefix".into(),
        ..redis.options()
    };
    assert!(matches!(
        EventStream::connect(&prefix).await,
        Err(StreamError::Prefix(_))
    ));
}

#[tokio::test]
async fn a_rebuild_asked_for_while_it_runs_runs_once_more() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    let day = Day::of_utc(NOW);
    let rebuild = Rebuild {
        project: SHOP,
        kind: RollupKind::Sketches,
        day,
    };
    let counts = Rebuild {
        kind: RollupKind::Counts,
        ..rebuild
    };
    stream.queue_rebuilds(&[rebuild], NOW + 30_000).await.unwrap();
    stream
        .queue_rebuilds(&[rebuild, counts], NOW + 40_000)
        .await
        .unwrap();
    assert_eq!(stream.due_rebuilds(NOW + 29_999, 10).await.unwrap(), []);
    assert_eq!(
        stream.due_rebuilds(NOW + 30_000, 10).await.unwrap(),
        [rebuild],
        "not put off by asking again"
    );

    let claimed = stream.claim_rebuild(rebuild, NOW + 30_000).await.unwrap();
    assert_eq!(stream.due_rebuilds(NOW + 30_000, 10).await.unwrap(), []);
    stream.queue_rebuilds(&[rebuild], NOW + 50_000).await.unwrap();
    stream.finish_rebuild(claimed).await.unwrap();
    assert_eq!(
        stream.due_rebuilds(NOW + 50_000, 10).await.unwrap(),
        [counts, rebuild]
    );

    for due in [counts, rebuild] {
        let claimed = stream.claim_rebuild(due, NOW + 50_000).await.unwrap();
        stream.finish_rebuild(claimed).await.unwrap();
    }
    assert_eq!(stream.rebuilds_waiting().await.unwrap(), 0);
    // However late it is, it can be claimed.
    stream.queue_rebuilds(&[rebuild], NOW).await.unwrap();
    let claimed = stream.claim_rebuild(rebuild, i64::MAX).await.unwrap();
    stream.finish_rebuild(claimed).await.unwrap();
    assert_eq!(stream.rebuilds_waiting().await.unwrap(), 0);
    assert!(stream.next_generation().await.unwrap() < stream.next_generation().await.unwrap());
}

#[tokio::test]
async fn a_rebuild_that_is_kept_is_not_due_and_one_whose_roller_fell_silent_is_in_half_a_minute() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    let rebuild = Rebuild {
        project: ProjectNumber(1),
        kind: RollupKind::Counts,
        day: Day(20_000),
    };
    let claim = CLAIM.as_millis() as i64;
    let due = async |now_ms| !stream.due_rebuilds(now_ms, 10).await.unwrap().is_empty();
    stream.queue_rebuilds(&[rebuild], NOW).await.unwrap();
    let first = stream.claim_rebuild(rebuild, NOW).await.unwrap();
    assert!(!due(NOW + claim - 1).await && due(NOW + claim).await);
    let first = stream.keep_rebuild(first, NOW + 10_000).await.unwrap();
    assert!(!due(NOW + 10_000 + claim - 1).await && due(NOW + 10_000 + claim).await);
    // It fell silent, and wakes up when another has it: neither keeps nor finishes what is not its own.
    let second = stream.claim_rebuild(rebuild, NOW + 10_000 + claim).await.unwrap();
    let first = stream.keep_rebuild(first, NOW + 90_000).await.unwrap();
    stream.finish_rebuild(first).await.unwrap();
    assert!(due(NOW + 10_000 + 2 * claim).await && !due(NOW + 10_000 + 2 * claim - 1).await);
    stream.finish_rebuild(second).await.unwrap();
    assert_eq!(stream.rebuilds_waiting().await.unwrap(), 0);
}

#[tokio::test]
async fn a_redis_that_went_back_in_time_plans_nothing_for_an_owner_that_runs_on() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    let got = stream.acquire(0, &owner("w"), TTL).await.unwrap().unwrap();
    for request in ["a", "b"] {
        stream
            .append(&Request::new(SHOP, Some(request)), events(request, 0..5), NOW)
            .await
            .unwrap();
        let entries = stream.read_range(0, "0-0", None, 5, 1 << 20).await.unwrap();
        let plan = stream
            .plan(&got.lease, &entries[0].id, 5, 1, 0)
            .await
            .unwrap()
            .expect("a plan");
        stream
            .commit(&got.lease, committed(plan.seq, 5, &[]))
            .await
            .unwrap();
    }
    // The copy is one batch old, and the lease in it still holds.
    redis.run("HSET t:st:{s0} seq 1");
    let planned = stream.plan(&got.lease, "9-9", 5, 1, 0).await;
    assert!(
        matches!(&planned, Err(StreamError::Content { detail, .. }) if detail.contains("back in time")),
        "{planned:?}"
    );
    redis.run("DEL t:lease:{s0}");
    let next = stream.acquire(0, &owner("next"), TTL).await.unwrap().unwrap();
    assert_eq!((next.seq, next.plan), (1, None), "nothing was written");
}

#[tokio::test]
async fn workers_count_each_other_and_wake_on_entries() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    assert_eq!(stream.heartbeat("a", TTL).await.unwrap(), 1);
    assert_eq!(stream.heartbeat("b", TTL).await.unwrap(), 2);
    stream.sign_off("a").await.unwrap();
    assert_eq!(stream.heartbeat("b", TTL).await.unwrap(), 1);

    let mut waiter = stream.waiter(0);
    assert!(!waiter.entry_after("0-0", Duration::from_millis(5)).await.unwrap());
    let wait = waiter.entry_after("0-0", Duration::from_secs(60));
    let request = Request::new(SHOP, None);
    let append = stream.append(&request, events("ann", 0..1), NOW);
    let (woken, appended) = tokio::join!(wait, append);
    assert!(woken.unwrap() && appended.is_ok());
}
