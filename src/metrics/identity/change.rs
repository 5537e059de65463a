//! What is different after a fact: whose events belong to another person, and from when.

use std::collections::{BTreeMap, BTreeSet};

use super::fact::Id;
use super::graph::IdentityGraph;
use super::overrides::Override;
use super::person::{Attribution, Person};

/// An id whose events are attributed differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub id: Id,
    pub before: Attribution,
    pub after: Attribution,
}

/// A time over which the events of an id went from one person to another: `[from, until)`, `i64::MIN` and
/// `i64::MAX` standing for always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    pub from: i64,
    pub until: i64,
    pub before: Person,
    pub after: Person,
}

impl Change {
    /// What went where, in order; at least one.
    pub fn moves(&self) -> Vec<Move> {
        let splits = [self.before.split, self.after.split].into_iter().flatten();
        let starts: BTreeSet<i64> = splits.chain([i64::MIN]).collect();
        let ends = starts.iter().skip(1).copied().chain([i64::MAX]);
        let spans = starts.iter().zip(ends).map(|(&from, until)| Move {
            from,
            until,
            before: self.before.at(&self.id, from),
            after: self.after.at(&self.id, from),
        });
        spans.filter(|span| span.before != span.after).collect()
    }

    /// The instant from which on anything is different.
    pub fn from(&self) -> i64 {
        self.moves().first().map_or(i64::MAX, |span| span.from)
    }

    /// What the override map has to say of the id now; nothing: its events are its own.
    pub fn override_now(&self) -> Option<Override> {
        Override::of(&self.id, &self.after)
    }
}

/// What learning facts led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// By id; none that is as it was.
    pub changes: Vec<Change>,
    /// Canonical ids of persons with more devices than may be joined, at each fact that leaves one waiting: an
    /// alert.
    pub over_cap: BTreeSet<Id>,
}

/// Attributions as they were, of ids that a fact may change.
#[derive(Debug, Default)]
pub(super) struct Noted {
    before: BTreeMap<Id, Attribution>,
    over_cap: BTreeSet<Id>,
}

impl Noted {
    /// To be called before anything changes; what was noted first stays.
    pub fn before(&mut self, graph: &IdentityGraph, id: &Id) {
        if !self.before.contains_key(id) {
            self.before.insert(id.clone(), graph.attribution(id));
        }
    }

    /// Users, and every device that one of them was seen on.
    pub fn before_of_users(&mut self, graph: &IdentityGraph, users: &[Id]) {
        for user in users {
            self.before(graph, user);
            for device in graph.users[user].devices.keys() {
                self.before(graph, device);
            }
        }
    }

    pub fn over_cap(&mut self, user: &Id) {
        self.over_cap.insert(user.clone());
    }

    pub fn outcome(self, graph: &IdentityGraph) -> Outcome {
        let changes = self.before.into_iter().filter_map(|(id, before)| {
            let after = graph.attribution(&id);
            (before != after).then_some(Change { id, before, after })
        });
        let over_cap = self.over_cap.iter();
        let over_cap = over_cap.map(|user| graph.attribution(user).person);
        Outcome {
            changes: changes.collect(),
            over_cap: over_cap.collect(),
        }
    }
}
