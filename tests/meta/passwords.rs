//! Changing a password, and tokens of accounts that are not there.

use footfall::api::AccessTokens;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::{App, PASSWORD, text};

const NEW: &str = "staple in the stable";

fn change(current: &str, new: &str) -> Value {
    json!({"current_password": current, "new_password": new})
}

fn login(password: &str) -> Value {
    json!({"email": "ada@example.com", "password": password})
}

#[tokio::test]
async fn another_password_is_the_only_one_from_now_on_and_ends_the_other_sessions() {
    let app = App::new().await;
    let own = app.register("ada@example.com").await;
    let other = app
        .ask("POST", "/v1/auth/login", "", login(PASSWORD))
        .await
        .expect(200);
    let token = text(&own["access_token"]);
    let reply = app
        .ask("POST", "/v1/me/password", &token, change(PASSWORD, NEW))
        .await;
    assert_eq!(reply.status, 204);
    let refresh = async |session: &Value| {
        let body = json!({"refresh_token": session["refresh_token"]});
        app.ask("POST", "/v1/auth/refresh", "", body).await
    };
    refresh(&own).await.expect(200);
    refresh(&other).await.problem(401, "invalid_refresh_token");
    app.ask("POST", "/v1/auth/login", "", login(PASSWORD))
        .await
        .problem(401, "wrong_credentials");
    app.ask("POST", "/v1/auth/login", "", login(NEW))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it_to_one_that_is_long_enough() {
    let app = App::new().await;
    let token = text(&app.register("ada@example.com").await["access_token"]);
    let ask = async |body: Value| app.ask("POST", "/v1/me/password", &token, body).await;
    let short = ask(change(PASSWORD, "short")).await.problem(422, "invalid_field");
    assert_eq!(short["errors"][0]["pointer"], "/new_password");
    for _ in 0..10 {
        ask(change("a wrong password", NEW))
            .await
            .problem(403, "wrong_password");
    }
    let reply = ask(change(PASSWORD, NEW)).await;
    assert_eq!(reply.headers["retry-after"], "900");
    reply.problem(429, "too_many_attempts");
    app.ask("POST", "/v1/auth/login", "", login(PASSWORD))
        .await
        .problem(429, "too_many_attempts");
    app.ask("POST", "/v1/me/password", "", change(PASSWORD, NEW))
        .await
        .problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_signed_token_of_nobody_is_refused_everywhere() {
    let app = App::new().await;
    let (_, organization, project) = app.owner("ada@example.com").await;
    let nobody = AccessTokens::new(&[7; 32])
        .issue(Uuid::from_u128(1), Uuid::from_u128(2), app.clock.now_ms())
        .unwrap();
    for path in [
        "/v1/me",
        "/v1/organizations",
        "/v1/projects",
        &format!("/v1/projects/{project}"),
    ] {
        app.get(path, &nobody).await.problem(401, "unauthenticated");
    }
    for (path, body) in [
        ("/v1/organizations", json!({"name": "Acme"})),
        (
            "/v1/projects",
            json!({"organization_id": organization, "name": "Shop"}),
        ),
        ("/v1/me/password", change(PASSWORD, NEW)),
    ] {
        app.ask("POST", path, &nobody, body)
            .await
            .problem(401, "unauthenticated");
    }
}
