//! Dead letters on a real redis-server: listed by project over all shards, replayed once, discarded once.

use footfall::event::ledger::Outcome;
use footfall::event::{Event, ProjectNumber};
use footfall::stream::letters::{Admission, LetterId, MOST_LETTERS, Replayed};
use footfall::stream::shard::{Commit, DeadRow};
use footfall::stream::{EventStream, Request, StreamError, StreamOptions};

use crate::harness::*;

const SOURCE: &str = "native curl/8.5.0";

/// Everything may come back.
fn anything() -> Admission<'static> {
    Admission {
        version: 0,
        keeps: &|_| true,
    }
}

/// Sends these events and lets ClickHouse refuse every one of them.
async fn refused(stream: &EventStream, project: ProjectNumber, rows: Vec<Event>) {
    let request = Request {
        source: SOURCE,
        ..Request::new(project, None)
    };
    stream.append(&request, rows, NOW).await.unwrap();
    for shard in 0..stream.shards() {
        let _ = refuse_waiting(stream, shard).await.unwrap();
    }
}

/// A batch of which ClickHouse refuses every row: the planned one, else everything that waits in the shard.
async fn refuse_waiting(stream: &EventStream, shard: u16) -> Result<u64, StreamError> {
    let got = stream.acquire(shard, &owner("w"), TTL).await?.unwrap();
    let end = got.plan.map(|plan| plan.to);
    let entries = stream
        .read_range(shard, &got.done, end.as_deref(), 200_000, 64 << 20)
        .await?;
    let Some(last) = entries.last() else {
        stream.release(&got.lease).await?;
        return Ok(0);
    };
    let mut dead = Vec::new();
    for entry in &entries {
        dead.extend(entry.kept().unwrap().into_iter().map(|event| DeadRow {
            event,
            code: 469,
            message: "violated".into(),
            source: entry.source.clone().unwrap(),
            received_at: entry.received_at,
        }));
    }
    let waited: Vec<_> = entries
        .iter()
        .filter_map(|entry| entry.waited().unwrap())
        .collect();
    let rows = entries.iter().map(|entry| entry.rows).sum();
    let plan = stream.plan(&got.lease, &last.id, rows, 1, 0).await?.unwrap();
    let commit = Commit {
        waited: &waited,
        ..committed(plan.seq, 0, &dead)
    };
    let committed = stream.commit(&got.lease, commit).await;
    stream.release(&got.lease).await?;
    committed.map(|()| dead.len() as u64)
}

/// Every page of the project's letters, `limit` at a time.
async fn paged(stream: &EventStream, project: ProjectNumber, limit: usize) -> Vec<LetterId> {
    let (mut ids, mut before) = (Vec::new(), None);
    loop {
        let page = stream.letters(project, before, limit).await.unwrap();
        assert!(page.letters.iter().all(|letter| letter.event.project == project));
        ids.extend(page.letters.iter().map(|letter| letter.id));
        before = page.next;
        if before.is_none() {
            assert_eq!(page.total, ids.len() as u64);
            return ids;
        }
    }
}

#[tokio::test]
async fn a_project_sees_its_own_letters_of_all_shards_the_latest_first() {
    let redis = Redis::start().await;
    let options = StreamOptions {
        shards: 3,
        ..redis.options()
    };
    let stream = EventStream::connect(&options).await.unwrap();
    for round in 0..3_u128 {
        let people = |project, id: u128| -> Vec<Event> {
            let person = |n: u128| event(project, &format!("p{n}"), id + n);
            (0..20).map(person).collect()
        };
        refused(&stream, SHOP, people(SHOP, round * 100)).await;
        refused(&stream, BLOG, people(BLOG, 1_000 + round * 100)).await;
    }
    let all = paged(&stream, SHOP, 1_000).await;
    assert_eq!(all.len(), 60);
    assert!(all.is_sorted_by(|a, b| a > b), "the latest first");
    for limit in [1, 7, 60] {
        assert_eq!(paged(&stream, SHOP, limit).await, all, "{limit} a page");
    }
    let letter = stream.letter(all[0]).await.unwrap().expect("a letter");
    assert_eq!((letter.code, &*letter.message), (469, "violated"));
    assert_eq!((&*letter.source, letter.received_at), (SOURCE, NOW));

    // The index was lost, or letters went behind its back.
    for shard in 0..3 {
        redis.run(&format!("DEL t:dead:{{s{shard}}}"));
    }
    assert_eq!(paged(&stream, SHOP, 7).await, all);
    let (shard, at) = all[5]
        .to_string()
        .split_once('-')
        .map(|(s, at)| (s.to_owned(), at.to_owned()))
        .unwrap();
    redis.run(&format!("XDEL t:dlq:{{s{shard}}} {at}"));
    assert_eq!(paged(&stream, SHOP, 7).await.len(), 59);
    assert_eq!(paged(&stream, BLOG, 7).await.len(), 60);
}

