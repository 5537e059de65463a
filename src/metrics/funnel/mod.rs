//! Funnels: who did the steps within a window, how far the others came, how long it took, and what stopped them.
//!
//! The store selects the events that matter and marks which steps and exclusions each of them is
//! ([`StepEvent::marks`]); person by person and in total order they come to the [`FunnelTally`]. [`query`] is how a
//! person asks, [`validate`] reads it, [`spec`] is the vocabulary. [`plan`] makes a spec ready for matching,
//! [`entity`] says whose events are put together, [`attempts`] runs the rules of [`matcher`] (with [`ties`]) or of
//! [`any_order`], and [`tally`] gathers the [`report`].
//!
//! Most funnels are told by who, when and what alone: for those an event is a [`StepMark`] of 24 bytes, and where
//! nothing but order and window decides, [`plain`] is the matcher without the rest.

pub mod any_order;
pub mod attempts;
pub mod breakdown;
mod conflicts;
pub mod entity;
pub mod listing;
mod marks;
pub mod matcher;
pub mod numbers;
mod parts;
pub mod plain;
pub mod plan;
pub mod preset;
pub mod query;
pub mod report;
pub mod spec;
pub mod tally;
pub mod ties;
pub mod times;
pub mod validate;
pub mod why;

pub use query::{FunnelQuery, StepQuery};
pub use report::{FunnelOverall, FunnelReport, FunnelStepReport};
pub use spec::{FunnelSpec, FunnelStep};
pub use tally::FunnelTally;

use std::collections::HashMap;

use crate::event::actor_of;

/// An event that matters to a funnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepEvent {
    /// Event time, UTC milliseconds.
    pub ts: i64,
    /// Place in the client's batch.
    pub seq: u32,
    /// Event id as a number.
    pub id: u128,
    /// Which steps and exclusions it is: bits of [`plan::mark`].
    pub marks: u32,
    /// xxh3 of the session id that the client gave; 0: none.
    pub session: u64,
    /// xxh3 of the device id.
    pub device: u64,
    /// Values of the properties held constant, as numbers of [`Values`]; 0: missing.
    pub held: [u32; 3],
    /// Value of the breakdown's property; 0: missing.
    pub value: u32,
}

/// An event as far as most funnels need it: whose, when and what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepMark {
    /// The person.
    pub person: u64,
    /// Event time and place in the client's batch, as one number that is in order: events of a person with the same one
    /// are told apart by their ids, which are not here.
    pub at: u64,
    /// Which steps and exclusions it is: bits of [`plan::mark`].
    pub marks: u32,
    /// Value of the breakdown's property; 0: missing.
    pub value: u32,
}

impl StepMark {
    /// Bits of the place in the batch.
    const PLACE: u32 = 16;

    /// An event at so many UTC milliseconds, before the year 10000, at a place in its batch that has 16 bits.
    pub fn new(person: u64, ts: u64, place: u64, marks: u32, value: u32) -> StepMark {
        StepMark {
            person,
            at: ts << StepMark::PLACE | place,
            marks,
            value,
        }
    }

    /// Event time, UTC milliseconds.
    pub fn ts(&self) -> i64 {
        (self.at >> StepMark::PLACE).cast_signed()
    }

    /// The same with everything that an event can have. Its id is its place among the person's events.
    fn event(&self, place: usize) -> StepEvent {
        StepEvent {
            ts: self.ts(),
            id: place as u128,
            marks: self.marks,
            value: self.value,
            ..StepEvent::default()
        }
    }
}

impl StepEvent {
    /// Whether it satisfies the step (from 0).
    pub fn matches(&self, step: usize) -> bool {
        self.marks & plan::mark::step(step) != 0
    }

    /// The steps (from 0) that it satisfies, in order.
    pub fn steps(&self) -> impl Iterator<Item = usize> + use<> {
        let mut left = self.marks & plan::mark::STEPS;
        std::iter::from_fn(move || {
            let step = left.trailing_zeros() as usize;
            let found = left != 0;
            left &= left.wrapping_sub(1);
            found.then_some(step)
        })
    }

    /// Whether it counts in strict order.
    pub fn counts(&self) -> bool {
        self.marks & plan::mark::COUNTS != 0
    }
}

/// The texts behind the numbers of values: a number is a place in it, from 1; 0 is missing.
#[derive(Clone, Debug, Default)]
pub struct Values {
    texts: Vec<String>,
    numbers: HashMap<String, u32, foldhash::fast::RandomState>,
}

impl Values {
    /// The number of a text, which is given one when it is seen first.
    pub fn number(&mut self, text: Option<&str>) -> u32 {
        let Some(text) = text else {
            return 0;
        };
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        self.texts.push(text.to_owned());
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.numbers.insert(text.to_owned(), number);
        number
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The owner that stands for the group of this number: the hash of its text, the same in every question. 0: none.
    pub fn group(&self, number: u32) -> u64 {
        self.text(number).map_or(0, actor_of)
    }

    /// The texts of groups by their owners.
    pub fn groups(&self) -> HashMap<u64, &str> {
        self.texts
            .iter()
            .map(|text| (actor_of(text), &text[..]))
            .collect()
    }

    /// The text of a number; `None`: missing.
    pub fn text(&self, number: u32) -> Option<&str> {
        let place = (number as usize).checked_sub(1)?;
        self.texts.get(place).map(String::as_str)
    }
}

#[cfg(test)]
mod cases;
#[cfg(test)]
mod conformance;
