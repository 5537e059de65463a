//! Paths are the twin's, over small worlds in which everything is common: silences, devices, repeated nodes, ties.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;

use super::super::funnel::tests::any_spec;
use super::super::worlds;
use super::paths;
use crate::event::{Event, Zone, actor_of};
use crate::metrics::filter::{self, Filter, Pattern, PersonProperties, Predicate, Property, Test};
use crate::metrics::funnel::Values;
use crate::metrics::funnel::spec::{Count, FunnelSpec, Order};
use crate::metrics::path::report::{PathNode, PathRow, PathsReport};
use crate::metrics::path::spec::{
    CleanRule, Link, Listed, Matcher, Mode, NodeKind, NodeRef, PathSpec, ShownKind, Which,
};
use crate::metrics::path::walk::Words;
use crate::metrics::path::{PathEvent, PathTally};
use crate::metrics::time::TimeRange;

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;
/// Sessions begin here, a look back after the first events.
const START: i64 = 12 * DAY;
const NOW: i64 = 30 * DAY;

fn many() -> ProptestConfig {
    worlds::seeded(worlds::count(1_500))
}

/// What the store would send of some events, and what it would tell of everybody.
struct Sent<'a> {
    spec: &'a PathSpec,
    names: Values,
    pages: Values,
    events: &'a [Event],
}

