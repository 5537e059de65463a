//! Cohorts over HTTP: members are the twin's, every kind of question takes them as filter and as breakdown, and they
//! are refreshed, explained, uploaded and forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use footfall::event::Event;
use footfall::metrics::cohort::RuleQuery;
use footfall::metrics::oracle;
use footfall::worker::cohorts::Refresher;
use serde_json::{Value, json};

use crate::consistency::ms;
use crate::harness::{NOW, Tenant, World, check, text};
use crate::random::{Drawn, TRANSITIONS, now, questions};
use crate::twin::twin;

const MINUTE: i64 = 60_000;

/// Rules over the names and values of random worlds.
fn rules(rng: &mut fastrand::Rng, drawn: &Drawn, zone: &footfall::event::Zone) -> Value {
    let day = |n: i32| zone.local_day(drawn.at).plus(n).to_string();
    let did = json!({"did": {"event": *rng.choice(&["A", "B", "$identify"]).expect("one")}, "at_least": rng.u8(1..4),
        "last_days": rng.u8(1..9)});
    let first =
        json!({"first": {"events": ["A", "C"]}, "from": day(rng.i32(-1..2)), "to": day(rng.i32(2..6))});
    let sequence = json!({"sequence": [{"event": "A"}, {"events": ["B", "C"], "filter": {"property": "n", "op": "is_set"}}],
        "within": format!("{}s", rng.u8(1..9))});
    let tier = json!({"person": "tier", "op": rng.choice(&["is", "is_not"]), "value": "gold"});
    let never = json!({"not": {"did": {"event": "D"}}});
    match rng.u8(0..6) {
        0 => did,
        1 => json!({"or": [first, sequence]}),
        2 => json!({"and": [tier, never]}),
        3 => json!({"or": [{"and": [did, never]}, tier]}),
        4 => sequence,
        _ => json!({"not": first}),
    }
}

/// The same as a question about a property that says who is a member.
fn by_property(value: &Value) -> Value {
    match value {
        Value::Object(members) if members.contains_key("cohort") => {
            let name = format!("cohort {}", text(&members["cohort"]));
            match members.get("op").and_then(Value::as_str) {
                None => json!({"property": name}),
                Some(op) => {
                    let op = if op == "in" { "is" } else { "is_not" };
                    json!({"property": name, "op": op, "value": "in"})
                }
            }
        }
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, member)| (name.clone(), by_property(member)));
            Value::Object(members.collect())
        }
        Value::Array(items) => items.iter().map(by_property).collect(),
        other => other.clone(),
    }
}

/// And back, where a report repeats what it was asked.
fn by_cohort(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let name = members
                .get("property")
                .and_then(Value::as_str)
                .unwrap_or_default();
            match name.strip_prefix("cohort ") {
                Some(cohort) => json!({"cohort": cohort}),
                None => {
                    let members = members
                        .iter()
                        .map(|(name, member)| (name.clone(), by_cohort(member)));
                    Value::Object(members.collect())
                }
            }
        }
        Value::Array(items) => items.iter().map(by_cohort).collect(),
        other => other.clone(),
    }
}

/// The question, of members only or of others, or broken down by who is one.
fn asked_of(rng: &mut fastrand::Rng, mut question: Value, cohorts: &[String]) -> Value {
    let cohort = rng.choice(cohorts).expect("one");
    let breaks_down = question["breakdown"]
        .as_array()
        .is_some_and(|list| !list.is_empty());
    if breaks_down && rng.bool() {
        question["breakdown"][0] = json!({"cohort": cohort});
        return question;
    }
    let op = rng.choice(&["in", "not_in"]).expect("one");
    let members = json!({"cohort": cohort, "op": op});
    question["filter"] = match question.get("filter") {
        None | Some(Value::Null) => members,
        Some(filter) => json!({"and": [filter, members]}),
    };
    if question["kind"] == "active_users" {
        question["exact"] = json!(true);
    }
    question
}

