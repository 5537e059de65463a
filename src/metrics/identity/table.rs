//! Persons by actor, laid out for millions of looks: one flat list of pairs, open addressing, linear probing.
//!
//! A look costs a wait for memory that is far, and nothing else that counts. The standard library's map waits twice (for
//! what marks a place as taken, then for the place), and a loop of looks with branches between them waits for one after
//! the other; here many are looked at in one go first, which the processor overlaps ([`Table::look_up`]).

use std::hash::{BuildHasher, RandomState};

/// No actor has this number ([`crate::event::actor_of`] would have to hash to it, and a row's `actor = 0` means in SQL
/// that there is none).
const FREE: u64 = 0;

/// The person of each of some actors.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// Actor and person, [`FREE`] where there is none; a power of two of them, at most three quarters taken, or none.
    places: Vec<(u64, u64)>,
    taken: usize,
    /// Clients choose what actors are hashes of, and could choose ids that all fall into one place: so actors are
    /// folded once more with a number that nobody knows.
    secret: u64,
}

impl Default for Table {
    fn default() -> Table {
        Table {
            places: Vec::new(),
            taken: 0,
            secret: RandomState::new().hash_one(0),
        }
    }
}

impl Table {
    pub fn len(&self) -> usize {
        self.taken
    }

    /// Every actor and their person, in no order.
    pub fn rows(&self) -> impl Iterator<Item = (u64, u64)> {
        let rows = self.places.iter().copied();
        rows.filter(|(actor, _)| *actor != FREE)
    }

    #[inline]
    pub fn get(&self, actor: u64) -> Option<u64> {
        if self.places.is_empty() {
            return None;
        }
        self.find(actor, self.first(actor))
    }

    /// The person of each of these actors; the actor where there is none.
    pub fn look_up(&self, actors: &[u64], persons: &mut Vec<u64>) {
        persons.clear();
        if self.places.is_empty() {
            persons.extend_from_slice(actors);
            return;
        }
        // Only this goes to memory that is far, and no look waits for the one before.
        persons.extend(actors.iter().map(|actor| {
            let (there, person) = self.places[self.first(*actor)];
            if there == *actor { person } else { FREE }
        }));
        for (actor, person) in actors.iter().zip(persons) {
            if *person == FREE {
                *person = self.find(*actor, self.first(*actor)).unwrap_or(*actor);
            }
        }
    }

    pub fn insert(&mut self, actor: u64, person: u64) {
        debug_assert_ne!(actor, FREE);
        if (self.taken + 1) * 4 > self.places.len() * 3 {
            self.grow();
        }
        let mut place = self.first(actor);
        while self.places[place].0 != FREE && self.places[place].0 != actor {
            place = self.after(place);
        }
        self.taken += usize::from(self.places[place].0 == FREE);
        self.places[place] = (actor, person);
    }

    pub fn remove(&mut self, actor: u64) {
        if self.places.is_empty() {
            return;
        }
        let mut hole = self.first(actor);
        while self.places[hole].0 != actor {
            if self.places[hole].0 == FREE {
                return;
            }
            hole = self.after(hole);
        }
        self.taken -= 1;
        // Who stands further on than where they were looked for first moves up, or nobody would find them.
        let mut next = self.after(hole);
        while self.places[next].0 != FREE {
            let first = self.first(self.places[next].0);
            if self.steps(first, hole) < self.steps(first, next) {
                self.places[hole] = self.places[next];
                hole = next;
            }
            next = self.after(next);
        }
        self.places[hole] = (FREE, FREE);
    }

    fn grow(&mut self) {
        let wider = vec![(FREE, FREE); (self.places.len() * 2).max(8)];
        let rows = std::mem::replace(&mut self.places, wider);
        self.taken = 0;
        for (actor, person) in rows.into_iter().filter(|(actor, _)| *actor != FREE) {
            self.insert(actor, person);
        }
    }

    #[inline]
    fn find(&self, actor: u64, mut place: usize) -> Option<u64> {
        loop {
            match self.places[place] {
                (there, person) if there == actor && there != FREE => return Some(person),
                (FREE, _) => return None,
                _ => place = self.after(place),
            }
        }
    }

    /// Where an actor is looked for first.
    #[inline]
    fn first(&self, actor: u64) -> usize {
        let wide = u128::from(actor ^ self.secret) * 0x9e37_79b9_7f4a_7c15;
        (wide as u64 ^ (wide >> 64) as u64) as usize & (self.places.len() - 1)
    }

    #[inline]
    fn after(&self, place: usize) -> usize {
        (place + 1) & (self.places.len() - 1)
    }

    fn steps(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.places.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Few actors, so that they are put in, replaced and taken out again in every order.
        #[test]
        fn it_holds_what_a_sorted_map_holds(steps in prop::collection::vec((1..60_u64, 0..4_u64), 0..300)) {
            let (mut table, mut twin) = (Table::default(), BTreeMap::new());
            for (actor, person) in steps {
                match person {
                    0 => {
                        table.remove(actor);
                        twin.remove(&actor);
                    }
                    person => {
                        table.insert(actor, person);
                        twin.insert(actor, person);
                    }
                }
                prop_assert_eq!(table.len(), twin.len());
            }
            let held: BTreeMap<u64, u64> = table.rows().collect();
            prop_assert_eq!(&held, &twin);
            let actors: Vec<u64> = (0..70).collect();
            let mut persons = Vec::new();
            table.look_up(&actors, &mut persons);
            for (actor, person) in actors.into_iter().zip(persons) {
                prop_assert_eq!(table.get(actor), twin.get(&actor).copied());
                prop_assert_eq!(person, twin.get(&actor).copied().unwrap_or(actor));
            }
        }
    }
}
