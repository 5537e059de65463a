//! What the naive twins say to a question.

use std::collections::{BTreeMap, BTreeSet};

use footfall::api::questions::Question;
use footfall::event::{Event, Zone};
use footfall::metrics::oracle::{self, People};
use serde::Serialize;
use serde_json::Value;

/// The report that `POST …/query` has to answer.
pub fn twin<'a>(question: &Value, zone: &Zone, now: i64, events: impl Into<People<'a>>) -> Value {
    let events = &events.into();
    let question: Question = serde_json::from_value(question.clone()).expect("a question");
    match question {
        Question::ActiveUsers(query) => {
            let spec = query.validate(zone, now).expect("valid");
            json(oracle::active_users(&spec, zone, now, events))
        }
        Question::Trends(query) => {
            let spec = query.validate(zone, now).expect("valid");
            json(oracle::trend(&spec, zone, now, events))
        }
        Question::Funnel(query) => {
            let spec = query.validate(zone, now).expect("valid");
            json(oracle::funnel(&spec, zone, now, events))
        }
        Question::Conversion(query) => {
            let spec = query.validate(zone, now).expect("valid");
            json(oracle::conversion(&spec, zone, now, events))
        }
        Question::Retention(query) => {
            let spec = query.validate(zone, now).expect("valid");
            json(oracle::retention(&spec, zone, now, events))
        }
        Question::Lifecycle(query) => {
            let spec = query.validate(zone, now).expect("valid");
            json(oracle::lifecycle(&spec, zone, now, events))
        }
        Question::Stickiness(query) => {
            let spec = query.validate(zone, now).expect("valid");
            json(oracle::stickiness(&spec, zone, now, events))
        }
        Question::Paths(query) => {
            let spec = query.validate(zone, now).expect("valid");
            json(oracle::paths(&spec, now, events))
        }
        Question::Sessions(query) => {
            let spec = query.validate(zone, now).expect("valid");
            json(oracle::sessions(&spec, zone, now, events))
        }
        Question::Web(query) => {
            let spec = query.validate(zone, now).expect("valid");
            json(oracle::web(&spec, zone, now, events))
        }
        Question::Persons(_) => panic!("people.rs holds persons to their twin"),
    }
}

fn json(report: impl Serialize) -> Value {
    serde_json::to_value(report).expect("a report")
}

/// The events that are stored: the first of each id.
pub fn stored(events: &[Event]) -> Vec<&Event> {
    let mut seen = BTreeSet::new();
    events.iter().filter(|event| seen.insert(event.id)).collect()
}

/// Names and their totals.
pub fn totals<'a>(events: &[&'a Event]) -> BTreeMap<&'a str, u64> {
    let mut totals = BTreeMap::new();
    for event in events {
        *totals.entry(event.event.as_str()).or_default() += 1;
    }
    totals
}
