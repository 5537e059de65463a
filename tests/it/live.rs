//! The live view.

use std::time::Duration;

use axum::body::BodyDataStream;
use axum::http::Request;
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::harness::{NOW, Tenant, World, text};

/// A live stream as a client reads it: `event:` and `data:` of each frame.
struct Frames {
    chunks: BodyDataStream,
    read: String,
}

impl Frames {
    async fn open(world: &World, shop: &Tenant) -> Frames {
        Frames::open_with(world, shop, &shop.secret).await
    }

    async fn open_with(world: &World, shop: &Tenant, credential: &str) -> Frames {
        let request = Request::get(shop.path("/live"))
            .header("authorization", format!("Bearer {credential}"))
            .header("accept-encoding", "gzip");
        let response = world
            .open(request.body(Default::default()).expect("a request"))
            .await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(
            !response.headers().contains_key("content-encoding"),
            "a compressed stream is held back"
        );
        Frames {
            chunks: response.into_body().into_data_stream(),
            read: String::new(),
        }
    }

    /// The next frame; `None` at the end of the stream. Comments keep the connection and mean nothing.
    async fn next(&mut self) -> Option<(String, Value)> {
        let within = Duration::from_secs(20);
        tokio::time::timeout(within, self.read_on())
            .await
            .expect("a frame or the end within 20 s")
    }

    /// The problem that ends the stream; nothing may follow it.
    async fn end(mut self) -> Value {
        loop {
            let (event, data) = self.next().await.expect("a problem before the end");
            if event == "problem" {
                assert_eq!(self.next().await, None, "the stream goes on");
                return data;
            }
        }
    }

    async fn read_on(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((frame, rest)) = self.read.split_once("\n\n") {
                let part = |name: &str| {
                    frame
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .map(str::trim)
                };
                let found = part("event:").map(|event| {
                    let data = serde_json::from_str(part("data:").expect("data")).expect("JSON");
                    (event.to_owned(), data)
                });
                self.read = rest.to_owned();
                if found.is_some() {
                    return found;
                }
            }
            let chunk = self.chunks.next().await?.expect("a chunk");
            self.read.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }
}

#[tokio::test]
async fn the_live_view_says_what_is_now_then_what_comes_and_ends_when_we_stop() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let before = json!([{"event": "page_view", "user_id": "ann", "timestamp": NOW - 120_000}]);
    world.store(&shop.write, before).await;
    world.at(NOW + 1_000);
    let mut frames = Frames::open(&world, &shop).await;
    let (event, now) = frames.next().await.expect("a first frame");
    assert_eq!(event, "now");
    assert_eq!(
        (&now["active_5m"], &now["events_1m"], &now["events_today"]),
        (&json!(1), &json!(0), &json!(1))
    );
    assert_eq!(now["as_of"], "2026-11-23T10:14:56Z");

    // Two people in one batch, and another tenant's event beside them.
    let stranger = world.owner("eve@example.com", "UTC").await;
    world
        .send(&stranger.write, json!({"event": "secret", "user_id": "ann"}))
        .await;
    let views = json!([{"event": "page_view", "user_id": "bob"}, {"event": "cart", "user_id": "cem"}]);
    world.store(&shop.write, views).await;
    let mut seen = Vec::new();
    let mut last = now;
    while seen.len() < 2 || last["events_today"] != 3 {
        let (event, data) = frames.next().await.expect("more frames");
        match event.as_str() {
            "events" => seen.extend(data["events"].as_array().expect("events").clone()),
            "now" => last = data,
            other => panic!("{other}: {data}"),
        }
    }
    let mut names: Vec<String> = seen.iter().map(|event| event["event"].to_string()).collect();
    names.sort();
    assert_eq!(names, ["\"cart\"", "\"page_view\""], "each once, nobody else's");
    assert_eq!((&last["active_5m"], &last["events_1m"]), (&json!(3), &json!(2)));

    world.stop.cancel();
    while let Some((event, data)) = frames.next().await {
        assert_eq!(event, "now", "only counts may still come: {data}");
    }
    world.close().await;
}

#[tokio::test]
async fn the_live_view_ends_when_its_caller_may_not_look_any_more() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let blog = world.project(&shop, "Blog", "UTC").await;
    let by_key = Frames::open(&world, &shop).await;
    let by_token = Frames::open_with(&world, &shop, &shop.token).await;
    let of_deleted = Frames::open(&world, &blog).await;

    let keys = world.get(&shop.path("/keys"), &shop.token).await.expect(200);
    let keys = keys["data"].as_array().expect("keys");
    let secret = keys.iter().find(|key| key["kind"] == "secret").expect("one");
    let path = shop.path(&format!("/keys/{}", text(&secret["id"])));
    let revoked = world.ask("DELETE", &path, &shop.token, Value::Null).await;
    revoked.expect(204);
    let gone = blog.path("?confirm=Blog");
    let gone = world.ask("DELETE", &gone, &shop.token, Value::Null).await;
    gone.expect(204);
    world.at(NOW + 16 * 60_000);

    let (by_key, by_token, of_deleted) = tokio::join!(by_key.end(), by_token.end(), of_deleted.end());
    assert_eq!(by_key["code"], "unauthenticated");
    assert_eq!(by_token["code"], "token_expired");
    assert!(
        of_deleted["code"] == "unauthenticated" || of_deleted["code"] == "not_found",
        "{of_deleted}"
    );
    world.close().await;
}
