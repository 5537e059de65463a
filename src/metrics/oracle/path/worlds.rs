//! Random visits and questions about them, and the fast path as the store would feed it.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::super::funnel::tests::any_spec;
use super::super::worlds;
use crate::event::{Event, Zone, actor_of};
use crate::metrics::filter::{Filter, Pattern, Predicate, Property, Test};
use crate::metrics::funnel::Values;
use crate::metrics::funnel::spec::{Count, FunnelSpec, Order};
use crate::metrics::oracle::People;
use crate::metrics::path::report::PathsReport;
use crate::metrics::path::spec::{CleanRule, Link, Matcher, Mode, NodeKind, PathSpec};
use crate::metrics::path::walk::Words;
use crate::metrics::path::{PathEvent, PathTally};
use crate::metrics::time::TimeRange;

pub const MINUTE: i64 = 60_000;
pub const DAY: i64 = 86_400_000;
/// Sessions begin here, more than a look back after the first events.
pub const START: i64 = 12 * DAY;
pub const NOW: i64 = 30 * DAY;

/// What the store would send of some events, and what it would tell of everybody.
struct Sent<'a> {
    spec: &'a PathSpec,
    names: Values,
    pages: Values,
    people: People<'a>,
}

impl Sent<'_> {
    fn of(&mut self, since_ms: i64, only: Option<&[u64]>) -> BTreeMap<u64, Vec<PathEvent>> {
        let properties = self.people.properties();
        let facts = self.spec.facts_range();
        let mut found: BTreeMap<u64, Vec<PathEvent>> = BTreeMap::new();
        for event in self.people.events() {
            let person = self.people.person(event);
            let is_there = (since_ms..facts.to_ms).contains(&event.ts);
            if !is_there || only.is_some_and(|only| !only.contains(&person)) {
                continue;
            }
            let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let name = self
                .spec
                .needs_names()
                .then(|| self.names.number(Some(&event.event)));
            let page = self
                .spec
                .needs_pages()
                .then(|| self.pages.number(text(&event.path).as_deref()));
            found.entry(person).or_default().push(PathEvent {
                ts: event.ts,
                seq: event.seq,
                id: event.id.as_u128(),
                session: event.session,
                device: actor_of(&event.device_id),
                name: name.unwrap_or(0),
                page: page.unwrap_or(0),
                passes: self.spec.filter.matches(event, &properties[&person]),
            });
        }
        for events in found.values_mut() {
            events.sort_unstable_by_key(|event| (event.ts, event.seq, event.id));
        }
        found
    }

    fn words(&self) -> Words {
        Words::new(self.spec, &self.names, &self.pages)
    }
}

/// The fast path, gathered by two tallies; and how many persons were put aside.
pub fn run(spec: &PathSpec, events: &[Event]) -> (PathsReport, usize) {
    let mut sent = Sent {
        spec,
        names: Values::default(),
        pages: Values::default(),
        people: People::from(events),
    };
    let stretches = spec.funnel.as_ref().map_or_else(HashMap::new, |link| {
        let report = worlds::tally(&link.listing(), &Zone::utc(), NOW, events);
        link.stretches(&report.actors.unwrap().actors)
    });
    let first = sent.of(spec.facts_range().from_ms, None);
    let empty = PathTally::new(spec, sent.words(), stretches);
    let mut halves = [empty.clone(), empty.clone()];
    for (n, (person, events)) in first.iter().enumerate() {
        halves[n % 2].add(*person, events);
    }
    let [mut tally, other] = halves;
    tally.absorb(other);
    let aside = tally.take_put_aside();
    if !aside.is_empty() {
        let again = sent.of(0, Some(&aside));
        let mut of_all_time = empty.of_all_time(sent.words());
        for (person, events) in &again {
            of_all_time.add(*person, events);
        }
        assert!(
            of_all_time.take_put_aside().is_empty(),
            "nothing came before everything"
        );
        tally.absorb(of_all_time);
    }
    (tally.finish(NOW), aside.len())
}

/// From the start of each person's earliest session onward.
pub fn blank() -> PathSpec {
    PathSpec {
        mode: Mode::After,
        anchor: None,
        until: None,
        nodes: NodeKind::Event,
        steps: 5,
        top: 10,
        range: TimeRange {
            from_ms: START,
            to_ms: START + DAY,
        },
        collapse: true,
        count: Count::Unique,
        exclude: Vec::new(),
        clean: Vec::new(),
        group: Vec::new(),
        filter: Filter::everything(),
        funnel: None,
        list: None,
    }
}

