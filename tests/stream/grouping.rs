//! Requests that arrive together share entries, and each is judged on its own.

use std::collections::{BTreeMap, BTreeSet};

use footfall::event::{Event, ProjectNumber};
use footfall::stream::{AppendError, Appended, EventStream, Request, StreamOptions};
use futures_util::future::join_all;

use crate::harness::*;

/// A request: its id if it has one, its project, sender and rows.
#[derive(Clone)]
struct Sent {
    id: Option<String>,
    project: ProjectNumber,
    source: &'static str,
    rows: Vec<Event>,
}

impl Sent {
    async fn to(&self, stream: &EventStream) -> Result<Appended, AppendError> {
        let request = Request {
            source: self.source,
            ..Request::new(self.project, self.id.as_deref())
        };
        stream.append(&request, self.rows.clone(), NOW).await
    }
}

/// Events of few people with few ids, so that they meet often. What stands under a request id depends on the id
/// alone.
fn request(random: &mut fastrand::Rng, n: usize) -> Sent {
    let id = random.bool().then(|| random.usize(0..12));
    let mut random = id.map_or_else(|| random.fork(), |id| fastrand::Rng::with_seed(id as u64));
    let project = if random.bool() { SHOP } else { BLOG };
    let rows = (0..random.u32(1..8))
        .map(|seq| Event {
            seq,
            received_at: NOW + 60_000 * random.i64(0..2),
            ..event(
                project,
                ["ann", "bob", "eve"][random.usize(0..3)],
                random.u128(0..150),
            )
        })
        .collect::<Vec<_>>();
    // As capture does: the first of two events with one id counts.
    let mut seen = BTreeSet::new();
    let rows = rows.into_iter().filter(|row| seen.insert(row.id)).collect();
    Sent {
        id: id
            .map(|id| id.to_string())
            .or(n.is_multiple_of(3).then(|| format!("own-{n}"))),
        project,
        source: ["native curl/8.5.0", "native browser"][random.usize(0..2)],
        rows,
    }
}

async fn entries(stream: &EventStream) -> Vec<footfall::stream::entry::Entry> {
    stream
        .read_range(0, "0-0", None, 1_000_000, 1 << 30)
        .await
        .unwrap()
}

