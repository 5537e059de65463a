//! The promise under `kill -9`: what was answered 200 is stored exactly once and counted exactly once, whichever
//! process is killed, whenever, however often. The real program with its real engines, as processes that are
//! really killed; the judge is what the test's own clients were told, and what they read over HTTP.
//!
//! A longer campaign of the same: `FOOTFALL_CRASH_ROUNDS=12 cargo test --test crash -- --nocapture killed:: stalled::`
//! repeats the kills of those scenarios that often (eight kills, or two stalls, a round) and prints the figures;
//! `FOOTFALL_CRASH_SEED` draws other moments.

mod adopting;
mod backups;
mod campaign;
mod client;
mod cluster;
mod controls;
mod demo;
mod engine;
mod installation;
mod killed;
mod oracle;
mod pressure;
mod process;
mod producers;
mod rewound;
mod stalled;
mod starting;
mod tenants;
mod truth;
mod writers;

use std::time::{Duration, Instant};

/// Waits for something that other processes do.
async fn until<T>(what: &str, within: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {within:?} until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// One at a time: each of these tests has a dozen processes of its own, and waits for what they do.
async fn alone() -> tokio::sync::MutexGuard<'static, ()> {
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    TURN.lock().await
}

/// A number from the environment, for campaigns.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a whole number"))
}
