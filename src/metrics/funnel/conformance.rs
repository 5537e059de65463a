//! Runs `tests/cases/presets`, which explain themselves.

use serde_json::{Value, json};

use super::query::FunnelQuery;
use crate::event::{Event, Zone};
use crate::metrics::oracle::{self, worlds};

const START: &str = "2026-11-01";

#[test]
fn mixpanel_as_far_as_it_can_be_expressed() {
    run(
        "mixpanel",
        include_str!("../../../tests/cases/presets/mixpanel.json"),
    );
}

#[test]
fn amplitude_as_far_as_it_can_be_expressed() {
    run(
        "amplitude",
        include_str!("../../../tests/cases/presets/amplitude.json"),
    );
}

#[test]
fn posthog_as_far_as_it_can_be_expressed() {
    run(
        "posthog",
        include_str!("../../../tests/cases/presets/posthog.json"),
    );
}

fn run(preset: &str, cases: &str) {
    let cases: Vec<Value> = serde_json::from_str(cases).unwrap();
    assert!(cases.len() > 5, "the file is read");
    for case in cases {
        let title = format!("{preset}: {}", case["case"]);
        let mut question = case.clone();
        let members = question.as_object_mut().unwrap();
        for name in ["case", "trace", "reached", "to_seconds"] {
            members.remove(name);
        }
        let names = case["steps"].as_array().unwrap().iter();
        question["steps"] = names.map(|name| json!({"event": name})).collect();
        question["preset"] = json!(preset);
        question["from"] = json!(START);
        question["to"] = json!("2026-12-01");
        let query: FunnelQuery = serde_json::from_value(question).unwrap();
        let zone = Zone::utc();
        let mut spec = query
            .validate(&zone, 0)
            .unwrap_or_else(|errors| panic!("{title}: {errors:?}"));
        if let Some(seconds) = case["to_seconds"].as_i64() {
            spec.to_ms = spec.from_ms + seconds * 1_000;
        }
        let trace = case["trace"].as_array().unwrap().iter().enumerate();
        let events: Vec<Event> = trace
            .map(|(n, line)| event(n, line.as_str().unwrap(), spec.from_ms))
            .collect();
        let report = worlds::tally(&spec, &zone, 0, &events);
        let reached: Vec<u64> = report.steps.iter().map(|step| step.reached).collect();
        assert_eq!(json!(reached), case["reached"], "{title}");
        let twin = oracle::funnel(&spec, &zone, 0, &events);
        let reached: Vec<u64> = twin.steps.iter().map(|step| step.reached).collect();
        assert_eq!(json!(reached), case["reached"], "{title}: the twin");
        assert!(
            report.preset_limits.is_some_and(|limits| !limits.is_empty()),
            "{title}"
        );
    }
}

/// `ann view 10.5 item=hat`: a person, an event, seconds, a property.
fn event(place: usize, line: &str, from_ms: i64) -> Event {
    let mut words = line.split_whitespace();
    let (person, name) = (words.next().unwrap(), words.next().unwrap());
    let seconds: f64 = words.next().unwrap().parse().unwrap();
    let ts = from_ms + (seconds * 1_000.0).round() as i64;
    let mut event = worlds::event(person, name, ts, 0, place as u128);
    if let Some((name, value)) = words.next().and_then(|word| word.split_once('=')) {
        event.props = json!({name: value}).to_string();
    }
    event
}
