//! What a step of a delivery did, and why one did not happen.

use crate::identity::LearnError;
use crate::store::batch::{InsertError, Table};
use crate::store::error::StoreError;
use crate::stream::StreamError;

/// What one step did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// No entry waits.
    Idle,
    /// Entries wait, but workers were asked to begin nothing.
    Paused,
    /// The boundary of batch `seq` is written down.
    Planned { seq: u64 },
    /// A table holds the batch.
    Inserted { table: Table },
    /// The batch is over: rows stored, rows dead.
    Committed { seq: u64, rows: u64, dead: u64 },
    /// The counters of the batch's projects are raised.
    Announced,
    /// Removals that waited for the shard's owner are carried out: rows that they took.
    Removed { rows: u64 },
}

/// What [`super::deliver::Deliverer::deliver_once`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// No entry waited.
    Nothing,
    /// Another worker owns the shard.
    Held,
    /// A batch was committed and announced.
    Batch { seq: u64, rows: u64, dead: u64 },
}

/// Why a step did not happen.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// An engine is away or refuses for now. The step is repeated, for ever.
    #[error("waiting: {0}")]
    Waiting(String),
    /// The shard is another worker's by now, or may be: forget it.
    #[error("lost: {0}")]
    Lost(String),
    /// Redis and ClickHouse contradict each other. Going on could lose or double rows: an operator decides.
    #[error("stopped: {0}")]
    Stopped(String),
}

impl From<StreamError> for DeliverError {
    fn from(error: StreamError) -> DeliverError {
        match error {
            StreamError::Fenced(_) | StreamError::Stale { .. } => DeliverError::Lost(error.to_string()),
            StreamError::Content { .. } => DeliverError::Stopped(error.to_string()),
            other => DeliverError::Waiting(other.to_string()),
        }
    }
}

impl From<StoreError> for DeliverError {
    fn from(error: StoreError) -> DeliverError {
        DeliverError::Waiting(error.to_string())
    }
}

impl From<LearnError> for DeliverError {
    fn from(error: LearnError) -> DeliverError {
        DeliverError::Waiting(format!("identity is not learned yet: {error}"))
    }
}

impl From<InsertError> for DeliverError {
    fn from(error: InsertError) -> DeliverError {
        DeliverError::Waiting(error.to_string())
    }
}