/// Two people whose events come in clumps with silences between, on few pages.
pub fn visits() -> impl Strategy<Value = Vec<Event>> {
    let days = prop::sample::select(vec![-9, -7, -1, 0, 0, 0, 0, 1, 1, 2_i64]);
    let times = (days, 0..10_i64, prop::sample::select(vec![0, 1, 29, 30, 31_i64]))
        .prop_map(|(day, clump, minute)| START + day * DAY + clump * 45 * MINUTE + minute * MINUTE);
    let pages = prop::collection::vec(0..8_usize, 32);
    let rich = prop::collection::vec((0..4_u8, 0..4_u8, 0..2_u8), 32);
    (worlds::events(2, 1..16, times.boxed()), pages, rich).prop_map(|(mut events, pages, rich)| {
        const PATHS: [&str; 8] = ["", "/", "/a", "/a/", "/b/1", "/b/2/", "/b/1//", "/c"];
        let rich = rich.into_iter().cycle().zip(pages.into_iter().cycle());
        for (event, ((p, session, device), page)) in events.iter_mut().zip(rich) {
            if p < 3 {
                event.props = format!(r#"{{"p":"{}"}}"#, ["x", "y", "z"][usize::from(p)]);
            }
            event.session = u64::from(session.saturating_sub(2));
            if device == 1 && event.device_id.is_empty() {
                event.device_id = "phone".to_owned();
            }
            event.path = PATHS[page].to_owned();
        }
        events
    })
}

fn matcher() -> impl Strategy<Value = Matcher> {
    prop::sample::select(vec![
        Matcher::Event("A".to_owned()),
        Matcher::Event("A".to_owned()),
        Matcher::Event("B".to_owned()),
        Matcher::Event("X".to_owned()),
        Matcher::Page("/a".to_owned()),
        Matcher::Page("/b/#".to_owned()),
        Matcher::Page("/b/*".to_owned()),
        Matcher::Page("/b/1".to_owned()),
        Matcher::Page("/".to_owned()),
    ])
}

pub fn spec() -> impl Strategy<Value = PathSpec> {
    let anchors = (
        prop::sample::select(vec![Mode::After, Mode::Before, Mode::Between]),
        prop::option::weighted(0.8, matcher()),
        matcher(),
        prop::collection::vec(matcher(), 0..=2),
    );
    let shape = (
        any::<(bool, bool, bool)>(),
        2..6_usize,
        1..4_usize,
        any::<(bool, bool)>(),
    );
    let range = (-2 * 24..24_i64, 1..3 * 24_i64, prop::bool::weighted(0.3));
    (anchors, shape, range).prop_map(
        |((mode, anchor, until, exclude), shape, (from, hours, filtered))| {
            let ((page, collapse, total), steps, top, (clean, group)) = shape;
            let between = mode == Mode::Between;
            let from_ms = START + from * 60 * MINUTE;
            PathSpec {
                mode,
                anchor: anchor.or_else(|| between.then(|| until.clone())),
                until: between.then_some(until),
                nodes: if page { NodeKind::Page } else { NodeKind::Event },
                steps: steps.max(if between { 3 } else { 2 }),
                top,
                range: TimeRange {
                    from_ms,
                    to_ms: from_ms + hours * 60 * MINUTE,
                },
                collapse,
                count: if total { Count::Total } else { Count::Unique },
                exclude,
                clean: match clean {
                    true => ["[12]", "^/c$|x*"]
                        .map(|pattern| CleanRule {
                            pattern: Pattern::parse(pattern).unwrap(),
                            replace: if pattern == "[12]" { "#" } else { "" }.to_owned(),
                        })
                        .to_vec(),
                    false => Vec::new(),
                },
                group: if group {
                    vec!["/b/*".to_owned(), "*b*".to_owned()]
                } else {
                    Vec::new()
                },
                filter: match filtered {
                    true => Filter::Predicate(Predicate {
                        property: Some(Property::Event("p".to_owned())),
                        test: Test::IsNot("x".to_owned()),
                    }),
                    false => Filter::everything(),
                },
                funnel: None,
                list: None,
            }
        },
    )
}

/// Paths between two steps of any funnel that has them. In ties the two may report other chains that are as good.
pub fn linked() -> impl Strategy<Value = PathSpec> {
    let sequential = any_spec().prop_filter("in any order nothing is next", |spec| spec.order != Order::Any);
    (
        spec(),
        sequential,
        any::<prop::sample::Index>(),
        any::<bool>(),
        0..3_usize,
    )
        .prop_map(|(spec, funnel, which, dropped, hold)| {
            let held = ["p", "g"].map(|name| Property::Event(name.to_owned()));
            let funnel = FunnelSpec {
                hold: held.into_iter().take(hold).collect(),
                ..funnel
            };
            let mandatory = funnel.mandatory();
            let place = which.index(mandatory.len() - 1);
            PathSpec {
                mode: if dropped { Mode::After } else { Mode::Between },
                anchor: None,
                until: None,
                count: Count::Unique,
                steps: spec.steps.max(3),
                range: funnel.entry_range(),
                funnel: Some(Link {
                    step: mandatory[place],
                    next: mandatory[place + 1],
                    dropped,
                    funnel,
                }),
                ..spec
            }
        })
}

/// Seconds of two people, on pages.
pub fn seconds() -> impl Strategy<Value = Vec<Event>> {
    (worlds::rich(), prop::collection::vec(0..4_usize, 32)).prop_map(|(mut events, pages)| {
        for (event, page) in events.iter_mut().zip(pages.into_iter().cycle()) {
            event.path = ["", "/a", "/b/1", "/b/2"][page].to_owned();
        }
        events
    })
}
