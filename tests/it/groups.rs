//! Companies counted instead of people, by every kind of question that counts somebody: of a few whom a reader can
//! follow.

use serde_json::{Value, json};

use crate::harness::{Tenant, World, check};

/// Who did what when, for which company.
const EVENTS: [(&str, &str, &str, Option<&str>); 8] = [
    ("ada", "look", "2026-11-02T09:00:00Z", Some("acme")),
    ("ben", "look", "2026-11-02T10:00:00Z", Some("acme")),
    // Not the one who looked: but for the company that did.
    ("ben", "buy", "2026-11-03T10:00:00Z", Some("acme")),
    ("cyd", "look", "2026-11-02T11:00:00Z", Some("bolt")),
    ("cyd", "buy", "2026-11-04T11:00:00Z", None),
    ("dan", "look", "2026-11-03T12:00:00Z", None),
    // The same person, for another company.
    ("ada", "look", "2026-11-04T09:00:00Z", Some("cord")),
    ("ada", "buy", "2026-11-04T10:00:00Z", Some("cord")),
];

async fn shop(world: &World) -> Tenant {
    let shop = world.owner("ada@example.com", "UTC").await;
    let event = |(who, name, at, company): &(&str, &str, &str, Option<&str>)| {
        json!({"event": name, "distinct_id": who, "timestamp": at, "groups": {"company": company},
            "properties": {"worth": 5}})
    };
    let events: Vec<Value> = EVENTS.iter().map(event).collect();
    world.store(&shop.write, Value::from(events)).await;
    shop
}

#[tokio::test]
async fn companies_are_active_return_and_convert_like_people() {
    let world = World::new().await;
    let shop = shop(&world).await;
    let ask = async |mut question: Value| {
        question["group"] = json!({"property": "$groups.company"});
        question["from"] = json!("2026-11-02");
        question["to"] = json!("2026-11-05");
        let reply = world
            .ask("POST", &shop.path("/query"), &shop.secret, question)
            .await;
        let reply = reply.expect(200);
        assert_eq!(reply["meta"]["approximate"], false);
        reply["data"].clone()
    };
    let numbers = |list: &Value, names: &[&str]| -> Vec<Vec<u64>> {
        let number = |one: &Value, name: &&str| one[*name].as_u64().expect("a number");
        let list = list.as_array().expect("a list").iter();
        list.map(|one| names.iter().map(|name| number(one, name)).collect())
            .collect()
    };

    let active = ask(json!({"kind": "active_users"})).await;
    assert_eq!(
        numbers(&active["days"], &["dau", "wau"]),
        [[2, 2], [1, 2], [1, 3]]
    );
    assert_eq!(active["summary"]["active"], 3);
    let looked =
        ask(json!({"kind": "active_users", "event": "look", "breakdown": [{"property": "worth"}]})).await;
    assert_eq!(looked["breakdown"][0]["summary"]["active"], 3);

    let lifecycle = ask(json!({"kind": "lifecycle"})).await;
    let stages = ["new", "returning", "resurrecting", "dormant"];
    assert_eq!(
        numbers(&lifecycle["points"], &stages),
        [[2, 0, 0, 0], [0, 1, 0, 1], [1, 0, 0, 1]]
    );
    let days = ask(json!({"kind": "stickiness"})).await;
    assert_eq!(numbers(&days["histogram"], &["persons"]), [[2], [1], [0]]);

    let table = ask(json!({"kind": "retention", "periods": 1})).await;
    assert_eq!(numbers(&table["cohorts"], &["size"]), [[2], [0], [1]]);
    let came_back = |table: &Value| table["cohorts"][0]["cells"][1]["retained"].clone();
    assert_eq!(came_back(&table), 1);
    let bought =
        json!({"kind": "retention", "periods": 1, "start": {"event": "look"}, "return": {"event": "buy"}});
    assert_eq!(came_back(&ask(bought).await), 1);

    let conversion =
        json!({"kind": "conversion", "after": "look", "goal": "buy", "value": {"property": "worth"}});
    let conversion = ask(conversion).await;
    assert_eq!(
        numbers(&conversion["days"], &["entered", "converted"]),
        [[2, 1], [0, 0], [1, 1]]
    );
    assert_eq!(
        conversion["value"],
        json!({"events": 2, "sum": 10.0, "mean": 5.0})
    );
    let goal = ask(json!({"kind": "conversion", "goal": "buy"})).await;
    assert_eq!(
        (&goal["total"]["entered"], &goal["total"]["converted"]),
        (&json!(3), &json!(2))
    );
    world.close().await;
}

#[tokio::test]
async fn what_belongs_to_a_person_and_a_device_is_not_a_companys() {
    let world = World::new().await;
    let shop = shop(&world).await;
    let company = json!({"property": "$groups.company"});
    for (question, pointer, reason) in [
        (
            json!({"kind": "sessions", "group": company}),
            "/group",
            "unknown_field",
        ),
        (
            json!({"kind": "web", "group": company}),
            "/group",
            "unknown_field",
        ),
        (
            json!({"kind": "paths", "entity": "group"}),
            "/entity",
            "unknown_field",
        ),
        (json!({"kind": "active_users", "group": {}}), "/group", "required"),
        (
            json!({"kind": "stickiness", "group": {"property": ""}}),
            "/group/property",
            "required",
        ),
    ] {
        let reply = world
            .ask("POST", &shop.path("/query"), &shop.secret, question.clone())
            .await;
        check(
            reply,
            (422, "invalid_field", pointer, reason),
            &question.to_string(),
        );
    }
    world.close().await;
}
