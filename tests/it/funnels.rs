//! What a funnel tells besides its numbers: who is behind them, why they went no further, and what it refuses.

use serde_json::{Value, json};

use crate::harness::World;

const START: i64 = 1_793_491_200_000;

#[tokio::test]
async fn actors_are_the_charts_number_page_by_page_and_say_why_they_stopped() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    let project = world.project(&owner, "shop", "UTC").await;
    let mut events = Vec::new();
    let mut did = |who: &str, what: &str, second: i64| {
        events.push(json!({"event": what, "distinct_id": who, "timestamp": START + second * 1000}));
    };
    for n in 0..5 {
        did(&format!("buyer{n}"), "view", n);
        did(&format!("buyer{n}"), "buy", n + 30);
    }
    did("late", "view", 0);
    did("late", "buy", 70);
    did("left", "view", 0);
    did("left", "leave", 10);
    did("left", "buy", 20);
    did("only", "view", 0);
    world.at(START + 86_400_000);
    world.send(&project.write, json!(events)).await;
    world.settle(world.rooms.clock.now_ms()).await;

    let ask = async |more: Value| {
        let mut question = json!({"kind": "funnel", "steps": [{"event": "view"}, {"event": "buy"}], "window": "1m",
            "from": "2026-11-01", "to": "2026-11-02", "exclusions": [{"event": "leave"}]});
        for (name, value) in more.as_object().expect("members") {
            question[name] = value.clone();
        }
        world
            .ask("POST", &project.path("/query"), &project.secret, question)
            .await
            .expect(200)
    };
    let chart = ask(json!({"why_not": true})).await;
    assert_eq!(chart["data"]["steps"][0]["dropped"], 3);
    let reasons = json!([{"reason": "step_missing", "count": 1}, {"reason": "window_over", "count": 1},
        {"reason": "excluded", "count": 1}]);
    assert_eq!(chart["data"]["why_not"], reasons);

    let (mut found, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let mut actors = json!({"step": 1, "outcome": "dropped", "limit": 2});
        if cursor != Value::Null {
            actors["cursor"] = cursor;
        }
        let page = ask(json!({"why_not": true, "actors": actors})).await;
        let page = &page["data"]["actors"];
        assert_eq!(page["total"], 3);
        found.extend(page["actors"].as_array().expect("actors").clone());
        cursor = page["next"].clone();
        if cursor == Value::Null {
            break;
        }
    }
    let mut reasons: Vec<(&str, &str)> = found
        .iter()
        .map(|actor| {
            let text = |value: &'static str| actor.pointer(value).and_then(Value::as_str).expect("a text");
            (text("/distinct_id"), text("/why_not/reason"))
        })
        .collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [
            ("late", "window_over"),
            ("left", "excluded"),
            ("only", "step_missing")
        ]
    );
    let late = found
        .iter()
        .find(|actor| actor["distinct_id"] == "late")
        .expect("late");
    assert_eq!(late["why_not"]["over_by_ms"], 10_000);

    let converted = ask(json!({"actors": {"step": 2, "limit": 1000}})).await;
    let converted = &converted["data"]["actors"];
    assert_eq!(
        (converted["total"].as_u64(), converted["next"].clone()),
        (Some(5), Value::Null)
    );
    assert_eq!(converted["actors"].as_array().map(Vec::len), Some(5));
    world.close().await;
}
