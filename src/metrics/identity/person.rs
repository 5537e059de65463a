//! To whom the events of an id belong.

use xxhash_rust::xxh3::xxh3_64;

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

/// The number of the fresh person of a device, from the device's own: a lookup needs no text for it.
pub fn fresh_of(device: u64) -> u64 {
    xxh3_64(&device.to_le_bytes())
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
