//! A backup that was made while clients send becomes the same installation in another directory.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::client::{Address, Client};
use super::installation::{Installation, Running};
use super::killed::serve;
use super::truth::{agrees, compare, range, stored};
use super::writers::{DAYS, Writers};

const WITHIN: Duration = Duration::from_secs(60);

/// A command of ours on a directory of the installation's folder, run to its end: whether it succeeded, its words.
async fn command(installation: &Installation, name: &str, arguments: &[&str]) -> (bool, String) {
    let mut running = installation.start_beside(name, arguments, &[]);
    let status = running.end(WITHIN).await;
    (status.success(), running.last_words())
}

async fn started(installation: &Installation, name: &str, address: &Address) -> Running {
    let mut running = installation.start_beside(name, &["serve"], &[]);
    address.set(running.says("Footfall listens on").await);
    running
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_becomes_the_same_installation_and_goes_on_exactly_once() {
    let _alone = super::alone().await;
    let installation = Installation::new();
    let address = Address::default();
    let mut running = serve(&installation, &address, &[]).await;
    let client = Client::register(address.clone(), range(DAYS)).await;
    let writers = Writers::start(&client, 4, 23);
    writers.acknowledge(30).await;
    let before = writers.acknowledged();

    let folder = installation.folder().join("backup");
    let backup = ["backup", text(&folder)];
    let (made, words) = command(&installation, "data", &backup).await;
    assert!(made, "{words}");
    writers.acknowledge(10).await;
    let (again, words) = command(&installation, "data", &backup).await;
    assert!(!again && words.contains("is there already"), "{words}");

    // The old one ends, with events in it that are younger than the backup.
    let mut sent = writers.finish().await;
    running.stop(Signal::INT).await;

    let restore = ["restore", text(&folder)];
    let (restored, words) = command(&installation, "second", &restore).await;
    assert!(restored, "{words}");
    let (again, words) = command(&installation, "second", &restore).await;
    assert!(!again && words.contains("is not empty"), "{words}");

    let mut running = started(&installation, "second", &address).await;
    client.catches_up().await;
    client.quiet().await;
    let rows = stored(&client).await;
    let ids: HashSet<_> = rows.iter().map(|row| row.id).collect();
    assert_eq!(ids.len(), rows.len(), "nothing is there twice");
    assert!(
        before.is_subset(&ids),
        "what was acknowledged before the backup is in it"
    );
    let found = compare(&rows, &sent);
    assert_eq!((found.doubled, found.foreign), (0, 0), "{found:?}");
    agrees(&client, &rows).await;

    // It takes events, and delivers them after those of the backup.
    let writers = Writers::start(&client, 4, 24);
    writers.acknowledge(20).await;
    let more = writers.finish().await;
    client.catches_up().await;
    client.quiet().await;
    sent.acknowledged.retain(|id| ids.contains(id));
    sent.acknowledged.extend(more.acknowledged);
    sent.given_up.extend(more.given_up);
    let rows = stored(&client).await;
    let found = compare(&rows, &sent);
    assert_eq!((found.lost, found.doubled, found.foreign), (0, 0, 0), "{found:?}");
    agrees(&client, &rows).await;
    running.stop(Signal::INT).await;
    installation.nobody_is_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_backup_and_an_unfinished_restore_are_refused() {
    let _alone = super::alone().await;
    let installation = Installation::new();
    let address = Address::default();
    let mut running = serve(&installation, &address, &[]).await;
    running.stop(Signal::INT).await;

    // Also of an installation that does not run.
    let folder = installation.folder().join("backup");
    let (made, words) = command(&installation, "data", &["backup", text(&folder)]).await;
    assert!(made, "{words}");
    let archive = folder.join("clickhouse.tar");
    let mut bytes = std::fs::read(&archive).expect("the archive");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&archive, &bytes).expect("written");
    let restore = ["restore", text(&folder)];
    let (restored, words) = command(&installation, "second", &restore).await;
    assert!(!restored && words.contains("is damaged"), "{words}");
    let untouched = !installation.folder().join("second").exists();
    assert!(untouched, "a damaged backup makes no directory");

    let (made, words) = command(&installation, "third", &["backup", text(&folder.join("new"))]).await;
    assert!(!made && words.contains("no installation"), "{words}");

    // What a restore leaves that was killed in its middle.
    let mark = installation.folder().join("third/restoring");
    std::fs::create_dir_all(mark.parent().expect("a folder")).expect("made");
    std::fs::write(&mark, "").expect("written");
    let (served, words) = command(&installation, "third", &["serve"]).await;
    assert!(!served && words.contains("was not finished"), "{words}");
    installation.nobody_is_left().await;
}
