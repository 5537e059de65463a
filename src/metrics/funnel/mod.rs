//! Ordered funnels: who did the steps one after the other within a window, how far the others came, and how
//! long it took.
//!
//! The store selects the step events of the project and streams them person by person in total order;
//! [`FunnelTally`] runs the rules over one person at a time. [`spec`] is the vocabulary of what can be asked,
//! [`matcher`] the rules, [`report`] the numbers.

pub mod matcher;
pub mod report;
pub mod spec;

pub use report::{FunnelOverall, FunnelReport, FunnelStepReport, FunnelTally};
pub use spec::{FunnelQuery, FunnelSpec, FunnelStep, StepQuery};

/// A step event as the store streams it: of one person, in the total order `(ts, seq, id)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepEvent {
    /// Event time, UTC milliseconds.
    pub ts: i64,
    /// Place in the client's batch.
    pub seq: u32,
    /// Event id as a number.
    pub id: u128,
    /// Which name: 1-based index into [`FunnelSpec::event_names`]; 0 is any other event and matches nothing.
    pub name_index: u8,
}

#[cfg(test)]
mod cases;
