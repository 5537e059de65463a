//! Who belongs together, kept up to date fact by fact.
//!
//! A device is joined to one user at most, its earliest; users are joined by server merges alone. So a person is a
//! handful of users with their devices, and a fact changes little: what an edge can change is its device and one
//! more at the cap. Nothing about persons is stored twice: an attribution is read off the facts of its id.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::component::{Component, Hold, MAX_DEVICES};
use super::fact::{Id, Pair, Ruling, Verdict};
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
    pub(super) markers: HashMap<Salted, BTreeSet<Marker>>,
    pub(super) components: HashMap<u64, Component>,
    pub(super) next_component: u64,
}

/// An id in the place of a user, whatever names it there.
#[derive(Clone, Debug, Default)]
pub(super) struct User {
    /// Where the user was seen, and when first.
    pub devices: BTreeMap<Id, i64>,
    /// Rulings that name the user.
    pub rulings: BTreeSet<Pair>,
    pub component: u64,
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
        let devices = self.devices.keys().filter(|id| !self.users.contains_key(*id));
        let rows = self.users.keys().chain(devices);
        let rows = rows.filter_map(|id| Override::of(id, &self.attribution(id)));
        Overrides::of(rows)
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

    pub(super) fn canonical(&self, user: &Id) -> &Id {
        self.component(user).canonical()
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
}
