//! Appends: repeated, repacked, refused.

use std::time::{Duration, Instant};

use footfall::event::{Event, flag};
use footfall::stream::{AppendError, EventStream, Request, StreamOptions};
use uuid::Uuid;

use crate::harness::*;

#[tokio::test]
async fn a_request_sent_again_after_a_lost_answer_is_stored_once() {
    let redis = Redis::start().await;
    let stream = EventStream::connect(&StreamOptions {
        shards: 4,
        ..redis.options()
    })
    .await
    .unwrap();
    // No ids from the client: capture gives new ones at each sending, and a new receipt time.
    let sent = |sending: i64| -> Vec<Event> {
        (0..300)
            .map(|n| Event {
                seq: n,
                flags: flag::ID_GIVEN,
                received_at: NOW + sending,
                ts: NOW + sending,
                ..event(
                    SHOP,
                    &format!("person-{}", n % 7),
                    u128::from(n) + 1_000 * sending as u128,
                )
            })
            .collect()
    };
    assert!(
        !stream
            .append(&Request::new(SHOP, Some("r")), sent(1), NOW)
            .await
            .unwrap()
            .replayed
    );
    assert!(
        stream
            .append(&Request::new(SHOP, Some("r")), sent(2), NOW + 60_000)
            .await
            .unwrap()
            .replayed
    );
    assert_eq!(waiting(&stream).await, 300);
}

#[tokio::test]
async fn a_careless_request_id_swallows_nobody_elses_events() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    for (project, person, id) in [
        (SHOP, "ann", 1),
        (BLOG, "ann", 1),
        (SHOP, "bob", 2),
        (SHOP, "ann", 3),
    ] {
        let answer = stream
            .append(
                &Request::new(project, Some("1")),
                vec![event(project, person, id)],
                NOW,
            )
            .await
            .unwrap();
        assert!(
            !answer.replayed && answer.duplicates.is_empty(),
            "{project} {person} {id}"
        );
    }
    assert_eq!(waiting(&stream).await, 4);
}

#[tokio::test]
async fn ids_repacked_into_another_request_are_dropped_within_the_window() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    stream
        .append(&Request::new(SHOP, Some("a")), events("ann", 0..3), NOW)
        .await
        .unwrap();
    let again = stream
        .append(
            &Request::new(SHOP, Some("b")),
            events("ann", 1..5),
            NOW + 3_599_000,
        )
        .await
        .unwrap();
    assert_eq!(again.duplicates, [Uuid::from_u128(1), Uuid::from_u128(2)]);
    assert!(!again.replayed);
    // The same id from another person, or in another project, is another event.
    assert!(
        stream
            .append(&Request::new(SHOP, None), events("bob", 1..2), NOW)
            .await
            .unwrap()
            .duplicates
            .is_empty()
    );
    assert!(
        stream
            .append(&Request::new(BLOG, None), vec![event(BLOG, "ann", 1)], NOW)
            .await
            .unwrap()
            .duplicates
            .is_empty()
    );

    let entries = stream.read_range(0, "0-0", None, 1_000, 1 << 20).await.unwrap();
    let kept: Vec<u128> = entries[1]
        .kept()
        .unwrap()
        .iter()
        .map(|row| row.id.as_u128())
        .collect();
    assert_eq!(kept, [3, 4], "the decision lies in the entry");
    let counters = stream.shard_counters(0).await.unwrap();
    assert_eq!((counters.rows_in, counters.rows_dup), (7, 2));

    let later = stream
        .append(
            &Request::new(SHOP, Some("c")),
            events("ann", 0..1),
            NOW + 3 * 3_600_000,
        )
        .await
        .unwrap();
    assert!(later.duplicates.is_empty(), "the window is over");
}

