//! A page view, a cart, a purchase: sent in every form that clients use, they become every number.

use axum::http::Request;
use serde_json::{Value, json};

use crate::harness::{NOW, World, gzip};

const MINUTE: i64 = 60_000;

/// A visitor's event, some minutes before now.
fn event(name: &str, visitor: &str, minutes_ago: i64) -> Value {
    json!({"event": name, "device_id": visitor, "timestamp": NOW - minutes_ago * MINUTE})
}

#[tokio::test]
async fn a_visit_becomes_active_users_trend_funnel_conversion_names_list_and_export() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "Europe/Berlin").await;

    // Ann buys; one event a request, as a page sends it.
    let view = json!({"event": "page_view", "device_id": "ann", "timestamp": "2026-11-23T10:00:00Z", "context": {
        "page": {"url": "https://shop.example/mugs?utm_source=news", "referrer": "https://search.example/"},
        "library": {"name": "sdk-js", "version": "0.1.0"}}});
    let purchase = json!({"event": "purchase", "device_id": "ann", "user_id": "ann@home", "timestamp": NOW - MINUTE,
        "properties": {"amount": 49.9, "currency": "eur", "items": [{"sku": "mug"}]}});
    for body in [view, event("add_to_cart", "ann", 9)] {
        world.post(&shop.write, body.to_string()).await.expect(200);
    }
    // Bob buys; an array.
    let steps = ["page_view", "add_to_cart", "purchase"];
    let bob: Vec<Value> = (0..)
        .zip(steps)
        .map(|(n, step)| event(step, "bob", 8 - 2 * n))
        .collect();
    world
        .post(&shop.write, Value::Array(bob).to_string())
        .await
        .expect(200);
    // Cem leaves his cart; lines.
    let cem = format!(
        "{}\n{}\n",
        event("page_view", "cem", 5),
        event("add_to_cart", "cem", 4)
    );
    world.post(&shop.write, cem).await.expect(200);
    // Dee only looks; a compressed batch with the key inside.
    let dee = json!({"batch": [event("page_view", "dee", 3)], "write_key": shop.write, "request_id": "r1"});
    let packed = gzip(dee.to_string().as_bytes());
    let request = Request::post("/v1/events/").header("content-encoding", "gzip");
    let taken = world
        .raw(request.body(packed.into()).expect("a request"))
        .await
        .expect(200);
    assert_eq!(
        (&taken["accepted"], &taken["request_id"]),
        (&json!(1), &json!("r1"))
    );
    // Ann's purchase carries her account's id and her device's: what she did before was hers too.
    world.post(&shop.write, purchase.to_string()).await.expect(200);

    world.deliver().await;
    let ask = async |path: &str| {
        let reply = world.get(&shop.path(path), &shop.secret).await;
        reply.expect(200)
    };

    // Until the day's sketches are made anew they may count her device beside her, and say so.
    let active = ask("/active-users?from=2026-11-23&to=2026-11-24").await;
    let (dau, bound) = (
        &active["data"]["days"][0]["dau"],
        &active["meta"]["overcount_bound"],
    );
    assert!(*dau == 4 || (*dau == 5 && *bound == 1), "{active}");
    let exact = ask("/active-users?from=2026-11-23&to=2026-11-24&exact=true").await;
    assert_eq!(exact["data"]["days"][0]["dau"], 4);
    assert_eq!(exact["meta"].get("overcount_bound"), None);
    world.settle(NOW + 2 * MINUTE).await;
    let active = ask("/active-users?from=2026-11-23&to=2026-11-24").await;
    assert_eq!(active["meta"].get("overcount_bound"), None);
    assert_eq!(active["data"]["days"][0]["dau"], 4);
    assert_eq!(active["data"]["days"][0]["mau"], 4);
    let buyers = ask("/active-users?from=2026-11-23&to=2026-11-24&event=purchase&exact=true").await;
    assert_eq!(buyers["data"]["summary"]["active"], 2);

    let trend =
        ask("/trends?event=page_view&event=purchase&interval=hour&from=2026-11-23&to=2026-11-24").await;
    let series = trend["data"]["series"].as_array().expect("series");
    assert_eq!((&series[0]["total"], &series[1]["total"]), (&json!(4), &json!(2)));
    let eleven = &series[0]["points"][11];
    assert_eq!(
        (&eleven["start"], &eleven["count"]),
        (&json!("2026-11-23T10:00:00Z"), &json!(4))
    );

    let steps = "step=page_view&step=add_to_cart&step=purchase&window=1h&from=2026-11-23&to=2026-11-24";
    let funnel = ask(&format!("/funnels?{steps}")).await;
    let reached: Vec<&Value> = (0..3).map(|n| &funnel["data"]["steps"][n]["reached"]).collect();
    assert_eq!(reached, [4, 3, 2]);
    assert_eq!(funnel["data"]["overall"]["rate"], 0.5);
    assert_eq!(funnel["data"]["overall"]["median_ms"], 9.0 * MINUTE as f64);
    assert_eq!(funnel["data"]["steps"][0]["dropped"], 1);

    let conversion =
        ask("/conversion?after=page_view&goal=add_to_cart&window=1h&from=2026-11-23&to=2026-11-24").await;
    let day = &conversion["data"]["days"][0];
    assert_eq!(
        (&day["entered"], &day["converted"], &day["rate"]),
        (&json!(4), &json!(3), &json!(0.75))
    );

    let names = ask("/events/names?from=2026-11-23&to=2026-11-24").await;
    let expected = json!([{"event": "page_view", "count": 4}, {"event": "add_to_cart", "count": 3},
        {"event": "purchase", "count": 2}]);
    assert_eq!(names["data"]["events"], expected);

    let list = ask("/events?distinct_id=ann").await;
    let first = list["data"]
        .as_array()
        .expect("events")
        .iter()
        .find(|event| event["event"] == "page_view");
    let first = first.expect("Ann's view");
    for (member, value) in [
        ("path", "/mugs"),
        ("host", "shop.example"),
        ("referrer_host", "search.example"),
        ("utm_source", "news"),
        ("lib", "sdk-js/0.1.0"),
        ("timestamp", "2026-11-23T10:00:00Z"),
    ] {
        assert_eq!(first[member], value, "{member}");
    }
    let paid = &ask("/events?event=purchase&distinct_id=ann@home").await["data"][0];
    assert_eq!(
        (&paid["amount"], &paid["currency"], &paid["device_id"]),
        (&json!(49.9), &json!("EUR"), &json!("ann"))
    );
    assert_eq!(paid["properties"]["items"][0]["sku"], "mug");

    let export = world
        .get(&shop.path("/export?from=2026-11-23&to=2026-11-24"), &shop.secret)
        .await;
    assert_eq!(export.header("content-type"), "application/x-ndjson");
    let mut exported: Vec<String> = export
        .lines()
        .iter()
        .map(|event| event["event"].to_string())
        .collect();
    exported.sort();
    assert_eq!((exported.len(), exported[0].as_str()), (9, "\"add_to_cart\""));
    world.close().await;
}

