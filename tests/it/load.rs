//! Several questions at once.

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
