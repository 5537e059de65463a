//! Several questions at once.

use std::io::Read;

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{NOW, World};

#[tokio::test]
async fn more_questions_at_once_than_there_are_places_all_get_their_answer() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let events =
        (0..200).map(|i| json!({"event": "a", "user_id": format!("u{i}"), "timestamp": NOW - i * 60_000}));
    world.store(&shop.write, events.collect()).await;
    let paths = [
        "/active-users",
        "/active-users?exact=true",
        "/trends?event=a",
        "/funnels?step=a&step=b",
        "/conversion?after=a&goal=b",
        "/events?limit=10",
        "/events/names",
        "/export",
    ];
    let asked = (0..24).map(|i| {
        let path = shop.path(paths[i % paths.len()]);
        let (world, shop) = (&world, &shop);
        async move { world.get(&path, &shop.secret).await }
    });
    for reply in join_all(asked).await {
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    world.close().await;
}

#[tokio::test]
async fn an_export_that_nobody_finishes_reading_gives_its_place_back() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    world
        .store(&shop.write, json!({"event": "a", "user_id": "u"}))
        .await;
    for _ in 0..10 {
        let request = axum::http::Request::get(shop.path("/export"))
            .header("authorization", format!("Bearer {}", shop.secret))
            .body(Default::default());
        let response = world.open(request.expect("a request")).await;
        assert_eq!(response.status(), 200);
        drop(response);
    }
    world
        .get(&shop.path("/active-users"), &shop.secret)
        .await
        .expect(200);
    world.close().await;
}

#[tokio::test]
async fn exports_that_nobody_reads_take_no_place_from_the_questions() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    // More than the buffers between the engine and a reader hold.
    let text = "x".repeat(30_000);
    for start in (0..600).step_by(30) {
        let events = (start..start + 30)
            .map(|i| json!({"event": "a", "user_id": format!("u{i}"), "properties": {"text": text}}));
        world.send(&shop.write, events.collect()).await;
    }
    world.deliver().await;
    let open = || {
        let request = axum::http::Request::get(shop.path("/export"))
            .header("authorization", format!("Bearer {}", shop.secret))
            .body(Default::default());
        world.open(request.expect("a request"))
    };
    let unread = [open().await, open().await];
    for response in &unread {
        assert_eq!(response.status(), 200);
    }
    let third = world.get(&shop.path("/export"), &shop.secret).await;
    assert_eq!(third.header("retry-after"), "2");
    third.problem(429, "too_many_questions");
    let names = world.get(&shop.path("/events/names"), &shop.secret).await;
    assert_eq!(names.expect(200)["data"]["events"][0]["count"], 600);
    drop(unread);
    let export = world.get(&shop.path("/export"), &shop.secret).await;
    assert_eq!(export.lines().len(), 600);
    world.close().await;
}

#[tokio::test]
async fn a_compressed_export_is_the_whole_export() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let events = (0..300).map(|i| json!({"event": "a", "user_id": format!("u{i}")}));
    world.store(&shop.write, events.collect()).await;
    let plain = world.get(&shop.path("/export"), &shop.secret).await;
    let request = axum::http::Request::get(shop.path("/export"))
        .header("authorization", format!("Bearer {}", shop.secret))
        .header("accept-encoding", "gzip")
        .body(Default::default());
    let packed = world.raw(request.expect("a request")).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed.body[..])
        .read_to_string(&mut text)
        .expect("a whole gzip stream");
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&text), sorted(&plain.text()));
    assert_eq!(text.lines().count(), 300);
    world.close().await;
}
