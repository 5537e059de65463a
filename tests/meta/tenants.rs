//! Nobody reaches what belongs to others, and each role may do what it may.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::app::{App, text};

/// An operation of the document, ready to be asked: ids filled in, required parameters and body from its examples.
struct Operation {
    method: String,
    path: String,
    body: Value,
}

/// Every operation of the document below `prefix` with this id.
fn operations(document: &Value, prefix: &str, id: &str) -> Vec<Operation> {
    let nothing = "019ab2c4-0000-7000-8000-000000000000";
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        if !path.starts_with(prefix) {
            continue;
        }
        for (method, operation) in item.as_object().unwrap() {
            let mut filled = path.replace("{id}", id);
            let mut separator = '?';
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap();
                if parameter["in"] == "path" {
                    filled = filled.replace(&format!("{{{name}}}"), nothing);
                } else if parameter["required"] == true {
                    let example = &parameter["example"];
                    let example = example
                        .as_str()
                        .map_or_else(|| example.to_string(), str::to_owned);
                    filled.push_str(&format!("{separator}{name}={example}"));
                    separator = '&';
                }
            }
            found.push(Operation {
                method: method.to_uppercase(),
                path: filled,
                body: example_body(document, operation),
            });
        }
    }
    found
}

/// The example of an operation's body: its own or its schema's. Null without a body.
fn example_body(document: &Value, operation: &Value) -> Value {
    let media = &operation["requestBody"]["content"]["application/json"];
    if media.is_null() {
        return Value::Null;
    }
    let schema = match media["schema"]["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => &media["schema"],
    };
    let example = [&media["example"], &schema["example"], &schema["examples"][0]]
        .into_iter()
        .find(|example| !example.is_null());
    example
        .unwrap_or_else(|| panic!("a body without an example: {}", operation["operationId"]))
        .clone()
}

