//! Paths with every wish that goes together, as questions for `POST …/query`.

use serde_json::{Value, json};

use crate::random::{Drawn, instant};

/// Pages of random events; some have none.
pub const PAGES: [&str; 7] = ["", "/", "/a", "/a/", "/b/1", "/b/2/", "/ü//"];

/// Some paths over the events of a world.
pub fn paths(rng: &mut fastrand::Rng, drawn: &Drawn, days: (&str, &str)) -> Vec<Value> {
    let mut asked: Vec<Value> = (0..6).map(|_| path(rng, drawn, days)).collect();
    asked.extend((0..2).map(|_| linked(rng, days)));
    asked
}

fn path(rng: &mut fastrand::Rng, drawn: &Drawn, (from, to): (&str, &str)) -> Value {
    let mode = *rng.choice(&["after", "before", "between"]).expect("one");
    let mut asked = json!({"kind": "paths", "mode": mode, "from": from, "to": to});
    if rng.u8(0..3) == 0 {
        let moment = drawn.moments[rng.usize(0..2)];
        asked["from"] = json!(instant(moment + rng.i64(-2..3) * 1000));
        asked["to"] = json!(instant(moment + rng.i64(6..15) * 1000));
    }
    if mode == "between" || rng.bool() {
        asked["anchor"] = matcher(rng);
    }
    if mode == "between" {
        asked["until"] = matcher(rng);
    }
    if rng.bool() {
        asked["count"] = json!("total");
    }
    shape(rng, &mut asked);
    if rng.u8(0..4) == 0 {
        let label = *rng.choice(&["A", "B", "/a", "Other"]).expect("one");
        asked["list"] = json!({"position": rng.u8(1..3), "limit": rng.u8(1..4), "drop_off": rng.bool(),
            "node": {"label": label, "kind": if label == "Other" { "other" } else { "node" }}});
    }
    asked
}

/// Between two steps of a funnel.
fn linked(rng: &mut fastrand::Rng, (from, to): (&str, &str)) -> Value {
    let mut steps = vec![
        json!({"event": "A"}),
        json!({"events": ["B", "C"]}),
        json!({"event": "A"}),
    ];
    if rng.bool() {
        steps[1]["optional"] = json!(true);
    }
    let mut funnel = json!({"steps": steps, "window": format!("{}h", rng.u8(1..80)), "from": from, "to": to});
    if rng.u8(0..3) == 0 {
        funnel["count"] = json!("total");
    }
    if rng.u8(0..4) == 0 {
        funnel["hold"] = json!([{"property": "p"}]);
    }
    let outcome = *rng.choice(&["converted", "dropped"]).expect("one");
    let mut asked = json!({"kind": "paths", "funnel": {"query": funnel, "step": 1, "outcome": outcome}});
    shape(rng, &mut asked);
    asked
}

fn shape(rng: &mut fastrand::Rng, asked: &mut Value) {
    asked["nodes"] = json!(rng.choice(&["event", "page"]));
    asked["steps"] = json!(rng.u8(3..7));
    asked["top"] = json!(rng.u8(1..5));
    asked["collapse"] = json!(rng.bool());
    if rng.u8(0..3) == 0 {
        asked["exclude"] = (0..rng.u8(1..3)).map(|_| matcher(rng)).collect();
    }
    if rng.u8(0..3) == 0 {
        asked["clean"] = json!([{"pattern": "[12]", "replace": "#"}, {"pattern": "^/ü$"}]);
    }
    if rng.u8(0..3) == 0 {
        asked["group"] = json!(["/b/*", "*a*"]);
    }
    if rng.u8(0..3) == 0 {
        asked["filter"] = json!({"or": [{"person": "tier", "op": "is_not", "value": "tin"}, {"property": "plan", "value": 1}]});
    }
}

fn matcher(rng: &mut fastrand::Rng) -> Value {
    let events = ["A", "A", "B", "D"].map(|name| json!({"event": name}));
    let pages = ["/", "/a", "/b/1", "/b/#", "/b/*", "/ü"].map(|path| json!({"page": path}));
    let all: Vec<Value> = events.into_iter().chain(pages).collect();
    rng.choice(&all).expect("one").clone()
}
