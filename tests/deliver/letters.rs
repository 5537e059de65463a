//! Rows that ClickHouse refuses, once somebody has mended what it refused them for.

use footfall::stream::Request;
use footfall::stream::letters::{Admission, Replayed};
use footfall::worker::deliver::{DeliverError, Delivered};

use crate::harness::*;

const REFUSES: &str = "ALTER TABLE events ADD CONSTRAINT poison CHECK event != 'poison'";
const MENDED: &str = "ALTER TABLE events DROP CONSTRAINT poison";

fn anything() -> Admission<'static> {
    Admission {
        version: 0,
        keeps: &|_| true,
    }
}

#[tokio::test]
async fn a_letter_is_stored_once_when_it_is_replayed_and_refused_again_while_nothing_is_mended() {
    let world = World::new(1).await;
    world.sql(REFUSES).await;
    let mut sent = events(SHOP, 40);
    for person in ["ann", "bob", "cleo"] {
        sent.push(event(SHOP, "poison", person, NOW, 0));
    }
    let request = Request::new(SHOP, Some("r"));
    world.stream.append(&request, sent.clone(), NOW).await.unwrap();
    world.drain(&world.deliverer()).await;
    world.holds_exactly(&sent[..40]).await;

    let page = world.stream.letters(SHOP, None, 10).await.unwrap();
    assert_eq!(page.total, 3);
    assert!(
        page.letters[0].message.contains("poison"),
        "{}",
        page.letters[0].message
    );
    let tried = page.letters[0].id;
    assert_eq!(
        world.stream.replay(SHOP, tried, &anything()).await.unwrap(),
        Replayed::Queued
    );
    let refused = world.deliverer().deliver_once(0).await.unwrap();
    assert_eq!(
        refused,
        Delivered::Batch {
            seq: 2,
            rows: 0,
            dead: 1
        }
    );
    assert_eq!(world.stream.dead_letters(0).await.unwrap(), 3, "it is back");

    world.sql(MENDED).await;
    let (discarded, kept) = {
        let letters = world.stream.letters(SHOP, None, 10).await.unwrap().letters;
        (letters[0].clone(), letters[1..].to_vec())
    };
    assert!(world.stream.discard(SHOP, discarded.id).await.unwrap());
    for letter in kept.iter().chain(&kept) {
        // Twice: the first answer was lost.
        let replayed = world.stream.replay(SHOP, letter.id, &anything()).await.unwrap();
        assert_eq!(replayed, Replayed::Queued);
    }
    // The whole request once more, too.
    assert!(
        world
            .stream
            .append(&request, sent.clone(), NOW)
            .await
            .unwrap()
            .replayed
    );
    let mut dies = world.deliverer().own(0).await.unwrap().expect("the lease");
    for _ in 0..3 {
        dies.step().await.unwrap();
    }
    world.lease_runs_out(0).await;
    world.drain(&world.deliverer()).await;
    sent.retain(|event| event.id != discarded.event.id);
    world.holds_exactly(&sent).await;
    assert_eq!(world.stream.dead_letters(0).await.unwrap(), 0);
    let counters = world.stream.shard_counters(0).await.unwrap();
    assert_eq!(
        (counters.rows_out, counters.rows_dead, counters.rows_discarded),
        (42, 0, 1)
    );
}

#[tokio::test]
async fn a_shard_whose_letters_are_full_stands_still_and_loses_nothing() {
    let world = World::new(1).await;
    world.sql(REFUSES).await;
    world.letters_are_full(0).await;
    let mut sent = events(SHOP, 10);
    let good = sent.clone();
    sent.push(event(SHOP, "poison", "ann", NOW, 0));
    world
        .stream
        .append(&Request::new(SHOP, None), sent, NOW)
        .await
        .unwrap();
    let mut delivery = world.deliverer().own(0).await.unwrap().expect("the lease");
    let waits = finish(&mut delivery).await;
    assert!(
        matches!(&waits, Err(DeliverError::Waiting(why)) if why.contains("replay or discard")),
        "{waits:?}"
    );
    // Whoever owns it waits too.
    world.lease_runs_out(0).await;
    let waits = world.deliverer().deliver_once(0).await;
    assert!(matches!(waits, Err(DeliverError::Waiting(_))), "{waits:?}");

    world.letters_go(0).await;
    world.drain(&world.deliverer()).await;
    world.holds_exactly(&good).await;
    assert_eq!(world.stream.letters(SHOP, None, 10).await.unwrap().total, 1);
}
