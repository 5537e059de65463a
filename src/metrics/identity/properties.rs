//! What holds in every world of ids, and that the graph means what its twin means.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::worlds::{self, CAP, INSTANTS, by_graph, by_twin, empty, graph, id, names, salt, texts};
use super::*;
use crate::metrics::oracle::Persons;
use crate::metrics::oracle::worlds::{count, seeded};

/// Calls `with` on every order of `facts`.
fn every_order(facts: &mut [Fact], from: usize, with: &mut impl FnMut(&[Fact])) {
    if from == facts.len() {
        return with(facts);
    }
    for next in from..facts.len() {
        facts.swap(from, next);
        every_order(facts, from + 1, with);
        facts.swap(from, next);
    }
}

/// The map after changes means the same as one made anew, and it is what the persons' numbers say.
fn check_map(map: &Overrides, graph: &IdentityGraph) {
    assert_eq!(map, &graph.overrides());
    for (text, ts, person) in by_graph(graph) {
        assert_eq!(
            map.person_of(id(&text).actor(), ts),
            person.number(),
            "{text} at {ts}"
        );
    }
}

/// The facts that name an id around these ids.
fn around(facts: &[Fact], ids: &BTreeSet<Id>) -> BTreeSet<Id> {
    let joined = |user: &Id| graph(facts).members(&Person::Known(graph(facts).attribution(user).person));
    let edges = |of: &dyn Fn(&Edge) -> bool| -> Vec<Edge> {
        let edges = facts.iter().filter_map(|fact| match fact {
            Fact::Seen(edge) => Some(edge),
            _ => None,
        });
        edges.filter(|edge| of(edge)).cloned().collect()
    };
    let on_them = edges(&|edge| ids.contains(&edge.device))
        .into_iter()
        .map(|edge| edge.user);
    let mut users: BTreeSet<Id> = ids.iter().cloned().chain(on_them).collect();
    // members() names joined users, and devices, which do no harm
    users.extend(users.clone().iter().flat_map(joined));
    let devices = edges(&|edge| users.contains(&edge.user))
        .into_iter()
        .map(|edge| edge.device);
    users.iter().cloned().chain(devices).collect()
}

fn facts_naming(facts: &[Fact], ids: &BTreeSet<Id>) -> Vec<Fact> {
    let devices: BTreeSet<Salted> = ids.iter().map(|id| salt().of(id)).collect();
    let is_one = |fact: &&Fact| match fact {
        Fact::Erased(marker) => devices.contains(&marker.device),
        fact => names(fact).iter().any(|id| ids.contains(id)),
    };
    facts.iter().filter(is_one).cloned().collect()
}

/// What the store would have after an erasure: deleted what goes, written what comes.
fn left(facts: &[Fact], erased: &Erased) -> Vec<Fact> {
    let is_same = |one: &Marker, other: &Marker| {
        Marker {
            clear: None,
            ..one.clone()
        } == *other
    };
    let is_left = |fact: &&Fact| match fact {
        Fact::Seen(edge) => {
            let is_it = |gone: &Edge| gone.device == edge.device && gone.user == edge.user;
            !erased.edges.iter().any(is_it)
        }
        Fact::Ruled(ruling) => !erased.rulings.contains(&ruling.pair),
        Fact::Erased(marker) => !erased.markers.iter().any(|now| is_same(marker, now)),
    };
    let markers = erased.markers.iter().cloned().map(Fact::Erased);
    facts.iter().filter(is_left).cloned().chain(markers).collect()
}

// So many orders have six facts that few worlds do.
proptest! {
    #![proptest_config(seeded(count(40).min(1_000)))]

    #[test]
    fn every_order_of_arrival_gives_the_same_persons(
        mut facts in prop::collection::vec(worlds::fact(), 1..=6),
    ) {
        let twin = by_twin(&facts);
        every_order(&mut facts, 0, &mut |facts| assert_eq!(by_graph(&graph(facts)), twin, "{facts:?}"));
    }
}

proptest! {
    #![proptest_config(seeded(count(1_000)))]

    #[test]
    fn the_graph_means_what_its_twin_means(facts in prop::collection::vec(worlds::fact(), 1..24)) {
        prop_assert_eq!(by_graph(&graph(&facts)), by_twin(&facts));
    }

    #[test]
    fn what_was_learned_twice_was_learned(facts in prop::collection::vec(worlds::fact(), 1..12)) {
        let mut graph = graph(&facts);
        prop_assert_eq!(graph.learn(&facts).changes, []);
    }
}

