//! Clients that send, are let down, and send again. What they were told is the truth that the tables must hold.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::client::{Address, Client};
use super::until;

const EVENTS_A_REQUEST: usize = 10;
const PEOPLE: u32 = 200;
/// The past that events are spread over: three months, so that a batch has several partitions.
pub const DAYS: i64 = 60;
/// A writer begins a request at most this often.
const EVERY: Duration = Duration::from_millis(40);
/// No request may stay unanswered longer, whatever is killed.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the clients know.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Ids of events that were answered 200.
    pub acknowledged: HashSet<Uuid>,
    /// Ids of events whose sender gave up after no answer: stored once, or not at all.
    pub given_up: HashSet<Uuid>,
    /// Requests that were sent again.
    pub retries: usize,
}

struct Shared {
    http: reqwest::Client,
    address: Address,
    write_key: String,
    ledger: Mutex<Ledger>,
    acknowledged: AtomicUsize,
    stop: AtomicBool,
}

/// Clients at work.
pub struct Writers {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl Writers {
    /// Starts `count` of them. The same seed makes the same events.
    pub fn start(client: &Client, count: usize, seed: u64) -> Writers {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .build();
        let shared = Arc::new(Shared {
            http: http.expect("a client"),
            address: client.address.clone(),
            write_key: client.write_key.clone(),
            ledger: Mutex::default(),
            acknowledged: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let tasks = (0..count as u64)
            .map(|n| tokio::spawn(write(Arc::clone(&shared), Rng::with_seed(seed * 1_000 + n))))
            .collect();
        Writers { shared, tasks }
    }

    /// Waits until this many more requests were answered 200.
    pub async fn acknowledge(&self, more: usize) {
        let goal = self.shared.acknowledged.load(Ordering::Relaxed) + more;
        until("requests are answered", PATIENCE, async || {
            let dead = self.tasks.iter().any(JoinHandle::is_finished);
            assert!(!dead, "a writer failed: its words are above");
            (self.shared.acknowledged.load(Ordering::Relaxed) >= goal).then_some(())
        })
        .await;
    }

    /// Ids of the events that were answered 200 so far.
    pub fn acknowledged(&self) -> HashSet<Uuid> {
        let ledger = self.shared.ledger.lock().expect("not poisoned");
        ledger.acknowledged.clone()
    }

    /// Lets each finish what it has begun, and hands over what they know.
    pub async fn finish(self) -> Ledger {
        self.shared.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("a writer's work");
        }
        std::mem::take(&mut *self.shared.ledger.lock().expect("not poisoned"))
    }
}

async fn write(shared: Arc<Shared>, mut rng: Rng) {
    let mut tick = tokio::time::interval(EVERY);
    while !shared.stop.load(Ordering::Relaxed) {
        tick.tick().await;
        let mut events: Vec<Value> = (0..EVENTS_A_REQUEST).map(|_| event(&mut rng)).collect();
        let ids: Vec<Uuid> = events
            .iter()
            .filter_map(|event| event["id"].as_str()?.parse().ok())
            .collect();
        let acknowledged = deliver(&shared, &mut rng, &mut events).await;
        let mut ledger = shared.ledger.lock().expect("not poisoned");
        if acknowledged {
            ledger.acknowledged.extend(ids);
            shared.acknowledged.fetch_add(1, Ordering::Relaxed);
        } else {
            ledger.given_up.extend(ids);
        }
    }
}

/// Sends until a 200 comes, always under the same request id; now and then gives up instead, or repacks the
/// events into another request, as an SDK does that was restarted. False: given up.
async fn deliver(shared: &Shared, rng: &mut Rng, events: &mut [Value]) -> bool {
    let mut request_id = format!("{:032x}", rng.u128(..));
    let began = Instant::now();
    // Some are in a hurry and hang up while the server may still be at it.
    let hurried = rng.u8(..) < 24;
    for attempt in 0.. {
        let mut request = shared
            .http
            .post(shared.address.get() + "/v1/events")
            .json(&json!({
                "write_key": shared.write_key, "request_id": request_id, "batch": events,
            }));
        if hurried && attempt == 0 {
            request = request.timeout(Duration::from_millis(rng.u64(1..6)));
        }
        match request.send().await {
            Ok(answer) if answer.status() == 200 => {
                // The head says 200, but the answer may break off with the server's life: it was given.
                let body: Value = answer.json().await.unwrap_or(json!({ "rejected": 0 }));
                assert_eq!(body["rejected"], 0, "{body}");
                return true;
            }
            Ok(answer) => {
                let status = answer.status();
                let body = answer.text().await.unwrap_or_default();
                assert!(status.is_server_error(), "{status}: {body}");
            }
            Err(_) => {}
        }
        let gives_up = if hurried { 32 } else { 8 };
        if rng.u8(..) < gives_up {
            return false;
        }
        if rng.u8(..) < 16 {
            request_id = format!("{:032x}", rng.u128(..));
            rng.shuffle(events);
        }
        shared.ledger.lock().expect("not poisoned").retries += 1;
        assert!(began.elapsed() < PATIENCE, "no 200 within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

fn event(rng: &mut Rng) -> Value {
    let now = jiff::Timestamp::now().as_millisecond();
    // Half of it is today's, so that some days are busy enough for the roller.
    let age = if rng.bool() { 0 } else { rng.i64(0..DAYS) };
    let names = [
        "page_view",
        "view_item",
        "add_to_cart",
        "begin_checkout",
        "purchase",
    ];
    json!({
        "event": names[rng.usize(..names.len())],
        "id": uuid::Builder::from_random_bytes(rng.u128(..).to_le_bytes()).into_uuid(),
        "user_id": format!("person-{}", rng.u32(..PEOPLE)),
        "timestamp": now - age * 86_400_000,
        "properties": { "amount": rng.u32(1..100), "text": "x".repeat(rng.usize(0..200)) },
    })
}
