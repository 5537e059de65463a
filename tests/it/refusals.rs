//! Bad input: a problem document with a stable code that names the field, and nothing half-stored.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::harness::{Reply, Tenant, World, gzip};

/// Status, code, and pointer and code of the first field (both empty when no field is to blame).
type Refusal = (u16, &'static str, &'static str, &'static str);

#[track_caller]
fn check(reply: Reply, (status, code, pointer, reason): Refusal, what: &str) {
    let text = reply.text();
    assert_eq!(reply.status, status, "{what}: {text}");
    let problem = reply.problem(status, code);
    let first = &problem["errors"][0];
    let named = |member: &str| first[member].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (named("pointer"), named("code")),
        (pointer.to_owned(), reason.to_owned()),
        "{what}: {text}"
    );
    for error in problem["errors"].as_array().into_iter().flatten() {
        assert!(
            error["detail"].as_str().is_some_and(|detail| !detail.is_empty()),
            "{what}: {text}"
        );
    }
}

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
    ];
    for (what, request, refusal) in requests {
        check(
            world.raw(request.body(body()).expect("a request")).await,
            refusal,
            what,
        );
    }
    assert_eq!(world.deliver().await, 0, "nothing was taken");
    assert_eq!(world.rows().await, 0);
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

fn steps(n: usize) -> Value {
    json!({"kind": "funnel", "steps": vec![json!({"event": "a"}); n]})
}

fn funnel_with(member: &str, value: Value) -> Value {
    let mut funnel = steps(2);
    funnel[member] = value;
    funnel
}

#[tokio::test]
async fn bad_questions_are_named() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let field = |pointer, reason| (422, "invalid_field", pointer, reason);
    let rows: Vec<(Value, Refusal)> = vec![
        (steps(21), field("/steps", "too_many")),
        (steps(1), field("/steps", "too_few")),
        (json!({"kind": "funnel"}), field("/steps", "too_few")),
        (
            json!({"kind": "funnel", "steps": [{"event": "a"}, {}]}),
            field("/steps/1/event", "required"),
        ),
        (
            funnel_with("window", json!("0s")),
            field("/window", "out_of_range"),
        ),
        (
            funnel_with("window", json!("367d")),
            field("/window", "out_of_range"),
        ),
        (
            funnel_with("window", json!("soon")),
            field("/window", "invalid_window"),
        ),
        (
            funnel_with("from", json!("yesterday")),
            field("/from", "invalid_time"),
        ),
        (
            funnel_with("from", json!("2026-12-24")),
            field("/from", "empty_range"),
        ),
        (
            json!({"kind": "active_users", "from": "2026-11-02", "to": "2026-11-01"}),
            field("/to", "empty_range"),
        ),
        (
            json!({"kind": "active_users", "from": "2025-11-01", "to": "2026-11-03"}),
            field("/to", "range_too_long"),
        ),
        (json!({"kind": "trends"}), field("/events", "required")),
        (
            json!({"kind": "trends", "events": ["a", "a"]}),
            field("/events/1", "duplicate"),
        ),
        (
            json!({"kind": "trends", "events": ["a"], "from": "2026-11-01T00:07:00Z"}),
            field("/from", "not_a_quarter_hour"),
        ),
        (
            json!({"kind": "conversion", "after": "a"}),
            field("/goal", "required"),
        ),
    ];
    let path = shop.path("/query");
    for (question, refusal) in rows {
        let reply = world.ask("POST", &path, &shop.secret, question.clone()).await;
        check(reply, refusal, &question.to_string());
    }
    let unreadable: Vec<(Value, &str)> = vec![
        (json!({"kind": "horoscope"}), "unknown_value"),
        (json!({}), "missing_field"),
        (funnel_with("widnow", json!("7d")), "unknown_field"),
        (funnel_with("window", json!(7)), "wrong_type"),
        (json!({"kind": "active_users", "exact": "yes"}), "wrong_type"),
        (
            json!({"kind": "trends", "events": ["a"], "interval": "fortnight"}),
            "unknown_value",
        ),
    ];
    for (question, reason) in unreadable {
        let reply = world.ask("POST", &path, &shop.secret, question.clone()).await;
        let problem = reply.problem(422, "invalid_field");
        assert_eq!(problem["errors"][0]["code"], reason, "{question}: {problem}");
    }
    let queries: Vec<(&str, Refusal)> = vec![
        (
            "/active-users?from=2026-11-02&to=2026-11-01",
            field("?to", "empty_range"),
        ),
        (
            "/active-users?from=2025-11-01&to=2026-11-03",
            field("?to", "range_too_long"),
        ),
        ("/active-users?form=2026-11-02", field("?form", "unknown_field")),
        ("/active-users?exact=perhaps", field("?exact", "wrong_type")),
        (
            "/active-users?week_start=someday",
            field("?week_start", "unknown_value"),
        ),
        ("/trends", field("?event", "required")),
        (
            "/trends?event=a&interval=fortnight",
            field("?interval", "unknown_value"),
        ),
        (
            "/trends?event=a&event=b&interval=hour&from=2025-11-24&to=2026-11-24",
            field("?interval", "too_many_points"),
        ),
        ("/funnels?step=a", field("?step", "too_few")),
        (
            "/funnels?step=a&step=b&window=0s",
            field("?window", "out_of_range"),
        ),
        ("/conversion?after=a", field("?goal", "missing_field")),
        ("/conversion?after=a&goal=", field("?goal", "required")),
        ("/events?limit=0", field("?limit", "out_of_range")),
        ("/events?limit=1001", field("?limit", "out_of_range")),
        ("/events?limit=many", field("?limit", "wrong_type")),
        ("/events?cursor=here", field("?cursor", "unreadable")),
        ("/events/names?limit=0", field("?limit", "out_of_range")),
        (
            "/export?from=2026-11-02&to=2026-11-01",
            field("?to", "empty_range"),
        ),
        (
            "/export?from=2025-11-01&to=2026-11-03",
            field("?to", "range_too_long"),
        ),
        ("/keys?cursor=here", field("?cursor", "unknown_cursor")),
    ];
    for (query, refusal) in queries {
        check(world.get(&shop.path(query), &shop.secret).await, refusal, query);
    }
    world.close().await;
}