#[tokio::test]
async fn members_are_the_twins_and_every_question_takes_them() {
    let mut rng = fastrand::Rng::with_seed(6);
    let world = World::new().await;
    let mut owner = world.owner("ada@example.com", "UTC").await;
    let (mut in_and_out, mut broken_down) = ([0_usize; 2], 0);
    for (zone, at) in TRANSITIONS {
        world.at(NOW);
        world.sign_in(&mut owner, "ada@example.com").await;
        let mut project = world.project(&owner, zone, zone).await;
        // Members are named by their one id here.
        let drawn = Drawn::new(&mut rng, ms(at), project.number, &project.zone).by_one_id();
        world.at(now(&mut rng, std::slice::from_ref(&drawn)));
        world.sign_in(&mut project, "ada@example.com").await;
        let now = world.rooms.clock.now_ms();
        for body in drawn.bodies(&mut rng) {
            world.post(&project.write, body).await.expect(200);
        }
        world.deliver().await;
        let mut events = drawn.events.clone();
        let mut cohorts = Vec::new();
        for n in 0..4 {
            let rules = rules(&mut rng, &drawn, &project.zone);
            let twin = of_twin(&rules, &project, now, &drawn.events);
            let created = create(&world, &project, &format!("{n}"), &rules).await;
            let id = text(&created["id"]);
            let members = members(&world, &project, &id).await;
            let about = format!("{zone} at {now}: {rules}");
            assert_eq!(created["problem"], Value::Null, "{about}");
            for (person, (member, told)) in &twin {
                in_and_out[usize::from(*member)] += 1;
                assert_eq!(members.contains(person), *member, "{about}: {person}");
                let path = project.path(&format!("/cohorts/{id}/members/{person}"));
                let explained = world.get(&path, &project.secret).await.expect(200)["data"].clone();
                assert_eq!(
                    (&explained["member"], &explained["now"]["holds"]),
                    (&json!(member), &json!(member))
                );
                let mut rules = explained["now"]["rules"].as_array().expect("rules").iter();
                let leaves: Vec<_> = rules
                    .by_ref()
                    .filter(|rule| rule.get("times").is_some())
                    .collect();
                let told: Vec<_> = told.iter().filter(|told| told.times > 0).collect();
                let found: Vec<_> = leaves.iter().filter(|rule| rule["times"] != 0).collect();
                assert_eq!(found.len(), told.len(), "{about}: {explained}");
                for (found, told) in found.iter().zip(told) {
                    assert_eq!(
                        (&found["holds"], &found["times"]),
                        (&json!(told.holds), &json!(told.times)),
                        "{about}"
                    );
                    assert_eq!(Some(ms(&text(&found["last_at"]))), told.last_ms, "{about}");
                }
            }
            assert_eq!(created["size"], members.len(), "{about}");
            for event in &mut events {
                let mut props: Value = serde_json::from_str(&event.props).expect("an object");
                let is = if members.contains(&event.distinct_id) {
                    "in"
                } else {
                    "not in"
                };
                props[format!("cohort {id}")] = json!(is);
                event.props = props.to_string();
            }
            cohorts.push(id);
        }
        for question in questions(&mut rng, &drawn, &project.zone) {
            let question = asked_of(&mut rng, question, &cohorts);
            broken_down += usize::from(question["breakdown"][0]["cohort"].is_string());
            let expected = by_cohort(&twin(&by_property(&question), &project.zone, now, &events));
            let reply = world
                .ask("POST", &project.path("/query"), &project.secret, question.clone())
                .await;
            let reply = reply.expect(200);
            assert_eq!(reply["data"], expected, "{zone} at {now}: {question}");
            let mut warnings = reply["meta"]["warnings"].as_array().expect("warnings").iter();
            assert!(
                warnings.any(|warning| warning["code"] == "cohort_as_of"),
                "{}",
                reply["meta"]
            );
        }
    }
    assert!(
        in_and_out[0] > 20 && in_and_out[1] > 20 && broken_down > 20,
        "{in_and_out:?} {broken_down}"
    );
    world.close().await;
}

fn of_twin(
    rules: &Value,
    project: &Tenant,
    now: i64,
    events: &[Event],
) -> BTreeMap<String, (bool, Vec<oracle::Told>)> {
    let query: RuleQuery = serde_json::from_value(rules.clone()).expect("rules");
    let spec = query.validate("", &project.zone).expect("valid");
    oracle::cohort(&spec, &project.zone, now, events, |event| {
        event.distinct_id.clone()
    })
}

