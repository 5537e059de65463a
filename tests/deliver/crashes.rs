//! Steps are driven one by one, so a worker can die between any two of them.

use footfall::store::batch::Table;
use footfall::stream::Request;
use footfall::worker::deliver::{DeliverError, DeliverOptions, Delivered, Step};

use crate::harness::*;

const BLOG: footfall::event::ProjectNumber = footfall::event::ProjectNumber(2);

#[tokio::test]
async fn an_appended_batch_is_in_every_table_once() {
    let world = World::new(4).await;
    let mut all = Vec::new();
    for (project, n) in [(SHOP, 500), (BLOG, 300)] {
        let sent = events(project, n);
        world
            .stream
            .append(&Request::new(project, Some("r")), sent.clone(), NOW)
            .await
            .unwrap();
        // Sent again after a lost answer, and once more repacked without its request id.
        assert!(
            world
                .stream
                .append(&Request::new(project, Some("r")), sent.clone(), NOW)
                .await
                .unwrap()
                .replayed
        );
        let repacked = world
            .stream
            .append(&Request::new(project, None), sent[..100].to_vec(), NOW)
            .await
            .unwrap();
        assert_eq!(repacked.duplicates.len(), 100);
        all.extend(sent);
    }
    let before = world.stream.rev(SHOP).await.unwrap();
    world.drain(&world.deliverer()).await;
    assert!(world.stream.rev(SHOP).await.unwrap() > before, "readers are told");
    world.holds_exactly(&all).await;
}

#[tokio::test]
async fn a_worker_that_dies_after_any_step_is_succeeded_without_loss_or_double() {
    let world = World::new(1).await;
    let mut all = Vec::new();
    // PLAN, eleven tables, COMMIT: the worker dies after that many steps.
    for steps in 1..=13 {
        for request in 0..3 {
            let sent = events(SHOP, 50);
            world
                .stream
                .append(
                    &Request::new(SHOP, Some(&format!("{steps}/{request}"))),
                    sent.clone(),
                    NOW,
                )
                .await
                .unwrap();
            all.extend(sent);
        }
        // The dead one took two requests a batch, its successor takes other sizes.
        let small = DeliverOptions {
            max_rows: 100,
            ..DeliverOptions::default()
        };
        let mut dies = world
            .deliverer_of(small)
            .own(0)
            .await
            .unwrap()
            .expect("the lease");
        for _ in 0..steps {
            dies.step().await.unwrap();
        }
        world.lease_runs_out(0).await;
        let mut next = world.deliverer().own(0).await.unwrap().expect("the lease");
        let rev = world.stream.rev(SHOP).await.unwrap();
        finish(&mut next).await.unwrap();
        assert!(world.stream.rev(SHOP).await.unwrap() > rev);
        world.holds_exactly(&all).await;

        // The dead one was only stalled. Its lease looks young to it: it goes on until it is fenced.
        let late = finish(&mut dies).await;
        match late {
            Ok(steps) if steps == [Step::Announced] => {}
            Err(DeliverError::Lost(_)) if steps < 13 => {}
            late => panic!("after {steps}: {late:?}"),
        }
        world.holds_exactly(&all).await;
        next.release().await;
    }
}

#[tokio::test]
async fn a_block_that_was_noted_but_never_attached_is_inserted_again() {
    // A plain MergeTree writes the token down before it renames the part: killed in between, the retry is
    // dropped without a word. Here the part is taken away behind its back.
    for (table, steps) in [("events", 2), ("count_deltas", 3), ("sketch_deltas", 9)] {
        for (what, damage) in [
            ("lost", format!("DELETE FROM {table} WHERE batch > 0")),
            ("doubled", format!("INSERT INTO {table} SELECT * FROM {table}")),
        ] {
            let world = World::new(1).await;
            let sent = events(SHOP, 120);
            world
                .stream
                .append(&Request::new(SHOP, None), sent.clone(), NOW)
                .await
                .unwrap();
            let mut dies = world.deliverer().own(0).await.unwrap().expect("the lease");
            for _ in 0..steps {
                dies.step().await.unwrap();
            }
            world.sql(&damage).await;
            world.lease_runs_out(0).await;
            let mut next = world.deliverer().own(0).await.unwrap().expect("the lease");
            finish(&mut next)
                .await
                .unwrap_or_else(|e| panic!("{table} {what}: {e}"));
            world.holds_exactly(&sent).await;
        }
    }
}