#[tokio::test]
async fn bad_settings_bodies_routes_and_methods_are_named() {
    let world = World::new().await;
    let shop: Tenant = world.owner("ada@example.com", "UTC").await;
    let zone = json!({"organization_id": shop.organization, "name": "Blog", "timezone": "Mars/Olympus"});
    let reply = world.ask("POST", "/v1/projects", &shop.token, zone).await;
    check(
        reply,
        (422, "invalid_field", "/timezone", "unknown_zone"),
        "create",
    );
    let reply = world
        .ask(
            "PATCH",
            &shop.path(""),
            &shop.token,
            json!({"timezone": "Mars/Olympus"}),
        )
        .await;
    check(
        reply,
        (422, "invalid_field", "/timezone", "unknown_zone"),
        "change",
    );
    let raw = async |content_type: &str, body: Body| {
        let request = Request::post(shop.path("/query"))
            .header("authorization", format!("Bearer {}", shop.token))
            .header("content-type", content_type);
        world.raw(request.body(body).expect("a request")).await
    };
    check(
        raw("application/json", "{\"kind\":".into()).await,
        (400, "malformed_json", "", ""),
        "cut",
    );
    check(
        raw("text/plain", "{}".into()).await,
        (415, "unsupported_media_type", "", ""),
        "text",
    );
    let huge = Body::from(format!("\"{}\"", "x".repeat(3_000_000)));
    check(
        raw("application/json", huge).await,
        (413, "body_too_large", "", ""),
        "huge",
    );

    world
        .get("/v1/nothing", &shop.token)
        .await
        .problem(404, "not_found");
    world
        .get(&shop.path("/nothing"), &shop.token)
        .await
        .problem(404, "not_found");
    world
        .get("/v1/projects/not-an-id", &shop.token)
        .await
        .problem(404, "not_found");
    for (method, path) in [
        ("DELETE", shop.path("/query")),
        ("PUT", shop.path("")),
        ("GET", "/v1/events".to_owned()),
        ("POST", shop.path("/events")),
    ] {
        let reply = world.ask(method, &path, &shop.token, Value::Null).await;
        assert!(!reply.header("allow").is_empty(), "{method} {path}");
        reply.problem(405, "method_not_allowed");
    }
    world.close().await;
}
