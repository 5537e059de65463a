//! What a secret API key may do.

use axum::http::Request;
use serde_json::{Value, json};

use crate::harness::{NOW, World, text};

#[tokio::test]
async fn a_secret_key_reads_its_project_and_changes_nothing() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let blog = world.project(&shop, "Blog", "UTC").await;
    world
        .store(&shop.write, json!({"event": "page_view", "user_id": "ann"}))
        .await;
    let reads = [
        "",
        "/keys",
        "/active-users",
        "/trends?event=page_view",
        "/events",
        "/events/names",
        "/export",
        "/funnels?step=a&step=b",
        "/conversion?after=a&goal=b",
    ];
    for path in reads {
        let reply = world.get(&shop.path(path), &shop.secret).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        world
            .get(&blog.path(path), &shop.secret)
            .await
            .problem(404, "not_found");
    }
    let writes = [
        ("PATCH", "", json!({"timezone": "Asia/Tokyo"})),
        ("DELETE", "?confirm=Web+shop", Value::Null),
        ("POST", "/keys", json!({"kind": "secret", "name": "More"})),
    ];
    for (method, path, body) in writes {
        let reply = world.ask(method, &shop.path(path), &shop.secret, body).await;
        reply.problem(403, "forbidden");
    }
    let project = world.get(&shop.path(""), &shop.token).await.expect(200);
    assert_eq!(project["timezone"], "UTC", "nothing changed");
    world.close().await;
}

#[tokio::test]
async fn a_secret_key_in_a_web_page_is_refused_everywhere() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let browser = |method: &str, path: String| {
        Request::builder()
            .method(method)
            .uri(path)
            .header("origin", "https://shop.example")
            .header("x-api-key", &shop.secret)
    };
    let event = json!({"event": "page_view", "user_id": "ann"}).to_string();
    for (method, path) in [
        ("GET", shop.path("/active-users")),
        ("GET", shop.path("/live")),
        ("GET", shop.path("/export")),
        ("POST", "/v1/events".to_owned()),
    ] {
        let request = browser(method, path).body(event.clone().into());
        let reply = world.raw(request.expect("a request")).await;
        reply.problem(403, "secret_key_in_browser");
    }
    // On a server it sends and reads.
    world
        .store(&shop.secret, json!({"event": "page_view", "user_id": "ann"}))
        .await;
    let names = world
        .get(&shop.path("/events/names"), &shop.secret)
        .await
        .expect(200);
    assert_eq!(names["data"]["events"][0]["count"], 1);
    world.close().await;
}

#[tokio::test]
async fn a_write_key_reads_nothing_and_a_revoked_key_does_nothing() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    world
        .get(&shop.path("/events"), &shop.write)
        .await
        .problem(403, "forbidden");
    let keys = world.get(&shop.path("/keys"), &shop.token).await.expect(200);
    for key in keys["data"].as_array().expect("keys") {
        assert_eq!(
            key["key"].is_null(),
            key["kind"] == "secret",
            "secret keys are shown once"
        );
        let path = shop.path(&format!("/keys/{}", text(&key["id"])));
        world
            .ask("DELETE", &path, &shop.token, Value::Null)
            .await
            .expect(204);
    }
    world.rooms.keys.refresh().await.expect("keys");
    world
        .get(&shop.path("/events"), &shop.secret)
        .await
        .problem(401, "unauthenticated");
    for key in [&shop.write, &shop.secret] {
        let reply = world
            .post(key, json!({"event": "a", "user_id": "u"}).to_string())
            .await;
        reply.problem(401, "unknown_key");
    }
    world.close().await;
}

#[tokio::test]
async fn an_access_token_ends_after_its_time() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    world.at(NOW + 16 * 60_000);
    world
        .get(&shop.path("/events"), &shop.token)
        .await
        .problem(401, "token_expired");
    world.get(&shop.path("/events"), &shop.secret).await.expect(200);
    world.close().await;
}
