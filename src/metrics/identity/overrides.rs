//! The override map: of the ids whose events are not simply their own, whose they are. All that a question needs
//! to know of identity.

use std::collections::HashMap;

use super::change::Change;
use super::fact::Id;
use super::person::{Attribution, fresh_of};
use super::table::Table;

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

/// The map of a project. A million rows take about 34 MB.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The person of each actor that has a row.
    persons: Table,
    /// The splits of the few who are split.
    splits: HashMap<u64, i64>,
}

/// What [`Overrides::resolve`] needs besides, to be used for one list of actors after the other.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    actors: Vec<u64>,
    persons: Vec<u64>,
    ends: Vec<usize>,
}

impl Overrides {
    /// The map of these rows, in any order, one an actor.
    pub fn of(rows: impl IntoIterator<Item = Override>) -> Overrides {
        let mut map = Overrides::default();
        map.extend(rows);
        map
    }

    /// The person of an actor's event at `ts`.
    #[inline]
    pub fn person_of(&self, actor: u64, ts: i64) -> u64 {
        self.get(actor).map_or(actor, |row| row.at(ts))
    }

    /// The row of an actor; none where its events are its own.
    #[inline]
    pub fn get(&self, actor: u64) -> Option<Override> {
        let person = self.persons.get(actor)?;
        Some(self.row(actor, person))
    }

    fn row(&self, actor: u64, person: u64) -> Override {
        let split = match self.splits.is_empty() {
            true => NEVER,
            false => self.splits.get(&actor).copied().unwrap_or(NEVER),
        };
        Override { actor, person, split }
    }

    /// The person of each of these actors, before they are split; of who has no row, the actor.
    pub fn persons_of(&self, actors: &[u64], persons: &mut Vec<u64>) {
        self.persons.look_up(actors, persons);
    }

    /// The row of an actor who is split, of whom [`Overrides::persons_of`] told the person.
    #[inline]
    pub fn split_of(&self, actor: u64, person: u64) -> Option<Override> {
        let row = self.row(actor, person);
        (row.split != NEVER).then_some(row)
    }

    /// Puts the person in the place of each event's actor. `at` says when an event of this list happened. Events of one
    /// actor are best together: an actor is looked up once for each run of them, and runs together.
    pub fn resolve(&self, actors: &mut [u64], at: impl Fn(usize) -> i64, runs: &mut Runs) {
        runs.actors.clear();
        runs.ends.clear();
        let mut end = 0;
        for run in actors.chunk_by(|one, next| one == next) {
            end += run.len();
            runs.actors.push(run[0]);
            runs.ends.push(end);
        }
        self.persons_of(&runs.actors, &mut runs.persons);
        let mut start = 0;
        for ((actor, person), end) in runs.actors.iter().zip(&runs.persons).zip(&runs.ends) {
            match self.split_of(*actor, *person) {
                None => actors[start..*end].fill(*person),
                Some(row) => {
                    for (n, actor) in actors.iter_mut().enumerate().take(*end).skip(start) {
                        *actor = row.at(at(n));
                    }
                }
            }
            start = *end;
        }
    }

    /// Takes changes in.
    pub fn apply<'a>(&mut self, changes: impl IntoIterator<Item = &'a Change>) {
        let rows = changes.into_iter().map(|change| {
            let own = Override::own(change.id.actor());
            change.override_now().unwrap_or(own)
        });
        self.extend(rows);
    }

    /// Takes rows in, each in the place of the actor's earlier one. A row that says nothing takes it away.
    pub fn extend(&mut self, rows: impl IntoIterator<Item = Override>) {
        for row in rows {
            match row.is_own() {
                true => self.persons.remove(row.actor),
                false => self.persons.insert(row.actor, row.person),
            }
            match row.split {
                NEVER => self.splits.remove(&row.actor),
                split => self.splits.insert(row.actor, split),
            };
        }
    }

    /// Every row, in no order.
    pub fn rows(&self) -> impl Iterator<Item = Override> {
        let rows = self.persons.rows();
        rows.map(|(actor, person)| self.row(actor, person))
    }

    /// How many actors' events are not simply their own.
    pub fn len(&self) -> usize {
        self.persons.len()
    }

    /// Whether everybody's events are their own.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl PartialEq for Overrides {
    fn eq(&self, other: &Overrides) -> bool {
        let same = |row: Override| other.get(row.actor) == Some(row);
        self.len() == other.len() && self.rows().all(same)
    }
}

impl Eq for Overrides {}
