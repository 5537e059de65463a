//! A Redis that was restored from an older copy: the shards stop, and after `doctor --adopt` go on without losing
//! or doubling what the tables hold.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::client::{Address, Client};
use super::installation::{Installation, Victim};
use super::killed::serve;
use super::truth::{agrees, compare, range, stored};
use super::until;
use super::writers::{DAYS, Writers};

const WITHIN: Duration = Duration::from_secs(60);

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let kind = entry.file_type().expect("a kind");
        let to = to.join(entry.file_name());
        if kind.is_dir() {
            copy(&entry.path(), &to);
        } else if kind.is_file() {
            std::fs::copy(entry.path(), to).expect("copied");
        }
    }
}

async fn adopts(installation: &Installation) -> Vec<String> {
    let mut running = installation.start(&["doctor", "--adopt"]);
    let status = running.end(WITHIN).await;
    assert!(status.success(), "{}", running.last_words());
    running.lines()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_from_an_older_copy_stops_its_shards_until_it_is_adopted_and_nothing_is_doubled() {
    let _alone = super::alone().await;
    let installation = Installation::new();
    let address = Address::default();
    let mut running = serve(&installation, &address, &[]).await;
    let client = Client::register(address.clone(), range(DAYS)).await;
    let writers = Writers::start(&client, 4, 31);
    writers.acknowledge(20).await;
    // The copy holds rows that wait: ClickHouse stands still while it is made.
    running.signal(Victim::ClickHouse, Signal::STOP).await;
    writers.acknowledge(20).await;
    client.track("erased-since").await;
    running.kill(Victim::Everything).await;
    installation.nobody_is_left().await;
    let (redis, older) = (
        installation.data().join("redis"),
        installation.folder().join("older"),
    );
    copy(&redis, &older);

    // Those rows are delivered, and more after them, which the copy does not know.
    let mut running = serve(&installation, &address, &[]).await;
    writers.acknowledge(20).await;
    let mut sent = writers.finish().await;
    client.quiet().await;
    client.erase("erased-since").await;
    running.stop(Signal::INT).await;
    installation.nobody_is_left().await;
    std::fs::remove_dir_all(&redis).expect("removed");
    copy(&older, &redis);

    let mut running = serve(&installation, &address, &[]).await;
    until("a shard says why it stops", WITHIN, async || {
        let log = running.whole_log();
        log.contains("Redis went back in time").then_some(())
    })
    .await;
    running.stop(Signal::INT).await;

    let words = adopts(&installation).await;
    let taken_out: u64 = words
        .iter()
        .filter_map(|line| {
            let (_, rest) = line.split_once("in the stream, ")?;
            rest.split(' ').next()?.parse::<u64>().ok()
        })
        .sum();
    assert!(
        taken_out > 0,
        "what waited in the copy was stored since: {words:?}"
    );

    let erased = words
        .iter()
        .filter(|line| line.contains(", 1 because they were erased"));
    assert_eq!(erased.count(), 1, "what was erased does not come back: {words:?}");

    let mut running = serve(&installation, &address, &[]).await;
    let writers = Writers::start(&client, 4, 32);
    writers.acknowledge(20).await;
    let more = writers.finish().await;
    sent.acknowledged.extend(more.acknowledged);
    sent.given_up.extend(more.given_up);
    client.quiet().await;
    let rows = stored(&client).await;
    let found = compare(&rows, &sent);
    assert_eq!((found.lost, found.doubled, found.foreign), (0, 0, 0), "{found:?}");
    agrees(&client, &rows).await;
    running.stop(Signal::INT).await;

    let words = adopts(&installation).await;
    assert!(
        words.iter().any(|line| line.contains("nothing to adopt")),
        "a sound installation is not touched: {words:?}"
    );
    installation.nobody_is_left().await;
}
