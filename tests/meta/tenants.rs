//! Each role may do what it may. That nobody reaches what belongs to others is tested over all routes in `tests/it`.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::app::{App, text};

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
        // What erases for good is for owners.
        (
            "PATCH",
            projects.clone(),
            json!({"retention_months": 12}),
            [403, 403, 403, 200],
        ),
        (
            "PATCH",
            projects.clone(),
            json!({"retention_months": 24}),
            [403, 403, 200, 200],
        ),
        ("DELETE", projects.clone(), Value::Null, [403, 403, 403, 422]),
        (
            "GET",
            format!("{projects}/erasures"),
            Value::Null,
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
