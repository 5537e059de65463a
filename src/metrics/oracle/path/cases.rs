//! Runs `tests/cases/paths.txt`, which explains itself.

use super::paths;
use super::worlds::{START, blank, run};
use crate::event::{Event, actor_of};
use crate::metrics::filter::{Filter, Pattern, Predicate, Property, Test};
use crate::metrics::funnel::FunnelSpec;
use crate::metrics::funnel::spec::{Count, FunnelStep};
use crate::metrics::oracle::worlds;
use crate::metrics::path::PathSpec;
use crate::metrics::path::report::{PathNode, PathsReport};
use crate::metrics::path::spec::{CleanRule, Link, Matcher, Mode, NodeKind};
use crate::metrics::time::TimeRange;

const CASES: &str = include_str!("../../../../tests/cases/paths.txt");

#[test]
fn the_readable_cases_hold_for_the_product_and_for_its_twin() {
    let (mut title, mut run) = ("", 0);
    let mut asked = usual();
    for (n, line) in CASES.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(text) = line.strip_prefix("== ") {
            (title, asked) = (text, usual());
        } else if let Some((events, expected)) = line.split_once("=>") {
            check(
                &format!("line {}, {title}: {line}", n + 1),
                &asked,
                events,
                expected.trim(),
            );
            run += 1;
        } else {
            wish(&mut asked, line);
        }
    }
    assert!(run > 50, "the file is read: {run}");
}

fn usual() -> PathSpec {
    PathSpec {
        range: minutes(0, 100),
        ..blank()
    }
}

fn minutes(from: i64, to: i64) -> TimeRange {
    TimeRange {
        from_ms: START + from * 60_000,
        to_ms: START + to * 60_000,
    }
}

/// A line that says what is asked.
fn wish(spec: &mut PathSpec, line: &str) {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap();
    let mut word = || words.next().unwrap();
    let number = |text: &str| text.parse::<i64>().unwrap();
    match name {
        "after" => spec.anchor = words.next().map(matcher),
        "before" => (spec.mode, spec.anchor) = (Mode::Before, words.next().map(matcher)),
        "between" => {
            spec.mode = Mode::Between;
            (spec.anchor, spec.until) = (Some(matcher(word())), Some(matcher(word())));
        }
        "pages" => spec.nodes = NodeKind::Page,
        "steps" => spec.steps = word().parse().unwrap(),
        "top" => spec.top = word().parse().unwrap(),
        "repeats" => spec.collapse = false,
        "total" => spec.count = Count::Total,
        "without" => spec.exclude = words.map(matcher).collect(),
        "group" => spec.group = words.map(str::to_owned).collect(),
        "clean" => spec.clean.push(CleanRule {
            pattern: Pattern::parse(word()).unwrap(),
            replace: match word() {
                "-" => String::new(),
                text => text.to_owned(),
            },
        }),
        "only" => {
            let (name, value) = word().split_once('=').unwrap();
            spec.filter = Filter::Predicate(Predicate {
                property: Some(Property::Event(name.to_owned())),
                test: Test::Is(value.to_owned()),
            });
        }
        "range" => spec.range = minutes(number(word()), number(word())),
        "funnel" => {
            let steps = words.map(|name| FunnelStep::of(&[name])).collect();
            spec.mode = Mode::Between;
            spec.funnel = Some(Link {
                funnel: FunnelSpec::plain(steps, 10 * 60_000, spec.range),
                step: 0,
                next: 1,
                dropped: false,
            });
        }
        other => {
            let link = spec
                .funnel
                .as_mut()
                .unwrap_or_else(|| panic!("{other} is no wish"));
            match other {
                "window" => link.funnel.window_ms = number(word()) * 60_000,
                "step" => {
                    link.step = word().parse::<usize>().unwrap() - 1;
                    link.next = link.step + 1;
                }
                "dropped" => (link.dropped, spec.mode) = (true, Mode::After),
                _ => panic!("{other} is no wish"),
            }
        }
    }
}

fn matcher(text: &str) -> Matcher {
    match text.starts_with('/') {
        true => Matcher::Page(text.to_owned()),
        false => Matcher::Event(text.to_owned()),
    }
}

fn check(case: &str, spec: &PathSpec, events: &str, expected: &str) {
    let events: Vec<Event> = events.split_whitespace().enumerate().map(event).collect();
    let told = |report: PathsReport| {
        let columns = report.positions.iter();
        let columns: Vec<String> = columns
            .map(|position| position.nodes.iter().map(node).collect::<Vec<_>>().join(" "))
            .collect();
        match columns.is_empty() {
            true => "nothing".to_owned(),
            false => columns.join(", "),
        }
    };
    assert_eq!(told(run(spec, &events).0), expected, "{case}: the product");
    assert_eq!(told(paths(spec, 0, &events)), expected, "{case}: the twin");
}

/// `A 3-1+2`.
fn node(node: &PathNode) -> String {
    let mut text = format!("{} {}", node.label.replace(' ', "_"), node.count);
    for (sign, count) in [("-", node.drop_off), ("+", node.beyond)] {
        if count > 0 {
            text += &format!("{sign}{count}");
        }
    }
    text
}

/// `A0`, `/c2`, `A/c2`, `/c/1;2`, then `#1`, `@phone`, `~s`, `!ada`, `{club}`.
fn event((place, word): (usize, &str)) -> Event {
    let (word, plan) = word.split_once('{').unwrap_or((word, ""));
    let (word, person) = word.split_once('!').unwrap_or((word, "somebody"));
    let (word, session) = word.split_once('~').unwrap_or((word, ""));
    let (word, device) = word.split_once('@').unwrap_or((word, ""));
    let (word, seq) = word.split_once('#').unwrap_or((word, "0"));
    let (what, minute) = word.split_once(';').unwrap_or_else(|| {
        let digits = word.bytes().rev().take_while(u8::is_ascii_digit).count();
        word.split_at(word.len() - digits)
    });
    let (name, path) = what.split_at(what.find('/').unwrap_or(what.len()));
    let name = if name.is_empty() { "page_view" } else { name };
    let ts = START + minute.parse::<i64>().unwrap() * 60_000;
    let mut event = worlds::event(person, name, ts, seq.parse().unwrap(), place as u128);
    event.path = path.to_owned();
    event.device_id = device.to_owned();
    if !session.is_empty() {
        event.session = actor_of(session);
    }
    if !plan.is_empty() {
        event.props = format!(r#"{{"plan":"{}"}}"#, plan.trim_end_matches('}'));
    }
    event
}
