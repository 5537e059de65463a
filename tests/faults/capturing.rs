//! The endpoint is killed or frozen around its append; the client gets no answer and sends again, to another one.

use std::time::Duration;

use footfall::event::Event;
use serde_json::{Value, json};

use super::case::{Case, Fault, run_all};
use super::harness::*;
use super::life::Life;
use super::until;

/// Shards of the stream: a request of many people becomes several entries.
const SHARDS: u16 = 4;

/// Where the endpoint is struck. With two faults the second entry hangs unsent until the first one is answered.
const POINTS: &[(&str, &str)] = &[
    ("capture.before_append", ""),
    ("append.before_xadd", ""),
    ("append.after_xadd", "append.before_xadd:2:hang,"),
    ("capture.after_append", ""),
];

const PATIENCE: Duration = Duration::from_secs(20);

/// How the client sends again what was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    /// The same request.
    Same,
    /// The same events in another order, under another request id, as an SDK does after a restart.
    Repacked,
}

fn body(sent: &[Event], request_id: &str) -> Value {
    let wire = |event: &Event| {
        json!({
            "event": &*event.event, "id": event.id, "user_id": event.distinct_id, "timestamp": event.ts,
        })
    };
    json!({ "request_id": request_id, "batch": sent.iter().map(wire).collect::<Vec<_>>() })
}

/// Posts and says what came back: the status; `None` when the connection broke.
async fn post(address: String, key: String, body: Value) -> Option<u16> {
    let client = reqwest::Client::new();
    let request = client.post(address + "/v1/events").bearer_auth(key).json(&body);
    request.send().await.ok().map(|answer| answer.status().as_u16())
}

async fn endpoint(case: &Case, faults: &str) -> (Life, String) {
    let mut life = case.start("capture", faults, "");
    let address = life.says("listens on").await;
    (life, address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_struck_around_its_append_stores_what_is_sent_again_once() {
    let mut cases = Vec::new();
    for &(point, before) in POINTS {
        for fault in Fault::BOTH {
            for again in [Again::Same, Again::Repacked] {
                cases.push((format!("{point}: {fault:?}, sent again {again:?}"), async move {
                    let case = Case::new(SHARDS).await;
                    let key = case.shop().await.write_key.expect("a key");
                    let mut sent = events(SHOP, 50);
                    let faults = format!("{before}{}", fault.at(point, 1));
                    let (mut first, address) = endpoint(&case, &faults).await;
                    let unanswered = tokio::spawn(post(address, key.clone(), body(&sent, "r-1")));
                    fault.strikes(&mut first, point).await;

                    let (_second, address) = endpoint(&case, "").await;
                    let request_id = if again == Again::Same { "r-1" } else { "r-2" };
                    if again == Again::Repacked {
                        sent.reverse();
                    }
                    let answer = post(address, key, body(&sent, request_id)).await;
                    assert_eq!(answer, Some(200), "acknowledged the second time");
                    if fault == Fault::Frozen {
                        first.wakes();
                    }
                    match unanswered.await.expect("a client") {
                        None => assert_eq!(fault, Fault::Killed),
                        // A hung entry runs into its time limit.
                        Some(503) => assert!(!before.is_empty()),
                        Some(status) => assert_eq!((fault, status), (Fault::Frozen, 200)),
                    }
                    case.world.drain(&case.world.deliverer()).await;
                    case.world.holds_exactly(&sent).await;
                }));
            }
        }
    }
    run_all(4, cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_stored_in_part_is_refused_and_completed_when_it_is_sent_again() {
    let case = Case::new(SHARDS).await;
    let key = case.shop().await.write_key.expect("a key");
    let sent = events(SHOP, 50);
    let (_endpoint, address) = endpoint(&case, "append.before_xadd:2:error").await;
    let send = async || post(address.clone(), key.clone(), body(&sent, "r-1")).await;
    assert_eq!(send().await, Some(503), "as if Redis were away for one shard");
    let stored = until("the other shards have stored their part", PATIENCE, async || {
        Some(case.rows_in().await).filter(|&rows| rows > 0)
    })
    .await;
    assert!(stored < 50, "{stored} of 50 rows are in the stream");
    assert_eq!(send().await, Some(200));
    assert_eq!(case.rows_in().await, 50);
    case.world.drain(&case.world.deliverer()).await;
    case.world.holds_exactly(&sent).await;
}
