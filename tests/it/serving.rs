//! Answers from memory: the same as a fresh computation would give, whatever happens between two questions.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::happenings::{Happenings, MINUTE};
use crate::harness::{NOW, Reply, Tenant, World};
use crate::random::{Drawn, TRANSITIONS, questions};

/// An answer without what may differ between a remembered and a computed one.
pub fn told(mut answer: Value) -> Value {
    for member in ["elapsed_ms", "cached", "rows_read"] {
        answer["meta"][member] = Value::Null;
    }
    answer
}

pub async fn ask(routes: &Router, of: &Tenant, question: &Value) -> Value {
    let request = Request::post(of.path("/query"))
        .header("authorization", format!("Bearer {}", of.secret))
        .header("content-type", "application/json")
        .body(Body::from(question.to_string()))
        .expect("a request");
    let response = routes.clone().oneshot(request).await.expect("infallible");
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).expect("JSON")
}

#[tokio::test]
async fn a_remembered_answer_is_what_a_fresh_computation_gives() {
    for seed in 0..2 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let world = World::new().await;
        let (zone, at) = TRANSITIONS[rng.usize(0..TRANSITIONS.len())];
        let mut owner = world.owner("ada@example.com", zone).await;
        let drawn = Drawn::new(&mut rng, crate::consistency::ms(at), owner.number, &owner.zone);
        let asked = questions(&mut rng, &drawn, &owner.zone);
        let fresh = world.forgetful();
        let mut happenings = Happenings::new(&mut rng, &world, &mut owner, &drawn).await;
        let mut remembered = 0;
        for step in 0..60 {
            happenings.next(&mut rng, &world, &mut owner).await;
            // The first and the third are answered from sketches.
            let places = [
                [0, 2][rng.usize(0..2)],
                rng.usize(0..asked.len()),
                rng.usize(0..asked.len()),
            ];
            for question in places.map(|place| &asked[place]) {
                let computed = ask(&fresh, &owner, question).await;
                for _ in 0..2 {
                    let path = owner.path("/query");
                    let reply = world.ask("POST", &path, &owner.secret, question.clone()).await;
                    let answer = reply.expect(200);
                    remembered += u32::from(answer["meta"]["cached"] == true);
                    assert_eq!(
                        told(answer),
                        told(computed.clone()),
                        "seed {seed}, step {step}: {question}"
                    );
                }
            }
        }
        assert!(remembered > 100, "{remembered} of 360 answers were remembered");
        happenings.end(world, &owner).await;
    }
}

async fn get(world: &World, of: &Tenant, path: &str, tag: &str) -> Reply {
    let mut request = Request::get(of.path(path)).header("authorization", format!("Bearer {}", of.secret));
    if !tag.is_empty() {
        request = request.header("if-none-match", tag);
    }
    world.raw(request.body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn who_holds_an_answer_is_told_that_it_is_still_the_one() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let view = json!({"event": "a", "user_id": "ann", "timestamp": NOW});
    world.store(&shop.write, view.clone()).await;
    let paths = [
        "/active-users",
        "/trends?event=a",
        "/funnels?step=a&step=b",
        "/conversion?after=a&goal=b",
    ];
    let mut tags = Vec::new();
    for path in paths {
        let reply = get(&world, &shop, path, "").await;
        let tag = reply.header("etag").to_owned();
        assert!(tag.starts_with("W/\""), "{tag}");
        assert_eq!(reply.header("cache-control"), "private, no-cache");
        assert!(
            reply.header("vary").contains("authorization"),
            "{}",
            reply.header("vary")
        );
        let first = reply.expect(200);
        assert_eq!(first["meta"]["cached"], false);
        // A second later it says the same of the events.
        world.at(world.rooms.clock.now_ms() + 1_000);
        let again = get(&world, &shop, path, "").await;
        assert_eq!(again.header("etag"), tag);
        let again = again.expect(200);
        assert_eq!(
            (&again["meta"]["cached"], &again["meta"]["rows_read"]),
            (&json!(true), &json!(0))
        );
        assert_ne!(again["meta"]["as_of"], first["meta"]["as_of"]);
        let same = get(&world, &shop, path, &format!("\"other\", {tag}")).await;
        assert_eq!((same.status, same.body.len()), (304, 0), "{path}");
        assert_eq!(
            (same.header("etag"), same.header("cache-control")),
            (&*tag, "private, no-cache")
        );
        tags.push(tag);
    }
    world.store(&shop.write, view).await;
    for (path, tag) in paths.into_iter().zip(tags) {
        let reply = get(&world, &shop, path, &tag).await;
        let changed = path != "/funnels?step=a&step=b" && !path.starts_with("/conversion");
        // Nobody new came, so of the people there is nothing new to tell.
        let expected = if changed && path.starts_with("/trends") {
            200
        } else {
            304
        };
        assert_eq!(reply.status, expected, "{path}: {}", reply.text());
    }
    world.close().await;
}

#[tokio::test]
async fn remembered_answers_take_no_place_and_are_nobody_elses() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let other = world.owner("eve@example.com", "UTC").await;
    world
        .store(&shop.write, json!({"event": "a", "user_id": "ann"}))
        .await;
    let (path, others) = (shop.path("/trends?event=a"), other.path("/trends?event=a"));
    let first = world.get(&path, &shop.secret).await.expect(200);
    assert_eq!(first["data"]["series"][0]["total"], 1);
    let theirs = world.get(&others, &other.secret).await.expect(200);
    assert_eq!(
        (&theirs["data"]["series"][0]["total"], &theirs["meta"]["cached"]),
        (&json!(0), &json!(false))
    );
    let asked = (0..200).map(|_| world.get(&path, &shop.secret));
    for reply in futures_util::future::join_all(asked).await {
        assert_eq!(reply.expect(200)["meta"]["cached"], true);
    }
    world.close().await;
}

