//! `footfall demo` is killed whole in the middle of its fill, again and again, and still fills exactly once.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::client::{Address, Client, text};
use super::installation::{Installation, Running, START, Victim};
use super::truth::{agrees, funnel, range, stored};
use super::{alone, until};

const EVENTS: usize = 12_000;
const DAYS: i64 = 30;
const ARGUMENTS: [&str; 6] = ["demo", "--events", "12000", "--days", "30", "--no-live"];
const STEPS: [&str; 4] = ["view_item", "add_to_cart", "begin_checkout", "purchase"];

/// A file of the data directory, read as JSON; `None` before it is there.
fn file(installation: &Installation, name: &str) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(installation.data().join(name)).ok()?).ok()
}

async fn owner(installation: &Installation, running: &mut Running) -> Client {
    let address = Address::default();
    address.set(running.says("Dashboard").await);
    running.says("Ready.").await;
    let login = file(installation, "demo-login.json").expect("a login");
    Client::login(
        address,
        &text(&login["email"]),
        &text(&login["password"]),
        range(DAYS),
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_killed_in_the_middle_fills_exactly_what_was_asked_for() {
    let _alone = alone().await;
    let began = Instant::now();
    let installation = Installation::new();
    for requests in [3, 9, 16] {
        let mut running = installation.start(&ARGUMENTS);
        until("the fill has come so far", START, async || {
            assert!(running.ended().is_none(), "{}", running.last_words());
            let progress = file(&installation, "demo-progress.json")?;
            (progress["acknowledged_requests"].as_u64()? >= requests).then_some(())
        })
        .await;
        running.kill(Victim::Everything).await;
        installation.nobody_is_left().await;
        let progress = file(&installation, "demo-progress.json").expect("progress");
        assert_eq!(progress["finished"], false, "killed in the middle: {progress}");
    }

    // Once more when the fill is over but the worker, which had to wait for the leases of its dead
    // predecessors, has just begun with what they left.
    let mut running = installation.start(&ARGUMENTS);
    let client = owner(&installation, &mut running).await;
    let mut first = None;
    until("the worker has begun", START, async || {
        let now = client.counted().await?;
        // On a slow machine it may have done all of it.
        (now > *first.get_or_insert(now) || now == EVENTS as u64).then_some(())
    })
    .await;
    running.kill(Victim::Everything).await;

    let mut running = installation.start(&ARGUMENTS);
    let client = owner(&installation, &mut running).await;
    client.quiet().await;
    let rows = stored(&client).await;
    let ids: HashSet<_> = rows.iter().map(|row| row.id).collect();
    assert_eq!((rows.len(), ids.len()), (EVENTS, EVENTS), "each event once");
    assert_eq!(client.counted().await, Some(EVENTS as u64));
    agrees(&client, &rows).await;

    let query: Vec<String> = STEPS.iter().map(|step| format!("step={step}")).collect();
    let answer = client
        .ask(&format!("funnels?window=7d&{}", query.join("&")))
        .await
        .expect("a funnel");
    let steps = answer["data"]["steps"].as_array().expect("steps");
    let reached: Vec<u64> = steps.iter().filter_map(|step| step["reached"].as_u64()).collect();
    assert_eq!(reached, funnel(&rows, &STEPS, 7 * 86_400_000));
    assert!(reached.iter().all(|&people| people > 0), "{reached:?}");

    running.stop(Signal::INT).await;
    installation.nobody_is_left().await;
    let took = Duration::from_secs(began.elapsed().as_secs());
    eprintln!(
        "demo: 4 kills, {} events stored and counted, funnel {reached:?}, {took:?}",
        rows.len()
    );
}
