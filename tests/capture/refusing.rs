//! Requests that are refused: with a code, with the field, and with nothing stored.

use std::io::Write;

use axum::body::Body;
use axum::http::Request;
use footfall::capture::Limits;
use serde_json::json;

use crate::site::Site;

const EVENT: &str = r#"{"event":"a","user_id":"u"}"#;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// 1.5 MB of a hundred events.
fn large() -> String {
    let event = json!({"event": "a", "user_id": "u", "properties": {"text": "x".repeat(15_000)}});
    json!(vec![event; 100]).to_string()
}

#[tokio::test]
async fn bad_requests_have_stable_codes_and_store_nothing() {
    let site = Site::open().await;
    let mut cut = gzip(EVENT.as_bytes());
    cut.truncate(cut.len() - 9);
    let cases: Vec<(&str, Body, (u16, &str))> = vec![
        ("", Body::empty(), (400, "empty_body")),
        ("", "{\"event\":".into(), (400, "malformed_json")),
        ("", cut.into(), (400, "malformed_gzip")),
        ("", gzip(&vec![b' '; 50 << 20]).into(), (413, "body_too_large")),
        ("", large().into(), (413, "body_too_large")),
        (
            "",
            format!("[{}1]", "1,".repeat(1000)).into(),
            (413, "too_many_events"),
        ),
        ("", r#"{"user_id":"u"}"#.into(), (422, "invalid_events")),
        (
            "",
            r#"{"batch":[],"sent_at":"soon"}"#.into(),
            (422, "invalid_events"),
        ),
        ("?verbose=perhaps", EVENT.into(), (422, "invalid_field")),
    ];
    for (more, body, expected) in cases {
        let answer = site.post(more, body).await;
        assert_eq!(answer.problem(), expected, "{}", answer.body);
        assert_eq!(answer.header("vary"), "Origin");
    }
    assert!(site.rows().await.is_empty());
}

#[tokio::test]
async fn other_encodings_and_missing_keys_are_named() {
    let site = Site::open().await;
    let brotli = Request::post("/v1/events")
        .header("x-api-key", &site.key)
        .header("content-encoding", "br")
        .body(Body::from(EVENT))
        .unwrap();
    assert_eq!(site.send(brotli).await.problem(), (415, "unsupported_encoding"));
    let keyless = Request::post("/v1/events").body(Body::from(EVENT)).unwrap();
    assert_eq!(site.send(keyless).await.problem(), (401, "missing_key"));
    let foreign = Request::post("/v1/events?key=ffp_live_AAAAAAAAAAAAAAAAAAAAAAAAAAA0AYi61")
        .body(Body::from(EVENT))
        .unwrap();
    assert_eq!(site.send(foreign).await.problem(), (401, "unknown_key"));
}

#[tokio::test]
async fn a_secret_key_takes_more_and_works_on_servers_only() {
    let site = Site::open().await;
    let secret = site.secret_key().await;
    let request = |origin: Option<&str>, body: Body| {
        let mut request = Request::post("/v1/events").header("x-api-key", &secret);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        request.body(body).unwrap()
    };
    let answer = site.send(request(None, large().into())).await;
    assert_eq!((answer.status, answer.counts()), (200, (100, 0, 0)));
    let answer = site.send(request(None, gzip(large().as_bytes()).into())).await;
    assert_eq!(answer.counts(), (100, 0, 0));
    let answer = site
        .send(request(Some("https://shop.example"), EVENT.into()))
        .await;
    assert_eq!(answer.problem(), (403, "secret_key_in_browser"));
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://shop.example"
    );
}

#[tokio::test]
async fn a_full_stream_says_when_to_come_back() {
    let site = Site::open_with(Limits::default(), |options| options.max_entries = 1).await;
    assert_eq!(site.post("", EVENT).await.status, 200);
    let answer = site.post("", EVENT).await;
    assert_eq!(answer.problem(), (503, "stream_full"));
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
    assert_eq!(answer.body["type"], "/docs/problems#stream_full");
    assert_eq!(site.rows().await.len(), 1);
}

#[tokio::test]
async fn more_than_the_process_may_hold_is_sent_back() {
    let limits = Limits {
        bytes: 10,
        ..Limits::default()
    };
    let site = Site::open_with(limits, |_| {}).await;
    let answer = site.post("", EVENT).await;
    assert_eq!(answer.problem(), (503, "unavailable"));
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
}
