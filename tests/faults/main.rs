//! Faults at named points (`src/fault.rs`): the real program as a process is killed, or frozen past its lease, at each
//! of them, and another one goes on. Then everything that was acknowledged is stored, counted and sketched once.
//!
//! One ClickHouse and one Redis for all; each case has a database, a key prefix and a control database of its own.

#[expect(
    dead_code,
    reason = "the harness of tests/deliver, of which this needs a part"
)]
#[path = "../deliver/harness.rs"]
mod harness;

mod capturing;
mod case;
mod controls;
mod delivering;
mod life;
mod points;
mod removing;
mod renaming;
mod repairing;
mod replaying;
mod rolling;
mod world;

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
