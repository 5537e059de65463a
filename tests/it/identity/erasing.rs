//! What happens while somebody is being erased: somebody new comes under the same ids, members are looked for, days are
//! made anew.

use footfall::event::{Event, actor_of};
use footfall::meta::ErasureState;
use footfall::metrics::identity::Salt;
use footfall::worker::deliver::{DeliverOptions, Deliverer, Delivery, Step};
use serde_json::json;

use super::erasure::markers;
use super::orders::{event, questions, wire};
use super::{answers_with_salt, say};
use crate::harness::{NOW, Tenant, World, text};

const HOUR: i64 = 3_600_000;

fn deliverer(world: &World) -> Deliverer {
    let rooms = &world.rooms;
    let control = footfall::worker::remove::control(rooms.meta.clone());
    Deliverer::new(
        rooms.stream.clone(),
        rooms.store.clone(),
        DeliverOptions::default(),
    )
    .with_control(control)
}

/// A worker that has all shards and keeps them.
async fn keeper(world: &World) -> Vec<Delivery> {
    let deliverer = deliverer(world);
    let mut shards = Vec::new();
    for shard in 0..world.rooms.stream.shards() {
        shards.push(deliverer.own(shard).await.expect("taken").expect("free"));
    }
    shards
}

/// Delivers all that waits, and removes what is to be removed.
async fn drive(shards: &mut [Delivery]) {
    for shard in shards {
        for _ in 0..1_000 {
            if let Step::Idle | Step::Paused = shard.step().await.expect("a step") {
                break;
            }
        }
    }
}

/// Goes on with the only erasure until it is there.
async fn until(world: &World, shards: &mut [Delivery], state: ErasureState) {
    for _ in 0..2_000 {
        drive(shards).await;
        let open = world.rooms.meta.open_erasures(2).await.expect("erasures");
        if open.first().map_or(ErasureState::Done, |open| open.state) == state {
            return;
        }
        let now_ms = world.rooms.clock.now_ms();
        world.remover().await.step_all(now_ms).await.expect("a step");
    }
    panic!("the erasure never was {state:?}");
}

async fn send(world: &World, owner: &Tenant, events: &[Event]) {
    for event in events {
        world.send(&owner.write, wire(event)).await;
    }
}

async fn salt(world: &World, owner: &Tenant) -> Salt {
    let secret = world.rooms.meta.salt_of(owner.number).await.expect("a salt");
    Salt::new(&secret, owner.number)
}

#[tokio::test]
async fn somebody_new_under_an_erased_id_has_what_their_events_say_whenever_they_come() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    let mut shards = keeper(&world).await;
    let old = [event(1, "A", "phone", "", 90), event(2, "B", "phone", "ann", 80)];
    send(&world, &owner, &old).await;
    drive(&mut shards).await;
    let what = json!({"kind": "person", "distinct_ids": ["ann"]});
    world.request_erasure(&owner, what).await;
    until(&world, &mut shards, ErasureState::Removing).await;
    let handed_over = world.remover().await.step_all(NOW).await.expect("a step");
    assert_eq!(handed_over, 0, "it waits for the shards");
    drive(&mut shards).await;

    // The rows are gone, the pairs are not yet.
    world.at(NOW + HOUR);
    let mut new = vec![
        event(3, "A", "laptop", "", -1),
        event(4, "B", "laptop", "ann", -1),
    ];
    send(&world, &owner, &new).await;
    drive(&mut shards).await;
    until(&world, &mut shards, ErasureState::Done).await;

    // For the worker the pair is nothing new.
    let later = [event(5, "B", "laptop", "ann", -1), event(6, "A", "phone", "", -1)];
    send(&world, &owner, &later).await;
    drive(&mut shards).await;
    new.extend(later);
    world.count_anew().await;
    let salt = salt(&world, &owner).await;
    let markers = markers(&old, &["ann"], &salt);
    let told = (markers.as_slice(), &salt);
    answers_with_salt(&world, &owner, (&new, told), &questions(), "ann again").await;
    for shard in shards {
        shard.release().await;
    }
    world.close().await;
}

