//! The life of a cohort over HTTP: refreshed, uploaded, refused, forgotten.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use footfall::worker::cohorts::Refresher;
use serde_json::{Value, json};

use crate::cohorts::{create, members, of_cohort};
use crate::harness::{NOW, Tenant, World, check, text};

const MINUTE: i64 = 60_000;

async fn shop() -> (World, Tenant) {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "Europe/Berlin").await;
    let events = json!([
        {"event": "purchase", "user_id": "ann", "timestamp": NOW - 3 * 86_400_000},
        {"event": "purchase", "user_id": "ann", "timestamp": NOW - 86_400_000},
        {"event": "page_view", "user_id": "bob", "timestamp": NOW - 86_400_000},
    ]);
    world.store(&shop.write, events).await;
    (world, shop)
}

#[tokio::test]
async fn members_are_looked_for_when_rules_change_when_they_are_old_and_when_asked() {
    let (world, shop) = shop().await;
    let bought = json!({"did": {"event": "purchase"}, "last_days": 3});
    let cohort = create(&world, &shop, " Buyers ", &bought).await;
    assert_eq!(
        (&cohort["name"], &cohort["size"], &cohort["stale"]),
        (&json!("Buyers"), &json!(1), &json!(false))
    );
    let path = shop.path(&format!("/cohorts/{}", text(&cohort["id"])));
    let ask = json!({"kind": "trends", "events": ["page_view"], "from": "2026-11-20", "filter": {"cohort": cohort["id"]}});
    let total = async || {
        let reply = world
            .ask("POST", &shop.path("/query"), &shop.secret, ask.clone())
            .await
            .expect(200);
        (reply["data"]["series"][0]["total"].clone(), of_cohort(&reply))
    };
    let (none, of_when) = total().await;
    assert_eq!(none, 0);
    assert_eq!(
        of_when,
        "the members of \"Buyers\" (1) are those of 2026-11-23T10:15:00Z"
    );

    // New rules are looked through before the answer, and remembered answers are not given again.
    let everybody = json!({"definition": {"did": {}}});
    let changed = world
        .ask("PATCH", &path, &shop.token, everybody)
        .await
        .expect(200);
    assert_eq!(
        (&changed["size"], &changed["changed_by"]),
        (&json!(2), &json!("ada@example.com"))
    );
    assert_eq!(total().await.0, 1);

    // A worker does it where they are older than half an hour; not before.
    world
        .store(&shop.write, json!({"event": "page_view", "user_id": "cem"}))
        .await;
    let rooms = &world.rooms;
    let refresher = || {
        let (meta, stream, store) = (rooms.meta.clone(), rooms.stream.clone(), rooms.store.clone());
        Refresher::new(meta, stream, store, Duration::from_secs(1_800))
    };
    world.at(NOW + 29 * MINUTE);
    assert_eq!(refresher().refresh_due(&rooms.clock).await.expect("done"), 0);
    world.at(NOW + 31 * MINUTE);
    assert_eq!(refresher().refresh_due(&rooms.clock).await.expect("done"), 1);
    assert_eq!(refresher().refresh_due(&rooms.clock).await.expect("done"), 0);
    assert_eq!(total().await.0, 2);
    let shown = world.get(&path, &shop.secret).await.expect(200);
    assert_eq!(
        (&shown["size"], &shown["sizes"]),
        (&json!(3), &json!([{"day": "2026-11-23", "size": 3}]))
    );
    assert_eq!(shown["computed_at"], "2026-11-23T10:46:00Z");

    // And whenever somebody asks for it; a day later is a new point of its size over time.
    let mut shop = shop;
    world.at(NOW + 24 * 60 * MINUTE);
    world.sign_in(&mut shop, "ada@example.com").await;
    world
        .store(&shop.write, json!({"event": "page_view", "user_id": "dee"}))
        .await;
    let refreshed = world
        .ask("POST", &format!("{path}/refresh"), &shop.token, Value::Null)
        .await
        .expect(200);
    assert_eq!(refreshed["sizes"][1], json!({"day": "2026-11-24", "size": 4}));
    let list = world.get(&shop.path("/cohorts"), &shop.secret).await.expect(200);
    assert_eq!(list["data"], json!([refreshed]));

    let trial = json!({"definition": bought});
    let preview = world
        .ask("POST", &shop.path("/cohorts/preview"), &shop.secret, trial)
        .await
        .expect(200);
    assert_eq!(
        (&preview["data"]["size"], &preview["meta"]["timezone"]),
        (&json!(1), &json!("Europe/Berlin"))
    );
    world
        .ask("DELETE", &path, &shop.token, Value::Null)
        .await
        .expect(204);
    world.get(&path, &shop.secret).await.problem(404, "not_found");
    let refused = world
        .ask("POST", &shop.path("/query"), &shop.secret, ask.clone())
        .await;
    check(
        refused,
        (422, "invalid_field", "/filter/cohort", "unknown_cohort"),
        "deleted",
    );
    world.close().await;
}

