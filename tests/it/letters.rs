//! Dead letters over HTTP: seen by whoever reads the project, replayed and discarded by its admins.

use serde_json::{Value, json};

use crate::harness::{Tenant, World, text};

/// A tenant with three letters, and what became of the events that ClickHouse took.
async fn refused(world: &World) -> Tenant {
    world
        .sql("ALTER TABLE events ADD CONSTRAINT poison CHECK event != 'poison'")
        .await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let events: Vec<Value> = (0..9)
        .map(|n| {
            json!({"event": if n % 3 == 0 { "poison" } else { "view" }, "user_id": format!("u-{n}"),
            "properties": {"n": n, "plan": "club"}})
        })
        .collect();
    world.store(&shop.write, json!(events)).await;
    shop
}

async fn list(world: &World, shop: &Tenant, query: &str) -> Value {
    world
        .get(&shop.path(&format!("/dead-letters{query}")), &shop.secret)
        .await
        .expect(200)
}

#[tokio::test]
async fn refused_events_are_listed_shown_replayed_and_discarded() {
    let world = World::new().await;
    let shop = refused(&world).await;
    let listed = list(&world, &shop, "").await;
    assert_eq!(listed["total"], 3);
    assert_eq!(listed["next_cursor"], Value::Null);
    let items = listed["data"].as_array().expect("items").clone();
    assert_eq!(items.len(), 3);
    assert_eq!(items[0]["event"], "poison");
    assert!(text(&items[0]["message"]).contains("poison"), "{}", items[0]);

    let mut paged = Vec::new();
    let mut query = "?limit=2".to_owned();
    loop {
        let page = list(&world, &shop, &query).await;
        paged.extend(page["data"].as_array().expect("items").clone());
        match page["next_cursor"].as_str() {
            Some(cursor) => query = format!("?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(paged, items);

    let ids: Vec<String> = items.iter().map(|item| text(&item["id"])).collect();
    let at = |id: &str, rest: &str| shop.path(&format!("/dead-letters/{id}{rest}"));
    let whole = world.get(&at(&ids[0], ""), &shop.secret).await.expect(200);
    assert_eq!(whole["id"], items[0]["id"]);
    assert_eq!(whole["event_json"]["properties"]["plan"], "club");

    world.sql("ALTER TABLE events DROP CONSTRAINT poison").await;
    // Twice: the first answer was lost.
    for _ in 0..2 {
        let replayed = world
            .ask("POST", &at(&ids[0], "/replay"), &shop.token, Value::Null)
            .await;
        assert_eq!(replayed.status, 202, "{}", replayed.text());
    }
    let discarded = world
        .ask("DELETE", &at(&ids[1], ""), &shop.token, Value::Null)
        .await;
    assert_eq!(discarded.status, 204);
    world
        .get(&at(&ids[1], ""), &shop.token)
        .await
        .problem(404, "not_found");
    let all = world
        .ask(
            "POST",
            &shop.path("/dead-letters/replay"),
            &shop.token,
            Value::Null,
        )
        .await;
    assert_eq!(all.expect(200), json!({"replayed": 1}));
    world.deliver().await;
    assert_eq!(list(&world, &shop, "").await["total"], 0);
    assert_eq!(world.rows().await, 8, "of nine one was discarded");
    world.close().await;
}

#[tokio::test]
async fn letters_belong_to_their_project_and_only_admins_change_them() {
    let world = World::new().await;
    let shop = refused(&world).await;
    let other = world.owner("eve@example.com", "UTC").await;
    assert_eq!(list(&world, &other, "").await["total"], 0);
    let id = text(&list(&world, &shop, "?limit=1").await["data"][0]["id"]);
    for path in [
        shop.path(&format!("/dead-letters/{id}")),
        shop.path("/dead-letters"),
    ] {
        world.get(&path, &other.token).await.problem(404, "not_found");
    }
    // The id is right, the project is another.
    let foreign = other.path(&format!("/dead-letters/{id}"));
    world.get(&foreign, &other.token).await.problem(404, "not_found");
    for (method, rest) in [("POST", "/replay"), ("DELETE", "")] {
        let path = format!("{foreign}{rest}");
        let reply = world.ask(method, &path, &other.token, Value::Null).await;
        reply.problem(404, "not_found");
        let by_key = shop.path(&format!("/dead-letters/{id}{rest}"));
        let reply = world.ask(method, &by_key, &shop.secret, Value::Null).await;
        reply.problem(403, "forbidden");
    }
    for wrong in ["9-1-1", "nonsense", "0-1-1"] {
        let path = shop.path(&format!("/dead-letters/{wrong}/replay"));
        let reply = world.ask("POST", &path, &shop.token, Value::Null).await;
        reply.problem(404, "not_found");
    }
    let reply = world.get(&shop.path("/dead-letters?limit=0"), &shop.token).await;
    reply.problem(422, "invalid_field");
    let reply = world.get(&shop.path("/dead-letters?cursor=x"), &shop.token).await;
    reply.problem(422, "invalid_field");
    assert_eq!(list(&world, &shop, "").await["total"], 3, "nothing was changed");

    world.sql("ALTER TABLE events DROP CONSTRAINT poison").await;
    let all = world
        .ask(
            "POST",
            &shop.path("/dead-letters/replay"),
            &shop.token,
            Value::Null,
        )
        .await;
    assert_eq!(all.expect(200), json!({"replayed": 3}));
    world.deliver().await;
    world.close().await;
}
