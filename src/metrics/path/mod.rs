//! Paths: what people did after something, before it, or between two things, as a graph of nodes by position.
//!
//! A *node* is an event's name or the path of its page ([`label`]). A person's sessions are derived from all their
//! events ([`super::session`]); of each session of the range the nodes of the events that pass, are not excluded and
//! have one, in total order, identical neighbours taken together, are cut to a [`walk`]: from the first anchor onward,
//! from the last anchor backward, or from the first anchor to the first later second one. [`tally`] counts walks by
//! position, keeps the largest nodes of each and lists the persons behind a number.
//!
//! A path between two steps of a funnel is no session's but a [`linked`] stretch: from the one event of a reported chain
//! to the other.
//!
//! [`query`] is how a person asks, [`validate`] reads it, [`spec`] is the vocabulary.

pub mod label;
pub mod linked;
pub mod query;
pub mod report;
pub mod spec;
pub mod tally;
pub mod validate;
pub mod walk;

pub use query::PathsQuery;
pub use report::PathsReport;
pub use spec::PathSpec;
pub use tally::PathTally;

/// An event as paths see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathEvent {
    /// Event time, UTC milliseconds.
    pub ts: i64,
    /// Place in the client's batch.
    pub seq: u32,
    /// Event id as a number.
    pub id: u128,
    /// xxh3 of the session id that the client gave; 0: none.
    pub session: u64,
    /// xxh3 of the device id.
    pub device: u64,
    /// The number of its name; 0 where names do not matter.
    pub name: u32,
    /// The number of its page's path as it was sent; 0: none, or paths do not matter.
    pub page: u32,
    /// Whether it passes the question's filter.
    pub passes: bool,
}
