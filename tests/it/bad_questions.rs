//! Bad questions and settings: a problem document with a stable code that names the field.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::harness::{Refusal, Tenant, World, check};

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
        (
            json!({"kind": "active_users", "breakdown": [{"property": "p"}], "breakdown_limit": 200, "from": "2026-09-01",
                "to": "2026-11-01"}),
            field("/breakdown_limit", "too_many_points"),
        ),
        (json!({"kind": "trends"}), field("/events", "required")),
        (
            json!({"kind": "trends", "events": ["a", "a"]}),
            field("/events/1", "duplicate"),
        ),
        (
            json!({"kind": "trends", "events": ["a"], "filter": {"or": [{"property": "p", "op": "gt", "value": "x"}]}}),
            field("/filter/or/0/value", "wrong_type"),
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
    let unreadable: Vec<(Value, Refusal)> = vec![
        (json!({"kind": "horoscope"}), field("/kind", "unknown_value")),
        (json!({}), field("/kind", "missing_field")),
        (
            funnel_with("widnow", json!("7d")),
            field("/widnow", "unknown_field"),
        ),
        (funnel_with("window", json!(7)), field("/window", "wrong_type")),
        (
            json!({"kind": "active_users", "exact": "yes"}),
            field("/exact", "wrong_type"),
        ),
        (
            json!({"kind": "trends", "events": ["a"], "interval": "fortnight"}),
            field("/interval", "unknown_value"),
        ),
    ];
    for (question, refusal) in unreadable {
        let reply = world.ask("POST", &path, &shop.secret, question.clone()).await;
        check(reply, refusal, &question.to_string());
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
        ("/conversion?after=a", field("?goal", "required")),
        ("/conversion?goal=a&window=7d", field("?window", "not_allowed")),
        ("/conversion?after=a&goal=", field("?goal", "required")),
        ("/events?limit=0", field("?limit", "out_of_range")),
        ("/events?limit=1001", field("?limit", "out_of_range")),
        ("/events?limit=many", field("?limit", "wrong_type")),
        ("/events?cursor=here", field("?cursor", "unreadable")),
        (
            "/events/names?from=2026-11-01T00:07:00Z",
            field("?from", "not_a_quarter_hour"),
        ),
        (
            "/active-users?from=2026-11-01&to=9999-12-31",
            field("?to", "out_of_range"),
        ),
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
