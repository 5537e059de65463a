//! Persons over HTTP beside their twin: small worlds of shared devices, users, properties that are set, unset and
//! added to; and groups.

use footfall::event::accept::{Context, Receipt, accept};
use footfall::event::enrich::agent::Agent;
use footfall::event::{Event, ProjectNumber, Zone};
use footfall::metrics::filter::canonical;
use footfall::metrics::identity::{MAX_DEVICES, Person, Salt};
use footfall::metrics::oracle::Persons;
use footfall::metrics::oracle::person::{SeenPerson, facts, listed};
use footfall::metrics::person::PersonsQuery;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{NOW, Tenant, World};

const DEVICES: [&str; 4] = ["d1", "d2", "d3", "d/4 ö"];
const USERS: [&str; 3] = ["ada", "ben@x.example", "cem"];

fn draw(rng: &mut fastrand::Rng, id: u128) -> Value {
    let mut event = json!({
        "event": *rng.choice(["view", "buy", "$set"].iter()).unwrap(),
        "id": Uuid::from_u128(id),
        "timestamp": NOW - 60_000 + rng.i64(0..40) * 1000,
    });
    if rng.u8(0..6) > 0 {
        event["device_id"] = json!(DEVICES[rng.usize(..DEVICES.len())]);
    }
    if rng.u8(0..3) == 0 || event.get("device_id").is_none() {
        event["user_id"] = json!(USERS[rng.usize(..USERS.len())]);
    }
    let name = |rng: &mut fastrand::Rng| ["plan", "email", "name"][rng.usize(..3)];
    let value = |rng: &mut fastrand::Rng| {
        let values = [
            json!("Pro"),
            json!("ada@x.example"),
            json!("Éva"),
            json!(5),
            json!(2.5),
            json!(null),
        ];
        values[rng.usize(..values.len())].clone()
    };
    for member in ["set", "set_once"] {
        if rng.u8(0..3) == 0 {
            event[member] = json!({name(rng): value(rng)});
        }
    }
    if rng.u8(0..8) == 0 {
        event["unset"] = json!([name(rng)]);
    }
    if rng.u8(0..5) == 0 {
        let number = [json!(1), json!(0.1), json!(-2)][rng.usize(..3)].clone();
        event["add"] = json!({name(rng): number});
    }
    event
}

fn event_of(wire: &Value, seq: u32) -> Event {
    let receipt = Receipt {
        project: ProjectNumber(1),
        zone: Zone::utc(),
        received_at: NOW,
        sent_at: None,
        agent: Agent::default(),
        context: Context::default(),
    };
    accept(
        serde_json::from_value(wire.clone()).expect("an event"),
        seq,
        &receipt,
    )
    .expect("accepted")
}

/// Every page of the persons, and the count that the first one says.
async fn pages(world: &World, of: &Tenant, query: &Value) -> (u64, Vec<Value>) {
    let mut query = query.clone();
    query["kind"] = json!("persons");
    let (mut rows, mut count) = (Vec::new(), None);
    for _ in 0..50 {
        let reply = world
            .ask("POST", &of.path("/query"), &of.secret, query.clone())
            .await;
        let answer = reply.expect(200);
        let data = &answer["data"];
        count = count.or(data["count"].as_u64());
        rows.extend(data["persons"].as_array().expect("persons").iter().cloned());
        match data["next_cursor"].as_str() {
            Some(cursor) => query["cursor"] = json!(cursor),
            None => return (count.expect("a count"), rows),
        }
    }
    panic!("the list does not end");
}

fn texts(properties: &Value) -> Vec<(String, String)> {
    let members = properties.as_object().expect("an object");
    members
        .iter()
        .map(|(name, value)| (name.clone(), canonical(value).expect("not null")))
        .collect()
}

