//! The schema over HTTP: in random worlds everything that is said of a name is what the naive twin says, before and after
//! compaction, and after an erasure that of the events that are left.

use footfall::event::{Event, actor_of};
use footfall::metrics::oracle::{People, schema_names, schema_properties};
use serde_json::{Value, json};

use crate::harness::{Tenant, World, text};
use crate::random::{Drawn, TRANSITIONS, now};

/// A world around each clock change that is delivered in pieces, with looks in between.
async fn drawn(rng: &mut fastrand::Rng, turn: usize) -> (World, Tenant, Drawn) {
    let (zone, at) = TRANSITIONS[turn % TRANSITIONS.len()];
    let world = World::new().await;
    let mut owner = world.owner("ada@example.com", zone).await;
    let drawn = Drawn::new(rng, crate::consistency::ms(at), owner.number, &owner.zone);
    let bodies = drawn.bodies(rng);
    world.at(now(rng, std::slice::from_ref(&drawn)));
    world.sign_in(&mut owner, "ada@example.com").await;
    for body in bodies {
        world.post(&owner.write, body).await.expect(200);
        if rng.bool() {
            world.deliver_in(rng.u64(1..20)).await;
        }
        if rng.bool() {
            world.note_names().await;
        }
    }
    world.deliver().await;
    world.note_names().await;
    (world, owner, drawn)
}

/// Without what people said, which here is nothing.
fn unmarked(mut row: Value) -> Value {
    for (member, nothing) in [
        ("description", json!("")),
        ("hidden", json!(false)),
        ("verified", json!(false)),
    ] {
        let said = row.as_object_mut().and_then(|row| row.remove(member));
        assert_eq!(said, Some(nothing), "{row}");
    }
    row
}

/// All rows of a list, page by page.
pub async fn walk(world: &World, owner: &Tenant, path: &str, list: &str, limit: usize) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut cursor = String::new();
    for _ in 0..1_000 {
        let separator = if path.contains('?') { '&' } else { '?' };
        let page = owner.path(&format!("{path}{separator}limit={limit}{cursor}"));
        let page = world.get(&page, &owner.secret).await.expect(200);
        let data = &page["data"];
        rows.extend(data[list].as_array().expect("rows").iter().cloned());
        assert_eq!(data["has_more"] == true, data["next_cursor"].is_string());
        if data["has_more"] == false {
            return rows;
        }
        cursor = format!("&cursor={}", text(&data["next_cursor"]));
    }
    panic!("a list without end");
}

fn written(facts: impl serde::Serialize) -> Value {
    serde_json::to_value(facts).expect("JSON")
}

