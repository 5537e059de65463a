//! The list of events, page by page.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{NOW, Tenant, World, text};

fn events(name: &str, n: usize) -> Value {
    let event = |i: usize| json!({"event": name, "user_id": format!("u{}", i % 7)});
    (0..n).map(event).collect()
}

/// The ids of all pages, in order.
async fn walk(world: &World, shop: &Tenant, filter: &str, limit: usize) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = shop.path(&format!("/events?limit={limit}{filter}{cursor}"));
        let page = world.get(&path, &shop.secret).await.expect(200);
        let events = page["data"].as_array().expect("events");
        ids.extend(events.iter().map(|event| text(&event["id"])));
        let more = page["has_more"] == true;
        assert_eq!(more, page["next_cursor"].is_string());
        if !more {
            return ids;
        }
        assert_eq!(events.len(), limit);
        cursor = format!("&cursor={}", text(&page["next_cursor"]));
    }
}

#[tokio::test]
async fn pages_list_every_event_once_also_those_received_at_the_same_instant() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    // Three weeks ago, yesterday, and twice at this very millisecond, over all shards and several batches.
    for (ago, name, n) in [
        (21 * 86_400_000, "old", 5),
        (86_400_000, "late", 8),
        (0, "a", 20),
        (0, "b", 9),
    ] {
        world.at(NOW - ago);
        world.store(&shop.write, events(name, n)).await;
    }
    for limit in [1, 7, 14, 42, 43, 1000] {
        let ids = walk(&world, &shop, "", limit).await;
        assert_eq!(ids.len(), 42, "pages of {limit}");
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 42, "pages of {limit}");
    }
    assert_eq!(walk(&world, &shop, "&event=a", 3).await.len(), 20);
    assert_eq!(walk(&world, &shop, "&event=a&distinct_id=u3", 2).await.len(), 3);
    assert_eq!(walk(&world, &shop, "&event=never", 2).await.len(), 0);
    world.close().await;
}

#[tokio::test]
async fn what_arrives_while_somebody_pages_does_not_disturb_the_pages() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    world.store(&shop.write, events("a", 10)).await;
    let all = walk(&world, &shop, "", 1000).await;
    let first = world
        .get(&shop.path("/events?limit=4"), &shop.secret)
        .await
        .expect(200);
    world.at(NOW + 1);
    world.store(&shop.write, events("b", 10)).await;
    let cursor = format!("&cursor={}", text(&first["next_cursor"]));
    let path = shop.path(&format!("/events?limit=1000{cursor}"));
    let rest = world.get(&path, &shop.secret).await.expect(200);
    let rest: Vec<String> = rest["data"]
        .as_array()
        .expect("events")
        .iter()
        .map(|e| text(&e["id"]))
        .collect();
    assert_eq!(rest, all[4..]);
    world.close().await;
}