#[tokio::test]
async fn whoever_takes_a_shard_again_knows_no_pair_from_before_the_project_was_erased() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    let first = deliverer(&world);
    let deliver = async || {
        for shard in 0..world.rooms.stream.shards() {
            first.deliver_once(shard).await.expect("delivered");
        }
    };
    send(&world, &owner, &[event(1, "A", "phone", "ann", 90)]).await;
    deliver().await;
    world.request_erasure(&owner, json!({"kind": "project"})).await;
    world.erase().await;
    world.at(NOW + HOUR);
    let new = [event(2, "A", "phone", "", -1), event(3, "B", "phone", "ann", -1)];
    send(&world, &owner, &new).await;
    deliver().await;
    world.count_anew().await;
    let salt = salt(&world, &owner).await;
    answers_with_salt(&world, &owner, (&new, (&[], &salt)), &questions(), "anew").await;
    world.close().await;
}

#[tokio::test]
async fn no_number_of_an_erased_person_stays_and_what_names_them_in_clear_is_listed() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    let all = [
        event(1, "A", "phone", "", 90),
        event(2, "B", "phone", "ann", 80),
        event(3, "A", "", "ann-old", 30),
        event(4, "A", "", "carl", 20),
    ];
    for event in &all {
        world.store(&owner.write, wire(event)).await;
    }
    say(&world, &owner, "merge", "ann", "ann-old").await;
    let ids = ["phone", "ann", "ann-old"]
        .map(|id| actor_of(id).to_string())
        .join(", ");
    let moves = format!("FROM identity_moves WHERE actor IN ({ids})");
    world
        .sql(&format!("SELECT throwIf(count() = 0, 'nothing moved') {moves}"))
        .await;

    let question = |id: &str| {
        json!({"kind": "trends", "events": ["A"], "from": "2026-11-20", "to": "2026-11-24",
            "filter": {"property": "friend", "op": "is", "value": id}})
    };
    let save = async |content: serde_json::Value| {
        let path = owner.path("/saved");
        let saved = world.ask("POST", &path, &owner.token, content).await.expect(201);
        text(&saved["id"])
    };
    let about_ann = save(json!({"kind": "question", "name": "One", "question": question("ann-old")})).await;
    save(json!({"kind": "question", "name": "Two", "question": question("carl")})).await;
    let remark =
        json!({"kind": "annotation", "text": "ann found a bug", "from": "2026-11-20", "to": "2026-11-21"});
    let remark = save(remark).await;

    let what = json!({"kind": "person", "distinct_ids": ["phone"]});
    let address = world.request_erasure(&owner, what).await;
    let mut shards = keeper(&world).await;
    until(&world, &mut shards, ErasureState::Rebuilding).await;
    // Whoever looked for a cohort's members all the while writes them down only now.
    let cohort = "019ab2c4-0000-7000-8000-000000000000";
    world
        .sql(&format!(
            "INSERT INTO cohort_members (project, cohort, generation, person) \
             SELECT {}, toUUID('{cohort}'), 7, arrayJoin([{ids}, {}])",
            owner.number,
            actor_of("carl")
        ))
        .await;
    until(&world, &mut shards, ErasureState::Done).await;
    for shard in shards {
        shard.release().await;
    }
    world
        .sql(&format!(
            "SELECT throwIf(count() > 0, 'numbers of moves') {moves}"
        ))
        .await;
    let members = format!("FROM cohort_members WHERE cohort = toUUID('{cohort}')");
    world
        .sql(&format!(
            "SELECT throwIf(count() != 1, 'numbers of members') {members}"
        ))
        .await;

    let done = world.get(&address, &owner.token).await.expect(200);
    let mut named = vec![
        json!({"kind": "annotation", "id": remark, "earlier": false}),
        json!({"kind": "question", "id": about_ann, "earlier": false}),
    ];
    named.sort_by_key(|one| one["kind"].to_string());
    assert_eq!(done["certificate"]["named_in"], json!(named), "{done}");
    world.close().await;
}