fn who(row: &Event) -> (ProjectNumber, String, u128) {
    (row.project, row.distinct_id.clone(), row.id.as_u128())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_once_are_each_answered_as_if_they_came_alone() {
    let redis = Redis::start().await;
    for seed in 0..8 {
        let options = StreamOptions {
            prefix: format!("t{seed}:"),
            ..redis.options()
        };
        let stream = EventStream::connect(&options).await.unwrap();
        let mut random = fastrand::Rng::with_seed(seed);
        let sent: Vec<Sent> = (0..120).map(|n| request(&mut random, n)).collect();
        let answers = join_all(sent.iter().map(|request| request.to(&stream))).await;

        let mut accepted = 0;
        let mut first: BTreeMap<&str, u32> = BTreeMap::new();
        for (request, answer) in sent.iter().zip(answers) {
            let answer = answer.unwrap();
            if let Some(id) = &request.id {
                *first.entry(id).or_default() += u32::from(!answer.replayed);
            } else {
                assert!(!answer.replayed, "seed {seed}: nothing to know it by");
            }
            let own: BTreeSet<_> = request.rows.iter().map(|row| row.id).collect();
            assert!(answer.duplicates.iter().all(|id| own.contains(id)));
            if !answer.replayed {
                accepted += request.rows.len() - answer.duplicates.len();
            }
        }
        assert!(
            first.values().all(|&first| first == 1),
            "seed {seed}: one sending of each request is the first"
        );

        let entries = entries(&stream).await;
        assert!(entries.len() < sent.len(), "seed {seed}: entries are shared");
        let kept: Vec<Event> = entries.iter().flat_map(|entry| entry.kept().unwrap()).collect();
        let stored: BTreeSet<_> = kept.iter().map(who).collect();
        let all: BTreeSet<_> = sent.iter().flat_map(|request| &request.rows).map(who).collect();
        assert_eq!(stored, all, "seed {seed}: every event is there");
        assert_eq!(stored.len(), kept.len(), "seed {seed}: once");
        assert_eq!(accepted, kept.len(), "seed {seed}: as often as it was said");
        let counters = stream.shard_counters(0).await.unwrap();
        assert_eq!(counters.rows_in, kept.len() as u64);

        for entry in &entries {
            let of: BTreeSet<_> = entry.kept().unwrap().iter().map(|row| row.project).collect();
            assert!(of.len() <= 1, "seed {seed}: an entry is of one project");
        }
        drain(&stream).await;
        for project in [SHOP, BLOG] {
            let waiting = stream.pending(project).await.unwrap().waiting;
            assert_eq!(
                waiting,
                [],
                "seed {seed}: what was noted as waiting is what was committed"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_refuses_the_new_and_knows_the_old_that_came_with_them() {
    let redis = Redis::start().await;
    let stream = EventStream::connect(&StreamOptions {
        max_entries: 1,
        ..redis.options()
    })
    .await
    .unwrap();
    let of = |id: u128| Sent {
        id: Some(id.to_string()),
        project: SHOP,
        source: "native",
        rows: vec![event(SHOP, &format!("p{id}"), id)],
    };
    of(0).to(&stream).await.unwrap();
    let sent: Vec<Sent> = (0..50).map(|n| of(n % 25)).collect();
    let answers = join_all(sent.iter().map(|request| request.to(&stream))).await;
    for (request, answer) in sent.iter().zip(answers) {
        match request.id.as_deref() {
            Some("0") => assert!(answer.unwrap().replayed),
            _ => assert_eq!(answer, Err(AppendError::Full)),
        }
    }
    assert_eq!(waiting(&stream).await, 1);
    drain(&stream).await;
    let first = of(1).to(&stream).await.unwrap();
    assert!(
        !first.replayed && first.duplicates.is_empty(),
        "a refusal marks nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_very_large_request_does_not_cost_its_neighbours_their_place() {
    let redis = Redis::start().await;
    let stream = redis.stream().await;
    let large = Sent {
        id: Some("large".into()),
        project: SHOP,
        source: "native",
        rows: (0..600)
            .map(|id| Event {
                props: format!("{{\"text\":\"{}\"}}", "é".repeat(15_000)),
                ..event(SHOP, "ann", id)
            })
            .collect(),
    };
    let mut sent: Vec<Sent> = (0..100)
        .map(|id| Sent {
            id: Some(id.to_string()),
            rows: vec![event(SHOP, "bob", 10_000 + id)],
            ..large.clone()
        })
        .collect();
    sent.insert(50, large);
    for answer in join_all(sent.iter().map(|request| request.to(&stream))).await {
        assert!(!answer.unwrap().replayed);
    }
    assert_eq!(waiting(&stream).await, 700);
    for entry in entries(&stream).await {
        assert!(entry.rows <= 200 && entry.unpacked < 64 << 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_a_kill_hit_together_are_stored_once_each_when_they_come_again() {
    let mut redis = Redis::start().await;
    let stream = redis.stream().await;
    let sent: Vec<Sent> = (0..400)
        .map(|id| Sent {
            id: Some(id.to_string()),
            project: SHOP,
            source: "native",
            rows: vec![event(SHOP, &format!("p{}", id % 7), id)],
        })
        .collect();
    let mut owed: Vec<&Sent> = sent.iter().collect();
    for _ in 0..3 {
        let appends = owed.iter().map(|request| request.to(&stream));
        let (answers, ()) = tokio::join!(join_all(appends), redis.killed_and_restarted());
        let refused = owed.iter().zip(answers).filter(|(_, answer)| answer.is_err());
        owed = refused.map(|(request, _)| *request).collect();
    }
    for request in owed {
        while request.to(&stream).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
    let kept: Vec<Event> = entries(&redis.stream().await)
        .await
        .iter()
        .flat_map(|entry| entry.kept().unwrap())
        .collect();
    let stored: BTreeSet<_> = kept.iter().map(who).collect();
    assert_eq!((kept.len(), stored.len()), (400, 400));
}
