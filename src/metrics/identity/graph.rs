//! Who belongs together, kept up to date fact by fact.
//!
//! A device is joined to one user at most, its earliest; users are joined by server merges alone. So a person is a
//! handful of users with their devices, and a fact changes little: what an edge can change is its device and one
//! more at the cap. Nothing about persons is stored twice: an attribution is read off the facts of its id.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::change::{Noted, Outcome};
use super::component::{Component, Hold, MAX_DEVICES};
use super::fact::{Edge, Fact, Id, Pair, Ruling, Verdict};
use super::marker::{Marker, Salt, Salted};
use super::overrides::{Override, Overrides};
use super::person::{Attribution, Person};

/// The ids of a project, or a part of them that holds all about the ids in question (see the module).
#[derive(Clone, Debug)]
pub struct IdentityGraph {
    pub(super) cap: usize,
    pub(super) salt: Salt,
    pub(super) users: HashMap<Id, User>,
    pub(super) devices: HashMap<Id, Device>,
    pub(super) rulings: HashMap<Pair, Ruling>,
    markers: HashMap<Salted, BTreeSet<Marker>>,
    components: HashMap<u64, Component>,
    next_component: u64,
}

/// An id in the place of a user, whatever names it there.
#[derive(Clone, Debug, Default)]
pub(super) struct User {
    /// Where the user was seen, and when first.
    pub devices: BTreeMap<Id, i64>,
    /// Rulings that name the user.
    pub rulings: BTreeSet<Pair>,
    component: u64,
}

/// An id in the place of a device, with who was seen on it: `(first instant, who)`, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Device {
    pub seen: Vec<(i64, Who)>,
}

/// Who was seen on a device. The order decides between those of the same instant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// An erased user who was the device's earliest.
    ErasedFirst,
    User(Id),
    Erased,
}

impl Who {
    pub fn of(marker: &Marker) -> Who {
        if marker.is_first {
            Who::ErasedFirst
        } else {
            Who::Erased
        }
    }
}

impl IdentityGraph {
    /// A graph without facts.
    pub fn new(salt: Salt) -> IdentityGraph {
        IdentityGraph::with_cap(salt, MAX_DEVICES)
    }

