//! What a merge, an alias or an unmerge would do, and whether it may be done.

use std::collections::BTreeMap;

use super::change::{Change, Noted};
use super::fact::{Fact, Id, Pair, Refused, Ruling, Verdict};
use super::graph::IdentityGraph;
use super::person::Person;

/// What a fact would change. The persons concerned are those who would lose or get an event; others of their number
/// are no business of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// Whose events would go elsewhere, and from when.
    pub changes: Vec<Change>,
    /// The persons concerned as they are, with their ids.
    pub before: BTreeMap<Person, Vec<Id>>,
    /// The persons that they would be.
    pub after: BTreeMap<Person, Vec<Id>>,
}

impl Preview {
    /// Persons that would be no more, with the person whom each one's canonical id would belong to.
    pub fn joined(&self) -> Vec<(&Person, &Person)> {
        let gone = self
            .before
            .keys()
            .filter(|person| !self.after.contains_key(person));
        let into = |person: &Person| {
            let id = match person {
                Person::Known(id) | Person::Fresh(id) => id,
            };
            self.after.iter().find(|(_, ids)| ids.contains(id))
        };
        gone.filter_map(|person| Some((person, into(person)?.0)))
            .collect()
    }

    /// Persons that there would be and are not yet.
    pub fn opened(&self) -> Vec<&Person> {
        self.after
            .keys()
            .filter(|person| !self.before.contains_key(person))
            .collect()
    }
}

impl IdentityGraph {
    /// Whether a ruling may be made. No device may lose its place to a merge: one over the cap is refused.
    ///
    /// # Errors
    /// [`Refused::OverCap`]; [`Refused::IsDevice`] where a merge names a device as a user; [`Refused::SameId`].
    pub fn admit(&self, ruling: &Ruling) -> Result<(), Refused> {
        if ruling.verdict == Verdict::Part {
            return Ok(());
        }
        let devices = match &ruling.pair {
            Pair::Users(one, other) if one == other => return Err(Refused::SameId),
            Pair::Users(one, other) => {
                let is_device = |id: &&Id| !self.users.contains_key(*id) && self.devices.contains_key(*id);
                if let Some(id) = [one, other].into_iter().find(is_device) {
                    return Err(Refused::IsDevice(id.clone()));
                }
                let of = |id| self.users.contains_key(id).then(|| self.component(id));
                match (of(one), of(other)) {
                    (Some(one), Some(other)) if one.canonical() != other.canonical() => {
                        one.live().len() + other.live().len()
                    }
                    _ => 0,
                }
            }
            Pair::Device { device, user } => self.devices_with(device, user, &ruling.pair),
        };
        if devices > self.cap {
            return Err(Refused::OverCap {
                devices,
                cap: self.cap,
            });
        }
        Ok(())
    }

    /// How many devices a person would have if the tombstone on a device's edge were lifted.
    fn devices_with(&self, device: &Id, user: &Id, pair: &Pair) -> usize {
        if self.verdict(pair) != Some(Verdict::Part) || self.earliest(device) != Some(user) {
            return 0;
        }
        self.component(user).live().len() + 1
    }

    /// What learning a fact would change. The graph is as it was afterwards; markers are not for trying.
    ///
    /// # Errors
    /// As [`IdentityGraph::admit`].
    pub fn preview(&mut self, fact: &Fact) -> Result<Preview, Refused> {
        if let Fact::Ruled(ruling) = fact {
            self.admit(ruling)?;
        }
        let undo = match fact {
            Fact::Seen(edge) => Undo::Seen(self.first_seen(&edge.device, &edge.user)),
            Fact::Ruled(ruling) => Undo::Ruled(self.rulings.get(&ruling.pair).cloned()),
            Fact::Erased(_) => return Ok(Preview::default()),
        };
        let changes = self.learn([fact]).changes;
        let moves = changes.iter().flat_map(Change::moves);
        let concerned: Vec<Person> = moves.flat_map(|one| [one.before, one.after]).collect();
        let after = self.present(&concerned);
        let mut noted = Noted::default();
        match (fact, undo) {
            (Fact::Seen(edge), Undo::Seen(ts)) => {
                self.set_first_seen(&edge.device, &edge.user, ts, &mut noted);
            }
            (Fact::Ruled(ruling), Undo::Ruled(before)) => self.rule(&ruling.pair, before, &mut noted),
            _ => {}
        }
        Ok(Preview {
            before: self.present(&concerned),
            after,
            changes,
        })
    }

    /// Those of the persons that there are, with their ids.
    fn present(&self, persons: &[Person]) -> BTreeMap<Person, Vec<Id>> {
        let is_there = |person: &&Person| match person {
            Person::Known(id) => self.attribution(id).person == *id,
            Person::Fresh(id) => self.attribution(id).split.is_some(),
        };
        let there = persons.iter().filter(is_there);
        there
            .map(|person| (person.clone(), self.members(person)))
            .collect()
    }
}

/// What was known before a preview.
enum Undo {
    Seen(Option<i64>),
    Ruled(Option<Ruling>),
}