#[tokio::test]
async fn a_request_that_is_sent_again_and_an_event_that_comes_again_count_once() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let id = "0193c2a4-7c1e-7b5e-9f43-2f1f6a0c9d11";
    let batch = json!({"request_id": "r1", "batch": [
        {"event": "purchase", "user_id": "ann", "id": id}, {"event": "page_view", "user_id": "ann"}]});
    let first = world.post(&shop.write, batch.to_string()).await.expect(200);
    assert_eq!((&first["accepted"], &first["duplicates"]), (&json!(2), &json!(0)));
    world.deliver().await;
    // The answer was lost: the same request again, also after its events are in the tables.
    let again = world.post(&shop.write, batch.to_string()).await.expect(200);
    assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(0), &json!(2)));
    // Repacked with a new one.
    let repacked =
        json!([{"event": "purchase", "user_id": "ann", "id": id}, {"event": "refund", "user_id": "ann"}]);
    let repacked = world.post(&shop.write, repacked.to_string()).await.expect(200);
    assert_eq!(
        (&repacked["accepted"], &repacked["duplicates"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        repacked["results"][0],
        json!({"index": 0, "id": id, "status": "duplicate"})
    );
    world.deliver().await;
    let names = world
        .get(&shop.path("/events/names"), &shop.secret)
        .await
        .expect(200);
    let expected = json!([{"event": "page_view", "count": 1}, {"event": "purchase", "count": 1},
        {"event": "refund", "count": 1}]);
    assert_eq!(names["data"]["events"], expected);
    world.close().await;
}

#[tokio::test]
async fn a_dry_run_judges_and_stores_nothing() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let path = format!("/v1/events?key={}&dry_run=1&verbose=1", shop.write);
    let judged = world
        .ask("POST", &path, "", event("page_view", "ann", 0))
        .await
        .expect(200);
    assert_eq!(judged["results"][0]["status"], "accepted");
    assert_eq!(world.deliver().await, 0);
    world.close().await;
}

#[tokio::test]
async fn any_page_may_send_events() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let preflight = Request::options("/v1/events")
        .header("origin", "https://shop.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type");
    let reply = world
        .raw(preflight.body(Default::default()).expect("a request"))
        .await;
    assert_eq!(reply.status, 204);
    assert_eq!(
        reply.header("access-control-allow-origin"),
        "https://shop.example"
    );
    assert_eq!(reply.header("access-control-allow-headers"), "content-type");
    // As a page sends it without a preflight: a plain text, the key in the address.
    let beacon = Request::post(format!("/v1/events?key={}", shop.write))
        .header("origin", "https://shop.example")
        .header("content-type", "text/plain;charset=UTF-8");
    let body = event("page_view", "ann", 0).to_string();
    let reply = world.raw(beacon.body(body.into()).expect("a request")).await;
    assert_eq!(
        reply.header("access-control-allow-origin"),
        "https://shop.example"
    );
    assert!(!reply.header("x-request-id").is_empty());
    assert_eq!(reply.expect(200)["accepted"], 1);
    world.deliver().await;
    assert_eq!(world.rows().await, 1);
    world.close().await;
}
