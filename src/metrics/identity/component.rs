//! Users that server merges made one person, and which devices are theirs.

use std::collections::BTreeSet;

use super::fact::Id;

/// Devices that may be joined to one person.
pub const MAX_DEVICES: usize = 500;

/// A device's edge to its earliest user. They are admitted in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hold {
    pub ts: i64,
    pub user: Id,
    pub device: Id,
}

/// Users that are one person, with the edges of the devices whose earliest user is one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Component {
    /// In order; never empty.
    users: Vec<Id>,
    /// In order: the first [`MAX_DEVICES`].
    live: Vec<Hold>,
    /// The others.
    waiting: BTreeSet<Hold>,
}

impl Component {
    pub fn of(user: Id) -> Component {
        Component {
            users: vec![user],
            ..Component::default()
        }
    }

    /// The smallest user id.
    pub fn canonical(&self) -> &Id {
        &self.users[0]
    }

    pub fn users(&self) -> &[Id] {
        &self.users
    }

    pub fn live(&self) -> &[Hold] {
        &self.live
    }

    /// How many edges there are, live or not.
    pub fn len(&self) -> usize {
        self.live.len() + self.waiting.len()
    }

    pub fn is_live(&self, hold: &Hold) -> bool {
        self.live.binary_search(hold).is_ok()
    }

    /// The one that becomes live when a live one goes.
    pub fn next(&self) -> Option<&Hold> {
        self.waiting.first()
    }

    /// Adds an edge. Whether one now has to wait.
    pub fn insert(&mut self, hold: Hold, cap: usize) -> bool {
        let Err(place) = self.live.binary_search(&hold) else {
            return false;
        };
        if place < cap {
            self.live.insert(place, hold);
        } else {
            self.waiting.insert(hold);
        }
        let is_over = self.live.len() > cap;
        if is_over {
            self.waiting.extend(self.live.pop());
        }
        is_over || place >= cap
    }

    /// Takes an edge away; the first that waits becomes live.
    pub fn remove(&mut self, hold: &Hold) {
        match self.live.binary_search(hold) {
            Ok(place) => {
                self.live.remove(place);
                self.live.extend(self.waiting.pop_first());
            }
            Err(_) => {
                self.waiting.remove(hold);
            }
        }
    }

    /// Takes in another one's users and edges. Whether an edge now has to wait.
    pub fn absorb(&mut self, other: Component, cap: usize) -> bool {
        self.users.extend(other.users);
        self.users.sort_unstable();
        let mut is_over = false;
        for hold in other.live.into_iter().chain(other.waiting) {
            is_over |= self.insert(hold, cap);
        }
        is_over
    }

    /// Puts apart the users of `leaving`, with their edges.
    pub fn split(self, leaving: &BTreeSet<Id>, cap: usize) -> (Component, Component) {
        let (mut staying, mut gone) = (Component::default(), Component::default());
        for user in self.users {
            let side = if leaving.contains(&user) {
                &mut gone
            } else {
                &mut staying
            };
            side.users.push(user);
        }
        for hold in self.live.into_iter().chain(self.waiting) {
            let side = if leaving.contains(&hold.user) {
                &mut gone
            } else {
                &mut staying
            };
            side.insert(hold, cap);
        }
        (staying, gone)
    }
}
