//! A batch's own share of what is known of persons and groups: who was seen when, and what was written of them.
//!
//! A pure function of the rows in one order, like the rest of a batch's share. The tables are sets: a share inserted
//! twice, or one that overlaps with another's, changes nothing.

mod fill;

use std::collections::{BTreeMap, HashMap};

use crate::event::{Event, ProjectNumber};
use crate::metrics::person::{Owner, Position, Record, Write, Written};
use crate::store::rows::{Profile, ProfileProperty};

pub use fill::{FillError, fill, fill_once};

/// What the rows of one batch say of persons and groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProfileShare {
    /// Each actor and group of the batch once.
    pub profiles: Vec<Profile>,
    /// Each property that was written once.
    pub properties: Vec<ProfileProperty>,
}

/// A share that grows row by row.
#[derive(Debug, Default)]
pub struct ProfileTally {
    actors: HashMap<(ProjectNumber, u64), Seen>,
    groups: HashMap<(ProjectNumber, Owner), Seen>,
    held: usize,
    records: HashMap<(ProjectNumber, Owner), BTreeMap<String, Record>>,
}

#[derive(Debug)]
struct Seen {
    id: Box<str>,
    is_user: bool,
    first: i64,
    last: i64,
}

impl Seen {
    fn at(id: &str, is_user: bool, ts: i64) -> Seen {
        Seen {
            id: id.into(),
            is_user,
            first: ts,
            last: ts,
        }
    }

    fn merge(&mut self, other: &Seen) {
        self.see(other.is_user, other.first);
        self.see(other.is_user, other.last);
    }

    fn see(&mut self, is_user: bool, ts: i64) {
        self.is_user |= is_user;
        self.first = self.first.min(ts);
        self.last = self.last.max(ts);
    }
}

impl ProfileTally {
    /// Takes a row in.
    pub fn add<T: AsRef<str>>(&mut self, row: &Event<T>) {
        let is_user = !row.user_id.as_ref().is_empty();
        self.actors
            .entry((row.project, row.actor()))
            .and_modify(|seen| seen.see(is_user, row.ts))
            .or_insert_with(|| Seen::at(row.distinct_id.as_ref(), is_user, row.ts));
        let written = Written::of(row.props.as_ref(), row.actor());
        self.note(row.project, Position::at(row.ts, row.id), written);
    }

    /// Properties that are held, some perhaps counted more than once.
    fn held(&self) -> usize {
        self.held
    }

    /// Takes in what an event says.
    fn note(&mut self, project: ProjectNumber, at: Position, written: Written) {
        let Written { writes, groups } = written;
        self.held += writes.len() + groups.len();
        for (kind, key) in groups {
            let owner = Owner {
                number: crate::event::actor_of(&key),
                kind,
            };
            self.groups
                .entry((project, owner))
                .and_modify(|seen| seen.see(false, at.ts()))
                .or_insert_with(|| Seen::at(&key, false, at.ts()));
        }
        for Write { owner, name, op } in writes {
            let records = self.records.entry((project, owner)).or_default();
            records.entry(name).or_default().write(at, op);
        }
    }

    /// Adds what another one took in.
    pub fn merge(&mut self, other: ProfileTally) {
        merge(&mut self.actors, other.actors);
        merge(&mut self.groups, other.groups);
        for (owner, records) in other.records {
            let ours = self.records.entry(owner).or_default();
            for (name, record) in records {
                ours.entry(name).or_default().merge(record);
            }
        }
    }

    /// The share of all rows that were added.
    pub fn finish(self) -> ProfileShare {
        let actors = self.actors.into_iter().map(|((project, number), seen)| {
            let kind = String::new();
            ((project, Owner { kind, number }), seen)
        });
        let profile = |((project, owner), seen): ((ProjectNumber, Owner), Seen)| Profile {
            project,
            owner,
            id: seen.id.into(),
            is_user: seen.is_user,
            first_seen: seen.first,
            last_seen: seen.last,
        };
        let mut profiles: Vec<Profile> = actors.chain(self.groups).map(profile).collect();
        profiles.sort_unstable_by(|a, b| (a.project, &a.owner).cmp(&(b.project, &b.owner)));
        let mut properties: Vec<ProfileProperty> = Vec::new();
        for ((project, owner), records) in self.records {
            properties.extend(records.into_iter().map(|(name, record)| ProfileProperty {
                project,
                owner: owner.clone(),
                name,
                record,
            }));
        }
        properties.sort_unstable_by(|a, b| {
            (a.project, &a.owner.kind, &a.name, a.owner.number).cmp(&(
                b.project,
                &b.owner.kind,
                &b.name,
                b.owner.number,
            ))
        });
        ProfileShare { profiles, properties }
    }
}

fn merge<K: std::hash::Hash + Eq>(ours: &mut HashMap<K, Seen>, theirs: HashMap<K, Seen>) {
    for (owner, seen) in theirs {
        match ours.get_mut(&owner) {
            Some(known) => known.merge(&seen),
            None => drop(ours.insert(owner, seen)),
        }
    }
}
