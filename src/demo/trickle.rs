//! A little live traffic: a visit every quarter of a minute, each of its events sent when its time has come.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::fill::{Target, send};
use super::shop::Shop;
use crate::clock::Clock;

/// Seconds between the starts of two visits.
const VISIT_EVERY_S: u64 = 15;
/// Visits under way at once; more would only be a sign that sending hangs.
const MAX_WAITING: usize = 1_000;

/// Sends visits until `stop`. An event that cannot be sent is dropped with a warning: this is scenery.
pub async fn trickle(target: Target, clock: Clock, stop: CancellationToken) {
    let client = reqwest::Client::new();
    let begun = clock.now_ms();
    // other users than those of the past, and of earlier starts
    let mut shop = Shop::new(begun as u64, "https://shop.example", begun as u64 / 1000);
    let mut waiting: Vec<Value> = Vec::new();
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    for second in 0u64.. {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let now = clock.now_ms();
        if second % VISIT_EVERY_S == 0 && waiting.len() < MAX_WAITING {
            waiting.extend(shop.visit_now(target.zone.local_day(now), now));
        }
        let (due, later): (Vec<Value>, Vec<Value>) = waiting
            .into_iter()
            .partition(|event| event["timestamp"].as_i64().is_some_and(|at| at <= now));
        waiting = later;
        if due.is_empty() {
            continue;
        }
        let body = json!({
            "write_key": target.write_key,
            "sent_at": now,
            "context": { "library": { "name": "footfall-demo", "version": env!("CARGO_PKG_VERSION") } },
            "batch": due,
        });
        tokio::select! {
            () = stop.cancelled() => return,
            sent = send(&client, &target.url, &body) => if let Err(error) = sent {
                tracing::warn!(%error, "the demo's live traffic was not sent");
            }
        }
    }
}
