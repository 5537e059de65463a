//! Whatever is wrong with a request, the answer is a problem document that names it.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::app::{App, Reply};

async fn post_login(app: &App, content_type: &str, body: &str) -> Reply {
    let request = Request::post("/v1/auth/login").header("content-type", content_type);
    app.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn a_bad_body_is_refused_with_what_is_wrong_and_where() {
    let app = App::new().await;
    let problem = post_login(&app, "application/json", "{\"email\": }")
        .await
        .problem(400, "malformed_json");
    assert!(
        problem["detail"].as_str().unwrap().contains("line 1 column 11"),
        "{problem}"
    );
    post_login(&app, "application/json", "")
        .await
        .problem(400, "malformed_json");
    post_login(&app, "application/json", "{} {}")
        .await
        .problem(422, "invalid_field");
    post_login(&app, "text/plain", "{}")
        .await
        .problem(415, "unsupported_media_type");
    let huge = format!("\"{}\"", "x".repeat(3_000_000));
    post_login(&app, "application/json", &huge)
        .await
        .problem(413, "body_too_large");
    let cases = [
        (json!({"password": "x"}), "/email", "missing_field"),
        (json!({"email": 5, "password": "x"}), "/email", "wrong_type"),
        (
            json!({"email": "a", "password": "x", "pin": 1}),
            "/pin",
            "unknown_field",
        ),
        (json!([]), "/email", "missing_field"),
    ];
    for (body, pointer, code) in cases {
        let problem = post_login(&app, "application/json; charset=utf-8", &body.to_string()).await;
        let problem = problem.problem(422, "invalid_field");
        let error = &problem["errors"][0];
        if body.is_object() {
            assert_eq!(
                (&error["pointer"], &error["code"]),
                (&json!(pointer), &json!(code)),
                "{problem}"
            );
        }
        assert!(!error["detail"].as_str().unwrap().contains("line 1"), "{problem}");
    }
}

#[tokio::test]
async fn a_bad_query_names_the_parameter() {
    let app = App::new().await;
    let (owner, ..) = app.owner("ada@example.com").await;
    let cases = [
        ("limit=0", "?limit", "out_of_range"),
        ("limit=1001", "?limit", "out_of_range"),
        ("limit=many", "?limit", "wrong_type"),
        ("cursor=zzz", "?cursor", "unknown_cursor"),
        ("limt=5", "?limt", "unknown_field"),
    ];
    for (query, pointer, code) in cases {
        let problem = app
            .get(&format!("/v1/projects?{query}"), &owner)
            .await
            .problem(422, "invalid_field");
        let error = &problem["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["code"]),
            (&json!(pointer), &json!(code)),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn an_unknown_route_a_wrong_method_and_a_malformed_id_are_problems_too() {
    let app = App::new().await;
    let (owner, ..) = app.owner("ada@example.com").await;
    app.get("/v1/nothing/here", &owner)
        .await
        .problem(404, "not_found");
    app.get("/v1/projects/", &owner).await.problem(404, "not_found");
    app.get("/v1/projects/42", &owner).await.problem(404, "not_found");
    app.get("/v1/projects/42/nothing", &owner)
        .await
        .problem(404, "not_found");
    let reply = app.ask("PUT", "/v1/me", &owner, Value::Null).await;
    let allow = reply.headers["allow"].to_str().unwrap().to_owned();
    reply.problem(405, "method_not_allowed");
    assert!(allow.contains("GET"), "{allow}");
    assert_eq!(
        app.get("/v1/me", &owner).await.headers["cache-control"],
        "no-store"
    );
}

#[tokio::test]
async fn a_list_is_walked_by_its_cursor() {
    let app = App::new().await;
    let (owner, _, project) = app.owner("ada@example.com").await;
    let keys = format!("/v1/projects/{project}/keys");
    for n in 0..4 {
        app.ask(
            "POST",
            &keys,
            &owner,
            json!({"kind": "write", "name": format!("Key {n}")}),
        )
        .await
        .expect(201);
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app
            .get(&format!("{keys}?limit=2{cursor}"), &owner)
            .await
            .expect(200);
        names.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|key| key["name"].to_string()),
        );
        assert_eq!(
            page["has_more"].as_bool().unwrap(),
            page["next_cursor"].is_string()
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 5);
}

#[tokio::test]
async fn the_document_describes_every_operation() {
    let document = serde_json::to_value(footfall::api::document()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let known: Vec<&Value> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| &tag["name"])
        .collect();
    let mut ids = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            ids.push(operation["operationId"].as_str().expect(&place));
            assert!(operation["summary"].is_string(), "{place} has no summary");
            assert!(
                known.contains(&&operation["tags"][0]),
                "{place} has an unknown tag"
            );
            if operation["security"] != json!([{}]) {
                for status in ["401", "403"] {
                    assert!(
                        operation["responses"][status].is_object(),
                        "{place} hides its {status}"
                    );
                }
            }
            let not_found = operation["responses"]["404"].is_object();
            assert!(not_found || !path.contains('{'), "{place} hides its 404");
        }
    }
    let named = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), named, "operationIds are unique");
}