#[tokio::test]
async fn many_who_ask_the_same_at_once_take_one_place() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    world
        .store(&shop.write, json!({"event": "a", "user_id": "ann"}))
        .await;
    let path = shop.path("/funnels?step=a&step=b");
    let asked = (0..200).map(|_| world.get(&path, &shop.secret));
    let mut read = 0;
    for reply in futures_util::future::join_all(asked).await {
        let answer = reply.expect(200);
        assert_eq!(answer["data"]["steps"][0]["reached"], 1, "{answer}");
        read += u32::from(answer["meta"]["cached"] == false);
    }
    assert!(read >= 1);
    world.close().await;
}

#[tokio::test]
async fn whoever_loses_the_right_to_ask_is_refused_at_once() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let path = shop.path("/trends?event=a");
    for _ in 0..2 {
        world.get(&path, &shop.secret).await.expect(200);
    }
    let keys = world.get(&shop.path("/keys"), &shop.token).await.expect(200);
    let keys = keys["data"].as_array().expect("keys").clone();
    let secret = keys
        .iter()
        .find(|key| key["kind"] == "secret")
        .expect("a secret key");
    let gone = shop.path(&format!("/keys/{}", crate::harness::text(&secret["id"])));
    world
        .ask("DELETE", &gone, &shop.token, Value::Null)
        .await
        .expect(204);
    world
        .get(&path, &shop.secret)
        .await
        .problem(401, "unauthenticated");

    // A member who is removed.
    let eve = world.owner("eve@example.com", "UTC").await;
    let members = format!("/v1/organizations/{}/members", shop.organization);
    let body = json!({"email": "eve@example.com", "role": "viewer"});
    let member = world.ask("POST", &members, &shop.token, body).await.expect(201);
    for _ in 0..2 {
        world.get(&path, &eve.token).await.expect(200);
    }
    let member = format!("{members}/{}", crate::harness::text(&member["user_id"]));
    world
        .ask("DELETE", &member, &shop.token, Value::Null)
        .await
        .expect(204);
    world.get(&path, &eve.token).await.problem(404, "not_found");

    // A project in another zone, and one that is deleted.
    let body = json!({"timezone": "Asia/Tokyo"});
    world.get(&path, &shop.token).await.expect(200);
    world
        .ask("PATCH", &shop.path(""), &shop.token, body)
        .await
        .expect(200);
    let answer = world.get(&path, &shop.token).await.expect(200);
    assert_eq!(answer["meta"]["timezone"], "Asia/Tokyo");
    let gone = shop.path("?confirm=Web+shop");
    world
        .ask("DELETE", &gone, &shop.token, Value::Null)
        .await
        .expect(204);
    world.get(&path, &shop.token).await.problem(404, "not_found");
    world.erase().await;
    world.settle(NOW + 60 * MINUTE).await;
    world.close().await;
}

/// Questions that ClickHouse works on in this world.
async fn under_way(world: &World) -> u64 {
    let found = world.rooms.store.questions_under_way().await;
    found.expect("processes")
}

#[tokio::test]
async fn when_everybody_who_asked_has_left_clickhouse_stops() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    world
        .store(&shop.write, json!({"event": "a", "user_id": "ann"}))
        .await;
    // That the name happened is known from here on, so the funnels ask for nothing beforehand.
    world
        .get(&shop.path("/trends?event=a"), &shop.secret)
        .await
        .expect(200);
    world.sql("RENAME TABLE events TO kept_events").await;
    // Far longer than a question may take.
    world
        .sql(
            "CREATE VIEW events AS SELECT e.* FROM kept_events AS e CROSS JOIN numbers(1000000000000) AS n \
             WHERE sipHash64(n.number) != 1",
        )
        .await;
    let path = shop.path("/funnels?step=a&step=a");
    let (first, second) = (world.get(&path, &shop.secret), world.get(&path, &shop.secret));
    let (mut first, mut second) = (Box::pin(first), Box::pin(second));
    // Short statements of the two may be among them for a moment; two funnels would stay.
    let one_is_left = async {
        while under_way(&world).await == 0 {}
        for _ in 0..500 {
            if under_way(&world).await == 1 {
                return;
            }
        }
        panic!("two ask, one computes");
    };
    tokio::select! {
        reply = &mut first => panic!("{}", reply.text()),
        reply = &mut second => panic!("{}", reply.text()),
        () = one_is_left => {}
    }
    drop(first);
    let still = async {
        for _ in 0..20 {
            assert_eq!(under_way(&world).await, 1, "somebody still waits");
        }
    };
    tokio::select! {
        reply = &mut second => panic!("{}", reply.text()),
        () = still => {}
    }
    drop(second);
    // It would go on for thirty seconds.
    let idle = async { while under_way(&world).await > 0 {} };
    let limit = std::time::Duration::from_secs(20);
    tokio::time::timeout(limit, idle)
        .await
        .expect("the query was cancelled");
    world.sql("DROP VIEW events").await;
    world.sql("RENAME TABLE kept_events TO events").await;
    let reply = world.get(&path, &shop.secret).await.expect(200);
    assert_eq!(reply["data"]["steps"][0]["reached"], 1);
    world.close().await;
}
