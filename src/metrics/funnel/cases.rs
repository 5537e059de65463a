//! Runs `tests/cases/funnels.txt` and `tests/cases/why_not.txt`, which explain themselves.

use crate::event::{Event, Zone};
use crate::metrics::filter::Property;
use crate::metrics::funnel::attempts::outcomes;
use crate::metrics::funnel::entity::doers;
use crate::metrics::funnel::listing::{ActorOutcome, Actors};
use crate::metrics::funnel::plan::Plan;
use crate::metrics::funnel::report::ActorRow;
use crate::metrics::funnel::spec::{Count, Entity, Exclusion, FunnelSpec, FunnelStep, OnExclusion, Order};
use crate::metrics::funnel::spec::{RangeAppliesTo, Reentry};
use crate::metrics::funnel::why::WhyNot;
use crate::metrics::oracle;
use crate::metrics::time::TimeRange;

const CASES: &str = include_str!("../../../tests/cases/funnels.txt");
const REASONS: &str = include_str!("../../../tests/cases/why_not.txt");

#[test]
fn the_readable_cases_hold_for_the_matcher_and_for_its_twin() {
    let run = run(CASES, check);
    assert!(run > 100, "the file is read: {run}");
}

#[test]
fn why_somebody_did_not_convert_is_told_in_readable_cases() {
    let run = run(REASONS, check_reason);
    assert!(run > 60, "the file is read: {run}");
}

/// Checks every case of a file: its title and line, what is asked, the events, what is expected.
fn run(cases: &str, check: impl Fn(&str, &FunnelSpec, &str, &str)) -> usize {
    let (mut title, mut run) = ("", 0);
    let mut spec = blank();
    for (n, line) in cases.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(text) = line.strip_prefix("== ") {
            (title, spec) = (text, blank());
        } else if let Some((events, expected)) = line.split_once("=>") {
            let case = format!("line {}, {title}: {line}", n + 1);
            check(&case, &spec, events, expected.trim());
            run += 1;
        } else {
            wish(&mut spec, line);
        }
    }
    run
}

/// A line that says what is asked.
fn wish(spec: &mut FunnelSpec, line: &str) {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap();
    let mut word = || words.next().unwrap();
    match name {
        "steps" => spec.steps = words.map(step).collect(),
        "window" => match word() {
            "session" => (spec.by_session, spec.window_ms) = (true, 86_400_000),
            length => spec.window_ms = ms(length),
        },
        "gap" => spec.max_gap_ms = Some(ms(word())),
        "range" => (spec.from_ms, spec.to_ms) = (ms(word()), ms(word())),
        "everything" => spec.range_applies_to = RangeAppliesTo::All,
        "first" => spec.reentry = Reentry::First,
        "total" => spec.count = Count::Total,
        "strict" => spec.order = Order::Strict,
        "any" => spec.order = Order::Any,
        "drop" => spec.on_exclusion = OnExclusion::Drop,
        "ties" => spec.tie_ms = ms(word()),
        "sessions" => spec.entity = Entity::Session,
        "groups" => {
            spec.entity = Entity::Group;
            spec.group = Some(Property::Event(word().to_owned()));
        }
        "hold" => spec.hold = words.map(|name| Property::Event(name.to_owned())).collect(),
        "without" => {
            let events = step(word()).events;
            let (after, before) = (word().parse::<usize>().unwrap(), word().parse::<usize>().unwrap());
            spec.exclusions.push(Exclusion {
                events,
                after: after - 1,
                before: before - 1,
            });
        }
        other => panic!("{other} is no wish"),
    }
}

fn check(case: &str, spec: &FunnelSpec, events: &str, expected: &str) {
    let events: Vec<Event> = events.split_whitespace().enumerate().map(event).collect();
    let expected: Vec<(usize, Vec<i64>)> = expected.split(" and ").filter_map(outcome).collect();
    let (rows, _) = oracle::worlds::step_events(spec, &events);
    let plan = Plan::new(spec);
    let mut found = Vec::new();
    for events in rows.values() {
        for doer in doers(spec, events) {
            let mut of_parts: Vec<(usize, Vec<i64>)> = Vec::new();
            for part in &doer.parts {
                for outcome in outcomes(&plan, part, plan.entry).0 {
                    let times = outcome.chain.iter().map(|link| part[link.event].ts).collect();
                    of_parts.push((outcome.depth, times));
                }
            }
            if spec.count == Count::Unique {
                let end = |times: &Vec<i64>| times.last().copied();
                let best = of_parts
                    .iter()
                    .min_by_key(|(depth, times)| (std::cmp::Reverse(*depth), end(times)));
                of_parts = best.cloned().into_iter().collect();
            }
            found.extend(of_parts);
        }
    }
    let mut twin = oracle::reported_chain(spec, &events);
    // Entities come in no particular order.
    let by_time = |outcomes: &mut Vec<(usize, Vec<i64>)>| outcomes.sort_by_key(|(_, times)| times.clone());
    by_time(&mut found);
    by_time(&mut twin);
    assert_eq!(found, expected, "{case}: the matcher");
    let lengths = |outcomes: &[(usize, Vec<i64>)]| {
        let lengths = outcomes.iter().map(|(depth, times)| (*depth, times.len()));
        let mut lengths: Vec<(usize, usize)> = lengths.collect();
        lengths.sort_unstable();
        lengths
    };
    // Of tied events the twin may report another order.
    if spec.tie_ms == 0 {
        assert_eq!(twin, expected, "{case}: the twin");
    }
    assert_eq!(lengths(&twin), lengths(&expected), "{case}: the twin");
}

