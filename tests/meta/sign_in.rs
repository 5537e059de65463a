//! Register, login, refresh, logout.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use serde_json::{Value, json};

use crate::app::{App, PASSWORD, Reply, text};

#[tokio::test]
async fn the_first_account_sets_the_installation_up_and_then_the_door_is_closed() {
    let app = App::new().await;
    let status = app.get("/v1/auth/status", "").await.expect(200);
    assert_eq!(status, json!({"needs_setup": true, "open_signup": false}));
    let session = app.register(" Ada@Example.com ").await;
    assert_eq!(session["user"]["email"], "ada@example.com");
    assert_eq!(
        (&session["token_type"], &session["expires_in"]),
        (&json!("Bearer"), &json!(900))
    );
    let me = app
        .get("/v1/me", &text(&session["access_token"]))
        .await
        .expect(200);
    assert_eq!(me["user"], session["user"]);
    assert_eq!(me["organizations"][0]["role"], "owner");
    let project = &me["projects"][0];
    assert_eq!(
        (&project["name"], &project["timezone"]),
        (&json!("Web shop"), &json!("Europe/Berlin"))
    );
    assert_eq!(
        (&project["number"], &project["role"]),
        (&json!(1), &json!("owner"))
    );
    assert_eq!(project["created_at"], "2026-11-23T10:15:00Z");
    assert!(text(&project["write_key"]).starts_with("ffp_live_"));
    let second =
        json!({"email": "eve@example.com", "password": PASSWORD, "name": "Eve", "organization": "E"});
    app.ask("POST", "/v1/auth/register", "", second)
        .await
        .problem(403, "registration_closed");
    assert_eq!(
        app.get("/v1/auth/status", "").await.expect(200)["needs_setup"],
        false
    );
}

#[tokio::test]
async fn with_open_signup_everybody_registers_but_each_address_once() {
    let app = App::with_signup(true).await;
    app.register("ada@example.com").await;
    app.register("eve@example.com").await;
    let again = json!({"email": "EVE@example.com", "password": PASSWORD, "name": "Eve", "organization": "E"});
    app.ask("POST", "/v1/auth/register", "", again)
        .await
        .problem(409, "email_taken");
}

