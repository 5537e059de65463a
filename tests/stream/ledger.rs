//! What entries carry for the ledger, and what waits by project, minute and source.

use footfall::event::ledger::{ClientSequence, LedgerRow, Outcome, minute_of};
use footfall::event::{Event, ProjectNumber};
use footfall::stream::ledger::Notes;
use footfall::stream::shard::{Commit, DeadRow};
use footfall::stream::{EventStream, Request, StreamOptions};

use crate::harness::*;

fn rejected(count: i64) -> Notes {
    Notes {
        rows: vec![LedgerRow {
            project: SHOP,
            minute: minute_of(NOW),
            source: "native curl/8.5.0".into(),
            outcome: Outcome::Rejected,
            reason: "missing_field".into(),
            count,
        }],
        sequences: vec![ClientSequence {
            project: SHOP,
            minute: minute_of(NOW),
            source: "native curl/8.5.0".into(),
            client: 9,
            first: 1,
            last: 4,
            count: 4,
        }],
    }
}

/// What waits of a project, by minutes before [`NOW`] and source.
async fn pending(stream: &EventStream, project: ProjectNumber) -> Vec<(u32, String, u64)> {
    let waiting = stream.pending(project).await.unwrap().waiting;
    let mut rows: Vec<_> = waiting
        .into_iter()
        .map(|w| (minute_of(NOW) - w.minute, w.source.to_string(), w.rows))
        .collect();
    rows.sort();
    rows
}

/// Every row taken is stored, dead, thrown away or counted as waiting, in every shard.
async fn adds_up(stream: &EventStream, projects: &[ProjectNumber]) {
    let (mut waiting, mut counted) = (0, 0);
    for shard in 0..stream.shards() {
        waiting += stream.shard_counters(shard).await.unwrap().rows_waiting;
    }
    for &project in projects {
        let pending = stream.pending(project).await.unwrap();
        counted += pending.waiting.iter().map(|w| w.rows).sum::<u64>();
    }
    assert_eq!(counted, waiting);
}

#[tokio::test]
async fn an_entry_names_its_source_and_its_first_part_carries_the_notes() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    let notes = rejected(3);
    let request = Request {
        source: "native curl/8.5.0",
        notes: &notes,
        ..Request::new(SHOP, Some("r"))
    };
    // More rows than an entry holds: two entries.
    for _ in 0..2 {
        stream.append(&request, events("ann", 0..250), NOW).await.unwrap();
    }
    let entries = stream.read_range(0, "0-0", None, 1_000, 1 << 20).await.unwrap();
    assert_eq!(entries.len(), 2, "sent again, stored once");
    assert_eq!(entries[0].notes, notes);
    assert!(entries[1].notes.is_empty());
    for entry in &entries {
        assert_eq!(entry.source.as_deref(), Some("native curl/8.5.0"));
        assert_eq!((entry.received_at, entry.replayed), (NOW, false));
    }
}

