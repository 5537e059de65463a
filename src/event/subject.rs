//! What a removal takes: which events of one project belong to its subject. One rule, used at capture (such an
//! event is refused), on its way (dead letters) and in the tables (as SQL), so that all three agree on every
//! event.

use serde::{Deserialize, Serialize};

use super::{Event, ProjectNumber};

/// The subject of a removal, without anything that names a person in clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Whose events.
    pub project: ProjectNumber,
    /// Which of them.
    pub which: Which,
}

/// Which events of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "which", rename_all = "snake_case")]
pub enum Which {
    /// What these actors did, or had sent, up to an instant. What they do later is new activity.
    Persons {
        /// Actor numbers ([`super::actor_of`]).
        actors: Vec<u64>,
        /// UTC milliseconds, included.
        until: i64,
        /// Of actors who are devices that somebody else used later: what happened from an instant on is not theirs.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        splits: Vec<(u64, i64)>,
    },
    /// Events that happened in a range of UTC milliseconds, whoever did it.
    Times {
        /// Included.
        from: i64,
        /// Not included.
        to: i64,
    },
    /// Everything that happened, or was received, up to an instant.
    Until {
        /// UTC milliseconds, included.
        until: i64,
    },
}

/// Whether an event is part of what was removed at `until`: it happened before, or was received before. The
/// second catches events whose clock ran ahead by the minutes that are allowed.
pub fn known_at(until: i64, ts: i64, received_at: i64) -> bool {
    ts <= until || received_at <= until
}

impl Subject {
    /// Whether the removal takes the event.
    pub fn takes(&self, event: &Event) -> bool {
        event.project == self.project
            && match &self.which {
                Which::Persons {
                    actors,
                    until,
                    splits,
                } => {
                    let actor = event.actor();
                    let is_anothers = |(device, from): &(u64, i64)| *device == actor && event.ts >= *from;
                    actors.contains(&actor)
                        && known_at(*until, event.ts, event.received_at)
                        && !splits.iter().any(is_anothers)
                }
                Which::Times { from, to } => (*from..*to).contains(&event.ts),
                Which::Until { until } => known_at(*until, event.ts, event.received_at),
            }
    }

    /// The actors, where the subject is persons.
    pub fn actors(&self) -> Option<&[u64]> {
        match &self.which {
            Which::Persons { actors, .. } => Some(actors),
            Which::Times { .. } | Which::Until { .. } => None,
        }
    }
}
