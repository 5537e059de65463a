//! The override map: of the ids whose events are not simply their own, whose they are. All that a question needs
//! to know of identity.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use super::change::Change;
use super::fact::Id;
use super::person::{Attribution, fresh_of};

/// Whose an actor's events are. One row of the map; in SQL, one row of a join by actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Override {
    pub actor: u64,
    /// Whose they are before the split.
    pub person: u64,
    /// From this instant on they are the actor's fresh person's ([`fresh_of`]); [`NEVER`] for most.
    pub split: i64,
}

/// The split of an actor who is never split.
pub const NEVER: i64 = i64::MAX;

impl Override {
    /// The row of an id; none where its events are its own.
    pub fn of(id: &Id, attribution: &Attribution) -> Option<Override> {
        let row = Override {
            actor: id.actor(),
            person: attribution.person.actor(),
            split: attribution.split.unwrap_or(NEVER),
        };
        (!row.is_own()).then_some(row)
    }

    /// The row that says nothing: the actor is a person of their own.
    pub fn own(actor: u64) -> Override {
        Override {
            actor,
            person: actor,
            split: NEVER,
        }
    }

    /// Whether it says nothing.
    pub fn is_own(&self) -> bool {
        *self == Override::own(self.actor)
    }

    /// Whether some event in `[from, until)` is somebody else's by the other row.
    pub fn differs_within(&self, other: &Override, from: i64, until: i64) -> bool {
        let splits = [self.split, other.split].into_iter();
        let within = splits.filter(|split| (from..until).contains(split));
        within.chain([from]).any(|at| self.at(at) != other.at(at))
    }

    /// The person of an event at `ts`.
    #[inline]
    pub fn at(&self, ts: i64) -> u64 {
        if ts < self.split {
            self.person
        } else {
            fresh_of(self.actor)
        }
    }

    /// The person of everything in `[from, until)`; none where the split lies within. What is stored by day only is
    /// read again from the events for these few.
    pub fn over(&self, from: i64, until: i64) -> Option<u64> {
        let (first, last) = (self.at(from), self.at((until - 1).max(from)));
        (first == last).then_some(first)
    }

    /// All of it as a list: persons, each with the instant from which on events are theirs (`i64::MIN`: always).
    /// What comes before the first is the actor's own.
    pub fn persons(&self) -> Vec<(i64, u64)> {
        let before = (self.person != self.actor).then_some((i64::MIN, self.person));
        let after = (self.split != NEVER).then(|| (self.split, fresh_of(self.actor)));
        before.into_iter().chain(after).collect()
    }
}

/// The map of a project. A million rows take about 52 MB; looking at them costs an event about 20 ns, most of it
/// memory that is not near, 12 with a hundred thousand rows, and hardly anything where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Of each actor the person and the split.
    rows: HashMap<u64, (u64, i64), Fold>,
}

impl Overrides {
    /// The map of these rows, in any order, one an actor.
    pub fn of(rows: impl IntoIterator<Item = Override>) -> Overrides {
        let rows = rows.into_iter();
        Overrides {
            rows: rows.map(|row| (row.actor, (row.person, row.split))).collect(),
        }
    }

    /// The person of an actor's event at `ts`.
    #[inline]
    pub fn person_of(&self, actor: u64, ts: i64) -> u64 {
        self.get(actor).map_or(actor, |row| row.at(ts))
    }

    /// The row of an actor; none where its events are its own.
    #[inline]
    pub fn get(&self, actor: u64) -> Option<Override> {
        let (person, split) = *self.rows.get(&actor)?;
        Some(Override { actor, person, split })
    }

    /// Takes changes in.
    pub fn apply<'a>(&mut self, changes: impl IntoIterator<Item = &'a Change>) {
        for change in changes {
            match change.override_now() {
                Some(row) => self.rows.insert(row.actor, (row.person, row.split)),
                None => self.rows.remove(&change.id.actor()),
            };
        }
    }

    /// Takes rows in, each in the place of the actor's earlier one. A row that says nothing takes it away.
    pub fn extend(&mut self, rows: impl IntoIterator<Item = Override>) {
        for row in rows {
            match row.is_own() {
                true => self.rows.remove(&row.actor),
                false => self.rows.insert(row.actor, (row.person, row.split)),
            };
        }
    }

    /// Every row, in no order.
    pub fn rows(&self) -> impl Iterator<Item = Override> {
        let rows = self.rows.iter();
        rows.map(|(&actor, &(person, split))| Override { actor, person, split })
    }

    /// How many actors' events are not simply their own.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether everybody's events are their own.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Actors are hashes already. But clients choose what is hashed, and could choose ids that all fall into one place:
/// so they are folded once more with a number that nobody knows.
#[derive(Clone, Debug)]
struct Fold {
    secret: u64,
}

impl Default for Fold {
    fn default() -> Fold {
        Fold {
            secret: RandomState::new().hash_one(0),
        }
    }
}

impl BuildHasher for Fold {
    type Hasher = Folded;

    #[inline]
    fn build_hasher(&self) -> Folded {
        Folded(self.secret)
    }
}

struct Folded(u64);

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        let wide = u128::from(number ^ self.0) * 0x9e37_79b9_7f4a_7c15;
        self.0 = wide as u64 ^ (wide >> 64) as u64;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}
