//! What the rules mean, one by one.

use super::worlds::{by_graph, empty, erased, graph, id, join, part, ruling, salt, seen};
use super::*;
use crate::metrics::oracle::worlds;

/// The person of an event without a user, as text; the fresh person of `d` as `~d`.
fn person(graph: &IdentityGraph, id: &str, ts: i64) -> String {
    match graph.person_of(id, "", ts).unwrap() {
        Person::Known(id) => id.to_string(),
        Person::Fresh(id) => format!("~{id}"),
    }
}

fn persons(graph: &IdentityGraph, id: &str, instants: [i64; 3]) -> [String; 3] {
    instants.map(|ts| person(graph, id, ts))
}

#[test]
fn what_a_device_did_before_and_after_its_user_logged_in_is_the_users() {
    let graph = graph(&[seen("d", "u", 5)]);
    assert_eq!(persons(&graph, "d", [0, 5, 9]), ["u", "u", "u"]);
    assert_eq!(person(&graph, "u", 0), "u");
    assert_eq!(person(&graph, "d9", 0), "d9", "nobody was seen there");
}

#[test]
fn an_event_that_carries_both_ids_is_an_edge() {
    let mut event = worlds::event("u", "A", 7, 0, 1);
    assert_eq!(Edge::of(&event), None);
    event.device_id = "d".to_owned();
    assert_eq!(Edge::of(&event), Edge::new("d", "u", 7));
    event.user_id = "Anonymous".to_owned();
    assert_eq!(Edge::of(&event), None);
    assert_eq!(
        empty().person_of(&event.device_id, &event.user_id, 7),
        Some(Person::Known(id("d")))
    );
}

#[test]
fn a_second_person_on_a_device_splits_it_for_good() {
    let graph = graph(&[seen("d", "u1", 3), seen("d", "u2", 6), seen("d", "u1", 8)]);
    assert_eq!(persons(&graph, "d", [5, 6, 9]), ["u1", "~d", "~d"]);
    assert_eq!(graph.person_of("d", "u2", 7), Some(Person::Known(id("u2"))));
    assert_eq!(graph.person_of("d", "u1", 9), Some(Person::Known(id("u1"))));
}

#[test]
fn of_two_users_at_the_same_instant_the_smaller_has_the_device_until_then() {
    let graph = graph(&[seen("d", "u2", 5), seen("d", "u1", 5)]);
    assert_eq!(persons(&graph, "d", [4, 5, 6]), ["u1", "~d", "~d"]);
}

#[test]
fn a_user_seen_earlier_by_a_late_event_takes_the_device_over() {
    let mut graph = graph(&[seen("d", "u1", 5)]);
    let late = seen("d", "u2", 3);
    let changes = graph.learn([&late]).changes;
    assert_eq!(persons(&graph, "d", [0, 4, 5]), ["u2", "u2", "~d"]);
    let moves: Vec<_> = changes.iter().flat_map(Change::moves).collect();
    let to = |from, until, after| Move {
        from,
        until,
        before: Person::Known(id("u1")),
        after,
    };
    assert_eq!(
        moves,
        [
            to(i64::MIN, 5, Person::Known(id("u2"))),
            to(5, i64::MAX, Person::Fresh(id("d"))),
        ]
    );
    assert_eq!(changes[0].from(), i64::MIN);
}

#[test]
fn users_that_a_server_merges_are_one_person_with_all_their_devices() {
    let facts = [
        seen("d1", "u3", 1),
        seen("d2", "u2", 2),
        join("u3", "u2", 4),
        join("u2", "u1", 5),
    ];
    let graph = graph(&facts);
    for one in ["d1", "d2", "u1", "u2", "u3"] {
        assert_eq!(person(&graph, one, 0), "u1");
    }
    let members = graph.members(&Person::Known(id("u1")));
    let members: Vec<_> = members.iter().map(Id::as_str).collect();
    assert_eq!(members, ["u1", "u2", "u3", "d1", "d2"]);
}

#[test]
fn another_user_of_the_same_person_splits_nothing() {
    let mut graph = graph(&[seen("d", "u1", 3), seen("d", "u2", 5), join("u1", "u2", 9)]);
    assert_eq!(persons(&graph, "d", [0, 5, 9]), ["u1", "u1", "u1"]);
    graph.learn([&part("u1", "u2", 10)]);
    assert_eq!(persons(&graph, "d", [0, 5, 9]), ["u1", "~d", "~d"]);
}

