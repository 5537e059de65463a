//! Producers over HTTP that behave as SDKs do: they send a request again under its id after a lost answer, pack
//! the events of an unanswered request into others, hang up, and give up. What they were told is the truth.
//!
//! The producers of the first project and of the other tenant's count alike: they send the same request ids, event
//! ids and people, which must not swallow each other.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::client::Address;
use super::tenants::Project;
use super::until;

/// Between the beginnings of a producer's requests, if its manners say nothing else.
const EVERY: Duration = Duration::from_millis(40);
const MOST_EVENTS: usize = 20;
/// No event may stay unanswered longer, whatever is killed.
const PATIENCE: Duration = Duration::from_secs(300);
/// The past that events are spread over: several partitions, and days that the roller seldom meets.
const DAYS: i64 = 60;
const PEOPLE: u32 = 400;
pub const NAMES: [&str; 6] = [
    "page_view",
    "view_item",
    "add_to_cart",
    "begin_checkout",
    "purchase",
    // Carries properties and is no activity.
    "$identify",
];

/// An event that was sent at least once.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub name: u8,
    pub person: u32,
    pub ts: i64,
    pub amount: u32,
    /// Nil: the client gave none.
    pub id: Uuid,
    /// Whether a request with it was answered 200.
    pub acknowledged: bool,
}

/// Every event by project (place in the list) and the number that it carries.
pub type Truth = HashMap<(usize, u64), Sent>;

/// How producers behave.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// Requests have ids, and events too; without, nothing protects a request that is sent again.
    pub keys: bool,
    /// A producer begins a request at most this often.
    pub every: Duration,
    /// Of 256 requests so many are hung up on while the server may still be at it.
    pub hurried: u8,
    /// Of 256 answers to events with ids so many are lost on their way: the events go out again, packed otherwise.
    pub unread: u8,
    /// Characters of text that nobody can compress, in each event.
    pub text: usize,
}

impl Default for Manners {
    fn default() -> Manners {
        Manners {
            keys: true,
            every: EVERY,
            hurried: 24,
            unread: 0,
            text: 0,
        }
    }
}

struct Shared {
    http: reqwest::Client,
    address: Address,
    manners: Manners,
    truth: Mutex<Truth>,
    /// Requests that were answered 200, or were not: with 503, or not at all.
    answered: AtomicUsize,
    refused: AtomicUsize,
    paused: AtomicBool,
    stop: AtomicBool,
    /// Producers that have nothing under way.
    idle: AtomicUsize,
}

/// Producers at work.
pub struct Producers {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

/// One of them.
struct Producer {
    shared: Arc<Shared>,
    number: u64,
    place: usize,
    project: Project,
    /// Whether its events carry ids of their own, so that they may be packed into other requests.
    ids: bool,
    /// What is sent: the same for two producers of the same seed.
    content: Rng,
    /// What becomes of it.
    fate: Rng,
    events: u64,
    requests: u64,
    /// Events whose requests were given up unanswered.
    returned: Vec<u64>,
}

impl Producers {
    /// Starts one for each project, and one more whose events have no ids. The same seed makes the same events.
    pub fn start(address: &Address, projects: &[Project], seed: u64, manners: Manners) -> Producers {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(12))
            .build();
        let shared = Arc::new(Shared {
            http: http.expect("a client"),
            address: address.clone(),
            manners,
            truth: Mutex::default(),
            answered: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            paused: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            idle: AtomicUsize::new(0),
        });
        // The last project is the other tenant's: its producer has the number and the seed of the first's.
        let twins = projects.len() - 1;
        let mut places: Vec<(usize, u64, bool)> = (0..projects.len())
            .map(|place| (place, (place % twins) as u64, manners.keys))
            .collect();
        places.push((0, 100, false));
        let tasks = places.into_iter().map(|(place, number, ids)| {
            let producer = Producer {
                shared: Arc::clone(&shared),
                number,
                place,
                project: projects[place].clone(),
                ids,
                content: Rng::with_seed(seed * 1_000 + number),
                fate: Rng::with_seed(seed * 1_000 + 500 + place as u64 + 10 * number),
                events: 0,
                requests: 0,
                returned: Vec::new(),
            };
            tokio::spawn(producer.run())
        });
        Producers {
            tasks: tasks.collect(),
            shared,
        }
    }

