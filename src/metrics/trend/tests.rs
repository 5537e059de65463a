use serde_json::{Value, json};

use super::*;
use crate::event::Zone;
use crate::metrics::time::{Interval, Moment, TimeRange, WeekStart, buckets};

fn check(zone: &str, question: Value) -> Result<TrendSpec, Vec<(String, &'static str)>> {
    let query: TrendsQuery = serde_json::from_value(question).unwrap();
    query
        .validate(&Zone::parse(zone).unwrap(), 1_795_000_000_000)
        .map_err(|errors| errors.into_iter().map(|e| (e.pointer, e.code)).collect())
}

fn refused(question: Value) -> Vec<(String, &'static str)> {
    check("Asia/Kathmandu", question).unwrap_err()
}

fn error(pointer: &str, code: &'static str) -> (String, &'static str) {
    (pointer.to_owned(), code)
}

#[test]
fn what_is_wrong_is_named_by_pointer() {
    assert_eq!(refused(json!({})), [error("/events", "required")]);
    assert_eq!(
        refused(json!({"events": ["a", "", "a"], "from": "yesterday"})),
        [
            error("/events/1", "required"),
            error("/events/2", "duplicate"),
            error("/from", "invalid_time"),
        ]
    );
    let names: Vec<String> = (0..21).map(|n| format!("e{n}")).collect();
    assert_eq!(refused(json!({"events": names})), [error("/events", "too_many")]);
    assert_eq!(
        refused(json!({"series": vec![json!({"event": "a"}); 21]})),
        [error("/series", "too_many")]
    );
    let year = json!({"events": ["a", "b"], "interval": "hour", "from": "2025-01-01", "to": "2026-01-01"});
    assert_eq!(refused(year), [error("/interval", "too_many_points")]);
    let week = json!({"events": ["a"], "interval": "minute", "from": "2026-01-01", "to": "2026-01-08"});
    assert_eq!(refused(week), [error("/interval", "too_many_points")]);
    let wide = json!({"events": ["a"], "breakdown": [{"property": "p"}], "breakdown_limit": 200, "from": "2025-01-01",
        "to": "2026-01-01"});
    assert_eq!(refused(wide), [error("/interval", "too_many_points")]);
}

#[test]
fn a_series_is_named_down_to_the_member() {
    let series = |series: Value| refused(json!({"series": [{"event": "a"}, series]}));
    for (wrong, pointer, code) in [
        (json!({}), "/series/1/event", "required"),
        (
            json!({"event": "a", "events": ["b"]}),
            "/series/1/events",
            "ambiguous",
        ),
        (json!({"events": ["b", "b"]}), "/series/1/events/1", "duplicate"),
        (
            json!({"events": (0..11).map(|n| format!("e{n}")).collect::<Vec<_>>()}),
            "/series/1/events",
            "too_many",
        ),
        (
            json!({"event": "a", "measure": "sum"}),
            "/series/1/of",
            "required",
        ),
        (
            json!({"event": "a", "of": {"property": "n"}}),
            "/series/1/of",
            "not_allowed",
        ),
        (
            json!({"event": "a", "measure": "p90", "of": {}}),
            "/series/1/of",
            "required",
        ),
        (
            json!({"event": "a", "measure": "p90", "of": {"property": ""}}),
            "/series/1/of/property",
            "required",
        ),
        (
            json!({"event": "a", "cumulative": true}),
            "/series/1/cumulative",
            "not_allowed",
        ),
        (
            json!({"event": "a", "measure": "persons", "rolling_days": 1}),
            "/series/1/rolling_days",
            "out_of_range",
        ),
        (
            json!({"event": "a", "measure": "persons", "rolling_days": 7, "cumulative": true}),
            "/series/1/rolling_days",
            "ambiguous",
        ),
        (
            json!({"event": "a", "filter": {"and": [{"property": "p", "op": "gt", "value": "x"}]}}),
            "/series/1/filter/and/0/value",
            "wrong_type",
        ),
    ] {
        assert_eq!(series(wrong.clone()), [error(pointer, code)], "{wrong}");
    }
    let rolling =
        json!({"series": [{"event": "a", "measure": "persons", "rolling_days": 7}], "interval": "week"});
    assert_eq!(refused(rolling), [error("/series/0/rolling_days", "not_allowed")]);
}

