//! What an erasure writes down on its way, and the certificate at its end.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{NamedIn, digest_of, to_json};
use crate::meta::{Moment, Result};

/// What belongs to the subject, by where it was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemovedCounts {
    /// Raw events.
    pub events: u64,
    /// Days on which somebody was active.
    pub actor_days: u64,
    /// Persons of whom first and last seen and properties are known, and nothing else is left.
    #[serde(default)]
    pub profiles: u64,
    /// Events that the analytics engine had refused, kept aside.
    pub dead_letters: u64,
    /// Texts of rejected events, kept to show why. All of the project's go.
    pub rejected_samples: u64,
    /// Pairs of ids that were seen, or that a server named, together.
    #[serde(default)]
    pub id_pairs: u64,
}

impl RemovedCounts {
    /// Whether nothing was found.
    pub fn is_zero(&self) -> bool {
        *self == RemovedCounts::default()
    }
}

/// What was found before and after; null until it was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErasureCounts {
    /// Counted when everything received before the request was in the tables.
    #[serde(default)]
    #[schema(required)]
    pub before: Option<RemovedCounts>,
    /// Counted at the end.
    #[serde(default)]
    #[schema(required)]
    pub after: Option<RemovedCounts>,
}

/// How far an erasure has come, so that whoever goes on knows. Stored as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Shard and the last entry that was admitted before the tombstone was in force there.
    pub boundaries: Vec<(u16, String)>,
    /// What was found.
    pub counts: ErasureCounts,
    /// UTC days whose counts change, as days since 1970.
    pub count_days: Vec<i32>,
    /// Local days whose sketches change.
    pub sketch_days: Vec<i32>,
    /// First and last local day on which the subject was active.
    pub local_span: Option<(i32, i32)>,
    /// Days before these have nothing left: their rollups are removed, not rebuilt. UTC day and local day.
    pub rollups_before: Option<(i32, i32)>,
    /// Times that something was found after everything was removed.
    pub repeats: u32,
    /// Devices that somebody else used from an instant on, by their actor numbers. Not kept beyond the end.
    pub splits: Vec<(u64, i64)>,
}

impl Progress {
    /// Without what stands for somebody.
    pub(super) fn without_persons(&self) -> Progress {
        Progress {
            splits: Vec::new(),
            ..self.clone()
        }
    }
}

/// Proof that nothing of the subject is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Certificate {
    /// Salted SHA-256 of each distinct id; empty for other kinds.
    pub subject_hashes: Vec<String>,
    /// What was found.
    pub counts_before: RemovedCounts,
    /// What is left: zero.
    pub counts_after: RemovedCounts,
    /// When it was asked for.
    pub requested_at: Moment,
    /// When everything was counted for the last time.
    pub finished_at: Moment,
    /// Stream shards that were searched.
    pub shards: u32,
    /// Whether Redis was told to write its log anew, so that the bytes leave its disk too.
    pub log_rewritten: bool,
    /// What the team itself wrote down with one of the ids in it: saved questions, dashboards, annotations, cohorts. An
    /// erasure leaves them as they are; somebody has to look. At most 200.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named_in: Vec<NamedIn>,
    /// SHA-256 (hexadecimal) of this certificate as JSON with an empty digest.
    pub digest: String,
}

impl Certificate {
    /// The certificate with its digest.
    pub fn sealed(mut self) -> Result<Certificate> {
        self.digest = String::new();
        self.digest = digest_of(&to_json(&self)?);
        Ok(self)
    }
}