    /// Requests that were answered 200 so far.
    pub fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Requests that were refused or not answered so far.
    pub fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Waits until this many more requests were answered 200.
    pub async fn acknowledge(&self, more: usize) {
        let goal = self.answered() + more;
        self.wait("requests are answered", || self.answered() >= goal)
            .await;
    }

    /// Waits until this many more requests were refused.
    pub async fn refuse(&self, more: usize) {
        let goal = self.refused() + more;
        self.wait("requests are refused", || self.refused() >= goal).await;
    }

    async fn wait(&self, what: &str, reached: impl Fn() -> bool) {
        until(what, PATIENCE, async || {
            let dead = self.tasks.iter().any(JoinHandle::is_finished);
            assert!(!dead, "a producer failed: its words are above");
            reached().then_some(())
        })
        .await;
    }

    /// Lets each finish what it has begun, and shows what they know.
    pub async fn pause(&self) -> Truth {
        self.shared.paused.store(true, Ordering::Relaxed);
        let all = self.tasks.len();
        self.wait("producers pause", || {
            self.shared.idle.load(Ordering::Relaxed) == all
        })
        .await;
        self.shared.truth.lock().expect("not poisoned").clone()
    }

    /// Goes on after a pause.
    pub fn resume(&self) {
        self.shared.paused.store(false, Ordering::Relaxed);
    }

    /// Ends after a pause.
    pub async fn finish(self) -> Truth {
        let truth = self.pause().await;
        self.shared.stop.store(true, Ordering::Relaxed);
        self.resume();
        for task in self.tasks {
            task.await.expect("a producer's work");
        }
        truth
    }
}

/// What became of a request.
enum Outcome {
    Acknowledged,
    /// Nobody knows. Its events may go into another request.
    Returned,
    /// The producer forgot it: nobody will send these events again.
    Forgotten,
}

impl Producer {
    async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut tick = tokio::time::interval(shared.manners.every);
        while !shared.stop.load(Ordering::Relaxed) {
            let paused = shared.paused.load(Ordering::Relaxed);
            if paused && self.returned.is_empty() {
                shared.idle.fetch_add(1, Ordering::Relaxed);
                while shared.paused.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                shared.idle.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            tick.tick().await;
            let mut numbers = self.repacked();
            if !paused {
                let fresh = self.content.usize(1..=MOST_EVENTS);
                numbers.extend((0..fresh).map(|_| self.invent()));
            }
            match self.deliver(&numbers, paused).await {
                Outcome::Acknowledged => {
                    let mut truth = shared.truth.lock().expect("not poisoned");
                    for &number in &numbers {
                        if let Some(sent) = truth.get_mut(&(self.place, number)) {
                            sent.acknowledged = true;
                        }
                    }
                }
                Outcome::Returned => self.returned.extend(numbers),
                Outcome::Forgotten => {}
            }
        }
    }

    /// Some of the events that came back, in another order.
    fn repacked(&mut self) -> Vec<u64> {
        self.fate.shuffle(&mut self.returned);
        let some = self.returned.len().min(self.fate.usize(1..=MOST_EVENTS));
        self.returned.split_off(self.returned.len() - some)
    }

