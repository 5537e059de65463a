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
/// Actors are hashes, so the first bits of one say where its row would be: a lookup reads the directory and one or
/// two rows. Rows lie in the actors' order, in which ClickHouse sends them within a part, so what is read next is
/// mostly near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overrides {
    rows: Vec<Override>,
    /// Where the rows begin whose actors have these first bits; one more at the end.
    starts: Vec<u32>,
    shift: u32,
}

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
        Overrides::of_sorted(rows)
    }

    fn of_sorted(rows: Vec<Override>) -> Overrides {
        let bits = rows.len().next_power_of_two().trailing_zeros().clamp(1, 31);
        let shift = u64::BITS - bits;
        let mut starts = vec![0; (1 << bits) + 1];
        for row in &rows {
            starts[(row.actor >> shift) as usize + 1] += 1;
        }
        let mut so_far = 0;
        for start in &mut starts {
            so_far += *start;
            *start = so_far;
        }
        Overrides { rows, starts, shift }
    }

    /// The person of an actor's event at `ts`.
    #[inline]
    pub fn person_of(&self, actor: u64, ts: i64) -> u64 {
        self.get(actor).map_or(actor, |row| row.at(ts))
    }

    /// The row of an actor; none where its events are its own.
    #[inline]
    pub fn get(&self, actor: u64) -> Option<&Override> {
        if self.rows.is_empty() {
            return None;
        }
        let place = (actor >> self.shift) as usize;
        let (from, to) = (self.starts[place] as usize, self.starts[place + 1] as usize);
        self.rows[from..to].iter().find(|row| row.actor == actor)
    }

    /// The map after changes: one pass over it.
    pub fn changed<'a>(&self, changes: impl IntoIterator<Item = &'a Change>) -> Overrides {
        let mut news: Vec<(u64, Option<Override>)> = changes
            .into_iter()
            .map(|change| (change.id.actor(), change.override_now()))
            .collect();
        news.sort_unstable_by_key(|(actor, _)| *actor);
        let mut rows = Vec::with_capacity(self.rows.len() + news.len());
        let mut old = self.rows.iter().copied().peekable();
        for (actor, now) in news {
            while let Some(row) = old.next_if(|row| row.actor < actor) {
                rows.push(row);
            }
            old.next_if(|row| row.actor == actor);
            rows.extend(now);
        }
        rows.extend(old);
        Overrides::of_sorted(rows)
    }

    /// Every row, by actor.
    pub fn rows(&self) -> &[Override] {
        &self.rows
    }

    /// Whether everybody's events are their own.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
