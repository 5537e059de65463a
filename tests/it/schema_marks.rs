//! What people say about names, what pickers make of it, and names that mean trouble.

use serde_json::{Value, json};

use crate::harness::{NOW, Tenant, World, check};
use crate::schema::walk;

/// A shop in which some things happened.
async fn shop() -> (World, Tenant) {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let events = |name: &str, n: u64| -> Vec<Value> {
        let event = |i: u64| {
            let plan = ["free", "pro"][i as usize % 2];
            json!({"event": name, "user_id": format!("u{i}"), "timestamp": NOW - 60_000,
                "properties": {"plan": plan, "order": format!("o-{name}-{i}"), "n": i % 7,
                    "$set": {"company": format!("company {}", i % 3)}}})
        };
        (0..n).map(event).collect()
    };
    let all = [events("page_view", 150), events("buy", 20), events("debug", 30)].concat();
    world.store(&shop.write, json!(all)).await;
    world.note_names().await;
    (world, shop)
}

async fn names(world: &World, shop: &Tenant, query: &str) -> Vec<String> {
    let rows = walk(
        world,
        shop,
        &format!("/schema/{query}"),
        query.split('?').next().expect("a list"),
        3,
    )
    .await;
    let name = |row: &Value| row["event"].as_str().or(row["name"].as_str()).map(str::to_owned);
    rows.iter().filter_map(name).collect()
}

#[tokio::test]
async fn a_hidden_name_is_left_out_and_a_verified_one_comes_first() {
    let (world, shop) = shop().await;
    assert_eq!(
        names(&world, &shop, "events").await,
        ["page_view", "debug", "buy"]
    );
    let patch = async |path: &str, body: Value| {
        let reply = world
            .ask("PATCH", &shop.path(&format!("/schema/{path}")), &shop.token, body)
            .await;
        reply.expect(200)
    };
    patch("events/debug", json!({"hidden": true})).await;
    let said = patch(
        "events/buy",
        json!({"verified": true, "description": " An order was paid "}),
    )
    .await;
    assert_eq!(
        said,
        json!({"description": "An order was paid", "hidden": false, "verified": true})
    );
    assert_eq!(names(&world, &shop, "events").await, ["page_view", "buy"]);
    assert_eq!(
        names(&world, &shop, "events?order=suggested").await,
        ["buy", "page_view"]
    );
    assert_eq!(
        names(&world, &shop, "events?hidden=true&order=name").await,
        ["buy", "debug", "page_view"]
    );
    assert_eq!(names(&world, &shop, "events?search=ORDER%20was").await, ["buy"]);
    // Hidden from choice, not from questions.
    let trend = shop.path("/trends?event=debug&from=2026-11-23&to=2026-11-24");
    let trend = world.get(&trend, &shop.secret).await.expect(200);
    assert_eq!(trend["data"]["series"][0]["total"], 30);

    patch("properties/order", json!({"hidden": true})).await;
    patch("properties/plan", json!({"verified": true})).await;
    patch(
        "properties/company?kind=person",
        json!({"description": "Where they work"}),
    )
    .await;
    assert_eq!(
        names(&world, &shop, "properties?order=suggested").await,
        ["plan", "n"]
    );
    assert_eq!(names(&world, &shop, "properties?kind=person").await, ["company"]);
    assert_eq!(
        names(&world, &shop, "properties?kind=person&search=work").await,
        ["company"]
    );
    assert_eq!(names(&world, &shop, "properties?search=work").await, [""; 0]);
    // Nothing said, nothing kept.
    patch("events/debug", json!({"hidden": false})).await;
    assert_eq!(
        names(&world, &shop, "events").await,
        ["page_view", "debug", "buy"]
    );
    world.close().await;
}

#[tokio::test]
async fn members_mark_and_viewers_and_keys_do_not() {
    let (world, shop) = shop().await;
    let path = shop.path("/schema/events/not%2Fseen%20yet");
    let mark = json!({"description": "Comes with the next release"});
    let reply = world.ask("PATCH", &path, &shop.secret, mark.clone()).await;
    check(reply, (403, "forbidden", "", ""), "a key");
    let said = world.ask("PATCH", &path, &shop.token, mark).await.expect(200);
    assert_eq!(said["description"], "Comes with the next release");
    let unseen = world.get(&path, &shop.secret).await;
    check(
        unseen,
        (404, "not_found", "", ""),
        "an event that was never received",
    );

    let long = json!({"description": "x".repeat(501)});
    let reply = world.ask("PATCH", &path, &shop.token, long).await;
    check(
        reply,
        (422, "invalid_field", "/description", "wrong_length"),
        "a long description",
    );
    let name = "x".repeat(201);
    let reply = world
        .ask(
            "PATCH",
            &shop.path(&format!("/schema/events/{name}")),
            &shop.token,
            json!({}),
        )
        .await;
    check(reply, (404, "not_found", "", ""), "a long name");
    for (query, pointer, code) in [
        ("events?limit=0", "?limit", "out_of_range"),
        ("events?cursor=x", "?cursor", "unreadable"),
        ("events?order=size", "?order", "unknown_value"),
        ("properties?kind=group", "?kind", "unknown_value"),
        ("properties/n/values?limit=101", "?limit", "out_of_range"),
    ] {
        let reply = world
            .get(&shop.path(&format!("/schema/{query}")), &shop.secret)
            .await;
        check(reply, (422, "invalid_field", pointer, code), query);
    }
    world.close().await;
}