    /// Makes an event up and writes it down.
    fn invent(&mut self) -> u64 {
        let rng = &mut self.content;
        let number = self.number << 32 | self.events;
        self.events += 1;
        // Half of it is today's, so that some days are busy enough for the roller.
        let age = if rng.bool() {
            0
        } else {
            rng.i64(0..DAYS * 86_400_000)
        };
        let id = Uuid::from_u128(rng.u128(..));
        let sent = Sent {
            name: rng.u8(..NAMES.len() as u8),
            person: rng.u32(..PEOPLE),
            ts: jiff::Timestamp::now().as_millisecond() - age,
            amount: rng.u32(1..1_000),
            id: if self.ids { id } else { Uuid::nil() },
            acknowledged: false,
        };
        let mut truth = self.shared.truth.lock().expect("not poisoned");
        truth.insert((self.place, number), sent);
        number
    }

    fn body(&self, request_id: &str, numbers: &[u64]) -> Value {
        let truth = self.shared.truth.lock().expect("not poisoned");
        let event = |number: &u64| {
            let sent = truth[&(self.place, *number)];
            let mut event = json!({
                "event": NAMES[usize::from(sent.name)],
                "user_id": person(sent.person),
                "timestamp": sent.ts,
                "properties": { "amount": sent.amount, "n": number },
            });
            let text = self.shared.manners.text;
            if text > 0 {
                let mut rng = Rng::with_seed(*number);
                let text: String = (0..text).map(|_| rng.alphanumeric()).collect();
                event["properties"]["text"] = json!(text);
            }
            if !sent.id.is_nil() {
                event["id"] = json!(sent.id);
            }
            event
        };
        let events: Vec<Value> = numbers.iter().map(event).collect();
        let mut body = json!({ "write_key": self.project.write_key, "batch": events });
        if self.shared.manners.keys {
            body["request_id"] = json!(request_id);
        }
        body
    }

    /// Sends a request until it is answered 200, always under the same id, or it is given up.
    async fn deliver(&mut self, numbers: &[u64], last: bool) -> Outcome {
        self.requests += 1;
        // Small and shared with the other tenant's producer, as careless clients have them.
        let request_id = format!("{}-{}", self.number, self.requests);
        let body = self.body(&request_id, numbers);
        let began = Instant::now();
        let hurried = !last && self.fate.u8(..) < self.shared.manners.hurried;
        for attempt in 0.. {
            let shared = &self.shared;
            let mut request = shared.http.post(shared.address.get() + "/v1/events").json(&body);
            if hurried && attempt == 0 {
                request = request.timeout(Duration::from_millis(self.fate.u64(1..6)));
            }
            match request.send().await {
                Ok(answer) if answer.status() == 200 => {
                    // Who packs anew needs event ids to be safe; the rest sends the same request again, below.
                    let anew = self.ids || !shared.manners.keys;
                    if !last && anew && self.fate.u8(..) < shared.manners.unread {
                        return Outcome::Returned;
                    }
                    // The head says 200, but the answer may break off with the server's life: it was given.
                    let body: Value = answer.json().await.unwrap_or(json!({ "rejected": 0 }));
                    assert_eq!(body["rejected"], 0, "{body}");
                    shared.answered.fetch_add(1, Ordering::Relaxed);
                    return Outcome::Acknowledged;
                }
                Ok(answer) => {
                    let status = answer.status();
                    let retry_after = answer.headers().get("retry-after").cloned();
                    let body = answer.text().await.unwrap_or_default();
                    assert_eq!(status, 503, "{body}");
                    assert!(retry_after.is_some(), "503 without Retry-After: {body}");
                }
                Err(_) => {}
            }
            shared.refused.fetch_add(1, Ordering::Relaxed);
            assert!(began.elapsed() < PATIENCE, "no 200 within {PATIENCE:?}");
            match self.fate.u8(..) {
                0..4 if !last => return Outcome::Forgotten,
                4..40 if self.ids => return Outcome::Returned,
                _ => tokio::time::sleep(Duration::from_millis(self.fate.u64(10..60))).await,
            }
        }
        Outcome::Forgotten
    }
}

/// The distinct id of a person.
pub fn person(number: u32) -> String {
    format!("person-{number}")
}
