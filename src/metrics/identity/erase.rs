//! What erasing a person does to the graph.

use std::collections::BTreeSet;

use super::change::{Noted, Outcome};
use super::fact::{Edge, Id, Pair};
use super::graph::{IdentityGraph, Who};
use super::marker::Marker;
use super::person::Person;

/// What goes when a person is erased, and what comes in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// The person's ids: users, then devices. Events of theirs from before the erasure are refused from now on.
    pub ids: Vec<Id>,
    /// Edges to delete, as first seen.
    pub edges: Vec<Edge>,
    /// What stands for them from now on, and markers that lose their device's name: write them over those there are.
    pub markers: Vec<Marker>,
    /// Rulings to delete: they name the person's users.
    pub rulings: Vec<Pair>,
    /// Whose events belong to somebody else now.
    pub outcome: Outcome,
}

impl IdentityGraph {
    /// Forgets a person. Nobody else's events change hands: a marker counts where its edge counted. What the
    /// person's devices were to others stays with those others.
    pub fn erase(&mut self, person: &Person) -> Erased {
        let mut erased = Erased {
            ids: self.members(person),
            ..Erased::default()
        };
        let is_user = |id: &&Id| self.users.contains_key(*id) && matches!(person, Person::Known(_));
        let users: Vec<Id> = erased.ids.iter().filter(is_user).cloned().collect();
        // What the fresh person of a device did goes; the device is not theirs.
        let theirs: BTreeSet<Id> = match person {
            Person::Known(_) => erased.ids.iter().cloned().collect(),
            Person::Fresh(_) => BTreeSet::new(),
        };
        let mut noted = Noted::default();
        noted.before_of_users(self, &users);
        for user in &users {
            erased.rulings.extend(self.users[user].rulings.iter().cloned());
        }
        erased.rulings.sort_unstable();
        erased.rulings.dedup();
        // Edges first: as long as rulings stand, nobody changes hands in between.
        for user in &users {
            for (device, user) in self.edges_naming(user) {
                let in_clear = !theirs.contains(&device);
                if let Some(marker) = self.replace(&device, &user, in_clear, &mut noted) {
                    let ts = marker.ts;
                    erased.markers.push(marker);
                    erased.edges.push(Edge { device, user, ts });
                }
            }
        }
        for id in &theirs {
            erased.markers.extend(self.salt_markers(id, &mut noted));
        }
        for pair in &erased.rulings {
            self.rule(pair, None, &mut noted);
        }
        erased.outcome = noted.outcome(self);
        erased
    }

    /// Edges with an id in either place.
    fn edges_naming(&self, id: &Id) -> Vec<(Id, Id)> {
        let user = self.users.get(id);
        let devices = user.into_iter().flat_map(|user| user.devices.keys());
        let as_user = devices.map(|device| (device.clone(), id.clone()));
        let seen = self.devices.get(id).into_iter().flat_map(|device| &device.seen);
        let as_device = seen.filter_map(|(_, who)| match who {
            Who::User(user) => Some((id.clone(), user.clone())),
            Who::ErasedFirst | Who::Erased => None,
        });
        as_user.chain(as_device).collect()
    }
}
