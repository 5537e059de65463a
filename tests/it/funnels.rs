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
    world.store(&project.write, json!(events)).await;

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
    let reasons = ["step_missing", "window_over", "excluded"]
        .map(|reason| json!({"reason": reason, "count": 1, "steps": [{"step": 2, "count": 1}]}));
    let reasons = json!(reasons);
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
    assert_eq!(late["why_not"]["event"], "buy");
    let excluded = json!({"step": 1, "outcome": "not_converted", "reason": "excluded"});
    let page = ask(json!({"why_not": true, "actors": excluded})).await;
    let page = &page["data"]["actors"];
    let named = &page["actors"][0];
    assert_eq!(
        (&page["total"], &named["distinct_id"]),
        (&json!(1), &json!("left"))
    );
    assert_eq!(named["why_not"]["event"], "leave");

    let converted = ask(json!({"actors": {"step": 2, "limit": 1000}})).await;
    let converted = &converted["data"]["actors"];
    assert_eq!(
        (converted["total"].as_u64(), converted["next"].clone()),
        (Some(5), Value::Null)
    );
    assert_eq!(converted["actors"].as_array().map(Vec::len), Some(5));
    world.close().await;
}

#[tokio::test]
async fn who_did_too_much_at_once_is_ordered_and_the_answer_says_so() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let at_once =
        |who: &str, n: usize| vec![json!({"event": "a", "distinct_id": who, "timestamp": START}); n];
    world.store(&shop.write, json!(at_once("ann", 8))).await;
    let question = json!({"kind": "funnel", "steps": [{"events": ["a", "b"]}, {"events": ["b", "a"]}], "tie_ms": 1000,
        "from": "2026-11-01", "to": "2026-11-02"});
    let warned = async || {
        let answer = world
            .ask("POST", &shop.path("/query"), &shop.secret, question.clone())
            .await
            .expect(200);
        let warnings = answer["meta"]["warnings"].as_array().expect("warnings").clone();
        let warned = warnings
            .iter()
            .any(|warning| warning["code"] == "ties_in_total_order");
        (
            warned,
            answer["meta"]["cached"].clone(),
            answer["data"]["overall"]["converted"].clone(),
        )
    };
    assert_eq!(warned().await, (false, json!(false), json!(1)));
    world.store(&shop.write, json!(at_once("ben", 9))).await;
    assert_eq!(warned().await, (true, json!(false), json!(2)));
    assert_eq!(
        warned().await,
        (true, json!(true), json!(2)),
        "a remembered answer says it too"
    );
    world.close().await;
}

#[tokio::test]
async fn in_any_order_who_never_did_the_first_step_counts_within_sessions_too() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    world
        .store(
            &shop.write,
            json!([{"event": "b", "distinct_id": "ann", "timestamp": START}]),
        )
        .await;
    for (window, entity) in [("1d", "person"), ("session", "person"), ("1d", "session")] {
        let question = json!({"kind": "funnel", "order": "any", "steps": [{"event": "a"}, {"event": "b"}],
            "window": window, "entity": entity, "from": "2026-11-01", "to": "2026-11-02"});
        let answer = world
            .ask("POST", &shop.path("/query"), &shop.secret, question)
            .await
            .expect(200);
        assert_eq!(
            answer["data"]["steps"][0]["reached"], 1,
            "window {window}, entity {entity}"
        );
    }
    world.close().await;
}

#[tokio::test]
async fn sessions_of_somebody_who_was_never_silent_are_told_by_all_they_ever_did() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    // One id every 20 hours: a session is cut at the age of 24 hours, so it is two events, from the very first on. The
    // week before the range begins in the middle of one.
    let event = |n: i64| {
        let name = if n == 12 { "a" } else { "b" };
        let at = START + ((n - 12) * 20 + 13) * 3_600_000;
        json!({"event": name, "distinct_id": "ann", "session_id": "s", "timestamp": at})
    };
    world.store(&shop.write, (0..16).map(event).collect()).await;
    let question = json!({"kind": "funnel", "steps": [{"event": "a"}, {"event": "b"}], "window": "session",
        "from": "2026-11-01", "to": "2026-11-02"});
    let answer = world
        .ask("POST", &shop.path("/query"), &shop.secret, question)
        .await
        .expect(200);
    assert_eq!(answer["data"]["overall"]["converted"], 1);
    world.close().await;
}

#[tokio::test]
async fn what_cannot_be_asked_together_is_refused_by_field() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    let exclusion = json!([{"event": "x"}]);
    for (wish, pointer) in [
        (json!({"max_gap": "1h", "exclusions": exclusion}), "/max_gap"),
        (json!({"order": "any", "count": "total"}), "/count"),
        (json!({"order": "any", "hold": [{"property": "plan"}]}), "/hold"),
        (json!({"order": "any", "tie_ms": 5}), "/tie_ms"),
        (json!({"order": "any", "max_gap": "1h"}), "/max_gap"),
        (json!({"view": "sweep", "count": "total"}), "/count"),
        (json!({"view": "sweep", "order": "strict"}), "/order"),
        (json!({"view": "sweep", "window": "session"}), "/window"),
        (json!({"view": "sweep", "preset": "posthog"}), "/on_exclusion"),
        (json!({"entity": "group"}), "/group"),
        (json!({"group": {"property": "team"}}), "/group"),
        (json!({"why_not": true, "count": "total"}), "/why_not"),
        (
            json!({"actors": {"step": 1, "outcome": "dropped", "reason": "excluded"}}),
            "/actors/reason",
        ),
        (json!({"tie_ms": 60_001}), "/tie_ms"),
        (json!({"attribution": "step:9"}), "/attribution"),
        (json!({"actors": {"step": 3}}), "/actors/step"),
        (json!({"actors": {"step": 1, "limit": 1001}}), "/actors/limit"),
        (json!({"actors": {"step": 1, "cursor": "here"}}), "/actors/cursor"),
        (
            json!({"exclusions": [{"event": "x", "after": 2, "before": 2}]}),
            "/exclusions/0/before",
        ),
        (
            json!({"windows": ["1h"], "view": "sweep", "window": "0s"}),
            "/window",
        ),
    ] {
        let mut question = json!({"kind": "funnel", "steps": [{"event": "a"}, {"event": "b"}]});
        for (name, value) in wish.as_object().expect("members") {
            question[name] = value.clone();
        }
        let path = owner.path("/query");
        let refused = world
            .ask("POST", &path, &owner.secret, question)
            .await
            .expect(422);
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{wish}: {refused}");
    }
    world.close().await;
}
