//! Events that are taken: once, whole, under their project.

use axum::body::Body;
use axum::http::Request;
use footfall::meta::{KeyKind, Page};
use serde_json::json;

use crate::harness::NOW;
use crate::site::Site;

const A: &str = "0193c2a4-7c1e-7b5e-9f43-2f1f6a0c9d11";
const B: &str = "0193c2a4-7c1e-7b5e-9f43-2f1f6a0c9d12";

#[tokio::test]
async fn an_answered_event_lies_in_the_stream() {
    let site = Site::open().await;
    let answer = site.post("", r#"{"event":"view","device_id":"d"}"#).await;
    assert_eq!((answer.status, answer.counts()), (200, (1, 0, 0)));
    assert_eq!(answer.body["results"], json!([]));
    assert_eq!(
        site.post("/", r#"{"event":"view","device_id":"d"}"#)
            .await
            .counts(),
        (1, 0, 0)
    );
    let rows = site.rows().await;
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].event.as_str(), rows[0].received_at), ("view", NOW));
}

#[tokio::test]
async fn a_beacon_carries_its_key_in_a_plain_text_body() {
    let site = Site::open().await;
    let body = json!({"batch": [{"event": "leave", "device_id": "d"}], "write_key": site.key});
    let beacon = Request::post("/v1/events")
        .header("content-type", "text/plain;charset=UTF-8")
        .header("origin", "https://shop.example")
        .body(Body::from(body.to_string()))
        .unwrap();
    let answer = site.send(beacon).await;
    assert_eq!((answer.status, answer.counts()), (200, (1, 0, 0)));
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://shop.example"
    );
    assert!(
        answer
            .header("access-control-expose-headers")
            .contains("Retry-After")
    );
    assert_eq!(answer.header("vary"), "Origin");
}

#[tokio::test]
async fn a_preflight_needs_no_key_and_may_ask_for_any_header() {
    let site = Site::open().await;
    let preflight = Request::options("/v1/events")
        .header("origin", "https://shop.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type")
        .body(Body::empty())
        .unwrap();
    let answer = site.send(preflight).await;
    assert_eq!(answer.status, 204);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://shop.example"
    );
    assert_eq!(
        answer.header("access-control-allow-headers"),
        "authorization,content-type"
    );
    assert_eq!(
        answer.header("access-control-allow-methods"),
        "POST, GET, OPTIONS"
    );
    assert_eq!(answer.header("access-control-max-age"), "86400");
}

#[tokio::test]
async fn a_request_sent_again_after_a_lost_answer_is_stored_once() {
    let site = Site::open().await;
    let sent_at = |ms: i64| {
        json!({"batch": [{"event": "a", "user_id": "u", "timestamp": ms - 60_000}, {"event": "b", "user_id": "v",
               "timestamp": NOW - 700_000}], "request_id": "r1", "sent_at": ms})
    };
    assert_eq!(site.post("", sent_at(NOW).to_string()).await.counts(), (2, 0, 0));
    // The clock of the second sending is renewed and the receipt is another; the events are the same.
    site.clock.set(NOW + 20_000);
    let mut again = sent_at(NOW);
    again["sent_at"] = json!(NOW + 20_000);
    let answer = site.post("?verbose=1", again.to_string()).await;
    assert_eq!((answer.status, answer.counts()), (200, (0, 2, 0)));
    assert_eq!(answer.body["request_id"], "r1");
    assert_eq!(answer.body["results"][1]["status"], "duplicate");
    assert_eq!(site.rows().await.len(), 2);
}

#[tokio::test]
async fn an_event_packed_into_another_request_is_stored_once() {
    let site = Site::open().await;
    let first = format!(r#"{{"event":"a","user_id":"u","id":"{A}"}}"#);
    let second = format!(r#"{{"event":"b","user_id":"u","id":"{B}"}}"#);
    assert_eq!(site.post("", first.clone()).await.counts(), (1, 0, 0));
    let answer = site.post("", format!("[{first},{second},{first}]")).await;
    assert_eq!(answer.counts(), (1, 2, 0));
    assert_eq!(answer.body["results"][0]["id"], A);
    let names: Vec<_> = site.rows().await.into_iter().map(|row| row.event).collect();
    assert_eq!(names, ["a", "b"]);
}

#[tokio::test]
async fn equal_events_without_ids_are_different_events() {
    let site = Site::open().await;
    let body = r#"[{"event":"tick","user_id":"u"},{"event":"tick","user_id":"u"}]"#;
    assert_eq!(site.post("", body).await.counts(), (2, 0, 0));
    assert_eq!(site.post("", body).await.counts(), (2, 0, 0));
    assert_eq!(site.rows().await.len(), 4);
}

#[tokio::test]
async fn a_dry_run_judges_and_stores_nothing() {
    let site = Site::open().await;
    let answer = site
        .post("?dry_run=1&verbose=1", r#"[{"event":"a","user_id":"u"},{}]"#)
        .await;
    assert_eq!(answer.counts(), (1, 0, 1));
    assert_eq!(answer.body["results"][0]["status"], "accepted");
    assert_eq!(answer.body["results"][1]["field"], "/event");
    assert!(site.rows().await.is_empty());
}

#[tokio::test]
async fn a_key_works_from_the_moment_it_is_shown_until_it_is_revoked() {
    let site = Site::open().await;
    // The keys in memory do not have it: it is asked for when it comes.
    let young = site
        .meta
        .create_key(site.project, KeyKind::Write, "young", NOW)
        .await
        .unwrap();
    let body = json!({"event": "a", "user_id": "u", "write_key": young.key}).to_string();
    let post = || {
        Request::post("/v1/events")
            .body(Body::from(body.clone()))
            .unwrap()
    };
    assert_eq!(site.send(post()).await.counts(), (1, 0, 0));

    site.meta.revoke_key(site.project, young.id, NOW).await.unwrap();
    site.keys.refresh().await.unwrap();
    assert_eq!(site.send(post()).await.problem(), (401, "unknown_key"));
    assert_eq!(site.rows().await.len(), 1);
}

#[tokio::test]
async fn the_use_of_a_key_is_written_down() {
    let site = Site::open().await;
    site.post("", r#"{"event":"a","user_id":"u"}"#).await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let keys = site.meta.keys(site.project, Page::first(10)).await.unwrap();
        if keys.rows.iter().any(|key| key.last_used_at.is_some()) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "never written down");
        tokio::task::yield_now().await;
    }
}
