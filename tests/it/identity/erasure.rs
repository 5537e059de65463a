//! Erasing somebody who is several ids: all of them go, what others did on the same devices stays, and nothing tells who
//! it was.

use std::collections::BTreeMap;

use footfall::event::{Event, Subject, Which, actor_of};
use footfall::metrics::identity::{Fact, Id, Marker, Salt};
use serde_json::json;

use super::orders::{event, questions, wire};
use super::{answers_with_salt, say};
use crate::harness::{NOW, World};

const HOUR: i64 = 3_600_000;

/// Ann's phone, her tablet that bob uses later, an account of hers that was merged, and somebody else.
fn events() -> Vec<Event> {
    vec![
        event(1, "A", "phone", "", 90),
        event(2, "B", "phone", "ann", 80),
        event(3, "A", "tablet", "", 70),
        event(4, "A", "tablet", "ann", 60),
        event(5, "B", "tablet", "bob", 50),
        event(6, "B", "tablet", "", 40),
        event(7, "A", "", "ann-old", 30),
        event(8, "A", "", "carl", 20),
    ]
}

/// What is left of these users' pairs, where no server said anything about other users.
pub fn markers(events: &[Event], users: &[&str], salt: &Salt) -> Vec<Fact> {
    let mut first: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for event in events {
        if !event.device_id.is_empty() && !event.user_id.is_empty() && event.device_id != event.user_id {
            let ts = first
                .entry((&event.device_id, &event.user_id))
                .or_insert(event.ts);
            *ts = event.ts.min(*ts);
        }
    }
    let id = |text: &str| Id::read(text).expect("an id");
    let marker = |((device, user), ts): (&(&str, &str), &i64)| {
        let of_device = first.iter().filter(|((other, _), _)| other == device);
        let earliest = of_device
            .min_by_key(|((_, user), ts)| (**ts, *user))
            .map(|(pair, _)| pair.1);
        let is_theirs = earliest.is_some_and(|earliest| users.contains(&earliest));
        Fact::Erased(Marker {
            device: salt.of(&id(device)),
            clear: (!is_theirs).then(|| id(device)),
            user: salt.of(&id(user)),
            ts: *ts,
            is_first: earliest == Some(user),
        })
    };
    let theirs = first.iter().filter(|((_, user), _)| users.contains(user));
    theirs.map(marker).collect()
}

#[tokio::test]
async fn of_a_merged_person_nothing_is_left_by_whatever_id_they_are_named() {
    for name in ["phone", "ann", "ann-old", "tablet"] {
        let world = World::new().await;
        let owner = world.owner("ada@example.com", "UTC").await;
        let all = events();
        for event in &all {
            world.store(&owner.write, wire(event)).await;
        }
        say(&world, &owner, "merge", "ann", "ann-old").await;

        let what = json!({"kind": "person", "distinct_ids": [name]});
        let address = world.request_erasure(&owner, what).await;
        world.erase().await;
        world.count_anew().await;
        let done = world.get(&address, &owner.token).await.expect(200);
        assert_eq!(
            (&done["state"], &done["persons"]),
            (&json!("done"), &json!(4)),
            "{done}"
        );
        assert_eq!(done["counts"]["before"]["events"], 5, "{done}");
        assert_eq!(done["counts"]["before"]["id_pairs"], 3, "{done}");
        let zero = json!({"events": 0, "actor_days": 0, "profiles": 0, "dead_letters": 0, "rejected_samples": 0, "id_pairs": 0});
        assert_eq!(done["certificate"]["counts_after"], zero, "{done}");

        // What is left: bob, whoever used the tablet after him, carl.
        let left: Vec<Event> = all
            .iter()
            .filter(|event| [5, 6, 8].contains(&event.id.as_u128()))
            .cloned()
            .collect();
        let salt = Salt::new(
            &world.rooms.meta.salt_of(owner.number).await.expect("a salt"),
            owner.number,
        );
        let markers = markers(&all, &["ann", "ann-old"], &salt);
        let told = (markers.as_slice(), &salt);
        answers_with_salt(&world, &owner, (&left, told), &questions(), name).await;

        // Nobody is mapped to them, and nothing names them.
        let ids = ["phone", "tablet", "ann", "ann-old"].map(actor_of);
        let rows = world
            .rooms
            .store
            .overrides_of(owner.number, &ids)
            .await
            .expect("a map");
        for row in rows.iter().filter(|row| row.actor != actor_of("tablet")) {
            assert!(row.is_own(), "{name}: {row:?}");
        }
        let bob = Which::Persons {
            actors: vec![actor_of("bob")],
            until: NOW,
            splits: Vec::new(),
        };
        let bob = Subject {
            project: owner.number,
            which: bob,
        };
        assert_eq!(world.rooms.store.id_pairs(&bob).await, Ok(1), "bob's stays");

        // Sent again, nothing of it comes back.
        for event in &all {
            let reply = world.post(&owner.write, wire(event).to_string()).await;
            assert!([200, 422].contains(&reply.status), "{}", reply.text());
        }
        world.deliver().await;
        // Whoever has the phone now is not who had it before, and has nothing to do with the fresh one.
        world.at(NOW + HOUR);
        let mut later = left.clone();
        later.extend([
            event(9, "A", "phone", "dora", -1),
            event(10, "B", "phone", "", -1),
            event(11, "B", "tablet", "ann", -1),
        ]);
        for event in &later[left.len()..] {
            world.store(&owner.write, wire(event)).await;
        }
        world.count_anew().await;
        answers_with_salt(&world, &owner, (&later, told), &questions(), name).await;
        world.close().await;
    }
}
