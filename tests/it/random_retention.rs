//! Retention tables with every wish that goes together, as questions for `POST …/query`.

use footfall::event::Zone;
use serde_json::{Value, json};

use crate::random::Drawn;

/// A retention table, half of them of any activity.
pub fn retention(rng: &mut fastrand::Rng, drawn: &Drawn, zone: &Zone) -> Value {
    let event = |rng: &mut fastrand::Rng| match rng.u8(0..4) {
        0 => json!({"event": "A"}),
        1 => json!({"events": ["B", "$identify"]}),
        _ => json!({}),
    };
    let unit = *rng.choice(&["hour", "day", "week", "month"]).expect("one");
    let (from, days) = match unit {
        "hour" => (rng.i32(0..3), 2),
        "day" => (rng.i32(-4..2), rng.i32(2..7)),
        _ => (rng.i32(-37..-20), rng.i32(10..42)),
    };
    let first = zone.local_day(drawn.at).plus(from);
    let same = rng.bool();
    let start = event(rng);
    let returns = if same { start.clone() } else { event(rng) };
    let mut question = json!({"kind": "retention", "start": start, "return": returns, "unit": unit,
        "from": first.to_string(), "to": first.plus(days).to_string(),
        "entry": rng.choice(&["first_ever", "first_in_range", "recurring"]),
        "rule": rng.choice(&["on", "on_or_after", "streak"]),
        "clock": rng.choice(&["calendar", "calendar", "rolling"]),
        "minimum": rng.choice(&[1, 1, 2]), "week_start": rng.choice(&["monday", "sunday", "saturday"])});
    match rng.bool() {
        true => question["periods"] = json!(rng.u8(1..7)),
        false => question["brackets"] = json!([rng.u8(0..2), 2, 5]),
    }
    if rng.u8(0..3) == 0 {
        question["filter"] = json!({"event_name": true, "op": "is_not", "value": "B"});
    }
    if rng.u8(0..3) == 0 {
        question["breakdown"] = json!([{"property": *rng.choice(&["$lib", "plan"]).expect("one")}]);
        question["breakdown_limit"] = json!(rng.u8(1..4));
    }
    question
}