impl Sent<'_> {
    fn of(&mut self, since_ms: i64, only: Option<&[u64]>) -> BTreeMap<u64, Vec<PathEvent>> {
        let (persons, none) = (filter::persons(self.events), PersonProperties::default());
        let facts = self.spec.facts_range();
        let mut found: BTreeMap<u64, Vec<PathEvent>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for event in self.events {
            let person = event.actor();
            let is_there = (since_ms..facts.to_ms).contains(&event.ts);
            if !is_there || only.is_some_and(|only| !only.contains(&person)) || !seen.insert(event.id) {
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
                passes: self
                    .spec
                    .filter
                    .matches(event, persons.get(&person).unwrap_or(&none)),
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
        events,
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

/// Everything listed without names, as it is before the store tells them.
fn twin(spec: &PathSpec, events: &[Event]) -> PathsReport {
    let mut report = paths(spec, NOW, events);
    for row in report.list.iter_mut().flat_map(|list| &mut list.rows) {
        row.distinct_id = None;
    }
    report
}

/// Two people whose events come in clumps with silences between, on few pages.
fn visits() -> impl Strategy<Value = Vec<Event>> {
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
            event.device_id = ["", "phone"][usize::from(device)].to_owned();
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

fn spec() -> impl Strategy<Value = PathSpec> {
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
fn linked() -> impl Strategy<Value = PathSpec> {
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
fn seconds() -> impl Strategy<Value = Vec<Event>> {
    (worlds::rich(), prop::collection::vec(0..4_usize, 32)).prop_map(|(mut events, pages)| {
        for (event, page) in events.iter_mut().zip(pages.into_iter().cycle()) {
            event.path = ["", "/a", "/b/1", "/b/2"][page].to_owned();
        }
        events
    })
}

/// What comes to a node is what leaves it or ends there.
fn check_flow(report: &PathsReport) {
    let first = report.positions.first().map_or(0, |position| position.count);
    assert_eq!(first, report.paths);
    for (place, position) in report.positions.iter().enumerate() {
        let sum: u64 = position.nodes.iter().map(|node| node.count).sum();
        assert_eq!(sum, position.count);
        for (n, node) in position.nodes.iter().enumerate() {
            let edges = || report.edges.iter();
            let out = edges().filter(|edge| edge.position == place + 1 && edge.from == n);
            let out: u64 = out.map(|edge| edge.count).sum();
            assert_eq!(
                node.count,
                out + node.drop_off + node.arrived + node.beyond,
                "{node:?}"
            );
            let into = edges().filter(|edge| edge.position == place && edge.to == n);
            let into: u64 = into.map(|edge| edge.count).sum();
            assert!(place == 0 || into == node.count, "{node:?}");
        }
    }
}

/// All pages of a list, whose length is the chart's number.
fn listed(spec: &PathSpec, events: &[Event], position: usize, node: &PathNode, which: Which) -> Vec<PathRow> {
    let shown = |node: &PathNode| NodeRef {
        label: node.label.clone(),
        kind: node.kind,
    };
    let (mut found, mut after) = (Vec::new(), None);
    for page in 0.. {
        assert!(page <= events.len(), "pages end");
        let asked = PathSpec {
            list: Some(Listed {
                position,
                node: shown(node),
                which: which.clone(),
                after,
                limit: 2,
            }),
            ..spec.clone()
        };
        let (report, _) = run(&asked, events);
        if spec.funnel.is_none() {
            assert_eq!(report, twin(&asked, events));
        }
        let list = report.list.unwrap();
        found.extend(list.rows);
        let Some(next) = list.next else {
            assert_eq!(list.total, found.len() as u64);
            return found;
        };
        let (person, place) = next.split_once('-').unwrap();
        after = Some((u64::from_str_radix(person, 16).unwrap(), place.parse().unwrap()));
    }
    found
}

fn check_lists(spec: &PathSpec, report: &PathsReport, events: &[Event]) {
    let length = |position, node: &PathNode, which| listed(spec, events, position, node, which).len() as u64;
    for (place, position) in report.positions.iter().enumerate() {
        for node in &position.nodes {
            assert_eq!(length(place + 1, node, Which::All), node.count);
            assert_eq!(length(place + 1, node, Which::DropOff), node.drop_off);
        }
    }
    for edge in &report.edges {
        let from = &report.positions[edge.position - 1].nodes[edge.from];
        let to = &report.positions[edge.position].nodes[edge.to];
        let to = NodeRef {
            label: to.label.clone(),
            kind: to.kind,
        };
        assert_eq!(length(edge.position, from, Which::To(to)), edge.count);
    }
}

proptest! {
    #![proptest_config(many())]

    #[test]
    fn paths_of_sessions_are_the_twins(spec in spec(), world in visits()) {
        let (report, _) = run(&spec, &world);
        prop_assert_eq!(&report, &twin(&spec, &world));
        check_flow(&report);
        let total = PathSpec { count: Count::Total, ..spec.clone() };
        let unique = PathSpec { count: Count::Unique, ..spec.clone() };
        prop_assert!(run(&total, &world).0.paths >= run(&unique, &world).0.paths);
        if spec.mode != Mode::Between {
            let other = PathSpec { collapse: !spec.collapse, ..spec };
            prop_assert_eq!(run(&other, &world).0.paths, report.paths);
        }
    }

    #[test]
    fn paths_between_steps_are_the_twins(spec in linked(), world in seconds()) {
        let (report, _) = run(&spec, &world);
        prop_assert_eq!(&report, &twin(&spec, &world));
        check_flow(&report);
        let link = spec.funnel.unwrap();
        let chart = worlds::tally(&link.funnel, &Zone::utc(), NOW, &world);
        let number = match link.dropped {
            true => chart.steps[link.step].dropped,
            false => chart.steps[link.next].reached,
        };
        prop_assert_eq!(report.paths, number, "as many paths as the funnel says");
    }

    #[test]
    fn in_ties_too_there_are_as_many_as_the_funnel_says(
        spec in linked(), world in seconds(), tie in prop::sample::select(vec![1, 1_000, 5_000]),
    ) {
        let mut spec = spec;
        let link = spec.funnel.as_mut().unwrap();
        link.funnel.tie_ms = tie;
        let (report, _) = run(&spec, &world);
        check_flow(&report);
        let link = spec.funnel.unwrap();
        let chart = worlds::tally(&link.funnel, &Zone::utc(), NOW, &world);
        let number = match link.dropped {
            true => chart.steps[link.step].dropped,
            false => chart.steps[link.next].reached,
        };
        prop_assert_eq!(report.paths, number);
    }

    #[test]
    fn with_collapse_nothing_follows_itself(spec in spec(), world in visits()) {
        let spec = PathSpec { collapse: true, ..spec };
        let (report, _) = run(&spec, &world);
        for edge in &report.edges {
            let from = &report.positions[edge.position - 1].nodes[edge.from];
            let to = &report.positions[edge.position].nodes[edge.to];
            prop_assert!(from.kind != ShownKind::Node || to.kind != ShownKind::Node || from.label != to.label);
        }
    }

    #[test]
    fn removing_excluded_events_changes_nothing(spec in spec(), world in visits()) {
        // Sessions that their events do not decide: one a person, given, all on one day.
        let mut world = world;
        for event in &mut world {
            (event.session, event.ts) = (1, START + event.ts.rem_euclid(DAY));
            event.device_id = String::new();
        }
        let spec = PathSpec { range: TimeRange { from_ms: START, to_ms: START + DAY }, ..spec };
        let mut fewer = world.clone();
        fewer.retain(|event| !spec.exclude.contains(&Matcher::Event(event.event.clone())));
        prop_assert_eq!(run(&spec, &fewer).0, run(&spec, &world).0);
    }
}

proptest! {
    #![proptest_config(worlds::seeded(worlds::count(1_500).div_ceil(5)))]

    #[test]
    fn lists_are_as_long_as_their_numbers(spec in spec(), world in visits()) {
        let (report, _) = run(&spec, &world);
        check_lists(&spec, &report, &world);
    }

    #[test]
    fn lists_between_steps_too(spec in linked(), world in seconds()) {
        let (report, _) = run(&spec, &world);
        check_lists(&spec, &report, &world);
    }
}

#[test]
fn who_was_never_silent_is_told_by_all_that_they_ever_did() {
    // Every 20 minutes for 10 days: sessions are cut at the age of a day, counted from the very first event.
    let event = |n: i64| {
        worlds::event(
            "p",
            ["A", "B"][n as usize % 2],
            DAY + n * 20 * MINUTE + 5,
            0,
            n as u128,
        )
    };
    let world: Vec<Event> = (0..720).map(event).collect();
    let range = TimeRange {
        from_ms: 9 * DAY,
        to_ms: 10 * DAY,
    };
    let spec = PathSpec {
        mode: Mode::After,
        anchor: None,
        until: None,
        nodes: NodeKind::Event,
        steps: 2,
        top: 10,
        range,
        collapse: true,
        count: Count::Total,
        exclude: Vec::new(),
        clean: Vec::new(),
        group: Vec::new(),
        filter: Filter::everything(),
        funnel: None,
        list: None,
    };
    let (report, aside) = run(&spec, &world);
    assert_eq!((report.paths, aside), (1, 1));
    assert_eq!(report, twin(&spec, &world));
}