#[test]
fn a_chain_over_several_devices_joins_nobody_who_only_shared_one() {
    // u2 used d1 after u1, and u3 used d2 after u2: three persons.
    let graph = graph(&[
        seen("d1", "u1", 1),
        seen("d1", "u2", 2),
        seen("d2", "u2", 3),
        seen("d2", "u3", 4),
    ]);
    assert_eq!(persons(&graph, "d1", [0, 1, 2]), ["u1", "u1", "~d1"]);
    assert_eq!(persons(&graph, "d2", [2, 3, 4]), ["u2", "u2", "~d2"]);
    assert_eq!(person(&graph, "u3", 4), "u3");
}

#[test]
fn an_unmerged_device_is_nobodys_and_falls_to_nobody_else() {
    let mut graph = graph(&[seen("d", "u1", 3), seen("d", "u2", 6), part("d", "u1", 9)]);
    assert_eq!(persons(&graph, "d", [0, 3, 6]), ["d", "~d", "~d"]);
    assert_eq!(
        person(&graph, "u1", 3),
        "u1",
        "what names the user stays the user's"
    );
    graph.learn([&seen("d", "u1", 1)]);
    assert_eq!(
        persons(&graph, "d", [0, 1, 6]),
        ["d", "~d", "~d"],
        "whenever it happened"
    );
    graph.learn([&join("d", "u1", 10)]);
    assert_eq!(
        persons(&graph, "d", [0, 5, 6]),
        ["u1", "u1", "~d"],
        "until a re-merge"
    );
}

#[test]
fn of_rulings_the_latest_holds_and_apart_at_the_same_instant() {
    let apart = graph(&[join("u1", "u2", 5), part("u2", "u1", 5), join("u1", "u2", 4)]);
    assert_eq!(person(&apart, "u2", 0), "u2");
    let joined = graph(&[join("u1", "u2", 6), part("u2", "u1", 5)]);
    assert_eq!(person(&joined, "u2", 0), "u1");
}

#[test]
fn an_unmerge_of_two_users_leaves_other_ways_between_them() {
    let mut graph = graph(&[join("u1", "u2", 1), join("u2", "u3", 1), join("u1", "u3", 1)]);
    assert!(graph.learn([&part("u1", "u3", 2)]).changes.is_empty());
    graph.learn([&part("u2", "u3", 2)]);
    assert_eq!(person(&graph, "u3", 0), "u3");
    assert_eq!(person(&graph, "u2", 0), "u1");
}

#[test]
fn denied_ids_are_absent() {
    for denied in [
        "null",
        "Undefined",
        " NaN ",
        "0",
        "none",
        "ANONYMOUS",
        "guest",
        "",
        "\t",
    ] {
        assert_eq!(Edge::new("d", denied, 1), None, "{denied:?}");
        assert_eq!(Edge::new(denied, "u", 1), None, "{denied:?}");
        let refused = alias(Named::Device("d"), Named::User(denied), 1, true);
        assert_eq!(refused, Err(Refused::Nobody));
        assert_eq!(empty().person_of("d", denied, 1), Some(Person::Known(id("d"))));
        assert_eq!(empty().person_of(denied, denied, 1), None);
    }
}

#[test]
fn an_alias_joins_a_device_to_a_user_and_users_only_for_servers() {
    let (d, u, v) = (Named::Device("d"), Named::User("u"), Named::User("v"));
    assert_eq!(alias(d, u, 7, false), Ok(seen("d", "u", 7)));
    assert_eq!(alias(u, d, 7, false), Ok(seen("d", "u", 7)));
    assert_eq!(alias(d, Named::Device("e"), 7, true), Err(Refused::TwoDevices));
    assert_eq!(alias(v, u, 7, false), Err(Refused::NeedsServerKey));
    assert_eq!(alias(v, u, 7, true), Ok(join("u", "v", 7)));
    assert_eq!(alias(u, u, 7, true), Err(Refused::SameId));
}

#[test]
fn an_id_that_is_a_users_is_no_device() {
    let mut graph = graph(&[seen("a", "u", 1)]);
    assert_eq!(person(&graph, "a", 0), "u");
    graph.learn([&seen("d", "a", 2)]);
    assert_eq!(person(&graph, "a", 0), "a");
    assert_eq!(person(&graph, "d", 0), "a");
    assert_eq!(Edge::new("a", "a", 0), None, "and one text twice says nothing");
}

