//! Bad events: a problem document with a stable code that names the field, and nothing half-stored.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::harness::{Refusal, World, check, gzip};

fn event() -> Value {
    json!({"event": "page_view", "user_id": "ann"})
}

/// An event with one member changed.
fn but(member: &str, value: Value) -> Body {
    let mut event = event();
    event[member] = value;
    event.to_string().into()
}

#[tokio::test]
async fn bad_tracking_requests_are_named_and_store_nothing() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let mut cut = gzip(event().to_string().as_bytes());
    cut.truncate(cut.len() - 9);
    let large = vec![json!({"event": "a", "user_id": "u", "properties": {"text": "x".repeat(15_000)}}); 100];
    let large = Value::Array(large).to_string();
    let nested = (0..6).fold(json!(1), |inner, _| json!({"deeper": inner}));
    let many: Value = (0..256)
        .map(|n| (format!("p{n}"), json!(n)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let rows: Vec<(&str, Body, Refusal)> = vec![
        ("empty", Body::empty(), (400, "empty_body", "", "")),
        (
            "malformed JSON",
            "{\"event\":".into(),
            (400, "malformed_json", "", "malformed_json"),
        ),
        (
            "malformed batch",
            "{\"batch\":[{]}".into(),
            (400, "malformed_json", "", "malformed_json"),
        ),
        ("truncated gzip", cut.into(), (400, "malformed_gzip", "", "")),
        (
            "large after decompression",
            gzip(large.as_bytes()).into(),
            (413, "body_too_large", "", ""),
        ),
        ("large", large.into(), (413, "body_too_large", "", "")),
        (
            "1,001 events",
            Value::Array(vec![event(); 1001]).to_string().into(),
            (413, "too_many_events", "", ""),
        ),
        (
            "neither object nor array",
            "42".into(),
            (422, "invalid_events", "", "wrong_type"),
        ),
        (
            "no name",
            json!({"user_id": "u"}).to_string().into(),
            (422, "invalid_events", "/event", "missing_field"),
        ),
        (
            "name of a wrong type",
            but("event", json!(5)),
            (422, "invalid_events", "/event", "wrong_type"),
        ),
        (
            "empty name",
            but("event", json!(" ")),
            (422, "invalid_events", "/event", "name_empty"),
        ),
        (
            "long name",
            but("event", json!("x".repeat(201))),
            (422, "invalid_events", "/event", "name_too_long"),
        ),
        (
            "nobody",
            but("user_id", json!("anonymous")),
            (422, "invalid_events", "/distinct_id", "missing_field"),
        ),
        (
            "id of nobody",
            but("user_id", json!([1])),
            (422, "invalid_events", "/user_id", "wrong_type"),
        ),
        (
            "long id",
            but("user_id", json!("x".repeat(201))),
            (422, "invalid_events", "/user_id", "distinct_id_too_long"),
        ),
        (
            "event id",
            but("id", json!("42")),
            (422, "invalid_events", "/id", "id_invalid"),
        ),
        (
            "timestamp",
            but("timestamp", json!("soon")),
            (422, "invalid_events", "/timestamp", "timestamp_invalid"),
        ),
        (
            "timestamp's type",
            but("timestamp", json!([])),
            (422, "invalid_events", "/timestamp", "wrong_type"),
        ),
        (
            "properties' type",
            but("properties", json!("x")),
            (422, "invalid_events", "/properties", "wrong_type"),
        ),
        (
            "properties",
            but("properties", many),
            (422, "invalid_events", "/properties", "too_many_properties"),
        ),
        (
            "depth",
            but("properties", nested),
            (
                422,
                "invalid_events",
                "/properties/deeper/deeper/deeper/deeper/deeper",
                "too_deep",
            ),
        ),
        (
            "large event",
            but("properties", json!({"text": "x".repeat(33_000)})),
            (422, "invalid_events", "", "event_too_large"),
        ),
        (
            "batch's type",
            json!({"batch": {}}).to_string().into(),
            (422, "invalid_events", "/batch", "wrong_type"),
        ),
        (
            "sent_at",
            json!({"batch": [event()], "sent_at": "soon"}).to_string().into(),
            (422, "invalid_events", "/sent_at", "timestamp_invalid"),
        ),
        (
            "all of a batch",
            json!({"batch": [{"event": "a"}, {"user_id": "u"}]})
                .to_string()
                .into(),
            (422, "invalid_events", "/batch/0/distinct_id", "missing_field"),
        ),
    ];
    for (what, body, refusal) in rows {
        check(world.post(&shop.write, body).await, refusal, what);
    }
    let unknown = "ffp_live_AAAAAAAAAAAAAAAAAAAAAAAAAAA0AYi61";
    let body = || Body::from(event().to_string());
    let requests = [
        (
            "unknown key",
            Request::post("/v1/events").header("x-api-key", unknown),
            (401, "unknown_key", "", ""),
        ),
        (
            "no key",
            Request::post("/v1/events"),
            (401, "missing_key", "", ""),
        ),
        (
            "brotli",
            Request::post("/v1/events")
                .header("x-api-key", &shop.write)
                .header("content-encoding", "br"),
            (415, "unsupported_encoding", "", ""),
        ),
        (
            "a switch that is none",
            Request::post(format!("/v1/events?key={}&dry_run=maybe", shop.write)),
            (422, "invalid_field", "?dry_run", "invalid"),
        ),
        (
            "a key twice",
            Request::post(format!("/v1/events?key={0}&key={0}", shop.write)),
            (422, "invalid_field", "?key", "duplicate"),
        ),
    ];
    for (what, request, refusal) in requests {
        check(
            world.raw(request.body(body()).expect("a request")).await,
            refusal,
            what,
        );
    }
    // Of events that were rejected the ledger learns; nothing else comes.
    world.deliver().await;
    assert_eq!(world.rows().await, 0, "nothing was taken");
    world.close().await;
}

#[tokio::test]
async fn the_good_events_of_a_mixed_batch_are_kept_and_the_bad_ones_named() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let id = "0193c2a4-7c1e-7b5e-9f43-2f1f6a0c9d11";
    let batch = json!({"batch": [
        {"event": "good", "user_id": "ann"},
        {"user_id": "ann", "id": id},
        {"event": "good", "user_id": "bob"},
        "not an event",
        {"event": "bad", "user_id": "cem", "properties": {"a/b": 1, "deep": {"x": {"x": {"x": {"x": {}}}}}}},
        {"event": "good", "user_id": "dee", "timestamp": "2031-01-01T00:00:00Z"},
    ]});
    let taken = world.post(&shop.write, batch.to_string()).await.expect(200);
    assert_eq!((&taken["accepted"], &taken["rejected"]), (&json!(3), &json!(3)));
    let named: Vec<_> = taken["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|result| {
            (
                result["index"].clone(),
                result["code"].clone(),
                result["field"].clone(),
            )
        })
        .collect();
    assert_eq!(named[0], (json!(1), json!("missing_field"), json!("/event")));
    assert_eq!(named[1], (json!(3), json!("wrong_type"), json!("")));
    assert_eq!((&named[2].0, &named[2].1), (&json!(4), &json!("too_deep")));
    assert_eq!(
        (&taken["results"][0]["id"], &taken["results"][0]["status"]),
        (&json!(id), &json!("rejected"))
    );
    // A line that is no JSON costs that line.
    let lines = format!("{}\n{{\"event\":\n{}\n", event(), event());
    let request = Request::post("/v1/events").header("x-api-key", &shop.write);
    let request = request
        .header("content-type", "application/x-ndjson")
        .body(lines.into());
    let taken = world.raw(request.expect("a request")).await.expect(200);
    assert_eq!(
        (&taken["accepted"], &taken["results"][0]["code"]),
        (&json!(2), &json!("malformed_json"))
    );
    world.deliver().await;
    let names = world
        .get(&shop.path("/events/names"), &shop.secret)
        .await
        .expect(200);
    let expected = json!([{"event": "good", "count": 3}, {"event": "page_view", "count": 2}]);
    assert_eq!(names["data"]["events"], expected);
    world.close().await;
}