fn check(row: &Value, seen: &SeenPerson, context: &str) {
    assert_eq!(row["id"], seen.name(), "{context}");
    assert_eq!(row["fresh"], matches!(seen.person, Person::Fresh(_)), "{context}");
    assert_eq!(row["ids"], seen.ids.len(), "{context}");
    let instant = |value: &Value| {
        let text = value.as_str().expect("an instant");
        text.parse::<jiff::Timestamp>()
            .expect("an instant")
            .as_millisecond()
    };
    assert_eq!(
        (instant(&row["first_seen"]), instant(&row["last_seen"])),
        (seen.first, seen.last),
        "{context}"
    );
    let expected: Vec<(String, String)> = seen
        .properties
        .all()
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect();
    assert_eq!(texts(&row["properties"]), expected, "{context}");
}

fn encoded(id: &str) -> String {
    id.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn persons_are_those_of_the_twin() {
    let world = World::new().await;
    for seed in 1..=8 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let owner = world.owner(&format!("o{seed}@example.com"), "UTC").await;
        let wires: Vec<Value> = (0..rng.u128(5..40))
            .map(|n| draw(&mut rng, (u128::from(seed) << 32) + n + 1))
            .collect();
        let mut events: Vec<Event> = Vec::new();
        for (n, chunk) in wires.chunks(7).enumerate() {
            world.send(&owner.write, json!(chunk)).await;
            events.extend((0..).zip(chunk).map(|(seq, wire)| event_of(wire, seq)));
            if n % 2 == 0 {
                world.deliver().await;
            }
        }
        world.deliver().await;
        let facts = facts(&events);
        let salt = Salt::new(b"secret", ProjectNumber(1));
        let persons = Persons::new(&facts, &salt, MAX_DEVICES);
        let queries = [
            json!({"limit": 2}),
            json!({"order": "first_seen", "limit": 3}),
            json!({"order": "id", "limit": 2}),
            json!({"filter": {"person": "plan", "value": "Pro"}}),
            json!({"filter": {"person": "plan", "op": "is_not", "value": "Pro"}, "order": "id"}),
            json!({"filter": {"or": [{"person": "email", "op": "is_set"}, {"person": "plan", "op": "gt", "value": 3}]}}),
            json!({"filter": {"person": "name", "op": "is_not_set"}, "search": "d"}),
            json!({"search": "ADA", "order": "id"}),
            json!({"search": "éva"}),
            json!({"seen_from": jiff::Timestamp::from_millisecond(NOW - 30_000).unwrap().to_string()}),
            json!({"seen_to": jiff::Timestamp::from_millisecond(NOW - 40_000).unwrap().to_string(), "order": "first_seen"}),
        ];
        for query in &queries {
            let spec: PersonsQuery = serde_json::from_value(query.clone()).expect("a query");
            let spec = spec.validate(&Zone::utc()).expect("valid");
            let expected = listed(&spec, &events, &persons);
            let context = format!("seed {seed}: {query}");
            let (count, rows) = pages(&world, &owner, query).await;
            assert_eq!(
                (count, rows.len()),
                (expected.len() as u64, expected.len()),
                "{context}"
            );
            for (row, seen) in rows.iter().zip(&expected) {
                check(row, seen, &context);
            }
        }
        let everybody = PersonsQuery::default().validate(&Zone::utc()).expect("valid");
        for seen in listed(&everybody, &events, &persons) {
            check_profile(&world, &owner, &seen).await;
        }
    }
    world.settle(NOW + 120_000).await;
    world.close().await;
}

