//! Runs `tests/cases/funnels.txt`, which explains itself.

use crate::event::Event;
use crate::metrics::funnel::matcher::{Plan, Run};
use crate::metrics::funnel::{FunnelSpec, FunnelStep};
use crate::metrics::oracle;

const CASES: &str = include_str!("../../../tests/cases/funnels.txt");

#[test]
fn the_readable_cases_hold_for_the_matcher_and_for_its_twin() {
    let (mut title, mut run) = ("", 0);
    let mut spec = blank();
    for (n, line) in CASES.lines().enumerate() {
        let line = line.trim();
        let mut words = line.split_whitespace();
        match words.next() {
            None | Some("#") => {}
            Some("==") => (title, spec) = (&line[3..], blank()),
            Some("steps") => spec.steps = words.map(step).collect(),
            Some("window") => spec.window_ms = ms(words.next().unwrap()),
            Some("range") => {
                spec.from_ms = ms(words.next().unwrap());
                spec.to_ms = ms(words.next().unwrap());
            }
            Some(_) => {
                let (events, expected) = line.split_once("=>").unwrap();
                check(
                    &format!("line {}, {title}: {line}", n + 1),
                    &spec,
                    events,
                    expected,
                );
                run += 1;
            }
        }
    }
    assert!(run > 30, "the file is read");
}

fn check(case: &str, spec: &FunnelSpec, events: &str, expected: &str) {
    let events: Vec<Event> = events.split_whitespace().enumerate().map(event).collect();
    let mut words = expected.split_whitespace();
    let depth: usize = words.next().unwrap().parse().unwrap();
    let times: Vec<i64> = words.skip(1).map(ms).collect();
    assert_eq!(times.len(), depth, "{case}: as many times as steps");

    let plan = Plan::new(spec);
    let mut run = Run::new(&plan, spec.entry_range());
    let rows = oracle::worlds::step_events(spec, &events);
    for row in rows.values().flatten() {
        run.feed(&plan, row);
    }
    assert_eq!(run.reported(), times, "{case}: the matcher");
    assert_eq!(oracle::reported_chain(spec, &events), times, "{case}: the twin");
}

fn blank() -> FunnelSpec {
    FunnelSpec {
        steps: Vec::new(),
        window_ms: 10_000,
        from_ms: 0,
        to_ms: 100_000,
    }
}

fn step(alternatives: &str) -> FunnelStep {
    FunnelStep {
        events: alternatives.split('|').map(str::to_owned).collect(),
        name: None,
    }
}

fn event((place, word): (usize, &str)) -> Event {
    let (name_and_time, seq) = word.split_once('#').unwrap_or((word, "0"));
    let time = name_and_time.find(|c: char| c.is_ascii_digit()).unwrap();
    let (name, time) = name_and_time.split_at(time);
    oracle::worlds::event("somebody", name, ms(time), seq.parse().unwrap(), place as u128)
}

fn ms(seconds: &str) -> i64 {
    (seconds.parse::<f64>().unwrap() * 1_000.0).round() as i64
}
