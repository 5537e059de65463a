//! How the graph learns: each fact changes what it is about, and notes before whom that may concern.

use std::collections::BTreeSet;

use super::change::{Noted, Outcome};
use super::component::Component;
use super::fact::{Edge, Fact, Id, Pair, Ruling, Verdict};
use super::graph::{Device, IdentityGraph, User, Who};
use super::marker::Marker;

impl IdentityGraph {
    /// Learns facts, in any order and however often, and tells what is different now.
    pub fn learn<'a>(&mut self, facts: impl IntoIterator<Item = &'a Fact>) -> Outcome {
        let mut noted = Noted::default();
        for fact in facts {
            match fact {
                Fact::Seen(edge) => self.see(edge, &mut noted),
                Fact::Ruled(ruling) => {
                    let standing = self.rulings.get(&ruling.pair);
                    if standing.is_none_or(|standing| ruling.beats(standing)) {
                        self.rule(&ruling.pair, Some(ruling.clone()), &mut noted);
                    }
                }
                Fact::Erased(marker) => self.mark(marker, &mut noted),
            }
        }
        noted.outcome(self)
    }

    fn see(&mut self, edge: &Edge, noted: &mut Noted) {
        let before = self.first_seen(&edge.device, &edge.user);
        if before.is_none_or(|before| edge.ts < before) {
            self.set_first_seen(&edge.device, &edge.user, Some(edge.ts), noted);
        }
    }

    /// Sets when a user was first seen on a device, or that they never were.
    pub(super) fn set_first_seen(&mut self, device: &Id, user: &Id, ts: Option<i64>, noted: &mut Noted) {
        self.name(user, noted);
        let before = self.first_seen(device, user);
        self.reseat(device, noted, |graph| {
            graph.unsee(device, before.map(|ts| (ts, Who::User(user.clone()))));
            graph.keep(device, ts.map(|ts| (ts, Who::User(user.clone()))));
            if let Some(named) = graph.users.get_mut(user) {
                match ts {
                    Some(ts) => named.devices.insert(device.clone(), ts),
                    None => named.devices.remove(device),
                };
            }
        });
        self.forget_unnamed(user, noted);
    }

    /// Notes who was seen on a device; at the first time in clear, with the markers that are there already.
    fn keep(&mut self, device: &Id, seen: Option<(i64, Who)>) {
        let Some(seen) = seen else { return };
        if !self.devices.contains_key(device) {
            let mut known = Device::default();
            if !self.markers.is_empty() {
                let markers = self.markers.get(&self.salt.of(device)).into_iter().flatten();
                known.seen = markers.map(|marker| (marker.ts, Who::of(marker))).collect();
                known.seen.sort_unstable();
            }
            self.devices.insert(device.clone(), known);
        }
        let known = self.devices.entry(device.clone()).or_default();
        if let Err(place) = known.seen.binary_search(&seen) {
            known.seen.insert(place, seen);
        }
    }

    /// The contrary.
    fn unsee(&mut self, device: &Id, seen: Option<(i64, Who)>) {
        let (Some(seen), Some(known)) = (seen, self.devices.get_mut(device)) else {
            return;
        };
        if let Ok(place) = known.seen.binary_search(&seen) {
            known.seen.remove(place);
        }
        self.drop_unnamed(device);
    }

    /// A device that is named by no edge, and by no marker in clear, is unknown.
    fn drop_unnamed(&mut self, device: &Id) {
        let seen = self.devices.get(device).into_iter().flat_map(|known| &known.seen);
        let is_named = seen.into_iter().any(|(_, who)| matches!(who, Who::User(_)));
        let markers = || self.markers.get(&self.salt.of(device)).into_iter().flatten();
        if !is_named && !markers().any(|marker| marker.clear.is_some()) {
            self.devices.remove(device);
        }
    }

    fn mark(&mut self, marker: &Marker, noted: &mut Noted) {
        let known = self.markers.entry(marker.device).or_default();
        if !known.insert(marker.clone()) {
            return;
        }
        let is_it = |device: &&Id| self.salt.of(device) == marker.device;
        let device = marker.clear.clone();
        if let Some(device) = device.or_else(|| self.devices.keys().find(is_it).cloned()) {
            self.reseat(&device, noted, |graph| {
                graph.keep(&device, Some((marker.ts, Who::of(marker))));
            });
        }
    }

    /// Puts a marker in the place of an edge, whose device stays in clear or does not.
    pub(super) fn replace(
        &mut self,
        device: &Id,
        user: &Id,
        in_clear: bool,
        noted: &mut Noted,
    ) -> Option<Marker> {
        let ts = self.first_seen(device, user)?;
        let first = self.devices.get(device).and_then(|known| known.seen.first());
        let marker = Marker {
            device: self.salt.of(device),
            clear: in_clear.then(|| device.clone()),
            user: self.salt.of(user),
            ts,
            is_first: first == Some(&(ts, Who::User(user.clone()))),
        };
        // The marker first: the device must not fall to the next user in between.
        self.reseat(device, noted, |graph| {
            let known = graph.markers.entry(marker.device).or_default();
            known.insert(marker.clone());
            graph.keep(device, Some((ts, Who::of(&marker))));
        });
        self.set_first_seen(device, user, None, noted);
        Some(marker)
    }

    /// Takes a device's name off its markers. The markers as they are now.
    pub(super) fn salt_markers(&mut self, device: &Id, noted: &mut Noted) -> Vec<Marker> {
        let salted = self.salt.of(device);
        let Some(markers) = self.markers.get(&salted) else {
            return Vec::new();
        };
        let in_clear = markers.iter().filter(|marker| marker.clear.is_some());
        let salt = |marker: &Marker| Marker {
            clear: None,
            ..marker.clone()
        };
        let changed: Vec<Marker> = in_clear.map(salt).collect();
        let markers: BTreeSet<Marker> = markers.iter().map(salt).collect();
        self.reseat(device, noted, |graph| {
            graph.markers.insert(salted, markers);
            graph.drop_unnamed(device);
        });
        changed
    }

    /// Sets the ruling about a pair, or that there is none.
    pub(super) fn rule(&mut self, pair: &Pair, ruling: Option<Ruling>, noted: &mut Noted) {
        for user in pair.named() {
            self.name(user, noted);
        }
        match pair {
            Pair::Device { device, .. } => self.reseat(device, noted, |graph| graph.set_ruling(pair, ruling)),
            Pair::Users(one, other) => {
                self.set_ruling(pair, ruling);
                if self.verdict(pair) == Some(Verdict::Join) {
                    self.link(one, other, noted);
                } else {
                    self.unlink(one, other, noted);
                }
            }
        }
        for user in pair.named() {
            self.forget_unnamed(user, noted);
        }
    }

    fn set_ruling(&mut self, pair: &Pair, ruling: Option<Ruling>) {
        for user in pair.named() {
            if let Some(user) = self.users.get_mut(user) {
                match &ruling {
                    Some(_) => user.rulings.insert(pair.clone()),
                    None => user.rulings.remove(pair),
                };
            }
        }
        match ruling {
            Some(ruling) => self.rulings.insert(pair.clone(), ruling),
            None => self.rulings.remove(pair),
        };
    }

    /// The users that merges join to this one, however far.
    fn reach(&self, user: &Id) -> BTreeSet<Id> {
        let mut reached = BTreeSet::from([user.clone()]);
        let mut open = vec![user.clone()];
        while let Some(user) = open.pop() {
            for pair in &self.users[&user].rulings {
                let Pair::Users(one, other) = pair else { continue };
                let next = if *one == user { other } else { one };
                if self.verdict(pair) == Some(Verdict::Join) && reached.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        reached
    }

    fn component_mut(&mut self, user: &Id) -> &mut Component {
        let number = self.users[user].component;
        self.components.entry(number).or_default()
    }

    fn link(&mut self, one: &Id, other: &Id, noted: &mut Noted) {
        if self.users[one].component == self.users[other].component {
            return;
        }
        let (winner, loser) = if self.canonical(one) < self.canonical(other) {
            (one, other)
        } else {
            (other, one)
        };
        let joining = self.component(loser).users().to_vec();
        noted.before_of_users(self, &joining);
        // As many of the winner's devices may lose their place.
        let come = self.component(loser).len();
        for hold in self.component(winner).live().iter().rev().take(come) {
            noted.before(self, &hold.device);
        }
        let (into, from) = (self.users[winner].component, self.users[loser].component);
        for user in &joining {
            self.users.entry(user.clone()).or_default().component = into;
        }
        let cap = self.cap;
        if let Some(absorbed) = self.components.remove(&from)
            && self.component_mut(winner).absorb(absorbed, cap)
        {
            noted.over_cap(winner);
        }
    }

    fn unlink(&mut self, one: &Id, other: &Id, noted: &mut Noted) {
        if self.users[one].component != self.users[other].component {
            return;
        }
        let leaving = self.reach(other);
        if leaving.contains(one) {
            return;
        }
        noted.before_of_users(self, self.component(one).users());
        let (number, cap) = (self.users[one].component, self.cap);
        let Some(whole) = self.components.remove(&number) else {
            return;
        };
        let (staying, gone) = whole.split(&leaving, cap);
        self.components.insert(number, staying);
        for user in &leaving {
            self.users.entry(user.clone()).or_default().component = self.next_component;
        }
        self.components.insert(self.next_component, gone);
        self.next_component += 1;
    }

    /// Makes an id a user's, if it is none yet.
    fn name(&mut self, user: &Id, noted: &mut Noted) {
        if self.users.contains_key(user) {
            return;
        }
        self.reseat(user, noted, |graph| {
            let component = graph.next_component;
            graph.next_component += 1;
            graph.components.insert(component, Component::of(user.clone()));
            let named = User {
                component,
                ..User::default()
            };
            graph.users.insert(user.clone(), named);
        });
    }

    /// The contrary, once nothing names it as a user.
    fn forget_unnamed(&mut self, user: &Id, noted: &mut Noted) {
        let named = self.users.get(user);
        if named.is_some_and(|named| named.devices.is_empty() && named.rulings.is_empty()) {
            self.reseat(user, noted, |graph| {
                if let Some(named) = graph.users.remove(user) {
                    graph.components.remove(&named.component);
                }
            });
        }
    }

    /// Changes what is known about a device, with its edge taken out of its person before and put into the right
    /// one after. Notes whose attribution may change.
    fn reseat(&mut self, device: &Id, noted: &mut Noted, change: impl FnOnce(&mut IdentityGraph)) {
        noted.before(self, device);
        if let Some(hold) = self.hold(device) {
            if let Some(next) = self.component(&hold.user).next().cloned() {
                noted.before(self, &next.device);
            }
            self.component_mut(&hold.user).remove(&hold);
        }
        change(self);
        if let Some(hold) = self.hold(device) {
            if let Some(last) = self.component(&hold.user).live().last().cloned() {
                noted.before(self, &last.device);
            }
            let (user, cap) = (hold.user.clone(), self.cap);
            if self.component_mut(&user).insert(hold, cap) {
                noted.over_cap(&user);
            }
        }
    }
}
