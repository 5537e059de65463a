//! Small random worlds: few people, few names, few seconds around a clock change, so that ties, overlaps and
//! copies are common. The same ones at every run.

use std::collections::BTreeSet;

use footfall::event::{Day, Event, ProjectNumber, Zone, actor_of, flag};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::gzip;

const DAY: i64 = 86_400_000;
/// The id of a session that a client gives.
const SESSION: &str = "visit";

/// Zones whose clocks do remarkable things, each with an instant shortly before one of them.
pub const TRANSITIONS: [(&str, &str); 8] = [
    ("Europe/Berlin", "2026-03-27T12:00:00Z"),
    ("Europe/Berlin", "2026-10-23T12:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-03T12:00:00Z"),
    ("Australia/Sydney", "2026-10-02T12:00:00Z"),
    ("Asia/Kathmandu", "2024-02-27T12:00:00Z"),
    ("Pacific/Apia", "2011-12-28T12:00:00Z"),
    // a midnight that never was
    ("America/Santiago", "2024-09-06T12:00:00Z"),
    ("UTC", "2025-12-30T12:00:00Z"),
];

/// The events of one project around one instant.
pub struct Drawn {
    /// The instant shortly before the clock change.
    pub at: i64,
    /// Where its events lie, each a few seconds long: two behind the instant, one up to 35 days before it.
    pub moments: Vec<i64>,
    /// As they arrive, copies included.
    pub events: Vec<Event>,
    /// How they are sent: ranges of `events`, one request each.
    requests: Vec<std::ops::Range<usize>>,
}

impl Drawn {
    pub fn new(rng: &mut fastrand::Rng, at: i64, project: ProjectNumber, zone: &Zone) -> Drawn {
        let quarter = |rng: &mut fastrand::Rng, days: std::ops::Range<i64>| {
            at + rng.i64(days.start * 96..days.end * 96) * 900_000
        };
        let mut moments: Vec<i64> = (0..2).map(|_| quarter(rng, 0..5)).collect();
        moments.push(quarter(rng, -35..-1));
        let mut events = Vec::new();
        for _ in 0..rng.usize(6..=30) {
            let moment = moments[rng.usize(0..moments.len())];
            // Half of them on whole seconds.
            let offset = match rng.bool() {
                true => rng.i64(0..13) * 1000,
                false => rng.i64(0..13_000),
            };
            let event = event(rng, project, zone, moment + offset);
            if rng.u8(0..10) == 0 {
                events.push(event.clone());
            }
            events.push(event);
        }
        rng.shuffle(&mut events);
        let mut cuts = vec![0, events.len()];
        cuts.extend((0..3).map(|_| rng.usize(0..=events.len())));
        cuts.sort_unstable();
        let requests: Vec<_> = cuts.windows(2).map(|cut| cut[0]..cut[1]).collect();
        let requests: Vec<_> = requests.into_iter().filter(|range| !range.is_empty()).collect();
        for range in &requests {
            for (seq, event) in (0..).zip(&mut events[range.clone()]) {
                event.seq = seq;
            }
        }
        Drawn {
            at,
            moments,
            events,
            requests,
        }
    }

    /// The bodies of its requests, in the shapes that clients use.
    pub fn bodies(&self, rng: &mut fastrand::Rng) -> Vec<Vec<u8>> {
        let body = |events: &[Event]| {
            let wire: Vec<Value> = events.iter().map(|event| wire(rng, event)).collect();
            let body = match rng.u8(0..3) {
                0 => Value::Array(wire).to_string(),
                1 => json!({"batch": wire}).to_string(),
                _ => wire.iter().map(|event| format!("{event}\n")).collect(),
            };
            match rng.bool() {
                true => gzip(body.as_bytes()),
                false => body.into_bytes(),
            }
        };
        let requests = self.requests.iter().map(|range| &self.events[range.clone()]);
        requests.map(body).collect()
    }

    /// The same world without some of its events.
    pub fn without(mut self, gone: impl Fn(&Event) -> bool) -> Drawn {
        self.events.retain(|event| !gone(event));
        self.requests.clear();
        self
    }

    /// The same of people who are known by one id each.
    pub fn by_one_id(mut self) -> Drawn {
        for event in &mut self.events {
            event.device_id.clear();
            event.user_id.clone_from(&event.distinct_id);
        }
        self
    }

    /// The days of its events, UTC and local.
    pub fn days(&self) -> BTreeSet<Day> {
        let days = self
            .events
            .iter()
            .flat_map(|event| [event.day(), event.local_day]);
        days.collect()
    }
}

