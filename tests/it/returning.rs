//! Retention, lifecycle and days of activity of a few people whom a reader can follow.

use serde_json::{Value, json};

use crate::harness::World;

/// Who did what when, and on which plan.
const EVENTS: [(&str, &str, &str, Option<&str>); 9] = [
    ("ada", "sign_up", "2026-11-02T09:00:00Z", Some("club")),
    ("ada", "buy", "2026-11-02T10:00:00Z", None),
    ("ada", "buy", "2026-11-10T10:00:00Z", None),
    ("ben", "sign_up", "2026-11-03T09:00:00Z", Some("free")),
    ("ben", "buy", "2026-11-17T10:00:00Z", None),
    ("cyd", "sign_up", "2026-11-04T09:00:00Z", None),
    ("cyd", "look", "2026-11-11T09:00:00Z", None),
    ("dan", "look", "2026-11-09T09:00:00Z", None),
    ("dan", "look", "2026-11-16T09:00:00Z", None),
];

/// Sizes and retained persons of a table, a line for each cohort.
fn table(of: &Value) -> Vec<String> {
    let cohorts = of["cohorts"].as_array().expect("cohorts");
    let line = |cohort: &Value| {
        let cells = cohort["cells"].as_array().expect("cells");
        let cells: Vec<String> = cells.iter().map(|cell| cell["retained"].to_string()).collect();
        format!("{}: {}", cohort["size"], cells.join(" "))
    };
    cohorts.iter().map(line).collect()
}

#[tokio::test]
async fn people_come_back_stay_away_and_are_told_apart() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "Europe/Berlin").await;
    let events: Vec<Value> = EVENTS
        .iter()
        .map(|(who, name, at, plan)| {
            json!({"event": name, "distinct_id": who, "timestamp": at, "properties": {"plan": plan}})
        })
        .collect();
    let body = Value::from(events).to_string().into_bytes();
    world.post(&shop.write, body).await.expect(200);
    world.deliver().await;
    let ask = async |question: Value| {
        let reply = world
            .ask("POST", &shop.path("/query"), &shop.secret, question)
            .await;
        reply.expect(200)["data"].clone()
    };
    let weeks = |more: Value| {
        let mut question = json!({"kind": "retention", "unit": "week", "periods": 2, "from": "2026-11-02",
            "to": "2026-11-16"});
        let more = more.as_object().expect("members").clone();
        question.as_object_mut().expect("members").extend(more);
        question
    };

    // Any activity: from the days of activity; Dan begins in the second week.
    assert_eq!(table(&ask(weeks(json!({}))).await), ["3: 3 2 1", "1: 1 1 0"]);
    assert_eq!(
        table(&ask(weeks(json!({"entry": "recurring"}))).await),
        ["3: 3 2 1", "3: 3 1 0"]
    );
    // By name, with a breakdown by the plan at the start.
    let bought = ask(weeks(
        json!({"start": {"event": "sign_up"}, "return": {"event": "buy"},
        "breakdown": [{"property": "plan"}], "breakdown_limit": 1}),
    ))
    .await;
    assert_eq!(table(&bought), ["3: 1 1 1", "0: 0 0 0"]);
    let splits: Vec<(String, Vec<String>)> = bought["breakdown"]
        .as_array()
        .expect("a breakdown")
        .iter()
        .map(|split| (format!("{} {}", split["of"], split["value"]), table(split)))
        .collect();
    let rows = |first: &str| vec![first.to_owned(), "0: 0 0 0".to_owned()];
    assert_eq!(
        splits,
        [
            (r#""value" "club""#.to_owned(), rows("1: 1 1 0")),
            (r#""other" "Other""#.to_owned(), rows("1: 0 0 1")),
            (r#""none" "(none)""#.to_owned(), rows("1: 0 0 0")),
        ]
    );
    // A filter is another kind of activity, and never answered from days.
    let club = weeks(json!({"start": {"event": "sign_up", "filter": {"property": "plan", "value": "club"}}}));
    assert_eq!(table(&ask(club).await), ["1: 1 1 0", "0: 0 0 0"]);

    let stages =
        ask(json!({"kind": "lifecycle", "interval": "week", "from": "2026-11-02", "to": "2026-11-23"})).await;
    let stages: Vec<[u64; 4]> = stages["points"]
        .as_array()
        .expect("points")
        .iter()
        .map(|point| {
            ["new", "returning", "resurrecting", "dormant"].map(|name| point[name].as_u64().expect("a count"))
        })
        .collect();
    assert_eq!(stages, [[3, 0, 0, 0], [1, 2, 0, 1], [0, 1, 1, 2]]);

    let days = ask(
        json!({"kind": "stickiness", "from": "2026-11-02", "to": "2026-11-23",
        "filter": {"event_name": true, "op": "is_not", "value": "look"}}),
    )
    .await;
    assert_eq!(days["persons"], 3);
    let bars: Vec<(u64, u64)> = (0..2)
        .map(|k| {
            let bar = &days["histogram"][k];
            (
                bar["persons"].as_u64().expect("persons"),
                bar["at_least"].as_u64().expect("persons"),
            )
        })
        .collect();
    assert_eq!(bars, [(1, 3), (2, 2)]);

    // The plain GET is the same question.
    let path = "/retention?unit=week&periods=2&from=2026-11-02&to=2026-11-16&start=sign_up&return=buy";
    let got = world.get(&shop.path(path), &shop.secret).await.expect(200);
    assert_eq!(table(&got["data"]), table(&bought));
    world.close().await;
}