async fn is_the_twins(world: &World, owner: &Tenant, events: &[Event], when: &str) {
    let now = world.rooms.clock.now_ms();
    let names = schema_names(&owner.zone, now, events);
    let listed = walk(world, owner, "/schema/events?order=name", "events", 2).await;
    let listed: Vec<Value> = listed.into_iter().map(unmarked).collect();
    assert_eq!(Value::Array(listed), written(&names), "{when}: names");

    for facts in &names {
        let name = facts.event.replace('$', "%24");
        let path = owner.path(&format!("/schema/events/{name}"));
        let detail = world.get(&path, &owner.secret).await.expect(200);
        let (mut properties, sample) = schema_properties(events, false, Some(&facts.event));
        let share =
            |of: &footfall::metrics::schema::PropertyFacts| of.sample.as_ref().map_or(0, |s| s.events);
        properties.sort_by_key(|property| std::cmp::Reverse(share(property)));
        assert_eq!(
            unmarked(detail["data"]["event"].clone()),
            written(facts),
            "{when}"
        );
        let rows = detail["data"]["properties"].as_array().expect("rows");
        let rows: Vec<Value> = rows.iter().cloned().map(unmarked).collect();
        assert_eq!(Value::Array(rows), written(properties), "{when}: {name}");
        assert_eq!(detail["data"]["sample"], written(sample), "{when}: {name}");
    }

    let first = names.first().map(|facts| facts.event.as_str());
    for (of_persons, event) in [(false, None), (true, None), (true, first)] {
        let kind = if of_persons { "person" } else { "event" };
        let of = event.map_or(String::new(), |event| {
            format!("&event={}", event.replace('$', "%24"))
        });
        let path = format!("/schema/properties?order=name&kind={kind}{of}");
        let listed = walk(world, owner, &path, "properties", 2).await;
        let listed: Vec<Value> = listed.into_iter().map(unmarked).collect();
        let (properties, sample) = schema_properties(events, of_persons, event);
        assert_eq!(Value::Array(listed), written(&properties), "{when}: {path}");
        for property in properties.iter().filter(|property| property.sample.is_some()) {
            let path = format!("/schema/properties/{}/values?kind={kind}{of}", property.name);
            let values = world
                .get(&owner.path(&path.replace("$", "%24")), &owner.secret)
                .await;
            let values = values.expect(200);
            let expected = property.sample.as_ref().map(|share| &share.values);
            assert_eq!(values["data"]["values"], written(expected), "{when}: {path}");
            if of_persons {
                assert_eq!(values["data"]["sample"], written(sample), "{when}: {path}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_said_of_every_name_is_the_twins() {
    let mut rng = fastrand::Rng::with_seed(61);
    for turn in 0..TRANSITIONS.len() {
        let (world, owner, drawn) = drawn(&mut rng, turn).await;
        is_the_twins(&world, &owner, &drawn.events, &format!("turn {turn}")).await;
        world.settle(world.rooms.clock.now_ms()).await;
        is_the_twins(&world, &owner, &drawn.events, &format!("turn {turn}, compacted")).await;

        let left = match turn % 2 {
            0 => {
                let who = json!({"kind": "person", "distinct_ids": ["p1", "p2"]});
                world.request_erasure(&owner, who).await;
                // With all their ids.
                let persons = ["p1", "p2"].map(actor_of);
                let events = drawn.events.clone();
                let people = People::from(&events);
                drawn.without(|event| persons.contains(&people.person(event)))
            }
            _ => {
                let (from, to) = (drawn.moments[0] - 5_000, drawn.moments[0] + 6_000);
                let moment = crate::random::instant;
                let range = json!({"kind": "range", "from": moment(from), "to": moment(to)});
                world.request_erasure(&owner, range).await;
                drawn.without(|event| (from..to).contains(&event.ts))
            }
        };
        world.erase().await;
        world.note_names().await;
        is_the_twins(&world, &owner, &left.events, &format!("turn {turn}, erased")).await;
        world.close().await;
    }
}

#[tokio::test]
async fn what_is_not_looked_at_yet_is_listed_by_its_quarter_hour() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let at = crate::harness::NOW - 61_000;
    let event = json!([{"event": "buy", "user_id": "ann", "timestamp": at, "properties": {"plan": "pro"}}]);
    world.store(&shop.write, event).await;
    let path = shop.path("/schema/events");
    let before = world.get(&path, &shop.secret).await.expect(200);
    let quarter = at - at % 900_000;
    assert_eq!(
        before["data"]["events"][0]["first_seen"],
        crate::random::instant(quarter)
    );
    world.note_names().await;
    let after = world.get(&path, &shop.secret).await.expect(200);
    assert_eq!(
        after["data"]["events"][0]["first_seen"],
        crate::random::instant(at)
    );
    assert_eq!(after["data"]["events"][0]["volume"], 1);
    // Nothing new: nothing to do, and nothing is lost.
    world.note_names().await;
    let again = world.get(&path, &shop.secret).await.expect(200);
    assert_eq!(again["data"], after["data"]);
    world.close().await;
}

#[tokio::test]
async fn the_first_look_notes_what_was_stored_before_there_were_looks() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    for days in [0, 3, 40] {
        let at = crate::harness::NOW - days * 86_400_000;
        let name = format!("p{days}");
        world
            .store(
                &shop.write,
                json!([{"event": "buy", "user_id": "ann", "timestamp": at, "properties": {name: 1}}]),
            )
            .await;
    }
    world.note_names().await;
    let listed = walk(&world, &shop, "/schema/properties?order=name", "properties", 100).await;
    let names: Vec<&Value> = listed.iter().map(|row| &row["name"]).collect();
    assert_eq!(names, ["p0", "p3", "p40"]);
    world.close().await;
}

#[tokio::test]
async fn while_somebody_else_has_the_names_nobody_looks_and_nothing_is_lost() {
    let world = World::new().await;
    let mut shop = world.owner("ada@example.com", "UTC").await;
    let event =
        |person: &str, name: &str| json!({"event": "buy", "distinct_id": person, "properties": {name: 1}});
    world.store(&shop.write, json!([event("ann", "a")])).await;
    world.note_names().await;
    let names = async |shop: &Tenant| {
        let listed = walk(&world, shop, "/schema/properties?order=name", "properties", 100).await;
        let seen = listed.iter().filter(|row| !row["first_seen"].is_null());
        seen.map(|row| text(&row["name"])).collect::<Vec<_>>()
    };
    assert_eq!(names(&shop).await, ["a"]);

    let stream = &world.rooms.stream;
    let ttl = std::time::Duration::from_secs(60);
    assert!(stream.take_schema("another worker", ttl).await.expect("Redis"));
    world.store(&shop.write, json!([event("eve", "b")])).await;
    world.note_names().await;
    assert_eq!(names(&shop).await, ["a"]);
    stream.leave_schema("another worker").await.expect("Redis");
    world.note_names().await;
    assert_eq!(names(&shop).await, ["a", "b"]);

    // What only an erased person had is gone with the certificate, without a further look.
    world.sign_in(&mut shop, "ada@example.com").await;
    world
        .request_erasure(&shop, json!({"kind": "person", "distinct_ids": ["eve"]}))
        .await;
    world.erase().await;
    assert_eq!(names(&shop).await, ["a"]);
    world.close().await;
}
