//! Nobody reaches what belongs to others.

use serde_json::{Value, json};

use crate::harness::World;

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
    for (path, item) in document["paths"].as_object().expect("paths") {
        if !path.starts_with(prefix) {
            continue;
        }
        for (method, operation) in item.as_object().expect("methods") {
            let mut filled = path.replace("{id}", id);
            let mut separator = '?';
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().expect("a name");
                if parameter["in"] == "path" {
                    filled = filled.replace(&format!("{{{name}}}"), nothing);
                } else if parameter["required"] == true {
                    filled.push_str(&format!("{separator}{name}=a"));
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
        Some(reference) => document
            .pointer(reference.trim_start_matches('#'))
            .expect("a schema"),
        None => &media["schema"],
    };
    let example = [&media["example"], &schema["example"], &schema["examples"][0]];
    let example = example.into_iter().find(|example| !example.is_null());
    example
        .unwrap_or_else(|| panic!("a body without an example: {}", operation["operationId"]))
        .clone()
}

#[tokio::test]
async fn another_tenants_project_looks_like_no_project_on_every_route() {
    let world = World::new().await;
    let ada = world.owner("ada@example.com", "UTC").await;
    let eve = world.owner("eve@example.com", "UTC").await;
    let document = serde_json::to_value(footfall::api::document()).expect("JSON");
    let mut tried = 0;
    for Operation { method, path, body } in operations(&document, "/v1/projects/{id}", &ada.project)
        .into_iter()
        .chain(operations(&document, "/v1/organizations/{id}", &ada.organization))
    {
        for credential in [&eve.token, &eve.secret] {
            let reply = world.ask(&method, &path, credential, body.clone()).await;
            assert_eq!(reply.status, 404, "{method} {path}: {}", reply.text());
            reply.problem(404, "not_found");
        }
        // Also the proof that the route exists and the 404 above was about the project.
        let reply = world.ask(&method, &path, "", body.clone()).await;
        reply.problem(401, "unauthenticated");
        let reply = world.ask(&method, &path, "ffs_live_nonsense", body).await;
        reply.problem(401, "unauthenticated");
        tried += 1;
    }
    assert!(tried >= 18, "{tried} operations");
    let projects = world.get("/v1/projects", &eve.token).await.expect(200);
    assert_eq!(
        (
            projects["data"].as_array().map(Vec::len),
            &projects["data"][0]["id"]
        ),
        (Some(1), &json!(eve.project))
    );
    let me = world.get("/v1/me", &eve.token).await.expect(200);
    assert_eq!(me["projects"].as_array().map(Vec::len), Some(1));
    let into_foreign = json!({"organization_id": ada.organization, "name": "Trojan", "timezone": "UTC"});
    world
        .ask("POST", "/v1/projects", &eve.token, into_foreign)
        .await
        .problem(404, "not_found");
    world.close().await;
}

#[tokio::test]
async fn no_answer_includes_rows_of_another_project_with_the_same_people_and_names() {
    let world = World::new().await;
    let ada = world.owner("ada@example.com", "UTC").await;
    let eve = world.owner("eve@example.com", "UTC").await;
    let blog = world.project(&ada, "Blog", "UTC").await;
    let visit = |people: usize, mark: &str| -> Value {
        let each = (0..people).flat_map(|n| {
            ["view", "buy"].map(
                |event| json!({"event": event, "user_id": format!("u{n}"), "properties": {"mark": mark}}),
            )
        });
        each.collect()
    };
    // The same ids of events too: they are a project's own.
    let id = "0193c2a4-7c1e-7b5e-9f43-2f1f6a0c9d11";
    for (tenant, people) in [(&ada, 5), (&eve, 3), (&blog, 1)] {
        world.send(&tenant.write, visit(people, &tenant.project)).await;
        world
            .send(&tenant.write, json!({"event": "same", "user_id": "u0", "id": id}))
            .await;
    }
    world.deliver().await;
    for round in ["fresh", "rolled up"] {
        for (tenant, people) in [(&ada, 5), (&eve, 3), (&blog, 1)] {
            let ask = async |path: &str| world.get(&tenant.path(path), &tenant.secret).await;
            for path in ["/active-users", "/active-users?exact=true"] {
                let active = ask(path).await.expect(200);
                assert_eq!(active["data"]["summary"]["active"], people, "{round} {path}");
            }
            let trend = ask("/trends?event=view&event=same").await.expect(200);
            let series = &trend["data"]["series"];
            assert_eq!(
                (&series[0]["total"], &series[1]["total"]),
                (&json!(people), &json!(1)),
                "{round}"
            );
            let funnel = ask("/funnels?step=view&step=buy").await.expect(200);
            assert_eq!(funnel["data"]["overall"]["converted"], people, "{round}");
            let conversion = ask("/conversion?after=view&goal=buy").await.expect(200);
            assert_eq!(conversion["data"]["total"]["entered"], people, "{round}");
            let names = ask("/events/names").await.expect(200);
            assert_eq!(names["data"]["events"][0]["count"], people, "{round}");
            let list = ask("/events").await.expect(200);
            let list = list["data"].as_array().expect("events").clone();
            let export = ask("/export").await.lines();
            for rows in [list, export] {
                assert_eq!(rows.len() as u64, 2 * people + 1, "{round}");
                let marks = rows.iter().map(|row| &row["properties"]["mark"]);
                assert!(
                    marks
                        .into_iter()
                        .all(|mark| mark.is_null() || *mark == tenant.project),
                    "{round}"
                );
            }
        }
        world.settle(world.rooms.clock.now_ms()).await;
    }
    world.close().await;
}

#[tokio::test]
async fn a_deleted_project_answers_nothing_and_its_events_are_refused() {
    let world = World::new().await;
    let ada = world.owner("ada@example.com", "UTC").await;
    let blog = world.project(&ada, "Blog", "UTC").await;
    world
        .store(&blog.write, json!({"event": "view", "user_id": "ann"}))
        .await;
    let path = blog.path("?confirm=Blog");
    world
        .ask("DELETE", &path, &ada.token, Value::Null)
        .await
        .expect(204);
    world.rooms.keys.refresh().await.expect("keys");
    world
        .get(&blog.path("/events"), &ada.token)
        .await
        .problem(404, "not_found");
    world
        .get(&blog.path("/events"), &blog.secret)
        .await
        .problem(401, "unauthenticated");
    let event = json!({"event": "view", "user_id": "ann"}).to_string();
    world.post(&blog.write, event).await.problem(401, "unknown_key");
    let next = world.project(&ada, "Blog", "UTC").await;
    assert_ne!(next.number, blog.number, "a number would bring the old rows back");
    let names = world
        .get(&next.path("/events/names"), &next.secret)
        .await
        .expect(200);
    assert_eq!(names["data"]["events"], json!([]));
    world.close().await;
}
