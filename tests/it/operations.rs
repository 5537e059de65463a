//! What runs beside the API: health, metrics, documents, the dashboard's files, the SDK, the shop.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::Request;
use serde_json::Value;

use crate::harness::{Reply, World};

#[tokio::test]
async fn health_and_metrics_answer() {
    let world = World::new().await;
    for path in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(world.get(path, "").await.status, 200, "{path}");
    }
    world.ask("BREW", "/readyz", "", Value::Null).await;
    let metrics = metrics_for(&world, "127.0.0.1:5000", &[]).await;
    assert!(metrics.header("content-type").starts_with("text/plain"));
    for line in [
        "footfall_http_requests_total{route=\"/readyz\",method=\"GET\",status=\"200\"}",
        "footfall_http_requests_total{route=\"/readyz\",method=\"other\",status=\"405\"}",
    ] {
        assert!(metrics.text().contains(line), "{}", metrics.text());
    }
    assert!(!metrics.text().contains("BREW"), "callers' words are no labels");
    world.close().await;
}

async fn metrics_for(world: &World, peer: &str, headers: &[(&str, &str)]) -> Reply {
    let peer: SocketAddr = peer.parse().expect("an address");
    let mut request = Request::get("/metrics").extension(ConnectInfo(peer));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world
        .raw(request.body(Default::default()).expect("a request"))
        .await
}

#[tokio::test]
async fn metrics_are_for_this_machine() {
    let world = World::new().await;
    for peer in ["127.0.0.1:5000", "[::1]:5000", "[::ffff:127.0.0.1]:5000"] {
        assert_eq!(metrics_for(&world, peer, &[]).await.status, 200, "{peer}");
    }
    let far = metrics_for(&world, "192.0.2.7:5000", &[]).await;
    far.problem(404, "not_found");
    let proxied = [("x-forwarded-for", "192.0.2.7")];
    let proxied = metrics_for(&world, "127.0.0.1:5000", &proxied).await;
    proxied.problem(404, "not_found");
    world.close().await;
}

#[tokio::test]
async fn a_request_id_from_outside_is_kept_only_if_it_is_plain() {
    let world = World::new().await;
    let long = "x".repeat(129);
    for (given, kept) in [
        ("abc-1", true),
        (&long[..128], true),
        ("a b", false),
        (&long, false),
        ("", false),
    ] {
        let request = Request::get("/livez").header("x-request-id", given);
        let reply = world
            .raw(request.body(Default::default()).expect("a request"))
            .await;
        let id = reply.header("x-request-id");
        assert_eq!(id == given, kept, "{given:?}: {id:?}");
        assert!(!id.is_empty());
    }
    world.close().await;
}

#[tokio::test]
async fn a_401_names_its_scheme() {
    let world = World::new().await;
    let api = world.get("/v1/me", "").await;
    let tracking = world.post("ffp_live_x", "{}").await;
    for reply in [api, tracking] {
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, "Bearer"));
    }
    world.close().await;
}

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let world = World::new().await;
    let document = world.get("/openapi.json", "").await.expect(200);
    assert_eq!(document["info"]["title"], "Footfall");
    let page = world.get("/docs/", "").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("swagger-ui"), "{}", page.text());
    for file in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
        assert_eq!(
            world.get(&format!("/docs/{file}"), "").await.status,
            200,
            "{file}"
        );
    }
    assert!(!page.text().contains("https://"), "served offline");
    let problems = world.get("/docs/problems", "").await;
    assert!(problems.header("content-type").starts_with("text/html"));
    let refused = world.get("/v1/nowhere", "").await.problem(404, "not_found");
    assert_eq!(refused["type"], "/docs/problems#not_found");
    assert!(
        problems.text().contains("id=\"not_found\""),
        "{}",
        problems.text()
    );
    world.close().await;
}

#[tokio::test]
async fn the_dashboard_runs_only_what_we_ship() {
    let world = World::new().await;
    for path in ["/", "/funnels", "/login"] {
        let page = world.get(path, "").await;
        if built(&page.text()) {
            assert_eq!(page.status, 200, "{path}");
            assert!(page.header("content-type").starts_with("text/html"));
        }
        let policy = page.header("content-security-policy");
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("script-src 'self' 'unsafe-inline'"));
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("referrer-policy"), "strict-origin-when-cross-origin");
    }
    // A browser would read the page as script.
    world.get("/assets/gone.js", "").await.problem(404, "not_found");
    world.close().await;
}