proptest! {
    #![proptest_config(seeded(count(300)))]

    #[test]
    fn each_fact_tells_exactly_what_is_different(facts in prop::collection::vec(worlds::fact(), 1..16)) {
        let (mut graph, mut map) = (empty(), Overrides::default());
        for fact in &facts {
            let before = by_graph(&graph);
            let changes = graph.learn([fact]).changes;
            let mut told = Vec::new();
            for (text, ts, person) in &before {
                let of_them = changes.iter().filter(|change| change.id.as_str() == text.as_str());
                let mut moves = of_them.flat_map(Change::moves);
                let moved = moves.find(|one| one.from <= *ts && *ts < one.until);
                if let Some(moved) = &moved {
                    prop_assert_eq!(&moved.before, person);
                }
                let after = moved.map_or(person.clone(), |moved| moved.after);
                told.push((text.clone(), *ts, after));
            }
            prop_assert_eq!(told, by_graph(&graph));
            prop_assert!(changes.iter().all(|change| !change.moves().is_empty()));
            map.apply(&changes);
            check_map(&map, &graph);
        }
    }

    #[test]
    fn facts_learned_at_once_change_what_they_change_one_by_one(
        known in prop::collection::vec(worlds::fact(), 0..10),
        news in prop::collection::vec(worlds::fact(), 1..8),
    ) {
        let mut at_once = graph(&known);
        let mut map = at_once.overrides();
        map.apply(&at_once.learn(&news).changes);
        check_map(&map, &graph(&[known, news].concat()));
    }

    #[test]
    fn an_unmerge_takes_back_a_merge_and_a_re_merge_the_unmerge(
        facts in prop::collection::vec(worlds::fact(), 0..14),
        one in prop::sample::select(texts()),
        user in 0..4_usize,
    ) {
        let user = format!("u{user}");
        prop_assume!(one != user);
        let pair = worlds::pair(&one, &user);
        let is_about_it = |fact: &&Fact| !matches!(fact, Fact::Ruled(ruling) if ruling.pair == pair);
        let facts: Vec<Fact> = facts.iter().filter(is_about_it).cloned().collect();
        let ruled = |at, verdict| Fact::Ruled(Ruling { pair: pair.clone(), at, verdict });
        let mut graph = graph(&facts);
        // Naming a user in a ruling makes it one, once and for all; then nothing is left of a merge.
        let first = match pair {
            Pair::Users(..) => Verdict::Part,
            Pair::Device { .. } => Verdict::Join,
        };
        graph.learn([&ruled(1, first)]);
        let before = by_graph(&graph);
        let other = match first {
            Verdict::Part => Verdict::Join,
            Verdict::Join => Verdict::Part,
        };
        let there = graph.learn([&ruled(2, other)]).changes;
        let during = by_graph(&graph);
        let back = graph.learn([&ruled(3, first)]).changes;
        prop_assert_eq!(&by_graph(&graph), &before);
        let turned = |change: &Change| Change {
            id: change.id.clone(),
            before: change.after.clone(),
            after: change.before.clone(),
        };
        prop_assert_eq!(back, there.iter().map(turned).collect::<Vec<_>>());
        graph.learn([&ruled(4, other)]);
        prop_assert_eq!(by_graph(&graph), during);
    }

    #[test]
    fn a_preview_says_what_then_happens_and_does_nothing(
        facts in prop::collection::vec(worlds::fact(), 0..14),
        fact in worlds::fact(),
    ) {
        let mut graph = graph(&facts);
        let before = by_graph(&graph);
        let Ok(preview) = graph.preview(&fact) else {
            return Ok(());
        };
        prop_assert_eq!(&by_graph(&graph), &before);
        prop_assert_eq!(graph.overrides(), worlds::graph(&facts).overrides());
        if !matches!(fact, Fact::Erased(_)) {
            prop_assert_eq!(&graph.learn([&fact]).changes, &preview.changes);
            for (person, ids) in &preview.after {
                prop_assert_eq!(&graph.members(person), ids);
            }
            for (person, ids) in &preview.before {
                prop_assert_eq!(&worlds::graph(&facts).members(person), ids);
            }
            // and a graph that tried something first learns like one that did not
            prop_assert_eq!(by_graph(&graph), by_twin(&[facts, vec![fact]].concat()));
        }
    }

    #[test]
    fn an_admitted_merge_takes_no_devices_place(
        facts in prop::collection::vec(worlds::plain_fact(), 0..14),
        (one, other) in (0..4_usize, 0..4_usize),
    ) {
        prop_assume!(one != other);
        let mut graph = graph(&facts);
        let merge = worlds::ruling(&format!("u{one}"), &format!("u{other}"), 9, Verdict::Join);
        let outcome = graph.admit(&merge).map(|()| graph.learn([&Fact::Ruled(merge)]));
        for change in outcome.into_iter().flat_map(|outcome| outcome.changes) {
            let is_alone = change.after.person == change.id && change.before.person != change.id;
            prop_assert!(!is_alone, "{change:?}");
        }
    }

    #[test]
    fn erasing_persons_leaves_everybody_else_as_they_were(
        mut facts in prop::collection::vec(worlds::plain_fact(), 1..16),
        whom in prop::collection::vec((prop::sample::select(texts()), any::<bool>()), 1..=3),
    ) {
        let mut graph = graph(&facts);
        let mut map = graph.overrides();
        for (one, fresh) in whom {
            let before = by_graph(&graph);
            let person = if fresh && one.starts_with('d') {
                Person::Fresh(id(&one))
            } else {
                Person::Known(graph.attribution(&id(&one)).person)
            };
            let erased = graph.erase(&person);
            for ((text, ts, was), (_, _, is)) in before.iter().zip(by_graph(&graph)) {
                // of the person's own device only what others did is left, and nobody need be told apart
                let id = id(text);
                let is_alone = *was == Person::Fresh(id.clone()) && is == Person::Known(id.clone());
                let same = *was == is || (is_alone && erased.ids.contains(&id));
                prop_assert!(*was == person || same, "{text} at {ts}: {was:?}, {is:?}");
            }
            facts = left(&facts, &erased);
            prop_assert_eq!(by_graph(&graph), by_twin(&facts));
            map.apply(&erased.outcome.changes);
            check_map(&map, &graph);
            // a fresh person has no edges; the users of any other are named nowhere
            for user in erased.ids.iter().filter(|id| id.as_str().starts_with('u')) {
                prop_assert!(!graph.ids().contains(user));
                prop_assert!(!facts.iter().any(|fact| names(fact).contains(user)));
            }
        }
    }

    #[test]
    fn nobody_gets_an_erased_persons_device(
        facts in prop::collection::vec(worlds::plain_fact(), 1..10),
        user in 0..4_usize,
        later in prop::collection::vec((0..4_usize, 0..4_usize, 6..8_i64), 1..6),
    ) {
        let mut graph = graph(&facts);
        let person = Person::Known(graph.attribution(&id(&format!("u{user}"))).person);
        let erased = graph.erase(&person);
        let later = later.iter().map(|(d, u, ts)| worlds::seen(&format!("d{d}"), &format!("u{u}"), *ts));
        graph.learn(&later.collect::<Vec<_>>());
        for device in erased.ids.iter().filter(|id| id.as_str().starts_with('d')) {
            prop_assert_eq!(&graph.attribution(device).person, device);
        }
    }

    #[test]
    fn what_is_around_what_is_around_is_enough(
        facts in prop::collection::vec(worlds::fact(), 0..16),
        fact in worlds::fact(),
    ) {
        prop_assume!(!matches!(fact, Fact::Erased(_)));
        let around = around(&facts, &around(&facts, &names(&fact)));
        let (mut part, mut whole) = (graph(&facts_naming(&facts, &around)), graph(&facts));
        prop_assert_eq!(part.learn([&fact]).changes, whole.learn([&fact]).changes);
    }

    #[test]
    fn a_user_is_never_split_and_a_device_at_most_once(
        facts in prop::collection::vec(worlds::fact(), 1..20),
    ) {
        let salt = salt();
        let twin = Persons::new(&facts, &salt, CAP);
        for text in texts() {
            let mut persons: Vec<Person> =
                INSTANTS.filter_map(|ts| twin.person_of(&text, "", ts)).collect();
            persons.dedup();
            let is_device = matches!(persons.last(), Some(Person::Fresh(_)));
            prop_assert!(persons.len() <= 1 + usize::from(is_device), "{text}: {persons:?}");
        }
    }
}
