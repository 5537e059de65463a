//! What a team saves: its answers, its rules, who may.

mod refusals;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::harness::{NOW, Reply, Tenant, World, check, text};
use crate::random::{Drawn, TRANSITIONS, questions};

const DAY: i64 = 86_400_000;

/// Saves something; answers its path.
async fn saved(world: &World, shop: &Tenant, content: Value) -> String {
    let reply = world
        .ask("POST", &shop.path("/saved"), &shop.token, content)
        .await;
    let location = reply.header("location").to_owned();
    assert_eq!(reply.header("etag"), "\"1\"");
    let body = reply.expect(201);
    assert_eq!(location, shop.path(&format!("/saved/{}", text(&body["id"]))));
    location
}

fn question(name: &str, question: Value) -> Value {
    json!({"kind": "question", "name": name, "question": question})
}

async fn send(world: &World, method: &str, path: &str, token: &str, seen: &str, body: Value) -> Reply {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {token}"))
        .header("if-match", seen)
        .header("content-type", "application/json");
    world
        .raw(request.body(Body::from(body.to_string())).expect("a request"))
        .await
}

/// An answer without what may differ between two that say the same.
fn told(mut answer: Value) -> Value {
    for member in ["elapsed_ms", "cached", "rows_read"] {
        answer["meta"][member] = Value::Null;
    }
    answer
}

#[tokio::test]
async fn a_saved_question_answers_what_the_question_answers() {
    for seed in 0..2 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let world = World::new().await;
        let (zone, at) = TRANSITIONS[rng.usize(0..TRANSITIONS.len())];
        let owner = world.owner("ada@example.com", zone).await;
        let drawn = Drawn::new(&mut rng, crate::consistency::ms(at), owner.number, &owner.zone);
        for body in drawn.bodies(&mut rng) {
            world.post(&owner.write, body).await.expect(200);
        }
        world.deliver().await;
        let asked = questions(&mut rng, &drawn, &owner.zone);
        let mut kinds = std::collections::BTreeSet::new();
        for asked in asked.iter().step_by(3) {
            kinds.insert(text(&asked["kind"]));
            let path = saved(&world, &owner, question("Mine", asked.clone())).await;
            let stored = world.get(&path, &owner.secret).await.expect(200);
            assert_eq!(&stored["content"]["question"], asked, "kept as it was written");
            let result = format!("{path}/result");
            let answer = world.get(&result, &owner.secret).await;
            let tag = answer.header("etag").to_owned();
            let answer = answer.expect(200);
            let direct = world
                .ask("POST", &owner.path("/query"), &owner.secret, asked.clone())
                .await;
            let direct = direct.expect(200);
            assert_eq!(told(answer), told(direct.clone()), "seed {seed}: {asked}");
            assert_eq!(
                direct["meta"]["cached"], true,
                "the same remembered answer serves both"
            );
            let again = Request::get(&result)
                .header("authorization", format!("Bearer {}", owner.secret))
                .header("if-none-match", tag);
            let again = world.raw(again.body(Body::empty()).expect("a request")).await;
            assert_eq!(again.status, 304);
            let explained = world.get(&format!("{result}?explain=true"), &owner.secret).await;
            assert_eq!(explained.expect(200)["kind"], "explanation");
        }
        assert!(kinds.len() >= 4, "{kinds:?}");
        world.close().await;
    }
}

