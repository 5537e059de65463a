//! Funnels with every wish that goes together, as questions for `POST …/query`.

use serde_json::{Value, json};

use crate::random::{Drawn, instant};

/// Some funnels over the events of a world.
pub fn funnels(rng: &mut fastrand::Rng, drawn: &Drawn, days: (&str, &str)) -> Vec<Value> {
    (0..6).map(|_| funnel(rng, drawn, days)).collect()
}

fn funnel(rng: &mut fastrand::Rng, drawn: &Drawn, (from, to): (&str, &str)) -> Value {
    let n = rng.usize(2..=4);
    let order = *rng
        .choice(&["sequential", "sequential", "strict", "any"])
        .expect("one");
    let any = order == "any";
    let mut steps: Vec<Value> = (0..n).map(|_| step(rng)).collect();
    let mut asked = json!({"kind": "funnel", "order": order});
    if rng.bool() {
        let moment = drawn.moments[rng.usize(0..2)];
        asked["from"] = json!(instant(moment + rng.i64(-2..3) * 1000));
        asked["to"] = json!(instant(moment + rng.i64(6..15) * 1000));
        asked["window"] = json!(format!("{}s", rng.u8(1..10)));
    } else {
        (asked["from"], asked["to"]) = (json!(from), json!(to));
        asked["window"] = json!(format!("{}h", rng.u8(1..80)));
    }
    if rng.u8(0..6) == 0 {
        asked["range_applies_to"] = json!("all");
    }
    if rng.u8(0..3) == 0 {
        asked["filter"] = json!({"property": "p", "op": "is_not", "value": "x"});
    }
    if rng.u8(0..3) == 0 {
        asked["reentry"] = json!("first");
    }
    if any {
        asked["steps"] = json!(steps);
        match rng.u8(0..4) {
            0 => asked["window"] = json!("session"),
            1 => asked["entity"] = json!("session"),
            _ => {}
        }
        return asked;
    }
    match rng.u8(0..4) {
        0 => asked["max_gap"] = json!(format!("{}s", rng.u8(1..6))),
        1 => {
            let after = rng.usize(1..n);
            let before = rng.usize(after + 1..=n);
            asked["exclusions"] = json!([{"event": "D", "after": after, "before": before}]);
            if rng.bool() {
                asked["on_exclusion"] = json!("drop");
            }
        }
        2 if n > 2 => steps[1]["optional"] = json!(true),
        _ => {}
    }
    match rng.u8(0..5) {
        0 => asked["window"] = json!("session"),
        1 => asked["entity"] = json!("session"),
        2 => (asked["entity"], asked["group"]) = (json!("group"), json!({"property": "p"})),
        _ => {}
    }
    if asked["entity"] == "group" && asked["window"] == "session" {
        asked["window"] = json!("1h");
    }
    let total = rng.u8(0..3) == 0;
    if total {
        asked["count"] = json!("total");
    }
    if !total && rng.bool() {
        asked["why_not"] = json!(true);
    }
    if rng.u8(0..4) == 0 {
        asked["hold"] = json!([{"property": "p"}]);
    }
    if rng.bool() {
        asked["breakdown"] = json!([{"property": "p"}]);
        asked["breakdown_limit"] = json!(rng.u8(1..3));
        asked["attribution"] = json!(
            *rng.choice(&["first", "last", "all", "step:1", "step:2"])
                .expect("one")
        );
    }
    let sessions = asked["window"] == "session" || asked["entity"] == "session";
    let drops = asked["on_exclusion"] == "drop";
    match rng.u8(0..4) {
        0 => asked["view"] = json!("trend"),
        1 => asked["view"] = json!("time"),
        2 if !total && !sessions && !drops && order == "sequential" => {
            asked["view"] = json!("sweep");
            asked["windows"] = json!(["2s", "5s", "1h", "3d"]);
        }
        _ => {}
    }
    asked["steps"] = json!(steps);
    asked
}

/// One or two of three names, or one with a filter.
fn step(rng: &mut fastrand::Rng) -> Value {
    let mut names = vec!["A", "B", "C"];
    rng.shuffle(&mut names);
    if rng.u8(0..4) == 0 {
        let filtered =
            json!({"event": names[0], "filter": {"property": "p", "op": "in", "value": ["x", "y"]}});
        return json!({"any_of": [filtered, {"event": names[1], "filter": {"property": "p", "op": "is_not_set"}}]});
    }
    names.truncate(rng.usize(1..=2));
    json!({"events": names})
}