#[tokio::test]
async fn events_sent_to_a_wrong_address_are_refused_aloud() {
    let world = World::new().await;
    let event = serde_json::json!({"event": "page_view", "user_id": "ann"});
    for path in [
        "/v1",
        "/v1/",
        "/v1/event",
        "/e",
        "/batch/",
        "/",
        "/funnels",
        "/track.js",
    ] {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
            let reply = world.ask(method, path, "", event.clone()).await;
            let problem = reply.problem(404, "not_found");
            let detail = problem["detail"].as_str().unwrap_or_default();
            assert!(detail.contains(&format!("{method} {path}")), "{detail}");
            assert_eq!(detail.contains("POST /v1/events"), method == "POST", "{detail}");
        }
    }
    for path in ["/v1", "/v1/", "/v1/event"] {
        world.get(path, "").await.problem(404, "not_found");
    }
    for path in ["/f.js", "/demo"] {
        let reply = world.ask("POST", path, "", event.clone()).await;
        reply.problem(405, "method_not_allowed");
    }
    world.close().await;
}

#[tokio::test]
async fn every_site_may_load_the_sdk_and_asks_again_cheaply() {
    let world = World::new().await;
    let script = world.get("/f.js", "").await;
    if built(&script.text()) {
        assert_eq!(script.status, 200);
        assert!(script.header("content-type").starts_with("text/javascript"));
        assert_eq!(script.header("access-control-allow-origin"), "*");
        let tag = script.header("etag").to_owned();
        let again = Request::get("/f.js").header("if-none-match", &tag);
        let again = world
            .raw(again.body(Default::default()).expect("a request"))
            .await;
        assert_eq!((again.status, again.body.len()), (304, 0));
        assert_eq!(again.header("etag"), tag);
        for known in [format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
            let request = Request::get("/f.js").header("if-none-match", &known);
            let request = request.body(Default::default()).expect("a request");
            assert_eq!(world.raw(request).await.status, 304, "{known}");
        }
        let stale = Request::get("/f.js").header("if-none-match", "\"other\"");
        assert_eq!(
            world
                .raw(stale.body(Default::default()).expect("a request"))
                .await
                .status,
            200
        );
    }
    world.close().await;
}

#[tokio::test]
async fn the_shop_carries_the_key_of_its_address_and_nothing_else() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let request = Request::get(format!("/demo?key={}", shop.write)).header("host", "shop.example:8080");
    let page = world
        .raw(request.body(Default::default()).expect("a request"))
        .await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains(&format!("footfall.init(\"{}\"", shop.write)));
    assert!(page.text().contains("http://shop.example:8080/f.js"));
    for hostile in [
        "%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "a%22b",
        "%3C",
        "a-b",
        "%5Cu0022",
    ] {
        let refused = world.get(&format!("/demo?key={hostile}"), "").await;
        let problem = refused.problem(422, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], "?key");
        assert!(!problem.to_string().contains("script"), "{problem}");
    }
    for dead in [
        "key=",
        "key=a&key=b",
        "key=ffp_live_1",
        &format!("key={}", shop.secret),
    ] {
        let problem = world.get(&format!("/demo?{dead}"), "").await;
        let problem = problem.problem(422, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], "?key", "{dead}");
    }
    for host in ["a\"b", "a/b", "x;alert(1)", "a b", "<script>"] {
        let request = Request::get(format!("/demo?key={}", shop.write)).header("host", host);
        let reply = world
            .raw(request.body(Default::default()).expect("a request"))
            .await;
        reply.problem(422, "invalid_host");
    }
    let keyless = world.get("/demo", "").await.problem(422, "invalid_field");
    assert_eq!(keyless["errors"][0]["code"], "missing_field");
    world.close().await;
}

/// Cargo alone builds neither SDK nor dashboard; `make test` does.
fn built(body: &str) -> bool {
    let problem: Value = serde_json::from_str(body).unwrap_or_default();
    problem["code"] != "not_built"
}