#[tokio::test]
async fn the_last_days_move_along_with_today() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "Europe/Berlin").await;
    let events = (0..10).map(|n| json!({"event": "a", "user_id": "ann", "timestamp": NOW - n * DAY}));
    world.store(&shop.write, events.collect()).await;
    let trend = json!({"kind": "trends", "events": ["a"]});
    let mut week = question("Week", trend.clone());
    week["range"] = json!({"last_days": 3});
    let path = saved(&world, &shop, week).await;
    let total = async |query: &str| {
        let answer = world.get(&format!("{path}/result{query}"), &shop.secret).await;
        answer.expect(200)["data"]["series"][0]["total"].clone()
    };
    assert_eq!(total("").await, 3);
    assert_eq!(total("?last_days=5").await, 5);
    assert_eq!(total("?from=2026-11-20&to=2026-11-22").await, 2);
    assert_eq!(total("?last_days=30").await, 10);
    world.at(NOW + DAY);
    assert_eq!(total("").await, 2, "today and the two days before");
    assert_eq!(total("?last_days=5").await, 4);
    assert_eq!(total("?from=2026-11-20&to=2026-11-22").await, 2);
    // What the dates in the query string make of it is refused there.
    for (query, pointer, code) in [
        ("?last_days=0", "?last_days", "out_of_range"),
        ("?last_days=400", "?last_days", "out_of_range"),
        ("?last_days=3&from=2026-11-01", "?last_days", "conflict"),
        ("?from=soon", "?from", "invalid_time"),
        ("?from=2026-11-03&to=2026-11-01", "?to", "empty_range"),
        ("?from=2020-01-01", "?from", "range_too_long"),
        ("?days=3", "?days", "unknown_field"),
    ] {
        let reply = world.get(&format!("{path}/result{query}"), &shop.secret).await;
        check(reply, (422, "invalid_field", pointer, code), query);
    }
    world.close().await;
}

#[tokio::test]
async fn members_write_viewers_and_keys_read() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let path = saved(&world, &shop, question("Views", json!({"kind": "active_users"}))).await;
    let members = format!("/v1/organizations/{}/members", shop.organization);
    for (role, may) in [("viewer", false), ("member", true)] {
        let email = format!("{role}@example.com");
        let body = json!({"email": email, "role": role, "name": role, "password": "correct horse battery"});
        world.ask("POST", &members, &shop.token, body).await.expect(201);
        let mut colleague = shop.clone();
        world.sign_in(&mut colleague, &email).await;
        for credential in [&colleague.token, &shop.secret] {
            for read in ["", "/versions", "/result"] {
                world.get(&format!("{path}{read}"), credential).await.expect(200);
            }
            let list = world.get(&shop.path("/saved"), credential).await.expect(200);
            assert_eq!(list["data"][0]["content"]["name"], "Views");
            let may = may && credential == &colleague.token;
            let content = question("Views", json!({"kind": "active_users", "exact": true}));
            for (method, write, body) in [
                ("PUT", "", content),
                ("POST", "/undo", Value::Null),
                ("POST", "/versions/1/restore", Value::Null),
                ("POST", "/restore", Value::Null),
                ("POST", "/move", json!({"before": null})),
            ] {
                let reply = world
                    .ask(method, &format!("{path}{write}"), credential, body)
                    .await;
                let status = if may { 200..300 } else { 403..404 };
                assert!(
                    status.contains(&reply.status),
                    "{method} {write}: {}",
                    reply.text()
                );
            }
        }
        if may {
            let seen = world.get(&path, &shop.secret).await.expect(200);
            assert_eq!(
                (&seen["created_by"], &seen["changed_by"]),
                (&json!("Ada"), &json!("member"))
            );
        }
        let deleted = world.ask("DELETE", &path, &colleague.token, Value::Null).await;
        match may {
            true => drop(deleted.expect(204)),
            false => drop(deleted.problem(403, "forbidden")),
        }
    }
    world.get(&path, &shop.token).await.problem(404, "not_found");
    world
        .get(&format!("{path}/result"), &shop.token)
        .await
        .problem(404, "not_found");
    world.close().await;
}

