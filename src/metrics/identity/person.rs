//! To whom the events of an id belong.

use super::fact::Id;

/// A person, named by one of their ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Person {
    /// The smallest user id, else the device's id.
    Known(Id),
    /// Whoever uses a device without saying so, after users of two persons were seen on it.
    Fresh(Id),
}

impl Person {
    /// The number under which answers count the person.
    pub fn number(&self) -> u64 {
        match self {
            Person::Known(id) => id.actor(),
            Person::Fresh(device) => fresh_of(device.actor()),
        }
    }
}

/// What tells a device's fresh person from the device: digits of pi.
const FRESH: u64 = 0x243f_6a88_85a3_08d3;

/// The number of the fresh person of a device, from the device's own. As good a hash as that is, and so cheap that a
/// lookup can make it for every event; in SQL `bitXor(actor, 0x243f6a8885a308d3)`.
#[inline]
pub fn fresh_of(device: u64) -> u64 {
    device ^ FRESH
}

/// To whom the events of an id belong: events that name no user if it is a device, else all that name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribution {
    /// The canonical id of the person whom everything belongs to, or everything before the split.
    pub person: Id,
    /// Devices only: from this instant on, events belong to the device's fresh person.
    pub split: Option<i64>,
}

impl Attribution {
    /// The attribution of an id of which nothing is known.
    pub fn own(id: &Id) -> Attribution {
        Attribution {
            person: id.clone(),
            split: None,
        }
    }

    /// The person of an event of `id`, whose attribution this is, at an instant.
    pub fn at(&self, id: &Id, ts: i64) -> Person {
        if self.split.is_some_and(|split| split <= ts) {
            Person::Fresh(id.clone())
        } else {
            Person::Known(self.person.clone())
        }
    }
}
