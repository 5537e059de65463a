//! What a question would ask of ClickHouse.

use serde_json::{Value, json};

use crate::harness::{World, text};

#[tokio::test]
async fn a_question_is_explained_by_its_statements_and_what_they_read() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let events = (0..50).map(|i| json!({"event": "a", "user_id": format!("u{i}")}));
    world.store(&shop.write, events.collect()).await;
    let path = shop.path("/query?explain=true");
    let questions = [
        json!({"kind": "active_users"}),
        json!({"kind": "active_users", "exact": true}),
        json!({"kind": "trends", "events": ["a"]}),
        json!({"kind": "funnel", "steps": [{"event": "a"}, {"event": "it's"}]}),
        json!({"kind": "conversion", "after": "a", "goal": "b"}),
    ];
    for question in questions {
        let reply = world.ask("POST", &path, &shop.secret, question.clone()).await;
        let explained = reply.expect(200);
        assert_eq!(explained["kind"], "explanation");
        let statements = explained["statements"].as_array().expect("statements");
        let mut rows = 0;
        for statement in statements {
            let sql = text(&statement["sql"]);
            assert!(sql.starts_with("SELECT"), "{sql}");
            assert!(sql.contains("project = {project:UInt32}"), "{sql}");
            assert_eq!(statement["parameters"]["project"], shop.number.to_string());
            assert!(!sql.contains("it's"), "a value is a parameter");
            for read in statement["reads"].as_array().expect("tables") {
                rows += read["rows"].as_u64().expect("rows");
            }
        }
        assert_eq!(explained["rows"], rows, "{explained}");
        assert!(rows > 0, "{question}: {explained}");
        // Nothing of it is taken for an answer.
        let plain = shop.path("/query");
        let answer = world.ask("POST", &plain, &shop.secret, question.clone()).await;
        let answer = answer.expect(200);
        assert_eq!(answer["kind"], question["kind"]);
        assert!(!answer["data"].to_string().is_empty());
    }
    let funnel = json!({"kind": "funnel", "steps": [{"event": "a"}, {"event": "a"}], "window": "1s"});
    let reply = world
        .ask("POST", &shop.path("/query"), &shop.secret, funnel)
        .await;
    assert_eq!(reply.expect(200)["data"]["steps"][0]["reached"], 50);
    world.close().await;
}

#[tokio::test]
async fn an_explanation_is_refused_like_the_question() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let other = world.owner("eve@example.com", "UTC").await;
    let path = shop.path("/query?explain=true");
    let ask = |credential: String, question: Value| {
        let (world, path) = (&world, &path);
        async move { world.ask("POST", path, &credential, question).await }
    };
    let trend = json!({"kind": "trends", "events": ["a"]});
    ask(other.secret, trend.clone()).await.problem(404, "not_found");
    ask(String::new(), trend).await.problem(401, "unauthenticated");
    let none = json!({"kind": "trends", "events": []});
    ask(shop.secret.clone(), none).await.problem(422, "invalid_field");
    world.close().await;
}