#[tokio::test]
async fn who_did_not_see_a_change_does_not_overwrite_it() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let named = |name: &str| question(name, json!({"kind": "active_users"}));
    let path = saved(&world, &shop, named("one")).await;
    let put = async |seen: &str, name: &str| send(&world, "PUT", &path, &shop.token, seen, named(name)).await;
    let changed = put("\"1\"", "two").await;
    assert_eq!(changed.header("etag"), "\"2\"");
    assert_eq!(changed.expect(200)["content"]["name"], "two");
    let refused = put("\"1\"", "mine").await.problem(412, "changed_meanwhile");
    assert!(text(&refused["detail"]).contains("version 2"), "{refused}");
    send(&world, "DELETE", &path, &shop.token, "\"1\"", Value::Null)
        .await
        .problem(412, "changed_meanwhile");
    put("*", "three").await.expect(200);
    let undo = async || {
        world
            .ask("POST", &format!("{path}/undo"), &shop.token, Value::Null)
            .await
    };
    assert_eq!(undo().await.expect(200)["content"]["name"], "two");
    assert_eq!(undo().await.expect(200)["content"]["name"], "one");
    undo().await.problem(409, "nothing_to_undo");
    let back = format!("{path}/versions/3/restore");
    let back = send(&world, "POST", &back, &shop.token, "\"5\"", Value::Null).await;
    assert_eq!(back.expect(200)["content"]["name"], "three");
    let versions = world
        .get(&format!("{path}/versions"), &shop.secret)
        .await
        .expect(200);
    let shown = versions["data"].as_array().expect("versions").iter();
    let shown: Vec<Option<i64>> = shown.map(|version| version["shows"].as_i64()).collect();
    assert_eq!(shown, [6, 1, 2, 3, 2, 1].map(Some));
    world.close().await;
}

#[tokio::test]
async fn lists_are_read_in_their_order_and_annotations_by_their_days() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "America/New_York").await;
    let mut paths = Vec::new();
    for name in ["a", "b", "c"] {
        paths.push(saved(&world, &shop, question(name, json!({"kind": "stickiness"}))).await);
    }
    let id = |path: &str| path.rsplit('/').next().map(str::to_owned);
    let moved = format!("{}/move", paths[2]);
    let place = json!({"before": id(&paths[0])});
    world.ask("POST", &moved, &shop.token, place).await.expect(204);
    world
        .ask("DELETE", &paths[1], &shop.token, Value::Null)
        .await
        .expect(204);
    let names = async |query: &str| {
        let (mut names, mut cursor) = (String::new(), String::new());
        loop {
            let path = shop.path(&format!("/saved?limit=1{query}{cursor}"));
            let page = world.get(&path, &shop.secret).await.expect(200);
            let content = &page["data"][0]["content"];
            names += content["name"]
                .as_str()
                .or(content["text"].as_str())
                .unwrap_or_default();
            let Some(next) = page["next_cursor"].as_str() else {
                return names;
            };
            cursor = format!("&cursor={next}");
        }
    };
    assert_eq!(names("").await, "ca");
    assert_eq!(names("&deleted=true").await, "b");
    assert_eq!(names("&kind=dashboard").await, "");
    let board = json!({"kind": "dashboard", "name": "Board", "range": {"last_days": 7},
        "tiles": [{"saved": id(&paths[0])}, {"text": "Beside it", "width": 12, "height": 1}]});
    let board = saved(&world, &shop, board).await;
    let board = world.get(&board, &shop.secret).await.expect(200);
    assert_eq!(board["content"]["tiles"][0]["width"], 6);
    world
        .get(
            &format!("{}/result", shop.path(&format!("/saved/{}", text(&board["id"])))),
            &shop.secret,
        )
        .await
        .problem(404, "not_found");
    for (text, when) in [
        ("x", json!({"at": "2026-11-20T23:30:00-05:00"})),
        ("y", json!({"from": "2026-11-18", "to": "2026-11-20"})),
        ("z", json!({"from": "2026-11-21"})),
    ] {
        let mut content = when;
        content["kind"] = json!("annotation");
        content["text"] = json!(text);
        saved(&world, &shop, content).await;
    }
    assert_eq!(names("&kind=annotation").await, "yxz");
    // Days are those of the project.
    assert_eq!(names("&kind=annotation&from=2026-11-20&to=2026-11-21").await, "x");
    assert_eq!(names("&kind=annotation&from=2026-11-21").await, "z");
    assert_eq!(names("&kind=annotation&to=2026-11-20").await, "y");
    for (query, pointer) in [
        ("?kind=poem", "?kind"),
        ("?cursor=c_1", "?cursor"),
        ("?from=soon", "?from"),
        ("?limit=0", "?limit"),
    ] {
        let reply = world
            .get(&shop.path(&format!("/saved{query}")), &shop.secret)
            .await;
        assert_eq!(
            reply.problem(422, "invalid_field")["errors"][0]["pointer"],
            pointer
        );
    }
    world.close().await;
}
