//! Runs `tests/cases/filters.txt`, which explains itself.

use serde_json::{Value, json};

use super::{Filter, FilterQuery, PersonProperties};
use crate::event::Zone;
use crate::metrics::oracle::worlds::event;

const CASES: &str = include_str!("../../../tests/cases/filters.txt");

#[test]
fn what_a_filter_says_is_told_in_readable_cases() {
    let (mut zone, mut run) = (Zone::utc(), 0);
    for (n, line) in CASES.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with("== ") {
            zone = Zone::utc();
        } else if let Some(name) = line.strip_prefix("zone ") {
            zone = Zone::parse(name).unwrap();
        } else {
            let (asked, told) = line.split_once(" => ").unwrap();
            let filter = filter(asked, &zone);
            for (expected, value) in told.split("; ").flat_map(values) {
                let found = says(&filter, value);
                assert_eq!(found, expected, "line {}, of {value}: {line}", n + 1);
                run += 1;
            }
        }
    }
    assert!(run > 150, "the file is read: {run}");
}

/// `gte 5`.
fn filter(asked: &str, zone: &Zone) -> Filter {
    let (op, value) = asked.split_once(' ').unwrap_or((asked, ""));
    let mut query = json!({"property": "x", "op": op});
    if !value.is_empty() {
        query["value"] = serde_json::from_str(value).unwrap();
    }
    let query: FilterQuery = serde_json::from_value(query).unwrap();
    let mut errors = Vec::new();
    let filter = query.validate("", zone, &mut errors);
    assert!(errors.is_empty(), "{asked}: {errors:?}");
    filter
}

/// `true of 5 "6"`: each value with what is said of it.
fn values(told: &str) -> impl Iterator<Item = (bool, &str)> {
    let (expected, values) = told.split_once(" of ").unwrap();
    let expected: bool = expected.trim().parse().unwrap();
    let quoted = |c: char, inside: &mut bool| {
        *inside ^= c == '"';
        c == ' ' && !*inside
    };
    let mut inside = false;
    values
        .split(move |c| quoted(c, &mut inside))
        .map(move |value| (expected, value))
}

fn says(filter: &Filter, value: &str) -> bool {
    let mut event = event("p", "A", 0, 0, 1);
    let mut props = json!({});
    if value != "missing" {
        let value: Value = serde_json::from_str(value).unwrap();
        props["x"] = value;
    }
    event.props = props.to_string();
    filter.matches(&event, &PersonProperties::default())
}