#[tokio::test]
async fn values_are_offered_by_what_they_hold_and_ids_are_flagged() {
    let (world, shop) = shop().await;
    let get = async |path: &str| {
        let reply = world
            .get(&shop.path(&format!("/schema/{path}")), &shop.secret)
            .await;
        reply.expect(200)["data"].clone()
    };
    let plans = get("properties/plan/values?event=page_view").await;
    let expected = json!([{"value": "free", "count": 75}, {"value": "pro", "count": 75}]);
    assert_eq!(plans["values"], expected);
    assert_eq!(
        plans["sample"],
        json!({"events": 150, "of": 150, "sampled": false})
    );
    let found = get("properties/plan/values?event=page_view&search=PR&limit=1").await;
    assert_eq!(found["values"], json!([{"value": "pro", "count": 75}]));
    let companies = get("properties/company/values?kind=person&search=%202").await;
    assert_eq!(companies["values"], json!([{"value": "company 2", "count": 66}]));
    assert_eq!(get("properties/never/values").await["values"], json!([]));

    let of_view = get("events/page_view").await;
    let flags: Vec<(&Value, &Value)> = of_view["properties"]
        .as_array()
        .expect("properties")
        .iter()
        .map(|row| (&row["name"], &row["sample"]["high_cardinality"]))
        .collect();
    let expected = [("n", false), ("order", true), ("plan", false)];
    let expected: Vec<(Value, Value)> = expected.map(|(name, flag)| (json!(name), json!(flag))).into();
    assert_eq!(flags, expected.iter().map(|(n, f)| (n, f)).collect::<Vec<_>>());
    // Of 20 orders nobody can say.
    let of_buy = get("events/buy").await;
    assert_eq!(of_buy["properties"][1]["name"], "order");
    assert_eq!(of_buy["properties"][1]["sample"]["high_cardinality"], false);
    world.close().await;
}

#[tokio::test]
async fn names_that_a_program_makes_up_are_flagged_with_what_they_share() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let made_up = (0..25).map(
        |n| json!({"event": format!("viewed_{n}"), "user_id": "ann", "properties": {format!("k{n}"): 1}}),
    );
    let steps = (1..4).map(|n| json!({"event": format!("step_{n}"), "user_id": "ann"}));
    let all: Vec<Value> = made_up.chain(steps).collect();
    world.store(&shop.write, json!(all)).await;
    world.note_names().await;
    let listed = world
        .get(&shop.path("/schema/events?search=viewed"), &shop.secret)
        .await
        .expect(200);
    let pattern = json!({"pattern": "viewed_#", "names": 25});
    assert_eq!(listed["data"]["generated"], json!([pattern]));
    assert_eq!(listed["data"]["events"].as_array().map(Vec::len), Some(25));
    assert_eq!(listed["data"]["events"][0]["generated"], pattern);
    let steps = world
        .get(&shop.path("/schema/events?search=step"), &shop.secret)
        .await
        .expect(200);
    assert_eq!(steps["data"]["events"][0]["generated"], Value::Null);
    let keys = world
        .get(&shop.path("/schema/properties?search=k7"), &shop.secret)
        .await
        .expect(200);
    assert_eq!(
        keys["data"]["properties"][0]["generated"],
        json!({"pattern": "k#", "names": 25})
    );
    world.close().await;
}

#[tokio::test]
async fn what_capture_finds_out_is_offered_as_it_is_asked_for() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let view = json!([{"event": "page_view", "user_id": "ann", "properties": {"$path": "not this", "title": "Mugs"},
        "context": {"page": {"url": "https://shop.example/mugs"}}}]);
    world.store(&shop.write, view).await;
    world.note_names().await;
    let listed = walk(&world, &shop, "/schema/properties?order=name", "properties", 100).await;
    let names: Vec<&Value> = listed.iter().map(|row| &row["name"]).collect();
    assert_eq!(names, ["$host", "$path", "$url", "title"]);
    assert_eq!(listed[1]["captured"], true);
    assert_eq!(
        listed[1]["sample"]["values"],
        json!([{"value": "/mugs", "count": 1}])
    );
    let path = shop.path("/schema/properties/%24path/values");
    let values = world.get(&path, &shop.secret).await.expect(200);
    assert_eq!(values["data"]["values"], json!([{"value": "/mugs", "count": 1}]));
    world.close().await;
}
