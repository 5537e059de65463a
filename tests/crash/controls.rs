//! Controls: what the campaign must find when something is wrong. Without request keys a lost answer doubles events;
//! and whatever is planted into a table is seen. What happens when the worker leaves a rule out (VERIFY, the plan,
//! the `try` of a repair) is shown where faults are forced, in `tests/faults/controls.rs`.

use std::time::Duration;

use super::alone;
use super::cluster::{Cluster, Part};
use super::oracle::{Found, Harm, look};
use super::producers::{Manners, Producers};
use super::tenants::{Project, register};

const PATIENCE: Duration = Duration::from_secs(120);
/// The event-id window that installations have, in seconds.
const HOUR: &str = "3600";

/// The same kills under producers of these manners, in an installation with an event-id window of so many seconds.
async fn killed(manners: Manners, window: &str) -> Found {
    let mut cluster = Cluster::start_with(&[("FOOTFALL_DEDUP_WINDOW_S", window)]).await;
    let projects = register(&cluster).await;
    let producers = Producers::start(&cluster.capture, &projects, 41, manners);
    for victim in [Part::Capture, Part::Redis, Part::Capture, Part::Redis] {
        producers.acknowledge(25).await;
        cluster.kill(victim).await;
        cluster.restart(victim).await;
    }
    producers.acknowledge(25).await;
    let truth = producers.finish().await;
    cluster.drained(PATIENCE).await;
    let found = look(&cluster, &projects, &truth).await;
    cluster.end().await;
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_request_keys_or_without_the_window_a_lost_answer_doubles_events() {
    let _alone = alone().await;
    let hasty = Manners {
        hurried: 160,
        unread: 40,
        ..Manners::default()
    };
    let with = killed(hasty, HOUR).await;
    let without_keys = Manners { keys: false, ..hasty };
    let without = killed(without_keys, HOUR).await;
    let without_window = killed(hasty, "0").await;
    eprintln!(
        "with every rule:\n{with}control, request keys and event ids left out:\n{without}control, event-id window left \
         out:\n{without_window}"
    );
    assert!(with.holds());
    for without in [without, without_window] {
        assert!(without.raw.doubled > 0, "this control proves nothing");
        assert!(without.rollups.doubled > 0, "the rollups count what is stored");
        assert_eq!(without.raw.lost, 0);
    }
}

/// What is found once this statement has done its damage.
async fn planted(cluster: &Cluster, projects: &[Project], producers: &Producers, damage: &str) -> Found {
    let client = cluster.clickhouse.client().with_database("footfall");
    client
        .query(damage)
        .with_setting("lightweight_deletes_sync", "2")
        .with_setting("insert_deduplicate", "0")
        .execute()
        .await
        .expect(damage);
    look(cluster, projects, &producers.pause().await).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_planted_into_a_table_is_found() {
    let _alone = alone().await;
    let mut cluster = Cluster::start().await;
    let projects = register(&cluster).await;
    let producers = Producers::start(&cluster.capture, &projects, 42, Manners::default());
    producers.acknowledge(40).await;
    let truth = producers.pause().await;
    cluster.drained(PATIENCE).await;
    for worker in [Part::WorkerOne, Part::WorkerTwo] {
        cluster.stop(worker).await;
    }
    let before = look(&cluster, &projects, &truth).await;
    assert!(before.holds(), "{before}");

    let one = projects[0].number;
    let lost = |harm: Harm| harm.lost > 0 && harm.doubled == 0;
    let doubled = |harm: Harm| harm.doubled > 0;
    let found = async |damage: &str| planted(&cluster, &projects, &producers, damage).await;

    let now = found(&format!(
        "DELETE FROM count_deltas WHERE project = {one} AND event = 'purchase'"
    ))
    .await;
    assert!(lost(now.rollups) && now.raw == Harm::default(), "{now}");
    let now =
        found("INSERT INTO count_deltas SELECT * FROM count_deltas WHERE event = 'page_view' LIMIT 1").await;
    assert!(doubled(now.rollups), "{now}");

    let now = found(&format!(
        "DELETE FROM sketch_deltas WHERE project = {one} AND event = 'purchase'"
    ))
    .await;
    assert!(lost(now.sketches_wrong), "{now}");
    let now = found(&format!(
        "DELETE FROM actor_days WHERE project = {one} AND actor % 50 = 0"
    ))
    .await;
    assert!(lost(now.actor_days_wrong), "{now}");

    assert_eq!(now.raw, Harm::default(), "{now}");
    let now = found("INSERT INTO events SELECT * FROM events ORDER BY id LIMIT 1").await;
    assert_eq!((now.raw.lost, now.raw.doubled), (0, 1), "{now}");
    assert!(
        !now.disagreements.is_empty(),
        "the stream's counters disagree: {now}"
    );
    let now = found(&format!(
        "DELETE FROM events WHERE project = {one} AND event = 'purchase'"
    ))
    .await;
    assert!(now.raw.lost > 0, "{now}");
    let now = found("INSERT INTO events SELECT * REPLACE (amount + 1 AS amount) FROM events LIMIT 1").await;
    assert_eq!(now.foreign, 1, "{now}");

    producers.finish().await;
    cluster.end().await;
}
