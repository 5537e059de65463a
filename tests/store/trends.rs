//! Trends of raw events are the naive twin's, over random worlds around clock changes.

use footfall::event::{Event, Zone};
use footfall::metrics::oracle;
use footfall::metrics::trend::{TrendFacts, TrendReport, TrendSpec, TrendsQuery};
use footfall::store::Store;
use serde_json::{Value, json};

use crate::world::{NOON, PROJECT, Random, deliver, empty, event, name, rounds, sql, store};

const MINUTE: i64 = 60_000;

const TRANSITIONS: [(&str, &str); 8] = [
    ("Europe/Berlin", "2026-03-28T22:00:00Z"),
    ("Europe/Berlin", "2026-10-24T22:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T12:00:00Z"),
    ("Australia/Sydney", "2026-10-03T16:00:00Z"),
    ("Asia/Kathmandu", "2024-02-28T18:15:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("America/Santiago", "2024-09-07T04:00:00Z"),
    ("UTC", "2025-12-31T00:00:00Z"),
];

/// Numbers whose sums are exact in any order.
fn props(random: &mut Random) -> Value {
    let mut props = json!({});
    if random.below(4) > 0 {
        props["plan"] = random
            .pick(&[
                json!("club"),
                json!("pro"),
                json!(1),
                json!(1.0),
                json!("1"),
                json!(""),
                Value::Null,
                json!([1, 2]),
            ])
            .clone();
    }
    if random.below(4) > 0 {
        props["n"] = random
            .pick(&[
                json!(1),
                json!(2.5),
                json!("3"),
                json!("-0.25"),
                json!("many"),
                json!(0),
                json!(1e3),
                json!(true),
            ])
            .clone();
    }
    if random.below(5) == 0 {
        props["$set"] = json!({"tier": random.pick(&["gold", "tin", ""])});
    }
    props
}

fn world(random: &mut Random, at: i64) -> Vec<Event> {
    let span = *random.pick(&[40, 600, 3 * 1440, 9 * 1440]);
    (0..1 + random.below(60))
        .map(|_| {
            let person = format!("p{}", random.below(5));
            let ts =
                at + (random.below(2 * span) as i64 - span as i64) * MINUTE + random.below(60_000) as i64;
            let named = *random.pick(&["A", "A", "B", "C"]);
            let mut event = event(named, &person, ts);
            event.props = props(random).to_string();
            event.country = (*random.pick(&["", "DE", "NP"])).into();
            event
        })
        .collect()
}

fn filter(random: &mut Random) -> Value {
    random
        .pick(&[
            json!({"property": "plan", "op": "is_set"}),
            json!({"property": "n", "op": "gte", "value": 1}),
            json!({"person": "tier", "op": "is_not", "value": "tin"}),
            json!({"or": [{"property": "$country", "value": "DE"}, {"event_name": true, "op": "is_not", "value": "A"}]}),
        ])
        .clone()
}

fn series(random: &mut Random, interval: &str) -> Value {
    let measure = *random.pick(&[
        "count",
        "persons",
        "persons",
        "per_person",
        "sum",
        "avg",
        "min",
        "max",
        "p50",
        "p90",
        "p95",
        "p99",
    ]);
    let mut series = match random.below(2) {
        0 => json!({"event": random.pick(&["A", "B"])}),
        _ => json!({"events": ["A", "C"], "name": "either"}),
    };
    series["measure"] = json!(measure);
    if !["count", "persons", "per_person"].contains(&measure) {
        series["of"] = random
            .pick(&[json!({"property": "n"}), json!({"property": "plan"})])
            .clone();
    }
    if measure == "persons" {
        match random.below(3) {
            0 => series["cumulative"] = json!(true),
            1 if interval == "day" => series["rolling_days"] = json!(2 + random.below(6)),
            _ => {}
        }
    }
    if measure.starts_with("per") && random.below(3) == 0 {
        series["group"] = random
            .pick(&[json!({"property": "plan"}), json!({"person": "tier"})])
            .clone();
    }
    if random.below(3) == 0 {
        series["filter"] = filter(random);
    }
    series
}

fn instant(ms: i64) -> String {
    footfall::metrics::time::Moment(ms).to_string()
}

fn question(random: &mut Random, at: i64, zone: &Zone) -> Value {
    let interval = *random.pick(&["minute", "hour", "day", "day", "week", "month"]);
    let n = 1 + random.below(3);
    let series: Vec<Value> = (0..n).map(|_| series(random, interval)).collect();
    let mut question = json!({"series": series, "interval": interval,
        "week_start": random.pick(&["monday", "sunday", "saturday"])});
    let day = |days: i64| zone.local_day(at).plus(days as i32);
    let (from, to) = match (interval, random.below(3)) {
        ("minute", _) => {
            let from = at + (random.below(90) as i64 - 60) * MINUTE + random.below(2) as i64 * 1234;
            (
                instant(from),
                instant(from + (1 + random.below(45) as i64) * MINUTE),
            )
        }
        ("hour", 0) | ("day", 0) => {
            let from = at + (random.below(4000) as i64 - 2000) * MINUTE;
            (
                instant(from),
                instant(from + (1 + random.below(3000) as i64) * MINUTE),
            )
        }
        ("month", 1) => {
            let first = footfall::metrics::time::month_of(day(0));
            (
                first.to_string(),
                footfall::metrics::time::month_after(first).to_string(),
            )
        }
        _ => {
            let from = random.below(6) as i64 - 4;
            (
                day(from).to_string(),
                day(from + 1 + random.below(5) as i64).to_string(),
            )
        }
    };
    question["from"] = json!(from);
    question["to"] = json!(to);
    if random.below(2) == 0 {
        let all = [
            json!({"property": "plan"}),
            json!({"property": "$country"}),
            json!({"person": "tier"}),
            json!({"property": "n"}),
        ];
        let first = random.below(4) as usize;
        let properties: Vec<Value> = (0..1 + random.below(3) as usize)
            .map(|n| all[(first + n) % 4].clone())
            .collect();
        question["breakdown"] = json!(properties);
        question["breakdown_limit"] = json!(1 + random.below(4));
    }
    if random.below(3) == 0 {
        question["filter"] = filter(random);
    }
    if random.below(2) == 0 {
        question["compare"] = json!("previous");
    }
    if random.below(2) == 0 {
        question["formula"] = json!(if n > 1 { "A / B * 2 - 1" } else { "10 / (A - 1)" });
    }
    question
}

/// Both ways to answer: every value in one pass, and ranked first.
async fn answers(store: &Store, spec: &TrendSpec, zone: &Zone, now: i64) -> [TrendReport; 2] {
    let report = |facts: TrendFacts| TrendReport::from_facts(spec, zone, now, &facts.groups, &facts.series);
    let at_once = store.trend(PROJECT, spec, zone).await.expect("facts");
    let by_rank = store.trend_by_rank(PROJECT, spec, zone).await.expect("facts");
    [at_once.rows, by_rank.rows].map(report)
}

/// Where two reports differ first.
fn difference(at: &str, found: &Value, expected: &Value) -> String {
    let within = |key: &str| difference(&format!("{at}/{key}"), &found[key], &expected[key]);
    match (found, expected) {
        (Value::Object(found), Value::Object(other)) if found.keys().eq(other.keys()) => found
            .keys()
            .map(|key| within(key))
            .find(|found| !found.is_empty())
            .unwrap_or_default(),
        (Value::Array(found), Value::Array(other)) if found.len() == other.len() => {
            let pairs = found.iter().zip(other).enumerate();
            let mut differences = pairs.map(|(n, (a, b))| difference(&format!("{at}/{n}"), a, b));
            differences.find(|found| !found.is_empty()).unwrap_or_default()
        }
        _ if found == expected => String::new(),
        _ => format!("at {at}: {found} instead of {expected}"),
    }
}

#[tokio::test]
async fn trends_are_the_twins_over_random_worlds() {
    let store = store().await;
    for round in 0..rounds(16) {
        let mut random = Random(round);
        let (zone, at) = TRANSITIONS[round as usize % TRANSITIONS.len()];
        let zone = Zone::parse(zone).expect("a zone");
        let at: jiff::Timestamp = at.parse().expect("an instant");
        let at = at.as_millisecond();
        let events = world(&mut random, at);
        empty(&store).await;
        deliver(&store, &name(0, round + 1), &events).await;
        for _ in 0..7 {
            let asked = question(&mut random, at, &zone);
            let query: TrendsQuery = serde_json::from_value(asked.clone()).expect("a question");
            let now = at + (random.below(8000) as i64 - 2000) * MINUTE;
            let spec = match query.validate(&zone, now) {
                Ok(spec) => spec,
                // Apia's lost day is a range without an instant.
                Err(errors) if errors[0].code == "empty_range" => continue,
                Err(errors) => panic!("{asked}: {errors:?}"),
            };
            let expected = json!(oracle::trend(&spec, &zone, now, &events));
            for (way, found) in ["at once", "by rank"]
                .iter()
                .zip(answers(&store, &spec, &zone, now).await)
            {
                let found = json!(found);
                assert!(
                    found == expected,
                    "round {round} in {}, {way}: {asked} {}",
                    zone.name(),
                    difference("", &found, &expected)
                );
            }
        }
    }
}

/// Persons of values that are not shown are distinct over all of them, and a breakdown with more values than one pass
/// takes is ranked first.
#[tokio::test]
async fn very_many_values_are_ranked_first_and_mean_the_same() {
    let store = store().await;
    let insert = "INSERT INTO events (project, event, day, actor, ts, id, distinct_id, props, local_day) \
        SELECT 7, 'A', toDate(at), number % 500, at, reinterpretAsUUID(sipHash128(number)), toString(number % 500), \
          concat('{\"v\":', toString(if(number < 1000, 1, number)), '}'), toDate(at) \
        FROM (SELECT number, toDateTime64('2026-11-01 12:00:00', 3, 'UTC') AS at FROM numbers(130000))";
    sql(&store, insert).await;
    let asked = json!({"series": [{"event": "A", "measure": "persons"}], "breakdown": [{"property": "v"}],
        "breakdown_limit": 2, "from": "2026-11-01", "to": "2026-11-02"});
    let query: TrendsQuery = serde_json::from_value(asked).expect("a question");
    let spec = query.validate(&Zone::utc(), NOON).expect("valid");
    let found = store.trend(PROJECT, &spec, &Zone::utc()).await.expect("facts");
    let report = TrendReport::from_facts(&spec, &Zone::utc(), NOON, &found.rows.groups, &found.rows.series);
    let values: Vec<_> = report
        .series
        .iter()
        .map(|series| {
            let group = series.group.as_ref().expect("a group");
            (group.values[0].clone(), series.total, series.value)
        })
        .collect();
    let expected = [("1", 1_000, 500.0), ("1000", 1, 1.0), ("Other", 128_999, 500.0)];
    let expected = expected.map(|(value, total, persons)| (value.to_owned(), total, Some(persons)));
    assert_eq!(values, expected);
}