#[test]
fn a_person_has_500_devices_and_then_no_more() {
    let facts: Vec<Fact> = (0..MAX_DEVICES)
        .map(|n| seen(&format!("d{n}"), "u", 10 + n as i64))
        .collect();
    let mut graph = IdentityGraph::new(salt());
    assert!(graph.learn(&facts).over_cap.is_empty());
    let outcome = graph.learn([&seen("late", "u", 9_999)]);
    assert_eq!(outcome.over_cap.into_iter().collect::<Vec<_>>(), [id("u")]);
    assert_eq!(
        persons(&graph, "late", [0, 9_998, 9_999]),
        ["late", "late", "~late"]
    );
    // an earlier one takes the last one's place
    let last = format!("d{}", MAX_DEVICES - 1);
    let outcome = graph.learn([&seen("early", "u", 1)]);
    let changed: Vec<_> = outcome.changes.iter().map(|change| change.id.as_str()).collect();
    assert_eq!(changed, [last.as_str(), "early"]);
    assert_eq!(person(&graph, "early", 0), "u");
    assert_eq!(person(&graph, &last, 0), last);
    // and gives it back
    let outcome = graph.learn([&part("early", "u", 5)]);
    assert_eq!(outcome.changes.len(), 2);
    assert_eq!(person(&graph, &last, 0), "u");
}

#[test]
fn a_merge_over_the_cap_is_refused() {
    let graph = graph(&[
        seen("d1", "u1", 1),
        seen("d2", "u1", 1),
        seen("d3", "u2", 1),
        seen("d4", "u4", 1),
    ]);
    let admit = |one: &str, other: &str, verdict| graph.admit(&ruling(one, other, 9, verdict));
    let refused = Err(Refused::OverCap { devices: 3, cap: 2 });
    assert_eq!(admit("u1", "u2", Verdict::Join), refused);
    assert_eq!(admit("u1", "u2", Verdict::Part), Ok(()));
    assert_eq!(admit("u2", "u4", Verdict::Join), Ok(()));
    assert_eq!(admit("u1", "unknown", Verdict::Join), Ok(()));
    let is_device = Refused::IsDevice(id("x"));
    let mut graph = graph;
    graph.learn([&seen("x", "u9", 1)]);
    let ruling = Ruling {
        pair: Pair::users(id("x"), id("u1")),
        at: 9,
        verdict: Verdict::Join,
    };
    assert_eq!(graph.admit(&ruling), Err(is_device));
}

#[test]
fn a_re_merge_over_the_cap_is_refused() {
    let mut graph = graph(&[
        seen("d1", "u", 1),
        seen("d2", "u", 2),
        part("d1", "u", 5),
        seen("d3", "u", 3),
    ]);
    let again = ruling("d1", "u", 9, Verdict::Join);
    assert_eq!(graph.admit(&again), Err(Refused::OverCap { devices: 3, cap: 2 }));
    graph.learn([&part("d3", "u", 6)]);
    assert_eq!(graph.admit(&again), Ok(()));
}

#[test]
fn an_erased_person_leaves_the_device_to_nobody() {
    let mut graph = graph(&[seen("d", "u1", 3), seen("d", "u2", 6), join("u1", "u3", 1)]);
    let erased = graph.erase(&Person::Known(id("u1")));
    assert_eq!(erased.ids, [id("u1"), id("u3"), id("d")]);
    assert_eq!(erased.edges, [Edge::new("d", "u1", 3).unwrap()]);
    assert_eq!(erased.rulings, [Pair::users(id("u1"), id("u3"))]);
    assert_eq!(erased.markers.len(), 1);
    assert!(erased.markers[0].is_first);
    assert_eq!(persons(&graph, "d", [2, 3, 6]), ["d", "~d", "~d"]);
    assert_eq!(graph.ids().into_iter().collect::<Vec<_>>(), [&id("d"), &id("u2")]);
    // the user comes back as somebody new, who has the device no more
    graph.learn([&seen("d", "u1", 9)]);
    assert_eq!(persons(&graph, "d", [2, 3, 9]), ["d", "~d", "~d"]);
    assert_eq!(person(&graph, "u1", 9), "u1");
}

