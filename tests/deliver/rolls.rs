//! Compaction and rebuild change no number.

use footfall::stream::Request;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use footfall::event::{Day, Zone};
use footfall::stream::rebuild::{Rebuild, RollupKind};
use footfall::worker::roll::{RollOptions, Rolled, Roller, ZoneKnown, ZoneOf};

use crate::harness::*;

fn roller(world: &World) -> Roller {
    roller_that_knows(world, ZoneKnown::Is(Zone::utc()))
}

fn roller_that_knows(world: &World, known: ZoneKnown) -> Roller {
    let zone_of: ZoneOf = Arc::new(move |project| match project {
        SHOP => known.clone(),
        _ => ZoneKnown::NotYet,
    });
    let options = RollOptions {
        more_than: 3,
        quiet_after: Duration::from_secs(3600),
        grace: Duration::ZERO,
    };
    Roller::new(world.stream.clone(), world.store.clone(), zone_of, options)
}

#[tokio::test]
async fn compaction_then_late_events_then_compaction_again() {
    let world = World::new(2).await;
    let deliverer = world.deliverer();
    let roller = roller(&world);
    roller.settle_generations().await.unwrap();
    let mut all = Vec::new();
    for round in 0..3 {
        for _ in 0..3 {
            let sent = events(SHOP, 40);
            world
                .stream
                .append(&Request::new(SHOP, None), sent.clone(), NOW)
                .await
                .unwrap();
            world.drain(&deliverer).await;
            all.extend(sent);
        }
        let rev = world.stream.rev(SHOP).await.unwrap();
        let rolled = roller.roll_once(NOW).await.unwrap();
        assert!(rolled.compacted > 0, "round {round}");
        assert!(world.stream.rev(SHOP).await.unwrap() > rev);
        world.holds_exactly(&all).await;
        roller.clean_up(NOW).await.unwrap();
        world.holds_exactly(&all).await;
        let again = roller.roll_once(NOW).await.unwrap();
        assert_eq!(again, Rolled::default(), "nothing is left to do");
    }
    let quiet = roller.roll_once(NOW + 86_400_000).await.unwrap();
    assert_eq!(quiet, Rolled::default(), "no old delta is left either");
}

#[tokio::test]
async fn a_day_is_rebuilt_from_raw_events() {
    let world = World::new(2).await;
    let sent = events(SHOP, 200);
    world
        .stream
        .append(&Request::new(SHOP, None), sent.clone(), NOW)
        .await
        .unwrap();
    world.drain(&world.deliverer()).await;
    let day = Day::of_utc(NOW);
    // Somebody's events are removed, as an erasure does it.
    world
        .sql("DELETE FROM events WHERE distinct_id = 'person-3'")
        .await;
    world
        .sql("DELETE FROM actor_days WHERE actor = xxh3('person-3')")
        .await;
    let left: Vec<_> = sent
        .into_iter()
        .filter(|event| event.distinct_id != "person-3")
        .collect();
    let days: std::collections::BTreeSet<Day> = (-40..=0).map(|n| day.plus(n)).collect();
    let rebuilds: Vec<Rebuild> = days
        .iter()
        .flat_map(|&day| {
            [RollupKind::Counts, RollupKind::Sketches].map(|kind| Rebuild {
                project: SHOP,
                kind,
                day,
            })
        })
        .collect();
    world
        .stream
        .queue_rebuilds(&rebuilds, NOW + 30_000)
        .await
        .unwrap();
    let roller = roller(&world);
    assert_eq!(roller.roll_once(NOW).await.unwrap().rebuilt, 0, "not due yet");
    let early = roller.roll_once(NOW + 30_000).await.unwrap();
    assert_eq!(
        early.rebuilt, 0,
        "a request of that time may still become an entry"
    );
    while world.stream.rebuilds_waiting().await.unwrap() > 0 {
        assert!(roller.roll_once(NOW + 35_000).await.unwrap().rebuilt > 0);
    }
    world.rollups_hold(SHOP, &left).await;
}

#[tokio::test]
async fn a_rebuild_whose_project_nobody_knows_yet_waits_and_that_of_a_deleted_one_goes() {
    let world = World::new(1).await;
    let rebuild = Rebuild {
        project: SHOP,
        kind: RollupKind::Counts,
        day: Day::of_utc(NOW),
    };
    world.stream.queue_rebuilds(&[rebuild], 0).await.unwrap();
    let ignorant = roller_that_knows(&world, ZoneKnown::NotYet);
    assert_eq!(ignorant.rebuild_due(NOW).await.unwrap(), Rolled::default());
    assert_eq!(world.stream.rebuilds_waiting().await.unwrap(), 1);
    // Due again in a few minutes.
    let later = NOW + 600_000;
    assert_eq!(roller(&world).rebuild_due(later).await.unwrap().rebuilt, 1);
    assert_eq!(world.stream.rebuilds_waiting().await.unwrap(), 0);
    world.stream.queue_rebuilds(&[rebuild], 0).await.unwrap();
    let heard = roller_that_knows(&world, ZoneKnown::Deleted);
    assert_eq!(heard.rebuild_due(NOW).await.unwrap(), Rolled::default());
    assert_eq!(world.stream.rebuilds_waiting().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_that_is_done_does_not_say_that_the_others_are() {
    let world = World::new(1).await;
    let rebuild = Rebuild {
        project: SHOP,
        kind: RollupKind::Counts,
        day: Day::of_utc(NOW),
    };
    world.stream.queue_rebuilds(&[rebuild], 0).await.unwrap();
    let clone: Arc<OnceLock<Roller>> = Arc::default();
    let (seen, other, stream) = (Arc::new(AtomicU64::new(9)), clone.clone(), world.stream.clone());
    let noted = seen.clone();
    // Asked in the middle of a rebuild: a clone begins and ends a work of its own meanwhile.
    let zone_of: ZoneOf = Arc::new(move |_| {
        let meanwhile = async {
            other.get().unwrap().clean_up(NOW).await.unwrap();
            noted.store(stream.moving().await.unwrap().rollers, Ordering::Relaxed);
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(meanwhile));
        ZoneKnown::Is(Zone::utc())
    });
    let (stream, store) = (world.stream.clone(), world.store.clone());
    let roller = Roller::new(stream, store, zone_of, RollOptions::default());
    assert!(clone.set(roller.clone()).is_ok());
    assert_eq!(roller.rebuild_due(NOW).await.unwrap().rebuilt, 1);
    assert_eq!(
        seen.load(Ordering::Relaxed),
        1,
        "the rebuild is still being written"
    );
    assert!(world.stream.moving().await.unwrap().is_still());
}
