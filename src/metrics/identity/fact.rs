//! What is known about ids: edges, rulings and markers. Facts form a set: the order in which they arrive means
//! nothing.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use super::marker::Marker;
use crate::event::accept::is_nobody;
use crate::event::{Event, actor_of};

/// The text of a device or a user. Never a denied one, which counts as absent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Arc<str>);

impl Id {
    /// Reads an id; nothing where the text stands for nobody (`null`, `undefined`, `guest`, …).
    pub fn read(text: &str) -> Option<Id> {
        (!is_nobody(text)).then(|| Id(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number under which events name it.
    pub fn actor(&self) -> u64 {
        actor_of(&self.0)
    }
}

impl Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An event, or an alias, that named a device and a user together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    pub device: Id,
    pub user: Id,
    /// When, in UTC milliseconds.
    pub ts: i64,
}

impl Edge {
    /// The edge of two texts. None where one stands for nobody, or where both are the same text: that says no more
    /// than either alone.
    pub fn new(device: &str, user: &str, ts: i64) -> Option<Edge> {
        if device == user {
            return None;
        }
        Some(Edge {
            device: Id::read(device)?,
            user: Id::read(user)?,
            ts,
        })
    }

    /// The edge that an event adds, if it carries both ids.
    pub fn of<T: AsRef<str>>(event: &Event<T>) -> Option<Edge> {
        Edge::new(event.device_id.as_ref(), event.user_id.as_ref(), event.ts)
    }
}

/// Two ids that a ruling is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pair {
    /// A device and a user.
    Device { device: Id, user: Id },
    /// Two users, the smaller one first. See [`Pair::users`].
    Users(Id, Id),
}

impl Pair {
    /// The pair of two users, in whatever order.
    pub fn users(one: Id, other: Id) -> Pair {
        if one <= other {
            Pair::Users(one, other)
        } else {
            Pair::Users(other, one)
        }
    }

    /// The users that it names.
    pub(super) fn named(&self) -> Vec<&Id> {
        match self {
            Pair::Device { user, .. } => vec![user],
            Pair::Users(one, other) => vec![one, other],
        }
    }
}

/// What a server says about a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Two users: one person (a server merge). A device and a user: their edges hold again (a re-merge).
    Join,
    /// They are not one person, whatever events say and whenever they happened: the tombstone of an unmerge.
    Part,
}

/// A server's word on a pair. The latest holds; of two at the same instant, [`Verdict::Part`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ruling {
    pub pair: Pair,
    /// When it was said, in UTC milliseconds.
    pub at: i64,
    pub verdict: Verdict,
}

impl Ruling {
    /// Whether it stands against another one about the same pair.
    pub(super) fn beats(&self, other: &Ruling) -> bool {
        (self.at, self.verdict) > (other.at, other.verdict)
    }
}

/// One thing that is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    Seen(Edge),
    Ruled(Ruling),
    Erased(Marker),
}

/// An id as the caller of an alias means it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named<'a> {
    Device(&'a str),
    User(&'a str),
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("two devices cannot be joined; give each an alias to a user")]
    TwoDevices,
    #[error("joining two users needs a server key")]
    NeedsServerKey,
    #[error("null, undefined, nan, 0, none, anonymous, guest and the empty text are nobody's ids")]
    Nobody,
    #[error("both are the same id")]
    SameId,
    #[error("{0} is the id of a device; give it an alias to a user")]
    IsDevice(Id),
    #[error("the person would have {devices} devices; at most {cap} are joined")]
    OverCap { devices: usize, cap: usize },
}

/// What the call `alias` says, given at `ts`: a device and a user make an ordinary edge, two users a server merge.
///
/// # Errors
/// [`Refused`]; whether the cap allows a merge is asked of the graph ([`super::IdentityGraph::admit`]).
pub fn alias(one: Named<'_>, other: Named<'_>, ts: i64, is_server: bool) -> Result<Fact, Refused> {
    let (first, second) = match (one, other) {
        (Named::Device(_), Named::Device(_)) => return Err(Refused::TwoDevices),
        (Named::Device(device), Named::User(user)) | (Named::User(user), Named::Device(device)) => {
            (device, user)
        }
        (Named::User(_), Named::User(_)) if !is_server => return Err(Refused::NeedsServerKey),
        (Named::User(one), Named::User(other)) => (one, other),
    };
    let (Some(first), Some(second)) = (Id::read(first), Id::read(second)) else {
        return Err(Refused::Nobody);
    };
    if first == second {
        return Err(Refused::SameId);
    }
    Ok(match (one, other) {
        (Named::User(_), Named::User(_)) => Fact::Ruled(Ruling {
            pair: Pair::users(first, second),
            at: ts,
            verdict: Verdict::Join,
        }),
        _ => Fact::Seen(Edge {
            device: first,
            user: second,
            ts,
        }),
    })
}