#[test]
fn a_device_that_was_not_the_erased_persons_stays_split() {
    let mut graph = graph(&[seen("d", "u", 3), part("d", "u", 9)]);
    assert_eq!(persons(&graph, "d", [2, 3, 4]), ["d", "~d", "~d"]);
    let erased = graph.erase(&Person::Known(id("u")));
    assert_eq!(erased.markers[0].clear, Some(id("d")));
    assert!(erased.outcome.changes.is_empty());
    assert_eq!(persons(&graph, "d", [2, 3, 4]), ["d", "~d", "~d"]);
    // until it is erased itself
    let erased = graph.erase(&Person::Known(id("d")));
    assert_eq!(erased.markers[0].clear, None);
    assert!(graph.ids().is_empty());
}

#[test]
fn an_erased_user_is_forgotten_as_a_device_too() {
    let mut graph = graph(&[seen("a", "u", 1), seen("d", "a", 2), part("u", "a", 3)]);
    let erased = graph.erase(&Person::Known(id("a")));
    let edges = [Edge::new("d", "a", 2).unwrap(), Edge::new("a", "u", 1).unwrap()];
    assert_eq!(erased.edges, edges);
    assert!(erased.markers.iter().all(|marker| marker.clear.is_none()));
    assert!(graph.ids().is_empty(), "nothing is known of u without a");
    assert_eq!(person(&graph, "a", 9), "a", "its events do not fall to u");
}

#[test]
fn a_marker_counts_whether_it_is_known_before_the_device_or_after() {
    let facts = [erased("d", 3, true), seen("d", "u", 6)];
    let before = graph(&facts);
    let [marker, edge] = facts;
    let after = graph(&[edge, marker]);
    assert_eq!(by_graph(&before), by_graph(&after));
    assert_eq!(persons(&before, "d", [2, 3, 6]), ["d", "~d", "~d"]);
}

#[test]
fn a_preview_says_who_is_joined_and_who_is_put_apart() {
    let mut graph = graph(&[seen("d", "u1", 3), seen("d", "u2", 6)]);
    let merge = graph.preview(&join("u2", "u1", 9)).unwrap();
    let (u1, u2, fresh) = (
        Person::Known(id("u1")),
        Person::Known(id("u2")),
        Person::Fresh(id("d")),
    );
    assert_eq!(merge.before.keys().collect::<Vec<_>>(), [&u1, &u2, &fresh]);
    assert_eq!(
        merge.after,
        [(u1.clone(), vec![id("u1"), id("u2"), id("d")])].into()
    );
    assert_eq!(merge.joined(), [(&u2, &u1), (&fresh, &u1)]);
    assert!(merge.opened().is_empty());
    let unmerge = graph.preview(&part("d", "u1", 9)).unwrap();
    assert_eq!(unmerge.opened(), [&Person::Known(id("d"))]);
    assert_eq!(
        persons(&graph, "d", [0, 5, 6]),
        ["u1", "u1", "~d"],
        "nothing was done"
    );
}

#[test]
fn the_map_has_changed_ids_only_each_from_its_instant() {
    let facts = [
        seen("d1", "u1", 3),
        seen("d1", "u2", 6),
        seen("d2", "u2", 1),
        part("d2", "u2", 9),
    ];
    let map = graph(&facts).overrides();
    let of = |text: &str| map.get(id(text).actor()).map(|row| row.persons());
    let (u1, d1, d2) = (id("u1").actor(), id("d1").actor(), id("d2").actor());
    assert_eq!(of("d1"), Some(vec![(i64::MIN, u1), (6, fresh_of(d1))]));
    assert_eq!(of("d2"), Some(vec![(1, fresh_of(d2))]));
    assert_eq!(of("u1"), None);
    assert_eq!(map.len(), 2);
    assert_eq!(map.person_of(d1, 5), u1);
    assert_eq!(map.person_of(d1, 6), fresh_of(d1));
    assert_eq!(map.person_of(d2, 0), d2);
    assert_eq!(Overrides::default().person_of(d1, 5), d1);
    let over = |from, until| map.get(d1).and_then(|row| row.over(from, until));
    assert_eq!(over(0, 6), Some(u1), "up to the split");
    assert_eq!(over(5, 7), None, "two persons' time");
    assert_eq!(over(6, 7), Some(fresh_of(d1)));
}
