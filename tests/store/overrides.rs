//! Actors that are other persons, and whose properties a filter then sees.

use std::collections::BTreeMap;

use footfall::event::{Event, actor_of};
use footfall::metrics::filter::{PersonProperties, Property};
use footfall::metrics::identity::{NEVER, fresh_of};
use footfall::store::Store;
use serde_json::{Value, json};

use crate::filters::{ask, open};
use crate::world::{DAY, NOON, PROJECT, Random, deliver, event, name};

/// Some actors are other persons, some of them up to an instant only: person and split.
pub type Map = BTreeMap<u64, (u64, i64)>;

pub fn map(random: &mut Random) -> Map {
    let actor = |n: u64| actor_of(&format!("p{n}"));
    (0..random.below(6))
        .map(|_| {
            let split = *random.pick(&[NEVER, NEVER, NOON + 3, NOON + 6]);
            (actor(random.below(12)), (actor(random.below(12)), split))
        })
        .collect()
}

pub fn person_of(map: &Map, event: &Event) -> u64 {
    match map.get(&event.actor()) {
        None => event.actor(),
        Some((person, split)) if event.ts < *split => *person,
        Some(_) => fresh_of(event.actor()),
    }
}

/// What is known of each person.
pub fn known(map: &Map, events: &[Event]) -> BTreeMap<u64, PersonProperties> {
    let mut by_person: BTreeMap<u64, Vec<&Event>> = BTreeMap::new();
    for event in events {
        by_person.entry(person_of(map, event)).or_default().push(event);
    }
    let of_person = |(person, events): (u64, Vec<&Event>)| (person, PersonProperties::of(events));
    by_person.into_iter().map(of_person).collect()
}

pub async fn keep(store: &Store, map: &Map, version: u64) {
    crate::world::sql(store, "TRUNCATE TABLE person_map").await;
    for (actor, (person, split)) in map {
        let row = format!("{}, {actor}, {person}, {split}, {version}", PROJECT.0);
        crate::world::sql(store, &format!("INSERT INTO person_map VALUES ({row})")).await;
    }
}

#[tokio::test]
async fn the_latest_set_wins_over_the_earliest_set_once() {
    let (store, reader) = open().await;
    let set = |member: &str, day: i64, value: Value| {
        let mut event = event("$identify", "ann", NOON + day * DAY);
        event.props = json!({member: {"plan": value}}).to_string();
        event
    };
    let batch = [
        set("$set_once", 0, json!("first")),
        set("$set_once", 1, json!("second")),
        set("$set", 2, json!("club")),
        set("$set", 1, json!("trial")),
        event("view", "ben", NOON),
    ];
    deliver(&store, &name(0, 1), &batch).await;
    let plan = [Property::Person("plan".into())];
    let found = ask(&reader, &[], &plan).await;
    assert_eq!(found[&batch[0].id].values, [Some("club".to_owned())]);
    assert_eq!(found[&batch[4].id].values, [None]);
}
