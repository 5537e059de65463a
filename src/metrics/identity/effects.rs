//! Which days are made anew, and how far a number is off until then.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::worlds::{self, graph, id, join, seen};
use super::*;
use crate::event::{Day, Zone};
use crate::metrics::oracle::worlds::{count, seeded};

const HOUR: i64 = 3_600_000;

/// Events as (actor's text, ts), some days' worth.
fn events() -> impl Strategy<Value = Vec<(String, i64)>> {
    let one = (prop::sample::select(worlds::texts()), 0..80_i64);
    prop::collection::vec(one, 1..20)
}

/// Facts whose instants are 12 hours apart, so that some days are split and some are not.
fn facts(most: usize) -> impl Strategy<Value = Vec<Fact>> {
    let spread = |fact| match fact {
        Fact::Seen(edge) => Fact::Seen(Edge {
            ts: edge.ts * 12 * HOUR,
            ..edge
        }),
        Fact::Erased(marker) => Fact::Erased(Marker {
            ts: marker.ts * 12 * HOUR,
            ..marker
        }),
        Fact::Ruled(ruling) => Fact::Ruled(ruling),
    };
    prop::collection::vec(worlds::fact().prop_map(spread), 0..most)
}

fn zone() -> Zone {
    Zone::parse("Europe/Berlin").unwrap()
}

fn persons<'a>(graph: &IdentityGraph, events: impl IntoIterator<Item = &'a (String, i64)>) -> BTreeSet<u64> {
    let person = |(text, hour): &(String, i64)| graph.person_of(text, "", hour * HOUR).unwrap().number();
    events.into_iter().map(person).collect()
}

fn days(events: &[(String, i64)]) -> BTreeSet<(u64, Day)> {
    let day = |(text, hour): &(String, i64)| (id(text).actor(), zone().local_day(hour * HOUR));
    events.iter().map(day).collect()
}

fn is_within(stale: usize, now: usize, bounds: Bounds) -> bool {
    let (stale, now) = (stale as u64, now as u64);
    stale <= now + bounds.overcount && now <= stale + bounds.undercount
}

proptest! {
    #![proptest_config(seeded(count(500)))]

    #[test]
    fn a_day_that_is_not_affected_has_the_same_persons(
        known in facts(12), news in facts(5), events in events(),
    ) {
        let mut graph = graph(&known);
        let before = graph.clone();
        let changes = graph.learn(&news).changes;
        let affected = affected_days(&changes, &zone(), days(&events));
        let affected: BTreeSet<Day> = affected.into_iter().map(|(_, day)| day).collect();
        for day in days(&events).into_iter().map(|(_, day)| day) {
            let of_day = |event: &&(String, i64)| zone().local_day(event.1 * HOUR) == day;
            let (was, is) = (
                persons(&before, events.iter().filter(of_day)),
                persons(&graph, events.iter().filter(of_day)),
            );
            prop_assert!(was == is || affected.contains(&day), "{day}: {was:?} {is:?}");
        }
    }

    #[test]
    fn a_number_from_stale_days_is_within_its_bounds(
        known in facts(12), news in facts(5), events in events(),
    ) {
        let mut graph = graph(&known);
        let stale = persons(&graph, &events).len();
        let changes = graph.learn(&news).changes;
        let now = persons(&graph, &events).len();
        prop_assert!(is_within(stale, now, bounds(&changes, &zone(), days(&events))));
    }

    #[test]
    fn a_number_of_actors_is_within_its_bounds(known in facts(12), events in events()) {
        let graph = graph(&known);
        let actors: BTreeSet<&str> = events.iter().map(|(text, _)| text.as_str()).collect();
        let now = persons(&graph, &events).len();
        let bounds = bounds_of_actors(&graph.overrides(), &zone(), days(&events));
        prop_assert!(is_within(actors.len(), now, bounds));
    }
}

#[test]
fn a_merge_loses_the_ids_that_were_active() {
    let mut graph = graph(&[seen("d1", "u2", 1), seen("d2", "u2", 1)]);
    let changes = graph.learn([&join("u1", "u2", 1)]).changes;
    let active =
        |texts: &[&str]| -> Vec<(u64, Day)> { texts.iter().map(|text| (id(text).actor(), Day(3))).collect() };
    let bounds = |texts: &[&str]| bounds(&changes, &Zone::utc(), active(texts)).overcount;
    assert_eq!(bounds(&["u1"]), 0);
    assert_eq!(bounds(&["u1", "u2"]), 1);
    assert_eq!(
        bounds(&["u1", "d1", "d2", "stranger"]),
        3,
        "u2 and the devices, whichever the day has"
    );
    assert_eq!(
        affected_days(&changes, &Zone::utc(), active(&["u1", "u2", "d1"])).len(),
        2
    );
}

#[test]
fn a_move_that_ended_before_a_day_does_not_touch_it() {
    let mut graph = graph(&[seen("d", "u1", 1), seen("d", "u2", 30 * HOUR)]);
    // a third person was seen on it in between
    let changes = graph.learn([&seen("d", "u3", 20 * HOUR)]).changes;
    let active: Vec<(u64, Day)> = (0..4).map(|day| (id("d").actor(), Day(day))).collect();
    let affected = affected_days(&changes, &Zone::utc(), active);
    let affected: Vec<Day> = affected.into_iter().map(|(_, day)| day).collect();
    assert_eq!(affected, [Day(0), Day(1)], "from hour 20 to hour 30");
}
