//! Paths between two steps of a funnel: whose and when they are is the funnel's matter, told by its reported chains.

use std::collections::HashMap;

use super::spec::Link;
use crate::metrics::funnel::FunnelSpec;
use crate::metrics::funnel::listing::{ActorOutcome, Actors};
use crate::metrics::funnel::report::ActorRow;
use crate::metrics::funnel::spec::View;

/// The most reported chains whose paths are looked for.
pub const MAX_CHAINS: usize = 200_000;

/// A part of a person's life between two steps of one reported chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Which of the person's it is.
    pub place: u32,
    /// The event of the step at which it begins.
    pub from: u128,
    /// When that was.
    pub from_ms: i64,
    /// The event of the next step; nothing: it was not reached.
    pub next: Option<u128>,
    /// Without a next step: the end of the window, included.
    pub until_ms: i64,
}

impl Link {
    /// The funnel, as it lists everybody who is meant.
    pub fn listing(&self) -> FunnelSpec {
        let steps = &self.funnel.steps;
        let depth = |step: usize| steps[..=step].iter().filter(|step| !step.optional).count();
        let (depth, outcome) = match self.dropped {
            true => (depth(self.step), ActorOutcome::Dropped),
            false => (depth(self.next), ActorOutcome::Converted),
        };
        FunnelSpec {
            view: View::Steps,
            breakdown: None,
            why_not: false,
            actors: Some(Actors {
                depth,
                outcome,
                reason: None,
                after: None,
                limit: MAX_CHAINS,
            }),
            ..self.funnel.clone()
        }
    }

    /// The stretches of everybody who is listed, by person.
    pub fn stretches(&self, listed: &[ActorRow]) -> HashMap<u64, Vec<Stretch>> {
        let mut found: HashMap<u64, Vec<Stretch>> = HashMap::new();
        for row in listed {
            let at = |step: usize| row.chain.iter().find(|link| link.step == step + 1);
            let (Some(from), Some(entry)) = (at(self.step), row.chain.first()) else {
                continue;
            };
            let Ok(person) = u64::from_str_radix(&row.actor, 16) else {
                continue;
            };
            let next = at(self.next).filter(|_| !self.dropped);
            let own = found.entry(person).or_default();
            own.push(Stretch {
                place: u32::try_from(own.len()).unwrap_or(u32::MAX),
                from: from.event_id.as_u128(),
                from_ms: from.at.0,
                next: next.map(|link| link.event_id.as_u128()),
                until_ms: entry.at.0 + self.funnel.window_ms,
            });
        }
        found
    }
}