    /// The same with another cap than [`MAX_DEVICES`].
    pub fn with_cap(salt: Salt, cap: usize) -> IdentityGraph {
        IdentityGraph {
            cap,
            salt,
            users: HashMap::new(),
            devices: HashMap::new(),
            rulings: HashMap::new(),
            markers: HashMap::new(),
            components: HashMap::new(),
            next_component: 0,
        }
    }

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
                Fact::Erased(marker) => self.mark(*marker, &mut noted),
            }
        }
        noted.outcome(self)
    }

    /// To whom the events of an id belong.
    pub fn attribution(&self, id: &Id) -> Attribution {
        let mut found = Attribution::own(id);
        if self.users.contains_key(id) {
            found.person = self.canonical(id).clone();
        } else if let Some(device) = self.devices.get(id) {
            if let Some(hold) = self.hold(id)
                && self.component(&hold.user).is_live(&hold)
            {
                found.person = self.canonical(&hold.user).clone();
            }
            let is_another = |who: &Who| match who {
                Who::User(user) => *self.canonical(user) != found.person,
                Who::ErasedFirst | Who::Erased => true,
            };
            let another = device.seen.iter().find(|(_, who)| is_another(who));
            found.split = another.map(|(ts, _)| *ts);
        }
        found
    }

    /// The person of an event: its user's, else its device's at that time. None if both ids stand for nobody.
    pub fn person_of(&self, device: &str, user: &str, ts: i64) -> Option<Person> {
        let id = Id::read(user).or_else(|| Id::read(device))?;
        Some(self.attribution(&id).at(&id, ts))
    }

    /// Every id that is named in clear.
    pub fn ids(&self) -> BTreeSet<&Id> {
        self.users.keys().chain(self.devices.keys()).collect()
    }

    /// The override map of all ids.
    pub fn overrides(&self) -> Overrides {
        let ids = self.ids().into_iter();
        let rows = ids.filter_map(|id| Override::of(id, &self.attribution(id)));
        Overrides::of(rows.collect())
    }

    /// The ids of a person: users, then devices. The canonical id is one of them.
    pub fn members(&self, person: &Person) -> Vec<Id> {
        match person {
            Person::Known(id) if self.users.contains_key(id) => {
                let component = self.component(id);
                let devices = component.live().iter().map(|hold| &hold.device);
                component.users().iter().chain(devices).cloned().collect()
            }
            Person::Known(id) | Person::Fresh(id) => vec![id.clone()],
        }
    }

    /// The edge that joins a device, if its person has room: the one of its earliest user, unless that was undone.
    /// An id that is a user's is no device: both have one number, and all that it did is the user's.
    pub(super) fn hold(&self, device: &Id) -> Option<Hold> {
        if self.users.contains_key(device) {
            return None;
        }
        let Some((ts, Who::User(user))) = self.devices.get(device)?.seen.first() else {
            return None;
        };
        let (user, device) = (user.clone(), device.clone());
        let pair = Pair::Device { device, user };
        let is_parted = self.verdict(&pair) == Some(Verdict::Part);
        let Pair::Device { device, user } = pair else {
            return None;
        };
        (!is_parted).then_some(Hold {
            ts: *ts,
            user,
            device,
        })
    }

    /// What holds about a pair, if a server said anything.
    pub(super) fn verdict(&self, pair: &Pair) -> Option<Verdict> {
        self.rulings.get(pair).map(|ruling| ruling.verdict)
    }

    pub(super) fn component(&self, user: &Id) -> &Component {
        &self.components[&self.users[user].component]
    }

    fn component_mut(&mut self, user: &Id) -> &mut Component {
        let number = self.users[user].component;
        self.components.entry(number).or_default()
    }

    pub(super) fn canonical(&self, user: &Id) -> &Id {
        self.component(user).canonical()
    }

    fn see(&mut self, edge: &Edge, noted: &mut Noted) {
        let before = self.first_seen(&edge.device, &edge.user);
        if before.is_none_or(|before| edge.ts < before) {
            self.set_first_seen(&edge.device, &edge.user, Some(edge.ts), noted);
        }
    }

    /// The user whom a device is joined to, if it is joined: the earliest.
    pub(super) fn earliest(&self, device: &Id) -> Option<&Id> {
        match self.devices.get(device)?.seen.first()? {
            (_, Who::User(user)) => Some(user),
            (_, Who::ErasedFirst | Who::Erased) => None,
        }
    }

    /// When a user was first seen on a device.
    pub(super) fn first_seen(&self, device: &Id, user: &Id) -> Option<i64> {
        self.users.get(user)?.devices.get(device).copied()
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

    /// The contrary. A device that no user was seen on any more is nothing in clear.
    fn unsee(&mut self, device: &Id, seen: Option<(i64, Who)>) {
        let (Some(seen), Some(known)) = (seen, self.devices.get_mut(device)) else {
            return;
        };
        if let Ok(place) = known.seen.binary_search(&seen) {
            known.seen.remove(place);
        }
        if !known.seen.iter().any(|(_, who)| matches!(who, Who::User(_))) {
            self.devices.remove(device);
        }
    }

    fn mark(&mut self, marker: Marker, noted: &mut Noted) {
        if !self.markers.entry(marker.device).or_default().insert(marker) {
            return;
        }
        let salted = |device: &&Id| self.salt.of(device) == marker.device;
        if let Some(device) = self.devices.keys().find(salted).cloned() {
            self.reseat(&device, noted, |graph| {
                graph.keep(&device, Some((marker.ts, Who::of(&marker))));
            });
        }
    }

    /// Puts a marker in the place of an edge.
    pub(super) fn replace(&mut self, device: &Id, user: &Id, noted: &mut Noted) -> Option<Marker> {
        let ts = self.first_seen(device, user)?;
        let first = self.devices.get(device).and_then(|known| known.seen.first());
        let marker = Marker {
            device: self.salt.of(device),
            user: self.salt.of(user),
            ts,
            is_first: first == Some(&(ts, Who::User(user.clone()))),
        };
        // The marker first: the device must not fall to the next user in between.
        self.reseat(device, noted, |graph| {
            graph.markers.entry(marker.device).or_default().insert(marker);
            graph.keep(device, Some((ts, Who::of(&marker))));
        });
        self.set_first_seen(device, user, None, noted);
        Some(marker)
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
        noted.before_of_users(self, &self.component(one).users().to_vec());
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
