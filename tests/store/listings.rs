//! Lists of raw events: pages, the live tail, the export.

use footfall::event::Event;
use footfall::store::events::{EventQuery, Place};
use uuid::Uuid;

use crate::world::{DAY, NOON, PROJECT, Random, deliver, event, name, random_events, store};

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition_however_old_the_events_are() {
    let store = store().await;
    let mut random = Random(21);
    let mut events = random_events(&mut random, 120);
    for (n, event) in events.iter_mut().enumerate() {
        // minutes, days and months ago, several at the same millisecond
        let age = [60_000, DAY / 2, 3 * DAY, 90 * DAY][n % 4];
        event.ts = NOON - age - random.below(4) as i64;
        event.seq = random.below(3) as u32;
    }
    deliver(&store, &name(0, 1), &events).await;
    let mut expected: Vec<Place> = events
        .iter()
        .map(|e| Place {
            ts: e.ts,
            seq: e.seq,
            id: e.id,
        })
        .collect();
    expected.sort();
    expected.reverse();

    let mut query = EventQuery {
        limit: 7,
        ..EventQuery::default()
    };
    let mut listed = Vec::new();
    loop {
        let page = store.recent(PROJECT, &query, NOON).await.expect("a page").rows;
        let Some(last) = page.last() else { break };
        query.before = Some(last.place());
        listed.extend(page.iter().map(|e| e.place()));
    }
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn filters_of_the_list_hold_together() {
    let store = store().await;
    let events = random_events(&mut Random(22), 200);
    deliver(&store, &name(0, 1), &events).await;
    let query = EventQuery {
        event: Some("buy".into()),
        distinct_id: Some("p3".into()),
        from: Some(NOON + DAY / 2),
        to: Some(NOON + 2 * DAY),
        limit: 100,
        ..EventQuery::default()
    };
    let wanted = |e: &&Event| {
        e.event == "buy" && e.distinct_id == "p3" && e.ts >= NOON + DAY / 2 && e.ts < NOON + 2 * DAY
    };
    let mut expected: Vec<Uuid> = events.iter().filter(wanted).map(|e| e.id).collect();
    let page = store
        .recent(PROJECT, &query, NOON + 9 * DAY)
        .await
        .expect("a page");
    let mut found: Vec<Uuid> = page.rows.iter().map(|e| e.id).collect();
    expected.sort();
    found.sort();
    assert!(!expected.is_empty());
    assert_eq!(found, expected);
}

#[tokio::test]
async fn the_tail_brings_what_was_received_since_in_order_and_of_a_burst_the_newest() {
    let store = store().await;
    let events: Vec<Event> = (0..6).map(|n| event("view", "ann", NOON + n)).collect();
    deliver(&store, &name(0, 1), &events).await;
    let received = async |since, limit| {
        let found = store.newer_than(PROJECT, since, limit).await.expect("a tail");
        found.rows.iter().map(|e| e.id).collect::<Vec<Uuid>>()
    };
    let ids: Vec<Uuid> = events.iter().map(|e| e.id).collect();
    assert_eq!(received(NOON + 2, 99).await, ids[2..]);
    assert_eq!(received(NOON, 2).await, ids[4..]);
    assert!(received(NOON + 6, 99).await.is_empty());
}

#[tokio::test]
async fn the_pulse_counts_people_minute_and_day() {
    let store = store().await;
    let mut events = vec![
        event("view", "ann", NOON - 10),
        event("view", "ann", NOON - 90_000),
        event("view", "bob", NOON - 200_000),
        event("view", "cid", NOON - 7_200_000),
        event("$identify", "dan", NOON - 10),
    ];
    events[4].flags = footfall::event::flag::NOT_ACTIVITY;
    deliver(&store, &name(0, 1), &events).await;
    let pulse = store
        .count_since(PROJECT, NOON - 300_000, NOON - 60_000, NOON - DAY / 2)
        .await;
    let pulse = pulse.expect("a pulse").rows;
    assert_eq!((pulse.active, pulse.recent, pulse.today), (2, 2, 5));
}

#[tokio::test]
async fn an_export_is_one_json_object_a_line_with_the_properties_inside() {
    let store = store().await;
    let mut plain = event("view", "ann \"the\" first\n", NOON);
    plain.props = "{\n  \"a\": \"x\\ny\",\r\n  \"n\": [1, 2.5, null]\n}".into();
    plain.amount = 12.5;
    let mut bare = event("buy", "bob", NOON + 1);
    bare.props = String::new();
    deliver(
        &store,
        &name(0, 1),
        &[plain.clone(), bare.clone(), event("later", "bob", NOON + 2)],
    )
    .await;

    let mut export = store.export(PROJECT, NOON, NOON + 2).await.expect("an export");
    let mut bytes = Vec::new();
    while let Some(chunk) = export.next().await.expect("bytes") {
        bytes.extend(chunk);
    }
    let text = String::from_utf8(bytes).expect("text");
    let mut lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    lines.sort_by_key(|line| line["timestamp"].to_string());
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["id"], plain.id.to_string());
    assert_eq!(lines[0]["distinct_id"], plain.distinct_id.as_str());
    assert_eq!(lines[0]["timestamp"], "2026-11-01T12:00:00.000Z");
    assert_eq!(lines[0]["amount"], 12.5);
    assert_eq!(lines[0]["properties"]["a"], "x\ny");
    assert_eq!(lines[0]["properties"]["n"][1], 2.5);
    assert_eq!(lines[1]["properties"], serde_json::json!({}));
}