fn event(rng: &mut fastrand::Rng, project: ProjectNumber, zone: &Zone, ts: i64) -> Event {
    let person = format!("p{}", rng.u8(0..4));
    let name = *rng
        .choice(&["A", "A", "B", "B", "C", "D", "$identify"])
        .expect("one");
    let (device, user) = ids(rng, &person);
    let session = match rng.u8(0..4) {
        0 => actor_of(SESSION),
        _ => 0,
    };
    let path = *rng.choice(&crate::random_paths::PAGES).expect("one");
    let fields = json!({
        "project": project, "event": name, "ts": ts, "seq": 0, "id": Uuid::from_u128(rng.u128(..)),
        "received_at": 0, "distinct_id": if user.is_empty() { &device } else { &user },
        "device_id": device, "user_id": user, "session": session, "path": path,
        "host": "", "referrer_host": "", "utm_source": "", "utm_medium": "", "utm_campaign": "", "country": "",
        "region": "", "city": "", "browser": "", "os": "", "device": "", "lib": "", "amount": 0.0, "currency": "",
        "props": properties(rng, path).to_string(), "flags": if name == "$identify" { flag::NOT_ACTIVITY } else { 0 },
        "local_day": zone.local_day(ts),
    });
    serde_json::from_value(fields).expect("an event")
}

/// The device and the user of an event. One person is known by the device only; the others have a phone, on which
/// they say now and then who they are, and some use the same tablet.
fn ids(rng: &mut fastrand::Rng, person: &str) -> (String, String) {
    let phone = format!("{person}-phone");
    match rng.u8(0..12) {
        _ if person == "p3" => (person.to_owned(), String::new()),
        0..2 => (phone, person.to_owned()),
        2..4 => (phone, String::new()),
        4 => ("tablet".to_owned(), person.to_owned()),
        5 => ("tablet".to_owned(), String::new()),
        _ => (String::new(), person.to_owned()),
    }
}

/// Few names and values, so that filters and breakdowns find some; sums of the numbers are exact in any order.
fn properties(rng: &mut fastrand::Rng, path: &str) -> Value {
    let mut properties = json!({});
    if !path.is_empty() {
        properties["$url"] = json!(path);
    }
    let plans = [json!("club"), json!(1), json!(1.0), json!("1"), Value::Null];
    let numbers = [json!(1), json!(2.5), json!("3"), json!(-0.25), json!("many")];
    for (name, values) in [("plan", plans), ("n", numbers)] {
        if rng.u8(0..4) > 0 {
            properties[name] = rng.choice(values).expect("one");
        }
    }
    if let Some(p) = rng.choice([None, Some("x"), Some("y"), Some("z")]).flatten() {
        properties["p"] = json!(p);
    }
    if let Some(company) = rng.choice([None, Some("one"), Some("two")]).flatten() {
        properties["$groups"] = json!({"company": company});
    }
    if rng.u8(0..5) == 0 {
        properties["$set"] = json!({"tier": rng.choice(["gold", "tin"])});
    }
    properties
}

/// The event as a client writes it.
fn wire(rng: &mut fastrand::Rng, event: &Event) -> Value {
    let timestamp = match rng.bool() {
        true => json!(event.ts),
        false => json!(instant(event.ts)),
    };
    let properties: Value = serde_json::from_str(&event.props).expect("an object");
    let mut wire =
        json!({"event": event.event, "id": event.id, "timestamp": timestamp, "properties": properties});
    if !event.user_id.is_empty() {
        wire["distinct_id"] = json!(event.user_id);
    }
    if !event.device_id.is_empty() {
        wire["device_id"] = json!(event.device_id);
    }
    if event.session != 0 {
        wire["session_id"] = json!(SESSION);
    }
    wire
}

/// RFC 3339.
pub fn instant(ms: i64) -> String {
    footfall::metrics::time::Moment(ms).to_string()
}

