//! Back-pressure: ClickHouse is away until Redis is at its memory limit, or a shard of the stream is full. The
//! endpoint refuses at once, says when to come again, and loses nothing that it took.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cluster::{Cluster, Part, SHARDS};
use super::oracle::look;
use super::producers::{Manners, Producers};
use super::tenants::{Project, register};
use super::{alone, until};

/// What an operator gives Redis here.
const MEMORY: &str = "64mb";
/// Requests that are timed while the endpoint refuses.
const PROBES: usize = 400;
/// Clients that send them.
const PROBERS: usize = 8;
/// No answer may take longer: capture's own limit for Redis, and a little.
const LONGEST: Duration = Duration::from_secs(7);
/// Longest time until a full Redis is empty again.
const DRAIN: Duration = Duration::from_secs(180);

/// Projects that are compared, and one whose requests are only timed: a request that is refused by one shard may
/// have been taken by another, and nobody sends it again.
struct Shops {
    compared: Vec<Project>,
    probed: Project,
}

impl Shops {
    async fn open(cluster: &Cluster) -> Shops {
        let mut compared = register(cluster).await;
        let probed = compared.remove(1);
        Shops { compared, probed }
    }
}

/// What refusing looked like from outside.
struct Refusals {
    answers: Vec<Duration>,
    codes: Vec<String>,
    /// Requests that found room after all.
    taken: usize,
}

/// Sends small requests that must be refused, and times the answers.
async fn probe(cluster: &Cluster, project: &Project) -> Refusals {
    let url = cluster.capture.get() + "/v1/events";
    let tasks: Vec<_> = (0..PROBERS)
        .map(|prober| {
            let (url, write_key) = (url.clone(), project.write_key.clone());
            let http = reqwest::Client::builder().timeout(LONGEST).build();
            let http = http.expect("a client");
            tokio::spawn(async move {
                let mut seen = Vec::new();
                for n in 0..PROBES / PROBERS {
                    // Of so many people that every shard has some.
                    let people = (0..20)
                        .map(|person| json!({ "event": "probe", "user_id": format!("person-{person}") }));
                    let body = json!({
                        "write_key": write_key, "request_id": format!("probe-{prober}-{n}"),
                        "batch": people.collect::<Vec<_>>(),
                    });
                    let asked = Instant::now();
                    let answer = http
                        .post(&url)
                        .json(&body)
                        .send()
                        .await
                        .expect("an answer in time");
                    let (status, headers) = (answer.status(), answer.headers().clone());
                    let body: Value = answer.json().await.expect("JSON");
                    let took = asked.elapsed();
                    if status == 200 {
                        seen.push((took, None));
                        continue;
                    }
                    assert_eq!(status, 503, "{body}");
                    let seconds = headers["retry-after"].to_str().expect("text");
                    assert!(
                        seconds.parse::<u32>().is_ok_and(|s| s > 0),
                        "Retry-After: {seconds}"
                    );
                    let code = body["code"].as_str().unwrap_or_default();
                    seen.push((took, Some(code.to_owned())));
                }
                seen
            })
        })
        .collect();
    let mut refusals = Refusals {
        answers: Vec::new(),
        codes: Vec::new(),
        taken: 0,
    };
    for task in tasks {
        for (took, code) in task.await.expect("a prober's work") {
            let Some(code) = code else {
                refusals.taken += 1;
                continue;
            };
            refusals.answers.push(took);
            refusals.codes.push(code);
        }
    }
    refusals.answers.sort_unstable();
    refusals.codes.sort_unstable();
    refusals.codes.dedup();
    refusals
}

impl Refusals {
    fn print(&self, what: &str) {
        let at = |share: f64| self.answers[((self.answers.len() - 1) as f64 * share) as usize];
        let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
        eprintln!(
            "{what}: {} refusals {:?}, p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
            self.answers.len(),
            self.codes,
            ms(at(0.5)),
            ms(at(0.99)),
            ms(at(1.0))
        );
    }
}

/// Waits until every shard refuses: for so long somebody's request is still taken.
async fn refuses(cluster: &Cluster, producers: &Producers) {
    let mut seen = (producers.answered(), Instant::now());
    until("nothing is taken any more", DRAIN, async || {
        cluster.progress().await?;
        let answered = producers.answered();
        if answered != seen.0 {
            seen = (answered, Instant::now());
        }
        (seen.1.elapsed() > Duration::from_secs(1)).then_some(())
    })
    .await;
}

async fn survives(what: &str, cluster: Cluster, shops: Shops, producers: Producers, code: &str) {
    refuses(&cluster, &producers).await;
    let before = cluster.progress().await.expect("Redis");
    let refusals = probe(&cluster, &shops.probed).await;
    refusals.print(what);
    assert_eq!(refusals.codes, [code]);
    // Redis counts the buffers of its clients: between two senders there may be room for a moment.
    assert!(
        refusals.taken * 20 <= refusals.answers.len(),
        "{what}: {} of {PROBES} requests were taken",
        refusals.taken
    );
    let mut cluster = cluster;
    let returned = Instant::now();
    cluster.restart(Part::ClickHouse).await;
    // Senders come again by themselves, and find room as soon as workers have made it.
    producers.acknowledge(20).await;
    let room = returned.elapsed();
    let truth = producers.finish().await;
    cluster.drained(DRAIN).await;
    let drained = returned.elapsed();
    let found = look(&cluster, &shops.compared, &truth).await;
    eprintln!(
        "{what}: {} requests waited in {SHARDS} shards; ClickHouse back: room after {room:.1?}, empty after \
         {drained:.1?}\n{found}",
        before.waiting
    );
    assert!(found.holds(), "{what}");
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_at_its_memory_limit_refuses_and_loses_nothing() {
    let _alone = alone().await;
    let mut cluster = Cluster::start().await;
    let shops = Shops::open(&cluster).await;
    cluster.configure_redis("maxmemory", MEMORY).await;
    let manners = Manners {
        every: Duration::from_millis(1),
        text: 8_000,
        ..Manners::default()
    };
    let producers = Producers::start(&cluster.capture, &shops.compared, 21, manners);
    cluster.works(DRAIN).await;
    cluster.kill(Part::ClickHouse).await;
    survives("Redis at 64 MB", cluster, shops, producers, "unavailable").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_stream_refuses_and_loses_nothing() {
    let _alone = alone().await;
    let mut cluster = Cluster::start().await;
    let shops = Shops::open(&cluster).await;
    cluster.kill(Part::Capture).await;
    cluster.set("FOOTFALL_STREAM_REQUESTS", "200");
    cluster.restart(Part::Capture).await;
    let manners = Manners {
        every: Duration::from_millis(5),
        ..Manners::default()
    };
    let producers = Producers::start(&cluster.capture, &shops.compared, 22, manners);
    cluster.works(DRAIN).await;
    cluster.kill(Part::ClickHouse).await;
    survives("a full stream", cluster, shops, producers, "stream_full").await;
}
