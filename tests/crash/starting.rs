//! Ends that were asked for, and starts that are refused.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::alone;
use super::client::{Address, Client};
use super::installation::Installation;
use super::killed::{serve, settle};
use super::truth::range;
use super::writers::{DAYS, Writers};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_start_is_refused_and_a_graceful_stop_under_load_loses_nothing() {
    let _alone = alone().await;
    let began = Instant::now();
    let installation = Installation::new();
    let address = Address::default();
    let mut running = serve(&installation, &address, &[]).await;
    let client = Client::register(address.clone(), range(DAYS)).await;
    let writers = Writers::start(&client, 3, 11);
    writers.acknowledge(10).await;

    let mut second = installation.start_again();
    let status = second.end(Duration::from_secs(30)).await;
    assert!(!status.success(), "{status}");
    let words = second.last_words();
    let sentence = words.lines().last().unwrap_or_default();
    let named = sentence.split("already in use by process ").nth(1);
    let named = named.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
    let named: u32 = named.unwrap_or_else(|| panic!("a sentence that names the pid: {words}"));
    let family = running.main.descendants();
    assert!(
        family.iter().any(|process| process.pid == named),
        "{named} is a process of the first start: {sentence}"
    );
    writers.acknowledge(10).await;
    assert!(running.ended().is_none(), "the first start works on");

    for signal in [Signal::INT, Signal::TERM] {
        writers.acknowledge(20).await;
        running.stop(signal).await;
        installation.nobody_is_left().await;
        running = serve(&installation, &address, &[]).await;
    }
    writers.acknowledge(10).await;
    settle("stopped", &client, writers, 2, began).await;
    running.stop(Signal::INT).await;
    installation.nobody_is_left().await;
}