#[test]
fn the_rest_of_a_question_is_named_too() {
    let with = |member: &str, value: Value| {
        let mut question = json!({"events": ["a"]});
        question[member] = value;
        refused(question)
    };
    let both = json!([{"property": "a", "person": "b"}]);
    for (member, value, pointer, code) in [
        ("series", json!([{"event": "b"}]), "/series", "ambiguous"),
        (
            "breakdown",
            json!([{"property": "a"}, {"person": ""}]),
            "/breakdown/1/person",
            "required",
        ),
        ("breakdown", both, "/breakdown/0", "ambiguous"),
        (
            "breakdown",
            json!(vec![json!({"property": "a"}); 4]),
            "/breakdown",
            "too_many",
        ),
        ("breakdown_limit", json!(0), "/breakdown_limit", "out_of_range"),
        ("breakdown_limit", json!(201), "/breakdown_limit", "out_of_range"),
        ("formula", json!("A / B"), "/formula", "invalid_formula"),
        ("filter", json!({}), "/filter", "required"),
        (
            "filter",
            json!({"property": "p", "op": "matches", "value": "(a"}),
            "/filter/value",
            "invalid_pattern",
        ),
    ] {
        assert_eq!(
            with(member, value.clone()),
            [error(pointer, code)],
            "{member}: {value}"
        );
    }
    let first = json!({"events": ["a"], "from": "1970-01-02", "to": "1970-01-12", "compare": "previous"});
    assert_eq!(refused(first), [error("/compare", "out_of_range")]);
    let unknown = serde_json::from_value::<TrendsQuery>(json!({"events": ["a"], "brakdown": []}));
    assert!(unknown.unwrap_err().to_string().contains("brakdown"));
}

#[test]
fn a_year_of_hours_of_one_event_is_allowed_and_plain_counts_come_from_the_rollups() {
    let year = json!({"events": ["a"], "interval": "hour", "from": "2024-01-01", "to": "2025-01-01"});
    assert!(check("UTC", year).unwrap().is_plain());
    let default = check("UTC", json!({"events": ["a"]})).unwrap();
    assert_eq!(default.interval, Interval::Day);
    for question in [
        json!({"events": ["a"], "from": "2026-11-01T00:07:00Z"}),
        json!({"events": ["a"], "interval": "minute", "from": "2026-11-14"}),
        json!({"events": ["a"], "filter": {"property": "p"  , "op": "is_set"}}),
        json!({"events": ["a"], "compare": "previous"}),
        json!({"series": [{"event": "a", "measure": "persons"}]}),
    ] {
        assert!(!check("UTC", question.clone()).unwrap().is_plain(), "{question}");
    }
}