#[tokio::test]
async fn a_list_is_uploaded_as_json_or_csv() {
    let (world, shop) = shop().await;
    let list = world
        .ask(
            "POST",
            &shop.path("/cohorts"),
            &shop.token,
            json!({"name": "Beta"}),
        )
        .await
        .expect(201);
    assert_eq!((&list["definition"], &list["size"]), (&Value::Null, &json!(0)));
    let id = text(&list["id"]);
    let path = shop.path(&format!("/cohorts/{id}/members"));
    let uploaded = world
        .ask("PUT", &path, &shop.token, json!({"distinct_ids": ["ann", "cem"]}))
        .await
        .expect(200);
    assert_eq!(uploaded["size"], 1, "nobody did anything as cem");
    let csv = async |path: &str, text: &'static str| {
        let request = Request::put(path).header("authorization", format!("Bearer {}", shop.token));
        let request = request.header("content-type", "text/csv; charset=utf-8");
        world
            .raw(request.body(Body::from(text)).expect("a request"))
            .await
    };
    let uploaded = csv(&path, "distinct_id,since\nbob,2026\n").await.expect(200);
    assert_eq!(uploaded["size"], 2);
    assert_eq!(
        members(&world, &shop, &id).await,
        BTreeSet::from(["ann".to_owned(), "bob".to_owned()])
    );
    // Who comes later counts from the next refresh on.
    world
        .store(&shop.write, json!({"event": "page_view", "user_id": "cem"}))
        .await;
    let refreshed = world
        .ask(
            "POST",
            &shop.path(&format!("/cohorts/{id}/refresh")),
            &shop.token,
            Value::Null,
        )
        .await;
    assert_eq!(refreshed.expect(200)["size"], 3);
    let explained = world.get(&format!("{path}/cem"), &shop.secret).await.expect(200);
    assert_eq!(
        (&explained["data"]["member"], &explained["data"]["now"]),
        (&json!(true), &Value::Null)
    );
    world
        .get(&format!("{path}/nobody"), &shop.secret)
        .await
        .problem(404, "not_found");
    let replaced = csv(&format!("{path}?mode=replace"), "ann").await.expect(200);
    assert_eq!(replaced["size"], 1);

    let empty = csv(&path, "distinct_id\n").await;
    check(
        empty,
        (422, "invalid_field", "", "wrong_length"),
        "an empty table",
    );
    let long = json!({"distinct_ids": ["ann", "x".repeat(201)]});
    let long = world.ask("PUT", &path, &shop.token, long).await;
    check(
        long,
        (422, "invalid_field", "/distinct_ids/1", "wrong_length"),
        "a long id",
    );
    let rules = json!({"definition": {"did": {}}});
    let rules = world
        .ask("PATCH", &shop.path(&format!("/cohorts/{id}")), &shop.token, rules)
        .await;
    check(
        rules,
        (422, "invalid_field", "/definition", "not_allowed"),
        "a list stays a list",
    );
    let ruled = create(&world, &shop, "Buyers", &json!({"did": {}})).await;
    let path = shop.path(&format!("/cohorts/{}/members", text(&ruled["id"])));
    let upload = world
        .ask("PUT", &path, &shop.token, json!({"distinct_ids": ["ann"]}))
        .await;
    check(
        upload,
        (422, "invalid_field", "/distinct_ids", "not_allowed"),
        "rules stay rules",
    );
    world.close().await;
}