/// Everything that is asked about a project: questions for `POST …/query`.
pub fn questions(rng: &mut fastrand::Rng, drawn: &Drawn, zone: &Zone) -> Vec<Value> {
    let day = |n: i32| zone.local_day(drawn.at).plus(n).to_string();
    // Two days at least: one of them may never have been.
    let (first, days) = (rng.i32(-2..3), rng.i32(2..6));
    let (from, to) = (day(first), day(first + days));
    let week_start = *rng.choice(&["monday", "sunday", "saturday"]).expect("one");
    let mut asked = Vec::new();
    for event in [None, Some("B")] {
        for exact in [false, true] {
            asked.push(
                json!({"kind": "active_users", "event": event, "from": from, "to": to, "exact": exact,
                "week_start": week_start}),
            );
        }
    }
    for filter in [
        json!({"event_name": true, "op": "in", "value": ["A", "C"]}),
        json!({"property": "plan", "op": "is_not_set"}),
    ] {
        asked.push(
            json!({"kind": "active_users", "from": from, "to": to, "week_start": week_start, "filter": filter, "exact": true}),
        );
    }
    for breakdown in [
        json!([{"property": "plan"}]),
        json!([{"person": "tier"}, {"property": "n"}]),
    ] {
        let event = rng.choice(&[None, Some("B")]).expect("one");
        asked.push(
            json!({"kind": "active_users", "event": event, "from": from, "to": to, "week_start": week_start,
            "breakdown": breakdown, "breakdown_limit": rng.u8(1..4)}),
        );
    }
    for interval in ["hour", "day", "week", "month"] {
        let back = if interval == "hour" { 0 } else { -38 };
        asked.push(
            json!({"kind": "trends", "events": ["B", "A", "never"], "interval": interval,
            "from": day(back), "to": day(5), "week_start": week_start}),
        );
    }
    asked.extend((0..4).map(|_| trend(rng, &from, &to)));
    for steps in 2..=4 {
        let steps: Vec<Value> = (0..steps).map(|_| step(rng)).collect();
        let moment = drawn.moments[rng.usize(0..2)];
        asked.push(
            json!({"kind": "funnel", "steps": steps, "window": format!("{}s", rng.u8(1..10)),
            "from": instant(moment + rng.i64(-2..3) * 1000), "to": instant(moment + rng.i64(6..15) * 1000)}),
        );
        asked.push(
            json!({"kind": "funnel", "steps": steps, "window": format!("{}h", rng.u8(1..80)),
            "from": from, "to": to}),
        );
    }
    for (after, goal) in [("A", "B"), ("A", "A")] {
        let window = format!("{}h", rng.u8(1..80));
        asked.push(
            json!({"kind": "conversion", "after": after, "goal": goal, "window": window,
            "from": from, "to": to, "value": {"property": "n"}}),
        );
    }
    for (goal, filter) in [
        ("B", json!(null)),
        ("$identify", json!({"property": "plan", "op": "is_set"})),
    ] {
        asked.push(
            json!({"kind": "conversion", "goal": goal, "from": from, "to": to, "filter": filter,
            "value": {"property": "n"}}),
        );
    }
    for interval in ["day", "week", "month"] {
        let event = rng.choice(&[None, Some("B"), Some("$identify")]).expect("one");
        asked.push(
            json!({"kind": "lifecycle", "event": event, "interval": interval, "from": day(rng.i32(-38..1)),
            "to": day(3), "week_start": week_start}),
        );
        asked.push(json!({"kind": "stickiness", "event": event, "from": day(rng.i32(-38..1)), "to": day(3)}));
    }
    let filter = json!({"property": "p", "op": "is_set"});
    asked.push(json!({"kind": "sessions", "from": from, "to": to, "compare": "previous"}));
    asked.push(
        json!({"kind": "sessions", "from": day(-38), "to": day(5), "interval": "week", "filter": filter}),
    );
    asked.extend(crate::random_funnels::funnels(rng, drawn, (&from, &to)));
    asked.extend(crate::random_paths::paths(rng, drawn, (&from, &to)));
    asked.extend((0..8).map(|_| crate::random_retention::retention(rng, drawn, zone)));
    for question in &mut asked {
        let counts = [
            "active_users",
            "conversion",
            "lifecycle",
            "stickiness",
            "retention",
        ];
        if counts.contains(&question["kind"].as_str().expect("a kind")) && rng.u8(0..3) == 0 {
            question["group"] = group(rng);
        }
    }
    asked
}

/// What is counted instead of persons.
fn group(rng: &mut fastrand::Rng) -> Value {
    let company = json!({"property": "$groups.company"});
    let others = [
        json!({"property": "p"}),
        json!({"property": "plan"}),
        json!({"person": "tier"}),
    ];
    match rng.bool() {
        true => company,
        false => rng.choice(others).expect("one"),
    }
}

/// A trend that the rollups cannot answer.
fn trend(rng: &mut fastrand::Rng, from: &str, to: &str) -> Value {
    let measure = *rng
        .choice(&["persons", "per_person", "sum", "avg", "max", "p50"])
        .expect("one");
    let mut first = json!({"events": ["A", "B"], "measure": measure});
    match measure {
        "persons" if rng.bool() => first["cumulative"] = json!(true),
        "persons" => first["rolling_days"] = json!(rng.u8(2..5)),
        "per_person" => {}
        _ => first["of"] = json!({"property": "n"}),
    }
    if measure.starts_with("per") && rng.u8(0..4) == 0 {
        first["group"] = json!({"property": "plan"});
    }
    let second = json!({"event": "A", "filter": {"property": "n", "op": "gt", "value": 0}});
    let mut asked = json!({"kind": "trends", "series": [first, second], "formula": "A / B", "from": from, "to": to,
        "breakdown": rng.choice([json!([]), json!([{"property": "plan"}]), json!([{"person": "tier"}, {"property": "n"}])]),
        "breakdown_limit": rng.u8(1..4)});
    if rng.bool() {
        asked["compare"] = json!("previous");
    }
    if rng.bool() {
        asked["filter"] = json!({"or": [{"person": "tier", "op": "is_not", "value": "tin"}, {"property": "plan", "value": 1}]});
    }
    asked
}

/// One or two of three names.
fn step(rng: &mut fastrand::Rng) -> Value {
    let mut names = vec!["A", "B", "C"];
    rng.shuffle(&mut names);
    names.truncate(rng.usize(1..=2));
    json!({"events": names})
}

/// An instant after every event, sometimes within the days that are asked about.
pub fn now(rng: &mut fastrand::Rng, drawn: &[Drawn]) -> i64 {
    let last = drawn.iter().flat_map(|drawn| &drawn.events).map(|event| event.ts);
    last.max().expect("events") + rng.i64(1..3 * DAY)
}