fn ms(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// The range before, and where its total stops.
fn previous(zone: &str, from: &str, to: &str, now: &str) -> [String; 3] {
    let zone = Zone::parse(zone).unwrap();
    let instant = |text: &str| match text.parse() {
        Ok(day) if text.len() == 10 => zone.day_start(day),
        _ => ms(text),
    };
    let range = TimeRange {
        from_ms: instant(from),
        to_ms: instant(to),
    };
    let compare = Compare::with_previous(range, WeekStart::Monday, &zone, ms(now));
    let text = |ms: i64| Moment(ms).to_string();
    [
        text(compare.previous.from_ms),
        text(compare.previous.to_ms),
        text(compare.until_ms),
    ]
}

const LATER: &str = "2099-01-01T00:00:00Z";

#[test]
fn whole_months_are_preceded_by_as_many_months() {
    // March 2024 by February, a leap month; its end in Berlin is summer time.
    assert_eq!(
        previous("Europe/Berlin", "2024-03-01", "2024-04-01", LATER),
        [
            "2024-01-31T23:00:00Z",
            "2024-02-29T23:00:00Z",
            "2024-02-29T23:00:00Z"
        ]
    );
    assert_eq!(
        previous("UTC", "2026-01-01", "2026-04-01", LATER)[..2],
        ["2025-10-01T00:00:00Z", "2026-01-01T00:00:00Z"]
    );
}

#[test]
fn other_whole_days_are_preceded_by_as_many_dates_across_a_clock_change() {
    // 2026-03-29 has 23 hours in Berlin.
    assert_eq!(
        previous("Europe/Berlin", "2026-03-30", "2026-04-01", LATER)[..2],
        ["2026-03-27T23:00:00Z", "2026-03-29T22:00:00Z"]
    );
    assert_eq!(
        previous("Asia/Kathmandu", "2024-03-01", "2024-03-02", LATER)[..2],
        ["2024-02-28T18:15:00Z", "2024-02-29T18:15:00Z"]
    );
}

#[test]
fn a_date_that_never_was_is_not_counted_among_those_before() {
    // Apia had no 30 December 2011: two dates before New Year are the 29th and the 31st.
    let noon = |text: &str| text.to_owned() + "T10:00:00Z";
    assert_eq!(
        previous("Pacific/Apia", "2012-01-01", "2012-01-03", LATER)[..2],
        [noon("2011-12-29"), noon("2011-12-31")]
    );
    assert_eq!(
        previous("Pacific/Apia", "2011-12-29", "2012-01-01", LATER)[..2],
        [noon("2011-12-27"), noon("2011-12-29")]
    );
    let found = beside("Pacific/Apia", Interval::Day, "2012-01-01", "2012-01-03");
    assert_eq!(
        found,
        [
            Some("2011-12-29T00:00:00".to_owned()),
            Some("2011-12-31T00:00:00".to_owned())
        ]
    );
    let found = beside("Pacific/Apia", Interval::Hour, "2012-01-01", "2012-01-03");
    assert_eq!(found[25].as_deref(), Some("2011-12-31T01:00:00"));
}

#[test]
fn ranges_within_a_day_are_preceded_by_as_many_milliseconds() {
    assert_eq!(
        previous(
            "UTC",
            "2026-03-30T10:00:00Z",
            "2026-03-30T11:30:00Z",
            "2026-03-30T10:20:00Z"
        ),
        [
            "2026-03-30T08:30:00Z",
            "2026-03-30T10:00:00Z",
            "2026-03-30T08:50:00Z"
        ]
    );
}

#[test]
fn while_a_range_is_open_the_total_before_stops_at_the_same_local_offset() {
    // Monday 10:30 in Berlin's summer is 08:30 UTC; the Monday before, in winter, it was 09:30.
    assert_eq!(
        previous(
            "Europe/Berlin",
            "2026-03-30",
            "2026-04-06",
            "2026-03-30T08:30:00Z"
        )[2],
        "2026-03-23T09:30:00Z"
    );
    // The 31st has no like in February: its total is whole.
    assert_eq!(
        previous("UTC", "2026-03-01", "2026-04-01", "2026-03-31T12:00:00Z")[2],
        "2026-03-01T00:00:00Z"
    );
    assert_eq!(
        previous("UTC", "2026-03-01", "2026-04-01", "2026-02-20T12:00:00Z")[2],
        "2026-02-01T00:00:00Z"
    );
}

/// Which local time of the previous range stands beside which of the current one.
fn beside(zone: &str, interval: Interval, from: &str, to: &str) -> Vec<Option<String>> {
    let zone = Zone::parse(zone).unwrap();
    let range = TimeRange {
        from_ms: zone.day_start(from.parse().unwrap()),
        to_ms: zone.day_start(to.parse().unwrap()),
    };
    let compare = Compare::with_previous(range, WeekStart::Monday, &zone, ms(LATER));
    let all = |range| buckets(&zone, range, interval, WeekStart::Monday);
    let before = all(compare.previous);
    let found = compare.beside(&zone, interval, &all(range), &before);
    let clock = |at: usize| {
        zone.tz()
            .to_datetime(crate::event::zone::instant(before[at].start))
            .to_string()
    };
    found.into_iter().map(|at| at.map(clock)).collect()
}

#[test]
fn hours_stand_beside_those_of_the_same_label() {
    // Sunday 2026-03-29 has no 02:00 in Berlin: Monday's 02:00 stands alone.
    let found = beside("Europe/Berlin", Interval::Hour, "2026-03-30", "2026-03-31");
    assert_eq!(found.len(), 24);
    assert_eq!(found[1].as_deref(), Some("2026-03-29T01:00:00"));
    assert_eq!(found[2], None);
    assert_eq!(found[3].as_deref(), Some("2026-03-29T03:00:00"));
    // Sunday 2026-10-25 has two: the second is beside none.
    let found = beside("Europe/Berlin", Interval::Hour, "2026-10-25", "2026-10-26");
    assert_eq!(found.len(), 25);
    assert_eq!(found[2].as_deref(), Some("2026-10-24T02:00:00"));
    assert_eq!(found[3], None);
    // Lord Howe's short hour starts at half past, and is beside none either.
    let found = beside("Australia/Lord_Howe", Interval::Hour, "2026-04-05", "2026-04-06");
    assert_eq!(found.len(), 25);
    assert_eq!(found.iter().filter(|at| at.is_none()).count(), 1);
}

#[test]
fn months_of_different_lengths_are_padded() {
    let found = beside("UTC", Interval::Day, "2026-02-01", "2026-03-01");
    assert_eq!(found.len(), 31, "January goes on");
    let found = beside("UTC", Interval::Day, "2026-03-01", "2026-04-01");
    assert_eq!(found.iter().filter(|at| at.is_none()).count(), 3);
}

/// The lengths of a trend's buckets in minutes, and the dates of the first and the last.
fn points(zone: &str, interval: &str, from: &str, to: &str) -> (Vec<i64>, Option<String>, Option<String>) {
    let question = json!({"events": ["a"], "interval": interval, "from": from, "to": to});
    let spec = check(zone, question).unwrap();
    let buckets = spec.buckets(&Zone::parse(zone).unwrap(), spec.range);
    let date = |bucket: Option<&crate::metrics::time::Bucket>| {
        bucket.and_then(|b| b.date).map(|day| day.to_string())
    };
    (
        buckets.iter().map(|b| (b.end - b.start) / 60_000).collect(),
        date(buckets.first()),
        date(buckets.last()),
    )
}

#[test]
fn buckets_follow_the_clock_on_the_wall() {
    let day = |zone: &str, date: &str, next: &str| points(zone, "day", date, next).0;
    assert_eq!(day("Europe/Berlin", "2026-03-29", "2026-03-30"), [23 * 60]);
    assert_eq!(day("Europe/Berlin", "2026-10-25", "2026-10-26"), [25 * 60]);
    assert_eq!(day("Australia/Sydney", "2026-10-04", "2026-10-05"), [23 * 60]);
    assert_eq!(day("Australia/Sydney", "2026-04-05", "2026-04-06"), [25 * 60]);
    assert_eq!(
        day("Australia/Lord_Howe", "2026-04-05", "2026-04-06"),
        [24 * 60 + 30]
    );
    assert_eq!(day("Asia/Kathmandu", "2024-02-29", "2024-03-01"), [24 * 60]);
    // Apia went from 29 to 31 December 2011.
    let (lengths, first, last) = points("Pacific/Apia", "day", "2011-12-29", "2012-01-01");
    assert_eq!(lengths, [24 * 60, 24 * 60]);
    assert_eq!(
        (first.as_deref(), last.as_deref()),
        (Some("2011-12-29"), Some("2011-12-31"))
    );
    // Minutes are minutes, whatever the clock does.
    let (lengths, ..) = points("Australia/Lord_Howe", "minute", "2026-04-05", "2026-04-06");
    assert_eq!((lengths.len(), lengths.iter().max()), (24 * 60 + 30, Some(&1)));
}

#[test]
fn months_and_weeks_end_with_their_last_day() {
    let (lengths, first, last) = points("UTC", "month", "2024-01-31", "2024-03-01");
    assert_eq!(lengths, [31 * 1440, 29 * 1440]);
    assert_eq!(
        (first.as_deref(), last.as_deref()),
        (Some("2024-01-01"), Some("2024-02-01"))
    );
    let (lengths, first, _) = points("Europe/Berlin", "week", "2026-03-29", "2026-03-30");
    assert_eq!(
        (lengths, first.as_deref()),
        (vec![7 * 1440 - 60], Some("2026-03-23"))
    );
}
