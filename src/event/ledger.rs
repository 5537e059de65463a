//! The ledger's vocabulary: what may become of an event that reached us, counted by project, minute of
//! receipt and source. `received = stored + duplicate + rejected + quarantined + discarded + pending`.

use serde::{Deserialize, Serialize};

use super::ProjectNumber;

/// Longest source, in characters.
pub const MAX_SOURCE_CHARS: usize = 100;

/// An event counts as late when it arrives longer than this after it happened, in milliseconds.
pub const LATE_MS: i64 = 24 * 3_600_000;

/// What became of events, or what was noticed about stored ones. The order is part of the stream's layout:
/// add at the end only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// In the raw table.
    Stored,
    /// Known by its id or its request, so not stored again.
    Duplicate,
    /// Refused at the endpoint; the reason is the rejection's code.
    Rejected,
    /// Refused by ClickHouse; kept as a dead letter.
    Quarantined,
    /// A dead letter that somebody threw away.
    Discarded,
    /// Of the stored: arrived more than [`LATE_MS`] after it happened.
    Late,
    /// Of the stored: its time was corrected, because the client's clock was off.
    ClockCorrected,
    /// Of the stored: its time was moved into the range that is stored.
    TimeClamped,
    /// The client says that it gave so many events up: too many waited, or we refused them.
    ClientDropped,
}

impl Outcome {
    /// The name in tables and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Duplicate => "duplicate",
            Self::Rejected => "rejected",
            Self::Quarantined => "quarantined",
            Self::Discarded => "discarded",
            Self::Late => "late",
            Self::ClockCorrected => "clock_corrected",
            Self::TimeClamped => "time_clamped",
            Self::ClientDropped => "client_dropped",
        }
    }
}

impl Outcome {
    const ALL: [Outcome; 9] = [
        Outcome::Stored,
        Outcome::Duplicate,
        Outcome::Rejected,
        Outcome::Quarantined,
        Outcome::Discarded,
        Outcome::Late,
        Outcome::ClockCorrected,
        Outcome::TimeClamped,
        Outcome::ClientDropped,
    ];

    /// The outcome of this name; `None` for a newer version's.
    pub fn named(name: &str) -> Option<Outcome> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

/// A share of the ledger: so many events of a source, received in one minute, had this outcome.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LedgerRow {
    pub project: ProjectNumber,
    /// Minutes since 1970 of the receipt, UTC.
    pub minute: u32,
    /// Protocol and sender, `native footfall-js/0.1.0`; at most [`MAX_SOURCE_CHARS`] characters.
    pub source: String,
    pub outcome: Outcome,
    /// Code of a rejection; empty for the other outcomes.
    pub reason: String,
    /// Negative where an outcome is taken back: a dead letter that is stored after all.
    pub count: i64,
}

/// A stretch of a client's own numbering that arrived: `count` events, numbered `first` to `last`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClientSequence {
    pub project: ProjectNumber,
    /// As [`LedgerRow::minute`].
    pub minute: u32,
    /// As [`LedgerRow::source`].
    pub source: String,
    /// Which client counts.
    pub client: u64,
    pub first: u64,
    pub last: u64,
    pub count: u64,
}

/// The minute of a receipt in milliseconds, as the ledger counts them.
pub fn minute_of(received_at_ms: i64) -> u32 {
    received_at_ms.div_euclid(60_000).clamp(0, i64::from(u32::MAX)) as u32
}