#[tokio::test]
async fn a_replayed_letter_is_one_row_however_often_it_is_asked_for() {
    let mut redis = Redis::start().await;
    let stream = redis.stream().await;
    refused(&stream, SHOP, events("ann", 0..2)).await;
    let ids = paged(&stream, SHOP, 10).await;
    assert_eq!(
        stream.replay(BLOG, ids[0], &anything()).await.unwrap(),
        Replayed::Gone,
        "another project's letter"
    );
    // The answer to the first call is lost with the Redis that gave it.
    assert_eq!(
        stream.replay(SHOP, ids[0], &anything()).await.unwrap(),
        Replayed::Queued
    );
    redis.killed_and_restarted().await;
    let stream = redis.stream().await;
    assert_eq!(
        stream.replay(SHOP, ids[0], &anything()).await.unwrap(),
        Replayed::Queued
    );

    let waits = stream.read_range(0, "0-0", None, 100, 1 << 20).await.unwrap();
    assert_eq!(waits.len(), 1);
    assert!(waits[0].replayed);
    assert_eq!(waits[0].kept().unwrap().len(), 1);
    assert_eq!(
        (waits[0].source.as_deref(), waits[0].received_at),
        (Some(SOURCE), NOW)
    );
    let counters = stream.shard_counters(0).await.unwrap();
    assert_eq!(
        (counters.rows_in, counters.rows_dead, counters.rows_waiting),
        (2, 1, 1)
    );
    assert_eq!(stream.dead_letters(0).await.unwrap(), 1);
    let pending = stream.pending(SHOP).await.unwrap().waiting;
    assert_eq!(pending.iter().map(|waited| waited.rows).sum::<u64>(), 1);

    // Stored, and asked for once more: it does not come back.
    drain(&stream).await;
    assert_eq!(
        stream.replay(SHOP, ids[0], &anything()).await.unwrap(),
        Replayed::Queued
    );
    let counters = stream.shard_counters(0).await.unwrap();
    assert_eq!(
        (counters.rows_out, counters.rows_dead, counters.rows_waiting),
        (1, 1, 0)
    );
    assert!(stream.pending(SHOP).await.unwrap().waiting.is_empty());

    // Refused again it is a letter again, of another name.
    assert_eq!(
        stream.replay(SHOP, ids[1], &anything()).await.unwrap(),
        Replayed::Queued
    );
    assert_eq!(refuse_waiting(&stream, 0).await.unwrap(), 1);
    let again = paged(&stream, SHOP, 10).await;
    assert_eq!(again.len(), 1);
    assert!(again[0] > ids[0]);
}

#[tokio::test]
async fn what_was_erased_does_not_come_back() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    refused(&stream, SHOP, events("ann", 0..2)).await;
    let ids = paged(&stream, SHOP, 10).await;
    let erased = Admission {
        version: 0,
        keeps: &|event| event.distinct_id != "ann",
    };
    assert_eq!(
        stream.replay(SHOP, ids[0], &erased).await.unwrap(),
        Replayed::Erased
    );
    let counters = stream.shard_counters(0).await.unwrap();
    assert_eq!(
        (counters.rows_dead, counters.rows_discarded, counters.rows_waiting),
        (1, 1, 0)
    );
    // A shard that has seen later tombstones than the caller.
    redis.run("HSET t:st:{s0} tombstones 5");
    assert_eq!(
        stream.replay(SHOP, ids[1], &anything()).await.unwrap(),
        Replayed::Behind
    );
    let informed = Admission {
        version: 5,
        ..anything()
    };
    assert_eq!(
        stream.replay(SHOP, ids[1], &informed).await.unwrap(),
        Replayed::Queued
    );
}

#[tokio::test]
async fn a_discarded_letter_is_counted_once_and_the_ledger_is_told() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    refused(&stream, SHOP, events("ann", 0..2)).await;
    let ids = paged(&stream, SHOP, 10).await;
    assert!(
        !stream.discard(BLOG, ids[0]).await.unwrap(),
        "another project's letter"
    );
    assert!(stream.discard(SHOP, ids[0]).await.unwrap());
    assert!(!stream.discard(SHOP, ids[0]).await.unwrap(), "it is gone");
    assert_eq!(
        stream.replay(SHOP, ids[0], &anything()).await.unwrap(),
        Replayed::Gone
    );
    let counters = stream.shard_counters(0).await.unwrap();
    assert_eq!(
        (
            counters.rows_in,
            counters.rows_dead,
            counters.rows_discarded,
            counters.rows_waiting
        ),
        (2, 1, 1, 0)
    );
    assert_eq!(paged(&stream, SHOP, 10).await, ids[1..]);
    let told = stream.read_range(0, "0-0", None, 100, 1 << 20).await.unwrap();
    assert_eq!(told.len(), 1);
    let notes: Vec<_> = told[0]
        .notes
        .rows
        .iter()
        .map(|row| (row.outcome, row.count))
        .collect();
    assert_eq!(notes, [(Outcome::Quarantined, -1), (Outcome::Discarded, 1)]);
    assert!(told[0].kept().unwrap().is_empty());
}

#[tokio::test]
async fn a_batch_without_room_for_its_dead_rows_waits_until_some_are_gone() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    for some in 0..u128::from(MOST_LETTERS / 1_000) {
        refused(&stream, SHOP, events("ann", some * 1_000..(some + 1) * 1_000)).await;
    }
    assert_eq!(stream.dead_letters(0).await.unwrap(), MOST_LETTERS);
    let request = Request::new(SHOP, None);
    stream
        .append(&request, events("bob", 5_000..5_003), NOW)
        .await
        .unwrap();
    let before = stream.shard_counters(0).await.unwrap();
    for _ in 0..2 {
        let full = refuse_waiting(&stream, 0).await;
        assert!(matches!(full, Err(StreamError::LettersFull(0))), "{full:?}");
    }
    assert_eq!(
        stream.shard_counters(0).await.unwrap(),
        before,
        "nothing happened"
    );
    assert_eq!(stream.dead_letters(0).await.unwrap(), MOST_LETTERS);
    for letter in stream.letters(SHOP, None, 3).await.unwrap().letters {
        assert!(stream.discard(SHOP, letter.id).await.unwrap());
    }
    assert_eq!(stream.dead_letters(0).await.unwrap(), MOST_LETTERS - 3);
    assert_eq!(refuse_waiting(&stream, 0).await.unwrap(), 3, "now there is room");
    assert_eq!(stream.dead_letters(0).await.unwrap(), MOST_LETTERS);
}
