//! The SQL of a filter says what `Filter::matches` says, over random values of every kind and every operator.

use std::collections::BTreeMap;

use clickhouse::{Client, Row};
use footfall::event::{Event, Zone};
use footfall::metrics::filter::{Filter, FilterQuery, PersonProperties, Property, value_of};
use footfall::metrics::oracle::People;
use footfall::store::filter::{Bind, condition, value};
use footfall::store::{Store, StoreOptions};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{DAY, NOON, PROJECT, Random, deliver, event, name, options, rounds};

const NAMES: [&str; 9] = [
    "p",
    "q",
    "p.q",
    "ü",
    "a b",
    "quote\"",
    "back\\slash",
    "x'",
    "$mine",
];
const COLUMNS: [&str; 5] = ["$path", "$country", "$browser", "$amount", "$lib"];

async fn open() -> (Store, Client) {
    let options: StoreOptions = options();
    let store = Store::connect(options.clone()).await.expect("a store");
    store.migrate().await.expect("migrations");
    let reader = Client::default()
        .with_url(&options.url)
        .with_database(&options.database)
        .with_user(&options.reader.user)
        .with_password(&options.reader.password);
    (store, reader)
}

/// Texts that look like other things, and things that texts look like.
fn scalar(random: &mut Random) -> Value {
    let texts = [
        "",
        "a",
        "A",
        "ab",
        "abc",
        "b",
        "1",
        "1.0",
        "01",
        "-0",
        "0",
        "1e3",
        "1e400",
        "1.5",
        " 1",
        "inf",
        "nan",
        "true",
        "null",
        "é",
        "É",
        "e\u{301}",
        "日本",
        "a\nb",
        "a\tb\\",
        "'; --",
        "%_",
        "{p0:String}",
        "\u{1}\u{7f}",
        "\u{2028}\u{2029}\u{8}\u{c}\u{1f}/",
        "2026-11-01",
        "2026-11-02",
        "2026-02-30",
        "2026-11-01T00:00:00Z",
        "2026-11-01T00:00:00+01:00",
        "2026-10-31T23:00:00.001Z",
        "2026-10-31 23:00:00Z",
        "2026-10-31t22:59:59.9999z",
        "2026-11-01T00:00:00",
        "1969-12-31T23:59:59.5Z",
        "2299-12-31",
        "1900-01-01",
        "1899-12-31",
        "2026-11-01T24:00:00Z",
        "2011-12-30",
        "2026-11-01T00:00:00-18:30",
        "2026-11-01é",
        "x@y.example",
        "0.1",
        "-5",
        "9007199254740993",
        "1e21",
        "00012",
    ];
    match random.below(12) {
        0 => Value::Null,
        1 => json!(random.below(2) == 0),
        2 => json!(random.below(4) as i64 - 1),
        3 => random
            .pick(&[
                json!(1.0),
                json!(-0.0),
                json!(0.1),
                json!(1e21),
                json!(1e20),
                json!(1.5e-7),
                json!(5e-324),
                json!(1.7976931348623157e308),
                json!(123456789.125),
                json!(1e16),
                json!(-1e-6),
                json!(9.999999e-7),
                json!(9007199254740993_i64),
                json!(u64::MAX),
                json!(i64::MIN),
                json!(1000),
                json!(1e3),
                json!(12),
            ])
            .clone(),
        4 => {
            let float = f64::from_bits(random.next());
            if float.is_finite() {
                json!(float)
            } else {
                json!(float.to_bits())
            }
        }
        5 => json!(random.next() as i64),
        6 => json!((random.below(2_000_000) as f64 - 1e6) / 1e3),
        _ => json!(random.pick(&texts)),
    }
}