#[tokio::test]
async fn the_window_knows_every_id_of_a_person_with_very_many() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    for start in (0..60_000).step_by(1_000) {
        let answer = stream
            .append(
                &Request::new(SHOP, None),
                events("robot", start..start + 1_000),
                NOW,
            )
            .await
            .unwrap();
        assert!(answer.duplicates.is_empty());
    }
    for start in [0, 250, 400, 30_000, 59_000] {
        let answer = stream
            .append(
                &Request::new(SHOP, None),
                events("robot", start..start + 1_000),
                NOW,
            )
            .await
            .unwrap();
        assert_eq!(answer.duplicates.len(), 1_000, "from {start}");
    }
    let mut connection = redis::Client::open(redis.url())
        .unwrap()
        .get_connection()
        .unwrap();
    let sets: Vec<String> = redis::cmd("KEYS").arg("t:seen:*").query(&mut connection).unwrap();
    for set in sets {
        let encoding: String = redis::cmd("OBJECT")
            .arg("ENCODING")
            .arg(&set)
            .query(&mut connection)
            .unwrap();
        assert_eq!(encoding, "intset", "{set}");
    }
}

#[tokio::test]
async fn a_full_stream_refuses_but_still_knows_what_it_took() {
    let redis = Redis::start().await;
    let stream = EventStream::connect(&StreamOptions {
        max_entries: 2,
        ..redis.options()
    })
    .await
    .unwrap();
    for request in ["a", "b"] {
        stream
            .append(
                &Request::new(SHOP, Some(request)),
                vec![event(SHOP, request, 1)],
                NOW,
            )
            .await
            .unwrap();
    }
    let refused = stream
        .append(&Request::new(SHOP, Some("c")), vec![event(SHOP, "c", 1)], NOW)
        .await;
    assert_eq!(refused, Err(AppendError::Full));
    assert!(
        stream
            .append(&Request::new(SHOP, Some("b")), vec![event(SHOP, "b", 1)], NOW)
            .await
            .unwrap()
            .replayed
    );

    drain(&stream).await;
    let answer = stream
        .append(&Request::new(SHOP, Some("c")), vec![event(SHOP, "c", 1)], NOW)
        .await
        .unwrap();
    assert!(answer.duplicates.is_empty(), "a refused request marked no id");
}

#[tokio::test]
async fn at_maxmemory_appends_are_refused_whole_and_workers_drain() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    stream
        .append(&Request::new(SHOP, Some("a")), events("ann", 0..10), NOW)
        .await
        .unwrap();
    redis.run("CONFIG SET maxmemory 1");
    let refused = stream
        .append(&Request::new(SHOP, Some("b")), events("bob", 0..10), NOW)
        .await;
    assert!(
        matches!(&refused, Err(AppendError::Unavailable(why)) if why.contains("OOM")),
        "{refused:?}"
    );
    // A worker that starts only now drains as well: nobody else makes room.
    let started = redis.stream().await;
    drain(&started).await;
    assert_eq!(waiting(&stream).await, 0);
    redis.run("CONFIG SET maxmemory 0");
    let answer = stream
        .append(&Request::new(SHOP, Some("b")), events("bob", 0..10), NOW)
        .await
        .unwrap();
    assert_eq!((answer.replayed, answer.duplicates.len()), (false, 0));
}

#[tokio::test]
async fn a_killed_redis_keeps_what_it_acknowledged_and_is_found_again() {
    let mut redis = Redis::start().await;
    let stream = redis.stream().await;
    stream
        .append(&Request::new(SHOP, Some("a")), events("ann", 0..10), NOW)
        .await
        .unwrap();
    redis.killed_and_restarted().await;
    let deadline = Instant::now() + Duration::from_secs(20);
    // The first call may still meet the dead connection; the client then repeats its request.
    while stream
        .append(&Request::new(SHOP, Some("b")), events("bob", 0..10), NOW)
        .await
        .is_err()
    {
        assert!(Instant::now() < deadline, "not connected again");
    }
    assert!(
        stream
            .append(&Request::new(SHOP, Some("a")), events("ann", 0..10), NOW)
            .await
            .unwrap()
            .replayed
    );
    assert_eq!(waiting(&stream).await, 20);
}
