//! Small worlds of ids: so few devices, users and instants that sharing, ties and contradictions are common.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Edge, Fact, Id, IdentityGraph, Marker, Pair, Person, Ruling, Salt, Verdict};
use crate::event::ProjectNumber;
use crate::metrics::oracle::Persons;

/// The cap of these worlds.
pub const CAP: usize = 2;

/// Instants at which worlds are looked at: before, between and after all that happens.
pub const INSTANTS: std::ops::Range<i64> = -1..8;

pub fn salt() -> Salt {
    Salt::new(b"pepper", ProjectNumber(1))
}

pub fn id(text: &str) -> Id {
    Id::read(text).unwrap()
}

pub fn seen(device: &str, user: &str, ts: i64) -> Fact {
    Fact::Seen(Edge::new(device, user, ts).unwrap())
}

pub fn pair(one: &str, other: &str) -> Pair {
    if one.starts_with('d') {
        Pair::Device {
            device: id(one),
            user: id(other),
        }
    } else {
        Pair::users(id(one), id(other))
    }
}

pub fn join(one: &str, other: &str, at: i64) -> Fact {
    Fact::Ruled(ruling(one, other, at, Verdict::Join))
}

pub fn part(one: &str, other: &str, at: i64) -> Fact {
    Fact::Ruled(ruling(one, other, at, Verdict::Part))
}

pub fn ruling(one: &str, other: &str, at: i64, verdict: Verdict) -> Ruling {
    Ruling {
        pair: pair(one, other),
        at,
        verdict,
    }
}

pub fn erased(device: &str, ts: i64, is_first: bool) -> Fact {
    Fact::Erased(Marker {
        device: salt().of(&id(device)),
        clear: None,
        user: salt().of(&id("somebody")),
        ts,
        is_first,
    })
}

pub fn empty() -> IdentityGraph {
    IdentityGraph::with_cap(salt(), CAP)
}

pub fn graph(facts: &[Fact]) -> IdentityGraph {
    let mut graph = empty();
    graph.learn(facts);
    graph
}

fn text(kind: &'static str, most: usize) -> impl Strategy<Value = String> + Clone {
    (0..most).prop_map(move |n| format!("{kind}{n}"))
}

fn device() -> impl Strategy<Value = String> + Clone {
    text("d", 4)
}

fn user() -> impl Strategy<Value = String> + Clone {
    text("u", 4)
}

/// Any fact; now and then an id is in the other's place.
pub fn fact() -> impl Strategy<Value = Fact> {
    let verdict = prop_oneof![2 => Just(Verdict::Join), 1 => Just(Verdict::Part)];
    let strange = prop_oneof![8 => user(), 1 => device()].boxed();
    let odd = prop_oneof![20 => device(), 1 => user()].boxed();
    let edge = (odd, strange.clone(), 0..6_i64).prop_filter_map("one text twice", |(d, u, ts)| {
        Some(Fact::Seen(Edge::new(&d, &u, ts)?))
    });
    let users = (user(), strange, 0..4_i64, verdict.clone())
        .prop_filter("one text twice", |(one, other, ..)| one != other)
        .prop_map(|(one, other, at, verdict)| {
            let pair = Pair::users(id(&one), id(&other));
            Fact::Ruled(Ruling { pair, at, verdict })
        });
    let tombstone = (device(), user(), 0..4_i64, verdict)
        .prop_map(|(device, user, at, verdict)| Fact::Ruled(ruling(&device, &user, at, verdict)));
    let marker = (device(), 0..6_i64, any::<bool>(), any::<bool>());
    let marker = marker.prop_map(|(device, ts, first, in_clear)| match erased(&device, ts, first) {
        Fact::Erased(marker) if in_clear => Fact::Erased(Marker {
            clear: Some(id(&device)),
            ..marker
        }),
        marker => marker,
    });
    prop_oneof![8 => edge, 3 => users, 2 => tombstone, 1 => marker]
}

/// The same without ids in the other's place, and without markers.
pub fn plain_fact() -> impl Strategy<Value = Fact> {
    let is_plain = |fact: &Fact| match fact {
        Fact::Seen(edge) => edge.device.as_str().starts_with('d') && edge.user.as_str().starts_with('u'),
        Fact::Ruled(ruling) => ruling.pair.named().iter().all(|id| id.as_str().starts_with('u')),
        Fact::Erased(_) => false,
    };
    fact().prop_filter("plain", move |fact| is_plain(fact))
}

/// Every id of these worlds.
pub fn texts() -> Vec<String> {
    (0..4).flat_map(|n| [format!("d{n}"), format!("u{n}")]).collect()
}

/// The person of every id at every instant, as the twin says.
pub fn by_twin(facts: &[Fact]) -> Vec<(String, i64, Person)> {
    let salt = salt();
    let twin = Persons::new(facts, &salt, CAP);
    look(|text, ts| twin.person_of(text, "", ts).unwrap())
}

/// The same as the graph says.
pub fn by_graph(graph: &IdentityGraph) -> Vec<(String, i64, Person)> {
    look(|text, ts| graph.person_of(text, "", ts).unwrap())
}

fn look(person_of: impl Fn(&str, i64) -> Person) -> Vec<(String, i64, Person)> {
    let mut found = Vec::new();
    for text in texts() {
        for ts in INSTANTS {
            found.push((text.clone(), ts, person_of(&text, ts)));
        }
    }
    found
}

/// The ids that a fact names in clear.
pub fn names(fact: &Fact) -> BTreeSet<Id> {
    match fact {
        Fact::Seen(edge) => BTreeSet::from([edge.device.clone(), edge.user.clone()]),
        Fact::Ruled(ruling) => {
            let device = match &ruling.pair {
                Pair::Device { device, .. } => Some(device.clone()),
                Pair::Users(..) => None,
            };
            ruling.pair.named().into_iter().cloned().chain(device).collect()
        }
        Fact::Erased(marker) => marker.clear.iter().cloned().collect(),
    }
}