#[tokio::test]
async fn another_tenants_project_looks_like_no_project_on_every_route() {
    let app = App::with_signup(true).await;
    let (_, organization, project) = app.owner("ada@example.com").await;
    let (eve, _, own) = app.owner("eve@example.com").await;
    let key = app
        .ask(
            "POST",
            &format!("/v1/projects/{own}/keys"),
            &eve,
            json!({"kind": "secret", "name": "Report"}),
        )
        .await
        .expect(201);
    let document = serde_json::to_value(footfall::api::document()).unwrap();
    let mut tried = 0;
    for Operation { method, path, body } in operations(&document, "/v1/projects/{id}", &project)
        .into_iter()
        .chain(operations(&document, "/v1/organizations/{id}", &organization))
    {
        for credential in [&eve, &text(&key["key"])] {
            let reply = app.ask(&method, &path, credential, body.clone()).await;
            assert_eq!(reply.status, 404, "{method} {path}: {}", reply.body);
        }
        // Also the proof that the route exists and the 404 above was about the project.
        app.ask(&method, &path, "", body)
            .await
            .problem(401, "unauthenticated");
        tried += 1;
    }
    assert!(tried >= 10, "{tried} operations");
    assert_eq!(
        app.get("/v1/projects", &eve).await.expect(200)["data"][0]["id"],
        json!(own)
    );
    assert_eq!(
        app.get("/v1/me", &eve).await.expect(200)["projects"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let into_foreign = json!({"organization_id": organization, "name": "Trojan", "timezone": "UTC"});
    app.ask("POST", "/v1/projects", &eve, into_foreign)
        .await
        .problem(404, "not_found");
}

#[tokio::test]
async fn each_role_may_do_what_it_may_and_no_more() {
    let app = App::new().await;
    let (owner, organization, project) = app.owner("ada@example.com").await;
    let (admin, _) = app
        .member(&owner, &organization, "admin@example.com", "admin")
        .await;
    let (member, _) = app
        .member(&owner, &organization, "member@example.com", "member")
        .await;
    let (viewer, _) = app
        .member(&owner, &organization, "viewer@example.com", "viewer")
        .await;
    let (_, other_admin) = app
        .member(&owner, &organization, "second@example.com", "admin")
        .await;
    let me = app.get("/v1/me", &owner).await.expect(200);
    let owner_id = text(&me["user"]["id"]);
    let key = json!({"kind": "write", "name": "Blog"});
    let create = json!({"organization_id": organization, "name": "Blog"});
    let members = format!("/v1/organizations/{organization}/members");
    let other = |id: &str| format!("{members}/{id}");
    let projects = format!("/v1/projects/{project}");
    // What is asked, and the answers to viewer, member, admin, owner.
    let table: Vec<(&str, String, Value, [u16; 4])> = vec![
        ("GET", projects.clone(), Value::Null, [200, 200, 200, 200]),
        (
            "GET",
            format!("{projects}/keys"),
            Value::Null,
            [200, 200, 200, 200],
        ),
        ("GET", members.clone(), Value::Null, [200, 200, 200, 200]),
        (
            "PATCH",
            projects.clone(),
            json!({"name": "Shop"}),
            [403, 403, 200, 200],
        ),
        ("POST", format!("{projects}/keys"), key, [403, 403, 201, 201]),
        ("POST", "/v1/projects".to_owned(), create, [403, 403, 201, 201]),
        (
            "POST",
            members.clone(),
            json!({"email": "second@example.com", "role": "viewer"}),
            [403, 403, 409, 409],
        ),
        (
            "POST",
            members.clone(),
            json!({"email": "second@example.com", "role": "owner"}),
            [403, 403, 403, 409],
        ),
        (
            "PATCH",
            other(&other_admin),
            json!({"role": "member"}),
            [403, 403, 200, 200],
        ),
        (
            "PATCH",
            other(&other_admin),
            json!({"role": "owner"}),
            [403, 403, 403, 200],
        ),
        (
            "PATCH",
            other(&owner_id),
            json!({"role": "owner"}),
            [403, 403, 403, 200],
        ),
        ("DELETE", other(&owner_id), Value::Null, [403, 403, 403, 204]),
    ];
    for (method, path, body, answers) in table {
        for (token, status) in [&viewer, &member, &admin, &owner].into_iter().zip(answers) {
            let reply = app.ask(method, &path, token, body.clone()).await;
            assert_eq!(reply.status, status, "{method} {path} {body}: {}", reply.body);
        }
    }
    app.get(&projects, &owner).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_member_may_leave_and_is_out_at_once_but_the_last_owner_may_not() {
    let app = App::new().await;
    let (owner, organization, project) = app.owner("ada@example.com").await;
    let (viewer, viewer_id) = app.member(&owner, &organization, "v@example.com", "viewer").await;
    let path = format!("/v1/organizations/{organization}/members/{viewer_id}");
    app.ask("DELETE", &path, &viewer, Value::Null).await.expect(204);
    app.get(&format!("/v1/projects/{project}"), &viewer)
        .await
        .problem(404, "not_found");
    let me = app.get("/v1/me", &owner).await.expect(200);
    let path = format!(
        "/v1/organizations/{organization}/members/{}",
        text(&me["user"]["id"])
    );
    app.ask("DELETE", &path, &owner, Value::Null)
        .await
        .problem(409, "last_owner");
    app.ask("PATCH", &path, &owner, json!({"role": "admin"}))
        .await
        .problem(409, "last_owner");
}

#[tokio::test]
async fn a_secret_key_reads_its_project_from_servers_only_and_stops_when_revoked() {
    let app = App::new().await;
    let (owner, _, project) = app.owner("ada@example.com").await;
    let keys = format!("/v1/projects/{project}/keys");
    let created = app
        .ask("POST", &keys, &owner, json!({"kind": "secret", "name": "Report"}))
        .await
        .expect(201);
    let (secret, path) = (text(&created["key"]), format!("/v1/projects/{project}"));
    let seen = app.get(&path, &secret).await.expect(200);
    assert_eq!((&seen["role"], &seen["id"]), (&json!("viewer"), &json!(project)));
    assert_eq!(
        app.get("/v1/projects", &secret).await.expect(200)["data"][0]["id"],
        json!(project)
    );
    app.ask("PATCH", &path, &secret, json!({"name": "x"}))
        .await
        .problem(403, "forbidden");
    app.get("/v1/me", &secret).await.problem(403, "forbidden");
    let header = Request::get(&path).header("x-api-key", &secret);
    app.send(header.body(Body::empty()).unwrap()).await.expect(200);
    let browser = Request::get(&path)
        .header("authorization", format!("Bearer {secret}"))
        .header("origin", "https://shop.example");
    app.send(browser.body(Body::empty()).unwrap())
        .await
        .problem(403, "secret_key_in_browser");
    app.get(&path, &text(&seen["write_key"]))
        .await
        .problem(403, "forbidden");
    let listed = app.get(&keys, &owner).await.expect(200);
    let shown = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kind"] == "secret")
        .unwrap();
    assert_eq!(shown["key"], Value::Null);
    assert_eq!(shown["last_used_at"], "2026-11-23T10:15:00Z");
    let revoke = format!("{keys}/{}", text(&created["id"]));
    app.ask("DELETE", &revoke, &owner, Value::Null).await.expect(204);
    app.get(&path, &secret).await.problem(401, "unauthenticated");
    app.ask("DELETE", &revoke, &owner, Value::Null)
        .await
        .problem(404, "not_found");
}

#[tokio::test]
async fn a_new_zone_is_announced_and_a_deleted_project_is_gone() {
    let app = App::new().await;
    let (owner, _, project) = app.owner("ada@example.com").await;
    let path = format!("/v1/projects/{project}");
    let changed = app
        .ask("PATCH", &path, &owner, json!({"timezone": "asia/tokyo"}))
        .await
        .expect(200);
    assert_eq!(changed["timezone"], "Asia/Tokyo");
    {
        let announced = app.zone_changes.lock().unwrap();
        assert_eq!((announced.len(), announced[0].zone.name()), (1, "Asia/Tokyo"));
    }
    assert!(
        app.meta.pending_zone_changes().await.unwrap().is_empty(),
        "the rebuild was queued"
    );
    let unknown = app
        .ask("PATCH", &path, &owner, json!({"timezone": "Mars/Olympus"}))
        .await;
    assert_eq!(
        unknown.problem(422, "invalid_field")["errors"][0]["pointer"],
        "/timezone"
    );
    let unconfirmed = app.ask("DELETE", &path, &owner, Value::Null).await;
    assert_eq!(
        unconfirmed.problem(422, "invalid_field")["errors"][0]["pointer"],
        "?confirm"
    );
    app.ask("DELETE", &format!("{path}?confirm=Web+shop"), &owner, Value::Null)
        .await
        .expect(204);
    app.get(&path, &owner).await.problem(404, "not_found");
    assert_eq!(
        app.get("/v1/projects", &owner).await.expect(200)["data"],
        json!([])
    );
}
