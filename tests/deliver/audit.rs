//! The audit names what was damaged, and is not alarmed by work under way.

use footfall::audit::{AuditReport, Invariant};
use footfall::stream::Request;

use crate::harness::*;

/// The invariants that are broken, with what the audit says of them.
fn broken(report: &AuditReport) -> Vec<(Invariant, String)> {
    let broken = report.checks.iter().filter(|check| !check.holds());
    broken.map(|check| (check.invariant, check.detail())).collect()
}

async fn stored(shards: u16) -> World {
    let world = World::new(shards).await;
    let request = Request::new(SHOP, None);
    world
        .stream
        .append(&request, events(SHOP, 300), NOW)
        .await
        .unwrap();
    world.drain(&world.deliverer()).await;
    assert_eq!(broken(&world.audit().await), []);
    world
}

#[tokio::test]
async fn every_kind_of_damage_is_named() {
    use Invariant::*;
    let day = "toDate('2026-11-18')";
    for (what, damage, expected) in [
        (
            "a row is gone",
            "DELETE FROM events WHERE id = (SELECT min(id) FROM events)".to_owned(),
            vec![RawRows, Counts],
        ),
        (
            "a row is twice",
            "INSERT INTO events SELECT * FROM events LIMIT 1".to_owned(),
            vec![RawRows, Counts],
        ),
        (
            "a count too many",
            "INSERT INTO count_deltas SELECT * REPLACE(1 AS count) FROM count_deltas LIMIT 1".to_owned(),
            vec![Counts],
        ),
        (
            "the same number under another name",
            "INSERT INTO count_deltas SELECT * REPLACE(n AS count, e AS event) FROM (SELECT * FROM count_deltas \
             WHERE event = 'view' LIMIT 1) ARRAY JOIN [-1, 1]::Array(Int64) AS n, ['view', 'viewed'] AS e"
                .to_owned(),
            vec![Counts],
        ),
        (
            "a sketch is gone",
            format!("DELETE FROM sketch_deltas WHERE event = '' AND day = {day}"),
            vec![Sketches],
        ),
        (
            "an active day is gone",
            format!("DELETE FROM actor_days WHERE day = {day} AND actor = (SELECT min(actor) FROM actor_days WHERE day = {day})"),
            vec![ActiveDays],
        ),
        (
            "an active day of nobody",
            format!("INSERT INTO actor_days SELECT * REPLACE(1 AS actor) FROM actor_days WHERE day = {day} LIMIT 1"),
            vec![ActiveDays],
        ),
        (
            "rows of a batch that nobody planned",
            "INSERT INTO events SELECT * REPLACE(batch + 7 AS batch) FROM events LIMIT 1".to_owned(),
            vec![BatchNumbers],
        ),
    ] {
        let world = stored(1).await;
        world.sql(&damage).await;
        let found = broken(&world.audit().await);
        let names: Vec<Invariant> = found.iter().map(|(name, _)| *name).collect();
        for name in expected {
            assert!(names.contains(&name), "{what}: {found:?}");
        }
    }
}

#[tokio::test]
async fn a_lost_letter_and_a_lost_entry_are_named() {
    let world = World::new(1).await;
    world
        .sql("ALTER TABLE events ADD CONSTRAINT poison CHECK event != 'poison'")
        .await;
    let poison = vec![
        event(SHOP, "poison", "ann", NOW, 0),
        event(SHOP, "poison", "bob", NOW, 0),
    ];
    world
        .stream
        .append(&Request::new(SHOP, None), poison, NOW)
        .await
        .unwrap();
    world.drain(&world.deliverer()).await;
    assert_eq!(broken(&world.audit().await), []);
    world.letters_go(0).await;
    let found = broken(&world.audit().await);
    assert_eq!(
        found,
        [(
            Invariant::DeadLetters,
            "shard 0: 0 letters, 2 rows counted as dead".to_owned()
        )]
    );

    let world = stored(1).await;
    world
        .stream
        .append(&Request::new(SHOP, None), events(SHOP, 5), NOW)
        .await
        .unwrap();
    assert_eq!(broken(&world.audit().await), [], "waiting is no loss");
    world.entries_go(0).await;
    let found = broken(&world.audit().await);
    let names: Vec<Invariant> = found.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [Invariant::StreamCounters, Invariant::PendingRows],
        "{found:?}"
    );
}

#[tokio::test]
async fn a_batch_under_way_is_no_alarm_at_any_step() {
    let world = stored(1).await;
    let request = Request::new(SHOP, None);
    world
        .stream
        .append(&request, events(SHOP, 50), NOW)
        .await
        .unwrap();
    let mut delivery = world.deliverer().own(0).await.unwrap().expect("the lease");
    while delivery.step().await.unwrap() != footfall::worker::deliver::Step::Idle {
        let report = world.audit().await;
        assert!(report.holds(), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audits_while_workers_write_raise_no_alarm() {
    let world = stored(4).await;
    let writing = async {
        for round in 0..30 {
            let name = format!("r{round}");
            let request = Request::new(SHOP, Some(&name));
            world
                .stream
                .append(&request, events(SHOP, 200), NOW)
                .await
                .unwrap();
            world.drain(&world.deliverer()).await;
        }
    };
    tokio::pin!(writing);
    let mut audits = 0;
    loop {
        tokio::select! {
            () = &mut writing => break,
            report = world.audit() => {
                assert!(report.holds(), "{report}");
                audits += 1;
            }
        }
    }
    assert!(audits > 3, "{audits} audits");
    assert_eq!(broken(&world.audit().await), []);
}
