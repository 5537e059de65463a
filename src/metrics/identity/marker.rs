//! What is left of an erased person's edges: enough to know that a device had an earlier user, and not who it was.

use sha2::{Digest, Sha256};

use super::fact::Id;
use crate::event::ProjectNumber;

/// The project's secret: without it nobody can try which id a marker stands for.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt {
    secret: Vec<u8>,
    project: ProjectNumber,
}

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Salt of project {}", self.project)
    }
}

/// An id that cannot be read any more: half of a salted SHA-256, as the control database's tombstones have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Salted(pub u128);

impl Salt {
    /// The salt of a project's erasures.
    pub fn new(secret: &[u8], project: ProjectNumber) -> Salt {
        Salt {
            secret: secret.to_vec(),
            project,
        }
    }

    /// What stands for an id.
    pub fn of(&self, id: &Id) -> Salted {
        let mut hash = Sha256::new();
        hash.update(&self.secret);
        hash.update(self.project.0.to_be_bytes());
        hash.update(id.as_str().as_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        let mut half = [0; 16];
        half.copy_from_slice(&hash[..16]);
        Salted(u128::from_be_bytes(half))
    }
}

/// The edge of an erased person. It joins nobody, but still counts as a user of the device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Marker {
    pub device: Salted,
    /// The device's id, as long as it is not one of an erased person: its own events stay, and stay split.
    pub clear: Option<Id>,
    pub user: Salted,
    /// When the user was first seen on the device, in UTC milliseconds.
    pub ts: i64,
    /// Whether that was the device's earliest user. The text that decided between users of the same instant is
    /// gone, so its verdict is kept.
    pub is_first: bool,
}
