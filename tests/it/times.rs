//! When an event happened: late ones land in their own day, impossible times are moved and marked.

use serde_json::{Value, json};

use crate::harness::{NOW, World};

const DAY: i64 = 86_400_000;

#[tokio::test]
async fn a_late_event_lands_in_its_own_day_also_after_that_day_was_rolled_up() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "Europe/Berlin").await;
    // 22:45 UTC is 23:45 in Berlin: still the third.
    let third = json!({"event": "page_view", "user_id": "ann", "timestamp": "2026-11-03T22:45:00Z"});
    world.store(&shop.write, third).await;
    world.settle(NOW).await;
    let late = json!([
        {"event": "page_view", "user_id": "bob", "timestamp": "2026-11-03T22:59:59.999Z"},
        {"event": "page_view", "user_id": "cem", "timestamp": "2026-11-03T23:00:00Z"},
    ]);
    world.store(&shop.write, late).await;
    let dau = async || {
        let path = shop.path("/active-users?from=2026-11-03&to=2026-11-05");
        let days = world.get(&path, &shop.secret).await.expect(200)["data"]["days"].clone();
        [days[0]["dau"].clone(), days[1]["dau"].clone()]
    };
    assert_eq!(dau().await, [2, 1]);
    world.settle(NOW).await;
    assert_eq!(dau().await, [2, 1]);
    let path = shop.path("/trends?event=page_view&from=2026-11-03&to=2026-11-05");
    let trend = world.get(&path, &shop.secret).await.expect(200);
    let points = &trend["data"]["series"][0]["points"];
    assert_eq!((&points[0]["count"], &points[1]["count"]), (&json!(2), &json!(1)));
    world.close().await;
}

#[tokio::test]
async fn future_and_ancient_times_are_moved_marked_and_kept_as_sent() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let events = json!([
        {"event": "future", "user_id": "u", "timestamp": "2031-01-01T00:00:00Z"},
        {"event": "soon", "user_id": "u", "timestamp": NOW + 299_000},
        {"event": "ancient", "user_id": "u", "timestamp": "1999-12-31T23:59:59Z"},
        {"event": "old", "user_id": "u", "timestamp": NOW - 400 * DAY},
        {"event": "timeless", "user_id": "u"},
    ]);
    world.store(&shop.write, events).await;
    // A clock that is an hour ahead, as its own sending time shows.
    let fast = json!({"sent_at": NOW + 3_600_000, "batch": [
        {"event": "corrected", "user_id": "u", "timestamp": NOW + 3_600_000 - 1_000}]});
    world.post(&shop.write, fast.to_string()).await.expect(200);
    world.deliver().await;
    let list = world.get(&shop.path("/events"), &shop.secret).await.expect(200);
    let of = |name: &str| {
        let events = list["data"].as_array().expect("events").iter();
        let mut named = events.filter(|event| event["event"] == name);
        named
            .next()
            .unwrap_or_else(|| panic!("no {name} in {list}"))
            .clone()
    };
    let moved = |name: &str| {
        let event = of(name);
        (
            event["timestamp"].clone(),
            event["flags"].as_u64().expect("flags") & 3,
            event["properties"]["$original_timestamp"].clone(),
        )
    };
    let receipt = json!("2026-11-23T10:15:00Z");
    assert_eq!(
        moved("future"),
        (receipt.clone(), 1, json!("2031-01-01T00:00:00Z"))
    );
    assert_eq!(moved("soon"), (json!("2026-11-23T10:19:59Z"), 0, Value::Null));
    let oldest = json!("2025-10-19T10:15:00Z");
    assert_eq!(
        moved("ancient"),
        (oldest.clone(), 1, json!("1999-12-31T23:59:59Z"))
    );
    assert_eq!(moved("old"), (oldest, 0, Value::Null));
    assert_eq!(moved("timeless"), (receipt, 0, Value::Null));
    assert_eq!(
        moved("corrected"),
        (json!("2026-11-23T10:14:59Z"), 2, json!(NOW + 3_600_000 - 1_000))
    );
    assert_eq!(of("future")["received_at"], "2026-11-23T10:15:00Z");
    // They count where they were moved to.
    let path = shop.path("/trends?event=ancient&from=2025-10-19&to=2025-10-20");
    let trend = world.get(&path, &shop.secret).await.expect(200);
    assert_eq!(trend["data"]["series"][0]["total"], 1);
    world.close().await;
}