async fn check_profile(world: &World, owner: &Tenant, seen: &SeenPerson) {
    let fresh = matches!(seen.person, Person::Fresh(_));
    for id in &seen.ids {
        // of a shared device the id leads to its first person unless `fresh` is said
        let path = format!("/persons/{}?fresh={fresh}", encoded(id));
        let profile = world.get(&owner.path(&path), &owner.secret).await.expect(200);
        let data = &profile["data"];
        assert_eq!(data["id"], seen.name(), "{profile}");
        assert_eq!(data["events"], seen.events.len(), "{profile}");
        let properties = data["properties"].as_array().expect("properties");
        let found: Vec<(&str, Option<String>)> = properties
            .iter()
            .map(|known| {
                (
                    known["name"].as_str().expect("a name"),
                    canonical(&known["value"]),
                )
            })
            .collect();
        let expected: Vec<(&str, Option<String>)> = seen
            .properties
            .all()
            .map(|(name, text)| (name, Some(text.to_owned())))
            .collect();
        assert_eq!(found, expected);
    }
    let mut ids = Vec::new();
    let mut path = format!("/persons/{}/events?limit=3&fresh={fresh}", encoded(seen.name()));
    for _ in 0..50 {
        let page = world.get(&owner.path(&path), &owner.secret).await.expect(200);
        let events = page["data"].as_array().expect("events");
        ids.extend(
            events
                .iter()
                .map(|event| event["id"].as_str().expect("an id").parse::<Uuid>().unwrap()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!(
            "/persons/{}/events?limit=3&fresh={fresh}&cursor={cursor}",
            encoded(seen.name())
        );
    }
    assert_eq!(ids, seen.events, "{:?}", seen.person);
}

#[tokio::test]
async fn what_nobody_sent_is_no_person_and_no_group() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    for path in ["/persons/nobody", "/groups/company/acme"] {
        world
            .get(&owner.path(path), &owner.secret)
            .await
            .problem(404, "not_found");
    }
    let nothing = world
        .get(&owner.path("/persons/nobody/events"), &owner.secret)
        .await
        .expect(200);
    assert_eq!(nothing["data"], json!([]));
    for (query, pointer, code) in [
        ("?limit=0", "?limit", "out_of_range"),
        ("?cursor=x", "?cursor", "unreadable"),
        ("?seen_from=soon", "?seen_from", "invalid_time"),
    ] {
        let problem = world
            .get(&owner.path(&format!("/persons{query}")), &owner.secret)
            .await
            .problem(422, "invalid_field");
        assert_eq!(
            (&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]),
            (&json!(pointer), &json!(code))
        );
    }
    world.close().await;
}

#[tokio::test]
async fn groups_have_properties_and_persons_know_theirs() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    let tell = |id: u128, key: &str, set: Value| {
        json!({"event": "$groupidentify", "id": Uuid::from_u128(id), "user_id": "ada", "timestamp": NOW - 1000,
            "properties": {"$group_type": "company", "$group_key": key, "$group_set": set}})
    };
    let events = json!([
        tell(1, "acme", json!({"seats": 5, "plan": "team"})),
        tell(2, "birch", json!({"seats": 2})),
        {"event": "view", "id": Uuid::from_u128(3), "user_id": "ada", "timestamp": NOW, "groups": {"company": "acme", "team": 7}},
    ]);
    world.store(&owner.write, events).await;
    let get = async |path: &str| world.get(&owner.path(path), &owner.secret).await.expect(200);
    let types = get("/groups").await;
    assert_eq!(
        types["data"],
        json!([{"type": "company", "groups": 2}, {"type": "team", "groups": 1}])
    );
    let page = get("/groups/company?limit=1").await;
    assert_eq!(page["data"][0]["properties"], json!({"plan": "team", "seats": 5}));
    assert_eq!(
        (&page["has_more"], &page["next_cursor"]),
        (&json!(true), &json!("acme"))
    );
    let page = get("/groups/company?limit=1&cursor=acme").await;
    assert_eq!(
        (&page["data"][0]["key"], &page["has_more"]),
        (&json!("birch"), &json!(false))
    );
    let acme = get("/groups/company/acme").await;
    assert_eq!(acme["properties"][1]["value"], 5);
    assert_eq!(acme["last_seen"], get("/persons/ada").await["data"]["last_seen"]);
    let groups = get("/persons/ada").await["data"]["groups"].clone();
    assert_eq!(groups[0], json!({"type": "company", "key": "acme"}));
    assert_eq!(groups.as_array().map(Vec::len), Some(3));
    assert_eq!(get("/groups/company?search=IR").await["data"][0]["key"], "birch");
    world.close().await;
}