async fn create(world: &World, project: &Tenant, name: &str, rules: &Value) -> Value {
    let body = json!({"name": name, "definition": rules});
    world
        .ask("POST", &project.path("/cohorts"), &project.token, body)
        .await
        .expect(201)
}

/// What an answer says of its cohort.
fn of_cohort(reply: &Value) -> Value {
    let mut warnings = reply["meta"]["warnings"].as_array().expect("warnings").iter();
    let found = warnings.find(|warning| warning["code"] == "cohort_as_of");
    found.unwrap_or_else(|| panic!("nothing of a cohort: {reply}"))["detail"].clone()
}

/// All members, two at a time.
async fn members(world: &World, project: &Tenant, cohort: &str) -> BTreeSet<String> {
    let path = project.path(&format!("/cohorts/{cohort}/members?limit=2"));
    let (mut found, mut page) = (BTreeSet::new(), path.clone());
    for _ in 0..1_000 {
        let reply = world.get(&page, &project.secret).await.expect(200);
        for member in reply["data"].as_array().expect("members") {
            assert!(found.insert(text(&member["distinct_id"])), "{member} twice");
        }
        assert_eq!(reply["has_more"], !reply["next_cursor"].is_null());
        match reply["next_cursor"].as_str() {
            Some(cursor) => page = format!("{path}&cursor={cursor}"),
            None => return found,
        }
    }
    panic!("the list does not end");
}

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
async fn whoever_signs_in_is_one_member_with_all_they_did_before() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let at = |minute: i64| NOW - 86_400_000 + minute * MINUTE;
    let before = json!([
        {"event": "add_to_cart", "device_id": "phone", "timestamp": at(0)},
        {"event": "add_to_cart", "device_id": "tablet", "timestamp": at(1)},
    ]);
    world.store(&shop.write, before).await;
    let bought = json!({"sequence": [{"event": "add_to_cart"}, {"event": "purchase"}], "within": "1h"});
    let buyers = create(&world, &shop, "Buyers", &bought).await;
    let carts = create(&world, &shop, "Carts", &json!({"did": {"event": "add_to_cart"}})).await;
    let list = world
        .ask(
            "POST",
            &shop.path("/cohorts"),
            &shop.token,
            json!({"name": "Phones"}),
        )
        .await
        .expect(201);
    let [buyers, carts, list] = [buyers, carts, list].map(|cohort| text(&cohort["id"]));
    let ids = json!({"distinct_ids": ["phone"]});
    let path = shop.path(&format!("/cohorts/{list}/members"));
    world.ask("PUT", &path, &shop.token, ids).await.expect(200);
    let all = async |cohort: &str| {
        members(&world, &shop, cohort)
            .await
            .into_iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(all(&buyers).await, Vec::<String>::new());
    assert_eq!(all(&carts).await, ["phone", "tablet"]);
    assert_eq!(all(&list).await, ["phone"]);

    let purchase = json!([
        {"event": "purchase", "device_id": "phone", "user_id": "ann", "timestamp": at(30)},
        {"event": "page_view", "device_id": "tablet", "user_id": "ann", "timestamp": at(31)},
    ]);
    world.store(&shop.write, purchase).await;
    for cohort in [&buyers, &carts, &list] {
        let path = shop.path(&format!("/cohorts/{cohort}/refresh"));
        let refreshed = world
            .ask("POST", &path, &shop.token, Value::Null)
            .await
            .expect(200);
        assert_eq!(refreshed["size"], 1, "{refreshed}");
        assert_eq!(all(cohort).await, ["ann"]);
        for id in ["ann", "phone", "tablet"] {
            let path = shop.path(&format!("/cohorts/{cohort}/members/{id}"));
            let explained = world.get(&path, &shop.secret).await.expect(200);
            assert_eq!(explained["data"]["member"], true, "{id}");
        }
    }
    let path = shop.path(&format!("/cohorts/{carts}/members/tablet"));
    let explained = world.get(&path, &shop.secret).await.expect(200);
    assert_eq!(
        explained["data"]["now"]["rules"][0]["times"], 2,
        "on both devices"
    );
    // The days of her devices are made anew.
    world.settle(NOW + 2 * MINUTE).await;
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