#[tokio::test]
async fn every_mistake_of_a_registration_is_named_at_once() {
    let app = App::new().await;
    let body = json!({"email": "nobody", "password": "short", "name": "  ", "organization": "A\u{7}B",
        "project": "x".repeat(101), "timezone": "Mars/Olympus"});
    let problem = app
        .ask("POST", "/v1/auth/register", "", body)
        .await
        .problem(422, "invalid_field");
    let pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(
        pointers,
        [
            "/email",
            "/password",
            "/name",
            "/organization",
            "/project",
            "/timezone"
        ]
    );
    assert!(problem["detail"].as_str().unwrap().contains("Mars/Olympus"));
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_get_the_same_answer() {
    let app = App::new().await;
    app.register("ada@example.com").await;
    let login = |email: &str, password: &str| json!({"email": email, "password": password});
    let wrong = app
        .ask(
            "POST",
            "/v1/auth/login",
            "",
            login("ada@example.com", "not my password"),
        )
        .await;
    let unknown = app
        .ask("POST", "/v1/auth/login", "", login("bob@example.com", PASSWORD))
        .await;
    assert_eq!(
        wrong.problem(401, "wrong_credentials"),
        unknown.problem(401, "wrong_credentials")
    );
    app.ask("POST", "/v1/auth/login", "", login("ADA@example.com", PASSWORD))
        .await
        .expect(200);
}

#[tokio::test]
async fn after_ten_failures_the_address_waits_even_with_the_right_password() {
    let app = App::new().await;
    app.register("ada@example.com").await;
    let login = |password: &str| json!({"email": "ada@example.com", "password": password});
    for _ in 0..10 {
        app.ask("POST", "/v1/auth/login", "", login("a wrong password"))
            .await
            .problem(401, "wrong_credentials");
    }
    let reply = app.ask("POST", "/v1/auth/login", "", login(PASSWORD)).await;
    assert_eq!(reply.headers["retry-after"], "900");
    reply.problem(429, "too_many_attempts");
    app.clock.set(app.clock.now_ms() + 900_000);
    app.ask("POST", "/v1/auth/login", "", login(PASSWORD))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_stranger_who_guesses_does_not_keep_the_owner_out() {
    let app = App::new().await;
    app.register("ada@example.com").await;
    let login = async |from: [u8; 4], password: &str| {
        let body = json!({"email": "ada@example.com", "password": password}).to_string();
        let request = Request::post("/v1/auth/login")
            .header("content-type", "application/json")
            .header("x-forwarded-for", "192.0.2.77")
            .extension(ConnectInfo(SocketAddr::from((from, 5000))));
        app.send(request.body(Body::from(body)).unwrap()).await
    };
    let (stranger, owner) = ([198, 51, 100, 1], [192, 0, 2, 1]);
    for _ in 0..10 {
        login(stranger, "a wrong password")
            .await
            .problem(401, "wrong_credentials");
    }
    login(stranger, PASSWORD).await.problem(429, "too_many_attempts");
    login(owner, PASSWORD).await.expect(200);
    login(stranger, PASSWORD).await.problem(429, "too_many_attempts");
}

#[tokio::test]
async fn an_access_token_lasts_fifteen_minutes_and_a_refresh_gets_the_next() {
    let app = App::new().await;
    let session = app.register("ada@example.com").await;
    let (access, refresh) = (text(&session["access_token"]), text(&session["refresh_token"]));
    app.clock.set(app.clock.now_ms() + 900_000);
    app.get("/v1/me", &access).await.problem(401, "token_expired");
    let next = app
        .ask("POST", "/v1/auth/refresh", "", json!({"refresh_token": refresh}))
        .await
        .expect(200);
    app.get("/v1/me", &text(&next["access_token"])).await.expect(200);
    assert_ne!(next["refresh_token"], json!(refresh));
    // Shown again later: somebody has a copy, so the session ends for both.
    app.clock.set(app.clock.now_ms() + 10_000);
    let reuse = app
        .ask("POST", "/v1/auth/refresh", "", json!({"refresh_token": refresh}))
        .await;
    reuse.problem(401, "refresh_token_reused");
    let newest = json!({"refresh_token": next["refresh_token"]});
    app.ask("POST", "/v1/auth/refresh", "", newest)
        .await
        .problem(401, "invalid_refresh_token");
}

#[tokio::test]
async fn a_browsers_refresh_token_stays_in_a_cookie_from_login_to_logout() {
    let app = App::new().await;
    app.register("ada@example.com").await;
    let login = json!({"email": "ada@example.com", "password": PASSWORD, "cookie": true}).to_string();
    let request = Request::post("/v1/auth/login")
        .header("content-type", "application/json")
        .header("x-forwarded-proto", "https");
    let reply = app.send(request.body(Body::from(login)).unwrap()).await;
    assert_eq!(
        reply.body["refresh_token"],
        Value::Null,
        "not readable by scripts"
    );
    let first = cookie(&reply);
    for part in [
        "; Path=/v1/auth",
        "; HttpOnly",
        "; SameSite=Lax",
        "; Secure",
        "; Max-Age=2592000",
    ] {
        assert!(first.contains(part), "{first}");
    }
    let with_cookie = async |path: &str, cookie: &str, site: &str| {
        let request = Request::post(path)
            .header(
                "cookie",
                format!("theme=dark; {}", cookie.split(';').next().unwrap()),
            )
            .header("sec-fetch-site", site);
        app.send(request.body(Body::empty()).unwrap()).await
    };
    with_cookie("/v1/auth/refresh", &first, "same-site")
        .await
        .problem(403, "cross_site_request");
    let reply = with_cookie("/v1/auth/refresh", &first, "same-origin").await;
    let second = cookie(&reply);
    assert!(
        !second.contains("Secure"),
        "without TLS a browser would not keep it"
    );
    app.get("/v1/me", &text(&reply.expect(200)["access_token"]))
        .await
        .expect(200);
    let reply = with_cookie("/v1/auth/logout", &second, "same-origin").await;
    assert!(cookie(&reply).starts_with("ff_refresh=; ") && cookie(&reply).contains("Max-Age=0"));
    assert_eq!(reply.status, 204);
    with_cookie("/v1/auth/refresh", &second, "same-origin")
        .await
        .problem(401, "invalid_refresh_token");
}

#[tokio::test]
async fn without_credentials_or_with_bad_ones_nothing_is_told() {
    let app = App::new().await;
    app.register("ada@example.com").await;
    app.get("/v1/me", "").await.problem(401, "unauthenticated");
    app.get("/v1/me", "abc").await.problem(401, "unauthenticated");
    app.get("/v1/me", "ffs_live_000000000000000000000000000000000")
        .await
        .problem(401, "unauthenticated");
    let basic = Request::get("/v1/me").header("authorization", "Basic YWRhOmFkYQ==");
    app.send(basic.body(Body::empty()).unwrap())
        .await
        .problem(401, "unauthenticated");
    app.ask("POST", "/v1/auth/refresh", "", Value::Null)
        .await
        .problem(401, "invalid_refresh_token");
}

fn cookie(reply: &Reply) -> String {
    reply.headers["set-cookie"].to_str().unwrap().to_owned()
}