#[tokio::test]
async fn a_successor_of_a_repair_begins_with_the_repair() {
    let world = World::new(1).await;
    let sent = events(SHOP, 90);
    world
        .stream
        .append(&Request::new(SHOP, None), sent.clone(), NOW)
        .await
        .unwrap();
    let mut dies = world.deliverer().own(0).await.unwrap().expect("the lease");
    for _ in 0..2 {
        dies.step().await.unwrap();
    }
    world.lease_runs_out(0).await;
    // The next one finds a difference, writes the new try down, and dies before its DELETE.
    let owner: std::sync::Arc<str> = "short-lived".into();
    let ttl = std::time::Duration::from_secs(10);
    let taken = world
        .stream
        .acquire(0, &owner, ttl)
        .await
        .unwrap()
        .expect("the lease");
    assert_eq!(
        world
            .stream
            .try_again(&taken.lease, taken.plan.unwrap().seq)
            .await
            .unwrap(),
        1
    );
    world.lease_runs_out(0).await;

    let mut last = world.deliverer().own(0).await.unwrap().expect("the lease");
    finish(&mut last).await.unwrap();
    world.holds_exactly(&sent).await;
    // The first one was only stalled, with its next INSERT under the old try on its lips.
    assert!(matches!(finish(&mut dies).await, Err(DeliverError::Lost(_))));
    world.holds_exactly(&sent).await;
}

#[tokio::test]
async fn rows_that_are_refused_become_dead_letters_and_count_nowhere() {
    let world = World::new(1).await;
    world
        .sql("ALTER TABLE events ADD CONSTRAINT poison CHECK event != 'poison'")
        .await;
    let good = events(SHOP, 70);
    let mut sent = good.clone();
    for place in [0, 33, 34, 72] {
        sent.insert(place, event(SHOP, "poison", "person-1", NOW, 0));
    }
    world
        .stream
        .append(&Request::new(SHOP, None), sent, NOW)
        .await
        .unwrap();
    let dies = world.deliverer();
    let mut dies = dies.own(0).await.unwrap().expect("the lease");
    for expected in [Step::Planned { seq: 1 }, Step::Inserted { table: Table::Events }] {
        assert_eq!(dies.step().await.unwrap(), expected);
    }
    world.lease_runs_out(0).await;
    let delivered = world.deliverer().deliver_once(0).await.unwrap();
    assert_eq!(
        delivered,
        Delivered::Batch {
            seq: 1,
            rows: 70,
            dead: 4
        }
    );
    assert_eq!(world.stream.dead_letters(0).await.unwrap(), 4);
    world.holds_exactly(&good).await;
}

#[tokio::test]
async fn a_table_that_is_away_is_waited_for_and_then_checked() {
    let world = World::new(1).await;
    let sent = events(SHOP, 60);
    world
        .stream
        .append(&Request::new(SHOP, None), sent.clone(), NOW)
        .await
        .unwrap();
    let mut delivery = world.deliverer().own(0).await.unwrap().expect("the lease");
    delivery.step().await.unwrap();
    delivery.step().await.unwrap();
    world.sql("RENAME TABLE count_deltas TO away").await;
    for _ in 0..2 {
        assert!(matches!(delivery.step().await, Err(DeliverError::Waiting(_))));
    }
    assert!(!delivery.is_between_batches());
    world.sql("RENAME TABLE away TO count_deltas").await;
    finish(&mut delivery).await.unwrap();
    world.holds_exactly(&sent).await;
}

#[tokio::test]
async fn a_redis_that_went_back_in_time_stops_the_shard() {
    let world = World::new(1).await;
    let sent = events(SHOP, 30);
    world
        .stream
        .append(&Request::new(SHOP, None), sent, NOW)
        .await
        .unwrap();
    world.drain(&world.deliverer()).await;
    world.redis_forgets(0).await;
    // Its numbers would begin again, and ClickHouse would drop the rows as duplicates.
    let owned = world.deliverer().own(0).await.map(drop);
    assert!(
        matches!(&owned, Err(DeliverError::Stopped(why)) if why.contains("back in time")),
        "{owned:?}"
    );
}
