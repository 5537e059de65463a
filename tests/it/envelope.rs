//! What an answer says about itself: how fresh and how complete it is, and what it costs.

use serde_json::{Value, json};

use crate::harness::{NOW, World};

const HOUR: i64 = 3_600_000;

#[tokio::test]
async fn an_answer_says_whether_it_is_complete_and_how_fresh_it_is() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let view = json!({"event": "page_view", "user_id": "ann"});
    world.store(&shop.write, view.clone()).await;
    let paths = |to: &str| {
        let range = format!("from=2026-11-20&to={to}");
        [
            format!("/active-users?{range}"),
            format!("/trends?event=page_view&{range}"),
            format!("/funnels?step=page_view&step=page_view&{range}"),
            format!("/conversion?after=page_view&goal=page_view&{range}"),
            format!("/events/names?{range}"),
        ]
    };
    let metas = async |to: &str| {
        let mut metas = Vec::new();
        for path in paths(to) {
            let reply = world.get(&shop.path(&path), &shop.secret).await;
            metas.push(reply.expect(200)["meta"].clone());
        }
        metas
    };
    // A request that was received within the last five seconds may not be in the stream yet.
    for meta in metas("2026-11-24").await {
        assert_eq!(meta["complete"], false, "the range is open: {meta}");
        assert_eq!(meta["as_of"], "2026-11-23T10:14:55Z");
        assert_eq!((&meta["warnings"], &meta["cached"]), (&json!([]), &json!(false)));
        assert_eq!(meta["timezone"], "UTC");
        assert!(meta["rows_read"].is_u64() && meta["elapsed_ms"].is_number());
    }
    for meta in metas("2026-11-23").await {
        assert_eq!(meta["complete"], true, "the range is over: {meta}");
    }

    // What was taken is not in the tables: nothing that ends later can be complete.
    world.send(&shop.write, view).await;
    world.at(NOW + 24 * HOUR);
    for meta in metas("2026-11-24").await {
        assert_eq!(
            meta["complete"], false,
            "an event of the range is on its way: {meta}"
        );
        assert_eq!(meta["as_of"], "2026-11-23T10:15:00Z");
        assert_eq!(meta["warnings"][0]["code"], "events_pending");
    }
    world.deliver().await;
    for meta in metas("2026-11-24").await {
        assert_eq!((&meta["complete"], &meta["warnings"]), (&json!(true), &json!([])));
        assert_eq!(meta["as_of"], "2026-11-24T10:14:55Z");
    }
    world.close().await;
}

#[tokio::test]
async fn only_an_answer_from_sketches_is_approximate() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    world
        .store(&shop.write, json!({"event": "page_view", "user_id": "ann"}))
        .await;
    let meta = async |path: &str| {
        let reply = world.get(&shop.path(path), &shop.secret).await;
        let meta = reply.expect(200)["meta"].clone();
        (meta["approximate"].clone(), meta["error"].clone())
    };
    assert_eq!(meta("/active-users").await, (json!(true), json!(0.0081)));
    assert_eq!(
        meta("/active-users?exact=true").await,
        (json!(false), Value::Null)
    );
    assert_eq!(meta("/trends?event=page_view").await, (json!(false), Value::Null));
    world.close().await;
}

#[tokio::test]
async fn another_projects_backlog_is_no_business_of_this_one() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let busy = world.owner("eve@example.com", "UTC").await;
    let events = vec![json!({"event": "page_view", "user_id": "u"}); 37];
    world.send(&busy.write, Value::Array(events)).await;
    let reply = world.get(&shop.path("/active-users"), &shop.secret).await;
    assert!(!reply.text().contains("37"), "{}", reply.text());
    world.deliver().await;
    world.close().await;
}

#[tokio::test]
async fn a_name_that_never_happened_is_warned_of_until_it_does() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let other = world.owner("eve@example.com", "UTC").await;
    world
        .store(&shop.write, json!({"event": "buy", "user_id": "ann"}))
        .await;
    // Another project's names are none of this one's.
    world
        .store(&other.write, json!({"event": "byu", "user_id": "ann"}))
        .await;
    let warned = |meta: &Value| -> Vec<String> {
        let warnings = meta["warnings"].as_array().expect("warnings").iter();
        let unknown = warnings.filter(|warning| warning["code"] == "unknown_event");
        unknown.map(|warning| warning["detail"].to_string()).collect()
    };
    let paths = [
        "/trends?event=byu",
        "/active-users?event=byu",
        "/funnels?step=buy&step=byu",
        "/conversion?goal=byu",
        "/retention?return=byu",
        "/lifecycle?event=byu",
        "/stickiness?event=byu",
        "/paths?anchor=byu",
    ];
    let all = async |expected: usize| {
        for path in paths {
            // A remembered answer says it too.
            for _ in 0..2 {
                let reply = world.get(&shop.path(path), &shop.secret).await.expect(200);
                let said = warned(&reply["meta"]);
                assert_eq!(said.len(), expected, "{path}: {said:?}");
                assert!(
                    said.iter()
                        .all(|said| said.contains("\\\"byu\\\"") && !said.contains("buy"))
                );
            }
        }
    };
    all(1).await;
    // What is asked about the past is judged by what is known now.
    let path = shop.path("/query?as_of=2026-11-22");
    let question = json!({"kind": "funnel", "steps": [{"event": "buy"}, {"event": "buy"}],
        "exclusions": [{"event": "no"}, {"event": "nay"}]});
    let reply = world.ask("POST", &path, &shop.secret, question).await.expect(200);
    assert!(
        warned(&reply["meta"])[0].contains(r#"\"no\", \"nay\": is"#),
        "{reply}"
    );
    // No name, nothing to warn of; nor where the name is what a filter compares with.
    let filter = json!({"event_name": true, "value": "byu"});
    for question in [
        json!({"kind": "active_users"}),
        json!({"kind": "sessions", "filter": filter}),
    ] {
        let reply = world
            .ask("POST", &shop.path("/query"), &shop.secret, question)
            .await;
        assert_eq!(warned(&reply.expect(200)["meta"]), [""; 0]);
    }
    world
        .store(&shop.write, json!({"event": "byu", "user_id": "ann"}))
        .await;
    all(0).await;
    world.close().await;
}