fn nested(random: &mut Random, depth: u64) -> Value {
    let shape = if depth > 2 { 9 } else { random.below(10) };
    match shape {
        0 => (0..random.below(3)).map(|_| nested(random, depth + 1)).collect(),
        1 => (0..random.below(3))
            .map(|_| ((*random.pick(&NAMES)).to_owned(), nested(random, depth + 1)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        _ => scalar(random),
    }
}

fn object(random: &mut Random) -> Value {
    let mut object = serde_json::Map::new();
    for name in NAMES {
        if random.below(3) > 0 {
            object.insert(name.to_owned(), nested(random, 0));
        }
    }
    Value::Object(object)
}

fn events(random: &mut Random) -> Vec<Event> {
    (0..300)
        .map(|_| {
            let person = format!("p{}", random.below(12));
            let named = *random.pick(&["view", "add", "é b"]);
            let mut event = event(named, &person, NOON + random.below(9) as i64);
            let mut props = object(random);
            for member in ["$set", "$set_once"] {
                match random.below(12) {
                    0 | 1 => props[member] = object(random),
                    2 => props[member] = scalar(random),
                    _ => {}
                }
            }
            event.props = props.to_string();
            event.path = (*random.pick(&["", "/", "/a b", "/Ä"])).into();
            event.country = (*random.pick(&["", "DE", "NP"])).into();
            event.amount = *random.pick(&[0.0, 1.0, 1.5, -2.0, 1e21]);
            event
        })
        .collect()
}

/// A predicate, most of the time with a value that some event has.
fn predicate(random: &mut Random) -> Value {
    let mut query = match random.below(8) {
        0 => json!({"event_name": true}),
        1 | 2 => json!({"person": random.pick(&NAMES)}),
        3 => json!({"property": random.pick(&COLUMNS)}),
        _ => json!({"property": random.pick(&NAMES)}),
    };
    let ops = [
        "is",
        "is_not",
        "contains",
        "not_contains",
        "starts_with",
        "ends_with",
        "matches",
        "gt",
        "gte",
        "lt",
        "lte",
        "between",
        "in",
        "not_in",
        "is_set",
        "is_not_set",
        "before",
        "after",
    ];
    let op = *random.pick(&ops);
    let mut compared = || loop {
        let value = scalar(random);
        if !value.is_null() {
            return value;
        }
    };
    let value = match op {
        "is_set" | "is_not_set" => Value::Null,
        "in" | "not_in" => (0..3).map(|_| compared()).collect(),
        "is" | "is_not" | "contains" | "not_contains" | "starts_with" | "ends_with" => compared(),
        "matches" => json!(random.pick(&[
            "a",
            "^a",
            "b$",
            "^$",
            r"^\d+$",
            r"\w\s\w",
            "(?i)É",
            "[^a-z]",
            r"\bb\b",
            ".b",
            r"^-?\d+\.\d*$",
            "true|null",
            r"\pL{2}",
            r"[[:digit:]]{4}-",
            r"\\",
            "a|b|c",
            "^.$",
            r"^\W",
            r"(?s)^.+$",
            r"\x{e9}",
            "x{0,3}$",
            "['\"]",
        ])),
        "before" | "after" => json!(random.pick(&[
            "2026-11-01",
            "2026-10-31T23:00:00Z",
            "2026-11-01T00:00:00.001+01:00",
            "1970-01-01",
            "2299-12-31",
            "1900-01-01",
            "2011-12-30",
            "2011-12-31",
            "2026-11-02",
        ])),
        "between" => json!([random.below(3) as i64 - 1, random.pick(&[1.0, 12.0, 1e3, 1e300])]),
        _ => json!(random.pick(&[0.0, 1.0, -1.0, 0.1, 1.5, 1e3, 1e21, 123456789.125, 5e-324])),
    };
    query["op"] = json!(op);
    if !value.is_null() {
        query["value"] = value;
    }
    query
}

fn tree(random: &mut Random, depth: u32) -> Value {
    let by = *random.pick(&["and", "or"]);
    if depth == 0 || random.below(2) == 0 {
        return predicate(random);
    }
    let children: Vec<Value> = (0..1 + random.below(3))
        .map(|_| tree(random, depth - 1))
        .collect();
    json!({by: children})
}

#[derive(Row, Deserialize)]
struct Found {
    #[serde(with = "clickhouse::serde::uuid")]
    id: Uuid,
    passes: Vec<u8>,
    values: Vec<Option<String>>,
}

#[tokio::test]
async fn sql_is_the_meaning_over_random_values_and_every_operator() {
    let (store, reader) = open().await;
    let zones = ["Europe/Berlin", "Pacific/Apia", "UTC", "Asia/Kathmandu"];
    for seed in 1..=rounds(4) {
        let mut random = Random(seed);
        let zone = Zone::parse(zones[seed as usize % zones.len()]).expect("a zone");
        let batch = events(&mut random);
        crate::world::sql(&store, "TRUNCATE TABLE events").await;
        deliver(&store, &name(0, seed), &batch).await;
        let known = People::from(&batch).properties();
        let properties: Vec<Property> = NAMES
            .iter()
            .flat_map(|name| [Property::Event((*name).into()), Property::Person((*name).into())])
            .chain(COLUMNS.iter().map(|name| Property::Event((*name).into())))
            .collect();
        for _ in 0..6 {
            let queries: Vec<Value> = (0..30)
                .map(|n| {
                    if n < 24 {
                        predicate(&mut random)
                    } else {
                        tree(&mut random, 3)
                    }
                })
                .collect();
            let filters: Vec<Filter> = queries.iter().map(|query| filter(query, &zone)).collect();
            let found = ask(&reader, &filters, &properties).await;
            assert_eq!(found.len(), batch.len());
            for event in &batch {
                let row = &found[&event.id];
                let person = &known[&event.actor()];
                check(event, person, &queries, &filters, &properties, row);
            }
        }
    }
}

fn filter(query: &Value, zone: &Zone) -> Filter {
    let query: FilterQuery = serde_json::from_value(query.clone()).expect("a filter");
    let mut errors = Vec::new();
    let filter = query.validate("/filter", zone, &mut errors);
    assert_eq!(errors, [], "{query:?}");
    filter
}

async fn ask(reader: &Client, filters: &[Filter], properties: &[Property]) -> BTreeMap<Uuid, Found> {
    let mut bind = Bind::new();
    let passes: Vec<String> = filters
        .iter()
        .map(|filter| condition(filter, &mut bind))
        .collect();
    let values: Vec<String> = properties
        .iter()
        .map(|property| value(property, &mut bind))
        .collect();
    let sql = format!(
        "SELECT id, CAST([{}], 'Array(UInt8)') AS passes, CAST([{}], 'Array(Nullable(String))') AS values \
         FROM (SELECT *, actor AS person FROM events) WHERE project = {{project:UInt32}}",
        passes.join(", "),
        values.join(", ")
    );
    let query = bind.apply(reader.query_raw(&sql).param("project", PROJECT.0));
    let rows: Vec<Found> = query.fetch_all().await.expect("an answer");
    rows.into_iter().map(|row| (row.id, row)).collect()
}

fn check(
    event: &Event,
    person: &PersonProperties,
    queries: &[Value],
    filters: &[Filter],
    properties: &[Property],
    row: &Found,
) {
    for (property, found) in properties.iter().zip(&row.values) {
        let expected = value_of(property, event, person);
        assert_eq!(*found, expected, "{property:?} of {} {person:?}", event.props);
    }
    for ((filter, query), passes) in filters.iter().zip(queries).zip(&row.passes) {
        let expected = filter.matches(event, person);
        assert_eq!(*passes == 1, expected, "{query} over {} {person:?}", event.props);
    }
}

#[tokio::test]
async fn the_latest_set_wins_over_the_earliest_set_once() {
    let (store, reader) = open().await;
    let set = |member: &str, day: i64, value: Value| {
        let mut event = event("$identify", "ann", NOON + day * DAY);
        event.props = json!({member: {"plan": value}}).to_string();
        event
    };
    let batch = [
        set("$set_once", 0, json!("first")),
        set("$set_once", 1, json!("second")),
        set("$set", 2, json!("club")),
        set("$set", 1, json!("trial")),
        event("view", "ben", NOON),
    ];
    deliver(&store, &name(0, 1), &batch).await;
    let plan = [Property::Person("plan".into())];
    let found = ask(&reader, &[], &plan).await;
    assert_eq!(found[&batch[0].id].values, [Some("club".to_owned())]);
    assert_eq!(found[&batch[4].id].values, [None]);
}