#[tokio::test]
async fn what_cannot_be_a_cohort_is_refused_by_its_place() {
    let (world, shop) = shop().await;
    let made = create(&world, &shop, "Buyers", &json!({"did": {"event": "purchase"}})).await;
    for (body, pointer, code) in [
        (json!({"name": ""}), "/name", "wrong_length"),
        (
            json!({"name": "a", "description": "x".repeat(501)}),
            "/description",
            "wrong_length",
        ),
        (
            json!({"name": "a", "definition": {"and": [{"did": {}, "last_days": 0}]}}),
            "/definition/and/0/last_days",
            "out_of_range",
        ),
        (
            json!({"name": "a", "definition": {"did": {}, "often": 3}}),
            "/definition/often",
            "unknown_field",
        ),
        (
            json!({"name": "a", "definition": {"did": {"filter": {"cohort": made["id"]}}}}),
            "/definition/did/filter",
            "not_allowed",
        ),
    ] {
        let reply = world
            .ask("POST", &shop.path("/cohorts"), &shop.token, body.clone())
            .await;
        check(reply, (422, "invalid_field", pointer, code), &body.to_string());
    }
    let unknown = "019ab2c4-0000-7000-8000-000000000000";
    for (question, pointer, code) in [
        (
            json!({"kind": "trends", "events": ["a"], "breakdown": [{"cohort": unknown}]}),
            "/breakdown/0/cohort",
            "unknown_cohort",
        ),
        (
            json!({"kind": "funnel", "steps": [{"event": "a", "filter": {"cohort": unknown}}, {"event": "b"}]}),
            "/steps/0/filter/cohort",
            "unknown_cohort",
        ),
        (
            json!({"kind": "trends", "events": ["a"], "filter": {"cohort": made["id"], "op": "is"}}),
            "/filter/op",
            "not_allowed",
        ),
        (
            json!({"kind": "trends", "events": ["a"], "filter": {"cohort": made["id"], "value": "in"}}),
            "/filter/value",
            "not_allowed",
        ),
        (
            json!({"kind": "trends", "events": ["a"], "filter": {"cohort": "Buyers"}}),
            "/filter/cohort",
            "wrong_type",
        ),
    ] {
        let reply = world
            .ask("POST", &shop.path("/query"), &shop.secret, question.clone())
            .await;
        check(
            reply,
            (422, "invalid_field", pointer, code),
            &question.to_string(),
        );
    }
    // A secret key reads, viewers too; another project's cohort is none.
    let reply = world
        .ask("POST", &shop.path("/cohorts"), &shop.secret, json!({"name": "a"}))
        .await;
    reply.problem(403, "forbidden");
    let other = world.project(&shop, "Blog", "UTC").await;
    let question = json!({"kind": "trends", "events": ["a"], "filter": {"cohort": made["id"]}});
    let reply = world
        .ask("POST", &other.path("/query"), &other.secret, question)
        .await;
    check(
        reply,
        (422, "invalid_field", "/filter/cohort", "unknown_cohort"),
        "of another project",
    );
    world.close().await;
}

#[tokio::test]
async fn who_is_erased_is_in_no_cohort_and_a_deleted_project_leaves_none() {
    let (world, shop) = shop().await;
    let made = create(&world, &shop, "All", &json!({"did": {}})).await;
    let id = text(&made["id"]);
    world
        .request_erasure(&shop, json!({"kind": "person", "distinct_ids": ["ann"]}))
        .await;
    world.erase().await;
    assert_eq!(
        members(&world, &shop, &id).await,
        BTreeSet::from(["bob".to_owned()])
    );
    let rooms = &world.rooms;
    world.at(rooms.clock.now_ms() + 1);
    let refresher = Refresher::new(
        rooms.meta.clone(),
        rooms.stream.clone(),
        rooms.store.clone(),
        Duration::from_secs(1_800),
    );
    assert_eq!(
        refresher.refresh_due(&rooms.clock).await.expect("done"),
        1,
        "due at once"
    );
    let shown = world
        .get(&shop.path(&format!("/cohorts/{id}")), &shop.secret)
        .await
        .expect(200);
    assert_eq!(shown["size"], 1);
    world
        .ask(
            "DELETE",
            &shop.path("?confirm=Web%20shop"),
            &shop.token,
            Value::Null,
        )
        .await
        .expect(204);
    world.erase().await;
    let id = uuid::Uuid::parse_str(&id).expect("an id");
    assert_eq!(rooms.meta.cohort_definition(id).await.expect("told"), None);
    let sizes = rooms
        .store
        .latest_cohorts(shop.number, &[id])
        .await
        .expect("told");
    assert!(sizes.is_empty());
    world.close().await;
}
