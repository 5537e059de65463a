//! Paths are the twin's, over small worlds in which everything is common: silences, devices, repeated nodes, ties.

use proptest::prelude::*;

use super::super::worlds as all;
use super::paths;
use super::worlds::{DAY, MINUTE, NOW, START, blank, linked, run, seconds, spec, visits};
use crate::event::{Event, Zone};
use crate::metrics::funnel::spec::Count;
use crate::metrics::path::report::{PathNode, PathRow, PathsReport};
use crate::metrics::path::spec::{Listed, Matcher, Mode, NodeRef, PathSpec, ShownKind, Which};
use crate::metrics::time::TimeRange;

fn many() -> ProptestConfig {
    all::seeded(all::count(1_500))
}

/// Everything listed without names, as it is before the store tells them.
fn twin(spec: &PathSpec, events: &[Event]) -> PathsReport {
    let mut report = paths(spec, NOW, events);
    for row in report.list.iter_mut().flat_map(|list| &mut list.rows) {
        row.distinct_id = None;
    }
    report
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
        let chart = all::tally(&link.funnel, &Zone::utc(), NOW, &world);
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
        let chart = all::tally(&link.funnel, &Zone::utc(), NOW, &world);
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
    #![proptest_config(all::seeded(all::count(1_500).div_ceil(5)))]

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
        all::event(
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
        steps: 2,
        range,
        count: Count::Total,
        ..blank()
    };
    let (report, aside) = run(&spec, &world);
    assert_eq!((report.paths, aside), (1, 1));
    assert_eq!(report, twin(&spec, &world));
}
