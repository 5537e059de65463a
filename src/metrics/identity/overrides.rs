//! The override map: of the ids whose events are not simply their own, whose they are. All that a question needs
//! to know of identity.

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
        (row.person != row.actor || row.split != NEVER).then_some(row)
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

    /// The same as a list: persons, each with the instant from which on events are theirs (`i64::MIN`: always).
    /// What comes before the first is the actor's own.
    pub fn persons(&self) -> Vec<(i64, u64)> {
        let before = (self.person != self.actor).then_some((i64::MIN, self.person));
        let after = (self.split != NEVER).then(|| (self.split, fresh_of(self.actor)));
        before.into_iter().chain(after).collect()
    }
}

/// The map of a project, as of one moment. 24 bytes a row and 4 to 8 of directory: a million identified devices take
/// 28 to 32 MB.
///
/// Actors are hashes, so the first bits of one say where it would be: a lookup compares [`WINDOW`] neighbours there
/// without a branch that could be guessed wrong, which costs less than looking at the right one only. They lie in the
/// order in which ClickHouse sends actors within a part, so what is read next is mostly near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overrides {
    /// In order; behind them [`WINDOW`] that stand for nobody.
    actors: Vec<u64>,
    /// Of each actor: the person, and the split.
    persons: Vec<(u64, i64)>,
    /// Where the actors begin that have these first bits.
    starts: Vec<u32>,
    shift: u32,
}

/// How many actors a lookup compares at once; more of the same first bits are rare.
const WINDOW: usize = 4;

impl Default for Overrides {
    fn default() -> Overrides {
        Overrides::of(Vec::new())
    }
}

impl Overrides {
    /// The map of these rows, in any order, one an actor.
    pub fn of(mut rows: Vec<Override>) -> Overrides {
        rows.sort_unstable();
        rows.dedup_by_key(|row| row.actor);
        let mut map = Overrides::with_room(rows.len());
        rows.into_iter().for_each(|row| map.push(row));
        map.finish()
    }

    fn with_room(rows: usize) -> Overrides {
        Overrides {
            actors: Vec::with_capacity(rows + WINDOW),
            persons: Vec::with_capacity(rows + WINDOW),
            starts: Vec::new(),
            shift: 0,
        }
    }

    fn push(&mut self, row: Override) {
        self.actors.push(row.actor);
        self.persons.push((row.person, row.split));
    }

    /// Nothing more comes.
    fn finish(mut self) -> Overrides {
        let bits = self
            .actors
            .len()
            .next_power_of_two()
            .trailing_zeros()
            .clamp(1, 31);
        self.shift = u64::BITS - bits;
        self.starts = vec![0; 1 << bits];
        for actor in &self.actors {
            self.starts[(actor >> self.shift) as usize] += 1;
        }
        let mut so_far = 0;
        for start in &mut self.starts {
            so_far += std::mem::replace(start, so_far);
        }
        // The largest actor there could be, as itself.
        self.actors.extend([u64::MAX; WINDOW]);
        self.persons.extend([(u64::MAX, NEVER); WINDOW]);
        self
    }

    /// The person of an actor's event at `ts`.
    #[inline]
    pub fn person_of(&self, actor: u64, ts: i64) -> u64 {
        if self.is_empty() {
            return actor;
        }
        let place = self.place(actor);
        let (person, split) = self.persons[place];
        let is_there = self.actors[place] == actor;
        let (person, split) = if is_there { (person, split) } else { (actor, NEVER) };
        if ts < split { person } else { fresh_of(actor) }
    }

    /// The row of an actor; none where its events are its own.
    pub fn get(&self, actor: u64) -> Option<Override> {
        let place = self.place(actor);
        (place < self.len() && self.actors[place] == actor).then(|| self.row(place))
    }

    /// The first place whose actor is not smaller.
    #[inline]
    fn place(&self, actor: u64) -> usize {
        let start = self.starts[(actor >> self.shift) as usize] as usize;
        let window = &self.actors[start..start + WINDOW];
        let smaller: usize = window.iter().map(|one| usize::from(*one < actor)).sum();
        if smaller < WINDOW {
            return start + smaller;
        }
        let rest = &self.actors[start + WINDOW..];
        start + WINDOW + rest.iter().take_while(|one| **one < actor).count()
    }

    fn row(&self, place: usize) -> Override {
        let (person, split) = self.persons[place];
        Override {
            actor: self.actors[place],
            person,
            split,
        }
    }

    /// The map after changes: one pass over it.
    pub fn changed<'a>(&self, changes: impl IntoIterator<Item = &'a Change>) -> Overrides {
        let mut news: Vec<(u64, Option<Override>)> = changes
            .into_iter()
            .map(|change| (change.id.actor(), change.override_now()))
            .collect();
        news.sort_unstable_by_key(|(actor, _)| *actor);
        let mut map = Overrides::with_room(self.len() + news.len());
        let mut old = self.rows().peekable();
        for (actor, now) in news {
            while let Some(row) = old.next_if(|row| row.actor < actor) {
                map.push(row);
            }
            old.next_if(|row| row.actor == actor);
            now.into_iter().for_each(|row| map.push(row));
        }
        old.for_each(|row| map.push(row));
        map.finish()
    }

    /// Every row, by actor.
    pub fn rows(&self) -> impl Iterator<Item = Override> {
        (0..self.len()).map(|place| self.row(place))
    }

    /// How many actors' events are not simply their own.
    pub fn len(&self) -> usize {
        self.actors.len() - WINDOW
    }

    /// Whether everybody's events are their own.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.actors.len() == WINDOW
    }
}
