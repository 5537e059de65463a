//! Who is behind a number of the chart: a page of them, in a stable order.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Values;
use super::report::{ActorPage, ActorRow};
use super::spec::{Entity, FunnelSpec};
use super::why::Reason;

/// Whose persons a page lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Actors {
    /// The step (from 1, mandatory steps only).
    pub depth: usize,
    /// Which of those who reached it.
    pub outcome: ActorOutcome,
    /// Only those whom this stopped.
    pub reason: Option<Reason>,
    /// Where the page before ended: an entity's number and the place of its outcome.
    pub after: Option<(u64, u32)>,
    /// How many.
    pub limit: usize,
}

/// Which of those who reached a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorOutcome {
    /// All of them.
    #[default]
    Converted,
    /// Those who came no further.
    Dropped,
    /// Those who did not come to the last step.
    NotConverted,
}

impl Actors {
    fn lists(&self, row: &ActorRow, last: usize) -> bool {
        let is_there = match self.outcome {
            ActorOutcome::Converted => row.depth >= self.depth,
            ActorOutcome::Dropped => row.depth == self.depth,
            ActorOutcome::NotConverted => (self.depth..last).contains(&row.depth),
        };
        let reason = row.why_not.as_ref().map(|why| why.reason);
        is_there && (self.reason.is_none() || self.reason == reason)
    }
}

/// What of an actor is a number of [`Values`] until the page is ready.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    pub person: u64,
    pub held: [u32; 3],
}

/// The page of a list as it is gathered, and how long the whole list is.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    total: u64,
    /// By the number of the entity and the place of the outcome: one more than the page has, which tells whether there
    /// is another.
    rows: BTreeMap<(u64, u32), (Listed, ActorRow)>,
}

impl Listing {
    /// Takes an outcome, if it is one of those that are wanted. `last` is the depth of those who converted.
    pub(super) fn take(&mut self, wanted: &Actors, last: usize, place: u32, who: Listed, row: ActorRow) {
        if !wanted.lists(&row, last) {
            return;
        }
        self.total += 1;
        let key = (who.person, place);
        if wanted.after.is_none_or(|after| key > after) {
            self.rows.insert(key, (who, row));
            self.cut(wanted.limit);
        }
    }

    fn cut(&mut self, limit: usize) {
        while self.rows.len() > limit + 1 {
            self.rows.pop_last();
        }
    }

    /// Takes what another listing of the same page gathered.
    pub(super) fn absorb(&mut self, other: Listing, wanted: &Actors) {
        self.total += other.total;
        self.rows.extend(other.rows);
        self.cut(wanted.limit);
    }

    /// The page. `values` are the texts behind the numbers of values.
    pub(super) fn page(self, spec: &FunnelSpec, wanted: &Actors, values: &Values) -> ActorPage {
        let mut listed = self.rows;
        let more = listed.len() > wanted.limit;
        if more {
            listed.pop_last();
        }
        let last = listed
            .last_key_value()
            .map(|((entity, place), _)| format!("{entity:x}-{place}"));
        let groups = match spec.entity {
            Entity::Group => values.groups(),
            Entity::Person | Entity::Session => HashMap::new(),
        };
        let row = |(who, row): (Listed, ActorRow)| {
            let held = who.held[..spec.hold.len()].iter();
            ActorRow {
                actor: match spec.entity {
                    Entity::Group => String::new(),
                    Entity::Person | Entity::Session => format!("{:016x}", who.person),
                },
                group: match spec.entity {
                    Entity::Group => groups.get(&who.person).map(|text| (*text).to_owned()),
                    Entity::Person | Entity::Session => None,
                },
                held: held
                    .filter_map(|value| values.text(*value).map(str::to_owned))
                    .collect(),
                ..row
            }
        };
        ActorPage {
            total: self.total,
            actors: listed.into_values().map(row).collect(),
            next: last.filter(|_| more),
        }
    }
}
