//! Retention and lifecycle where calendars do remarkable things, as tables that a person can check by hand. Both the
//! twins and what answers questions have to agree with them.

use std::collections::BTreeMap;

use super::worlds::event;
use super::{People, lifecycle, retention};
use crate::event::{Event, Zone};
use crate::metrics::active::ActiveBuckets;
use crate::metrics::lifecycle::{LifecycleQuery, LifecycleTally};
use crate::metrics::retention::{RetentionQuery, RetentionReport, RetentionTally, ReturnEvent};
use crate::metrics::time::bucket_of;

/// Long after everything.
const LATER: &str = "2030-01-01T00:00:00Z";

fn ms(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// Somebody's activity at local times: `("ada", "2026-03-28 23:30 2026-03-29 03:00")`.
fn events(zone: &Zone, people: &[(&str, &str)]) -> Vec<Event> {
    let mut events = Vec::new();
    for (person, times) in people {
        let words: Vec<&str> = times.split_whitespace().collect();
        for pair in words.chunks(2) {
            let local: jiff::civil::DateTime = pair.join("T").parse().unwrap();
            let ts = local
                .to_zoned(zone.tz().clone())
                .unwrap()
                .timestamp()
                .as_millisecond();
            events.push(event(person, "visit", ts, 0, events.len() as u128 + 1));
        }
    }
    events
}

/// The table as text: a line for each cohort that somebody is in, its cells marked `?` while they are incomplete.
fn table(zone: &str, query: &str, as_of: &str, people: &[(&str, &str)]) -> Vec<String> {
    let zone = Zone::parse(zone).unwrap();
    let query: RetentionQuery = serde_json::from_str(query).unwrap();
    let spec = query.validate(&zone, ms(as_of)).unwrap();
    let events = events(&zone, people);
    let twin = retention(&spec, &zone, ms(as_of), &events);
    let people = People::from(&events);
    let mut rows: BTreeMap<u64, Vec<ReturnEvent>> = BTreeMap::new();
    for event in &events {
        rows.entry(people.person(event)).or_default().push(ReturnEvent {
            ts: event.ts,
            seq: event.seq,
            id: event.id.as_u128(),
            starts: true,
            returns: true,
            value: None,
        });
    }
    let mut tally = RetentionTally::new(&spec, &zone);
    for mut events in rows.into_values() {
        events.sort_unstable();
        tally.add_person(&events);
    }
    assert_eq!(tally.finish(ms(as_of)), twin);
    written(&twin)
}

fn written(report: &RetentionReport) -> Vec<String> {
    let cohorts = report.cohorts.iter().filter(|cohort| cohort.size > 0);
    let line = |cohort: &crate::metrics::retention::RetentionCohort| {
        let cells: Vec<String> = cohort
            .cells
            .iter()
            .map(|cell| format!("{}{}", cell.retained, if cell.complete { "" } else { "?" }))
            .collect();
        let name = match cohort.date {
            Some(date) => date.to_string(),
            None => cohort.start.to_string(),
        };
        format!("{name}: {}", cells.join(" "))
    };
    cohorts.map(line).collect()
}

const DAYS: &str = r#"{"unit": "day", "periods": 3, "from": "FROM", "to": "TO"}"#;

fn days(from: &str, to: &str) -> String {
    DAYS.replace("FROM", from).replace("TO", to)
}

#[test]
fn berlins_short_and_long_days_are_one_day_each() {
    // The 29th has 23 hours, the 25th of October 25: late on one day and early on the next but one are two apart.
    let people = [
        ("ada", "2026-03-28 23:30 2026-03-29 23:30 2026-03-30 00:30"),
        ("ben", "2026-03-28 00:10 2026-03-31 23:50"),
    ];
    let table_of = |query: &str, people| table("Europe/Berlin", query, LATER, people);
    assert_eq!(
        table_of(&days("2026-03-28", "2026-03-29"), &people),
        ["2026-03-28: 2 1 1 1"]
    );
    let people = [("ada", "2026-10-24 23:30 2026-10-25 23:30 2026-10-26 00:30")];
    assert_eq!(
        table_of(&days("2026-10-24", "2026-10-25"), &people),
        ["2026-10-24: 1 1 1 0"]
    );
}

#[test]
fn the_rolling_clock_knows_no_calendar() {
    let rolling =
        r#"{"unit": "day", "periods": 2, "clock": "rolling", "from": "2026-03-28", "to": "2026-03-29"}"#;
    // 24 hours after 23:30 it is 00:30 of the day after next, for the clock went forward between.
    let people = [
        ("ada", "2026-03-28 23:30 2026-03-29 23:59"),
        ("ben", "2026-03-28 23:30 2026-03-30 00:30"),
    ];
    assert_eq!(
        table("Europe/Berlin", rolling, LATER, &people),
        ["2026-03-28: 2 1 0"]
    );
    // Period 0 is over for everybody a day after the cohort's last instant, the last midnight of winter time.
    assert_eq!(
        table("Europe/Berlin", rolling, "2026-03-29T22:59:59Z", &people),
        ["2026-03-28: 2? 1? 0?"]
    );
    assert_eq!(
        table("Europe/Berlin", rolling, "2026-03-29T23:00:00Z", &people),
        ["2026-03-28: 2 1? 0?"]
    );
}

#[test]
fn sydney_and_lord_howe_move_their_clocks_the_other_way_round() {
    let people = [(
        "ada",
        "2026-04-04 12:00 2026-04-05 12:00 2026-04-06 12:00 2026-04-07 00:00",
    )];
    for zone in ["Australia/Sydney", "Australia/Lord_Howe"] {
        assert_eq!(
            table(zone, &days("2026-04-04", "2026-04-05"), LATER, &people),
            ["2026-04-04: 1 1 1 1"]
        );
    }
    // Lord Howe's repeated half hour: hours count what elapsed since the cohort's hour began. 01:30 comes twice, so
    // 02:30 is 2 hours after 01:00 and not one and a half.
    let hours =
        r#"{"unit": "hour", "periods": 3, "from": "2026-04-04T14:00:00Z", "to": "2026-04-04T15:00:00Z"}"#;
    let people = [
        ("ada", "2026-04-05 01:00 2026-04-05 02:29"),
        ("ben", "2026-04-05 01:00 2026-04-05 02:30"),
    ];
    assert_eq!(
        table("Australia/Lord_Howe", hours, LATER, &people),
        ["2026-04-04T14:00:00Z: 2 1 1 0"]
    );
}

#[test]
fn kathmandus_hours_and_days_begin_at_a_quarter_past() {
    let hours = r#"{"unit": "hour", "periods": 2, "from": "2024-02-28", "to": "2024-02-29"}"#;
    let people = [
        ("ada", "2024-02-28 10:05 2024-02-28 11:00"),
        ("ben", "2024-02-28 10:59 2024-02-28 12:01"),
    ];
    assert_eq!(
        table("Asia/Kathmandu", hours, LATER, &people),
        ["2024-02-28T04:15:00Z: 2 1 1"]
    );
}

#[test]
fn apias_lost_day_is_no_period() {
    // 30 December 2011 never was: the day after the 29th is the 31st.
    let people = [
        ("ada", "2011-12-29 12:00 2011-12-31 12:00"),
        ("ben", "2011-12-29 12:00 2012-01-01 12:00"),
    ];
    assert_eq!(
        table("Pacific/Apia", &days("2011-12-29", "2012-01-01"), LATER, &people),
        ["2011-12-29: 2 1 1 0"]
    );
    let streak =
        r#"{"unit": "day", "periods": 2, "rule": "streak", "from": "2011-12-29", "to": "2011-12-30"}"#;
    let people = [("ada", "2011-12-29 12:00 2011-12-31 12:00 2012-01-01 12:00")];
    assert_eq!(
        table("Pacific/Apia", streak, LATER, &people),
        ["2011-12-29: 1 1 1"]
    );
}

#[test]
fn leap_days_and_month_ends_are_calendar_days() {
    let people = [("ada", "2024-02-28 12:00 2024-02-29 12:00 2024-03-01 12:00")];
    assert_eq!(
        table("UTC", &days("2024-02-28", "2024-02-29"), LATER, &people),
        ["2024-02-28: 1 1 1 0"]
    );
    assert_eq!(
        table(
            "UTC",
            &days("2025-02-28", "2025-03-01"),
            LATER,
            &[("ada", "2025-02-28 12:00 2025-03-01 12:00")]
        ),
        ["2025-02-28: 1 1 0 0"]
    );
    // Months are as long as they are: 31 January and 1 March are two apart, and so are 1 January and 31 March.
    let months = r#"{"unit": "month", "periods": 3, "from": "2024-01-01", "to": "2024-02-01"}"#;
    let people = [
        ("ada", "2024-01-31 23:59 2024-03-01 00:00"),
        ("ben", "2024-01-01 00:00 2024-03-31 23:59"),
    ];
    assert_eq!(
        table("Europe/Berlin", months, LATER, &people),
        ["2024-01-01: 2 0 2 0"]
    );
    // February is over where it is over.
    assert_eq!(
        table("Europe/Berlin", months, "2024-02-29T22:59:59Z", &people),
        ["2024-01-01: 2 0? 2? 0?"]
    );
}

#[test]
fn brackets_hold_several_periods_and_the_minimum_counts_within() {
    let people = [
        ("ada", "2026-05-04 09:00 2026-05-05 09:00 2026-05-07 09:00"),
        ("ben", "2026-05-04 09:00 2026-05-08 09:00 2026-05-09 09:00"),
    ];
    let brackets = |minimum: u32| {
        format!(
            r#"{{"unit": "day", "brackets": [0, 1, 4, 7], "minimum": {minimum}, "from": "2026-05-04", "to": "2026-05-05"}}"#
        )
    };
    assert_eq!(table("UTC", &brackets(1), LATER, &people), ["2026-05-04: 2 1 1"]);
    assert_eq!(table("UTC", &brackets(2), LATER, &people), ["2026-05-04: 2 1 1"]);
    assert_eq!(table("UTC", &brackets(3), LATER, &people), ["2026-05-04: 2 0 0"]);
}

/// The lifecycle as text: `date: new returning resurrecting dormant`.
fn stages(zone: &str, query: &str, people: &[(&str, &str)]) -> Vec<String> {
    let zone = Zone::parse(zone).unwrap();
    let query: LifecycleQuery = serde_json::from_str(query).unwrap();
    let spec = query.validate(&zone, ms(LATER)).unwrap();
    let events = events(&zone, people);
    let twin = lifecycle(&spec, &zone, ms(LATER), &events);
    let buckets = spec.buckets(&zone);
    let people = People::from(&events);
    let mut active: BTreeMap<u64, ActiveBuckets> = BTreeMap::new();
    for event in &events {
        let person = active.entry(people.person(event)).or_default();
        person.before |= event.ts < buckets[0].start;
        if let Some(bucket) = bucket_of(&buckets, event.ts) {
            person.active.insert(bucket);
        }
    }
    let mut tally = LifecycleTally::new(&spec, &zone);
    for person in active.values() {
        tally.add(person, 1);
    }
    assert_eq!(tally.finish(&zone, ms(LATER)), twin);
    let line = |point: &crate::metrics::lifecycle::LifecyclePoint| {
        let (new, returning, resurrecting) = (point.new, point.returning, point.resurrecting);
        format!(
            "{}: {new} {returning} {resurrecting} {}",
            point.start, point.dormant
        )
    };
    twin.points.iter().map(line).collect()
}

#[test]
fn yesterday_is_the_day_before_even_where_it_has_23_hours_or_never_was() {
    let range = |from: &str, to: &str| format!(r#"{{"from": "{from}", "to": "{to}"}}"#);
    let people = [
        ("ada", "2026-03-28 23:30 2026-03-29 23:30"),
        ("ben", "2026-03-27 12:00 2026-03-30 00:10"),
    ];
    assert_eq!(
        stages("Europe/Berlin", &range("2026-03-28", "2026-03-31"), &people),
        [
            "2026-03-28: 1 0 0 1",
            "2026-03-29: 0 1 0 0",
            "2026-03-30: 0 0 1 1"
        ]
    );
    let people = [
        ("ada", "2011-12-29 12:00 2011-12-31 12:00"),
        ("ben", "2011-12-29 12:00"),
    ];
    assert_eq!(
        stages("Pacific/Apia", &range("2011-12-29", "2012-01-01"), &people),
        ["2011-12-29: 2 0 0 0", "2011-12-31: 0 1 0 1"]
    );
}

#[test]
fn months_of_28_to_31_days_follow_each_other() {
    let months = r#"{"interval": "month", "from": "2024-02-10", "to": "2024-04-02"}"#;
    let people = [
        ("ada", "2024-01-31 23:30 2024-02-29 23:30 2024-03-01 00:10"),
        ("ben", "2023-12-31 12:00 2024-02-01 00:00"),
        ("cyd", "2024-03-31 23:00 2024-04-01 01:00"),
    ];
    assert_eq!(
        stages("Europe/Berlin", months, &people),
        [
            "2024-02-01: 0 1 1 0",
            "2024-03-01: 1 1 0 1",
            "2024-04-01: 0 1 0 1"
        ]
    );
}