fn check_reason(case: &str, spec: &FunnelSpec, words: &str, expected: &str) {
    let events: Vec<Event> = words.split_whitespace().enumerate().map(event).collect();
    let everybody = Actors {
        depth: 1,
        outcome: ActorOutcome::Converted,
        reason: None,
        after: None,
        limit: 10,
    };
    let spec = FunnelSpec {
        why_not: true,
        actors: Some(everybody),
        ..spec.clone()
    };
    let name = |row: &ActorRow| match &row.why_not {
        None => "converted".to_owned(),
        Some(why) => told(why, &events),
    };
    let found = oracle::worlds::tally(&spec, &Zone::utc(), 0, &events).actors;
    let found = found.map(|page| page.actors).unwrap_or_default();
    for (whose, rows) in [("product", found), ("twin", oracle::actors(&spec, &events))] {
        let told: Vec<String> = rows.iter().map(name).collect();
        let expected: Vec<&str> = if expected == "nobody" {
            vec![]
        } else {
            vec![expected]
        };
        assert_eq!(told, expected, "{case}: the {whose}");
    }
}

/// `step 2, window_over by 2, B12`.
fn told(why: &WhyNot, events: &[Event]) -> String {
    let reason = serde_json::to_value(why.reason).unwrap();
    let mut text = format!("step {}, {}", why.step, reason.as_str().unwrap());
    let seconds = |ms: i64| ms as f64 / 1_000.0;
    if let Some(over) = why.over_by_ms {
        text += &format!(" by {}", seconds(over));
    }
    if let Some(event) = events.iter().find(|event| Some(event.id) == why.event_id) {
        text += &format!(", {}{}", event.event, seconds(event.ts));
    }
    if let Some(exclusion) = why.exclusion {
        text += &format!(", rule {exclusion}");
    }
    text
}

/// `2 at 0 3`; `0` is nobody.
fn outcome(text: &str) -> Option<(usize, Vec<i64>)> {
    let mut words = text.split_whitespace();
    let depth: usize = words.next().unwrap().parse().unwrap();
    (depth > 0).then(|| (depth, words.skip(1).map(ms).collect()))
}

fn blank() -> FunnelSpec {
    let range = TimeRange {
        from_ms: 0,
        to_ms: 100_000,
    };
    FunnelSpec::plain(Vec::new(), 10_000, range)
}

fn step(alternatives: &str) -> FunnelStep {
    let (names, optional) = match alternatives.strip_suffix('?') {
        Some(names) => (names, true),
        None => (alternatives, false),
    };
    let names: Vec<&str> = names.split('|').collect();
    FunnelStep {
        optional,
        ..FunnelStep::of(&names)
    }
}

/// `A0`, `A0#1` (place in the batch), `A0@phone` (device), `A0~s1` (given session), `A0{plan=club,size=2}`.
fn event((place, word): (usize, &str)) -> Event {
    let (word, properties) = match word.split_once('{') {
        Some((word, properties)) => (word, properties.trim_end_matches('}')),
        None => (word, ""),
    };
    let (word, person) = word.split_once('/').unwrap_or((word, "somebody"));
    let (word, session) = word.split_once('~').unwrap_or((word, ""));
    let (word, device) = word.split_once('@').unwrap_or((word, ""));
    let (name_and_time, seq) = word.split_once('#').unwrap_or((word, "0"));
    let time = name_and_time.find(|c: char| c.is_ascii_digit()).unwrap();
    let (name, time) = name_and_time.split_at(time);
    let mut event = oracle::worlds::event(person, name, ms(time), seq.parse().unwrap(), place as u128);
    event.device_id = device.to_owned();
    if !session.is_empty() {
        event.session = crate::event::actor_of(session);
    }
    let pairs = properties.split(',').filter_map(|pair| pair.split_once('='));
    let map: serde_json::Map<String, serde_json::Value> = pairs
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    event.props = serde_json::Value::Object(map).to_string();
    event
}

fn ms(seconds: &str) -> i64 {
    (seconds.parse::<f64>().unwrap() * 1_000.0).round() as i64
}