#[tokio::test]
async fn what_waits_is_counted_by_project_minute_and_source_until_it_is_committed() {
    let redis = Redis::start().await;
    let stream = EventStream::connect(&StreamOptions {
        shards: 2,
        ..redis.options()
    })
    .await
    .unwrap();
    let curl = Request {
        source: "native curl/8.5.0",
        ..Request::new(SHOP, None)
    };
    let earlier: Vec<Event> = events("bob", 10..12)
        .into_iter()
        .map(|event| Event {
            received_at: NOW - 60_000,
            ..event
        })
        .collect();
    stream.append(&curl, events("ann", 0..5), NOW).await.unwrap();
    stream.append(&curl, earlier, NOW).await.unwrap();
    // Three of them are known: they do not wait.
    stream
        .append(&Request::new(SHOP, None), events("ann", 2..9), NOW)
        .await
        .unwrap();
    let blog = vec![event(BLOG, "a:b", 1)];
    stream
        .append(
            &Request {
                source: "x:y z",
                ..Request::new(BLOG, None)
            },
            blog,
            NOW,
        )
        .await
        .unwrap();
    let curl = |rows| (0, "native curl/8.5.0".to_owned(), rows);
    assert_eq!(
        pending(&stream, SHOP).await,
        [(0, String::new(), 4), curl(5), (1, "native curl/8.5.0".into(), 2)]
    );
    assert_eq!(pending(&stream, BLOG).await, [(0, "x:y z".to_owned(), 1)]);
    adds_up(&stream, &[SHOP, BLOG]).await;

    // One row of the batch dies: it waits no longer either.
    let shard = stream.shard_of(SHOP, "ann");
    let got = stream.acquire(shard, &owner("w"), TTL).await.unwrap().unwrap();
    let entries = stream
        .read_range(shard, &got.done, None, 1_000, 1 << 20)
        .await
        .unwrap();
    let waited: Vec<_> = entries.iter().filter_map(|e| e.waited().unwrap()).collect();
    let rows: u64 = entries.iter().map(|entry| entry.rows).sum();
    let kept: u64 = waited.iter().map(|w| w.rows).sum();
    let last = &entries.last().unwrap().id;
    let plan = stream.plan(&got.lease, last, rows, 1, 0).await.unwrap().unwrap();
    let dead = [DeadRow {
        event: event(SHOP, "ann", 0),
        code: 33,
        message: "cannot read".into(),
        source: "native curl/8.5.0".into(),
        received_at: NOW,
    }];
    let commit = Commit {
        waited: &waited,
        ..committed(plan.seq, kept - 1, &dead)
    };
    stream.commit(&got.lease, commit).await.unwrap();
    adds_up(&stream, &[SHOP, BLOG]).await;
    let after = stream.pending(SHOP).await.unwrap();
    assert_eq!(after.cuts, stream.cuts().await.unwrap());

    let mut connection = redis::Client::open(redis.url())
        .unwrap()
        .get_connection()
        .unwrap();
    let letters: redis::streams::StreamRangeReply = redis::cmd("XRANGE")
        .arg(format!("t:dlq:{{s{shard}}}"))
        .arg("-")
        .arg("+")
        .query(&mut connection)
        .unwrap();
    let letter = &letters.ids[0];
    assert_eq!(letter.get::<String>("s").as_deref(), Some("native curl/8.5.0"));
    assert_eq!(letter.get::<i64>("t"), Some(NOW));
    assert_eq!(letter.get::<u32>("code"), Some(33));
}

#[tokio::test]
async fn notes_without_rows_are_an_entry_of_their_own_and_count_once() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    for _ in 0..2 {
        stream
            .append_notes(SHOP, "flush-1", &rejected(2), NOW)
            .await
            .unwrap();
    }
    stream
        .append_notes(SHOP, "flush-2", &rejected(1), NOW)
        .await
        .unwrap();
    let entries = stream.read_range(0, "0-0", None, 1_000, 1 << 20).await.unwrap();
    let noted: Vec<_> = entries.iter().map(|e| (e.rows, e.notes.clone())).collect();
    assert_eq!(noted, [(0, rejected(2)), (0, rejected(1))]);
    assert!(entries[0].kept().unwrap().is_empty() && entries[0].waited().unwrap().is_none());
    assert_eq!(waiting(&stream).await, 0);
    drain(&stream).await;
    assert_eq!(stream.read_range(0, "0-0", None, 9, 9).await.unwrap().len(), 0);
}

#[tokio::test]
async fn entries_of_a_version_that_noted_no_source_are_read_and_committed() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    let packed = footfall::stream::codec::pack(&events("ann", 0..2)).unwrap();
    let mut connection = redis::Client::open(redis.url())
        .unwrap()
        .get_connection()
        .unwrap();
    let add = redis::cmd("XADD")
        .arg(&["t:ev:{s0}", "*", "n", "2", "d", "", "b"])
        .arg(packed.unpacked)
        .arg("t")
        .arg(NOW)
        .arg("p")
        .arg(packed.bytes)
        .exec(&mut connection);
    add.unwrap();
    redis.run("HSET t:st:{s0} rows_in 2");
    let entries = stream.read_range(0, "0-0", None, 1_000, 1 << 20).await.unwrap();
    assert_eq!(
        (entries[0].source.as_deref(), entries[0].kept().unwrap().len()),
        (None, 2)
    );
    drain(&stream).await;
    adds_up(&stream, &[SHOP]).await;
    assert_eq!(stream.pending(SHOP).await.unwrap().waiting, []);
}
