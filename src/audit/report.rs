//! What an audit found.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

use crate::event::{Day, ProjectNumber};
use crate::store::audit::DayBook;

/// How many findings a check names; the others are counted.
const MOST_NAMED: usize = 10;

/// An invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Invariant {
    /// Rows taken in = rows stored + dead + discarded + in the stream.
    StreamCounters,
    /// Rows noted as waiting by project, minute and source = rows in the stream.
    PendingRows,
    /// Dead letters = rows counted as dead, each in the index.
    DeadLetters,
    /// Raw events of committed batches = rows stored - rows removed.
    RawRows,
    /// No table holds a batch that the stream did not plan.
    BatchNumbers,
    /// Count rollups = raw events, for every day, name and quarter hour.
    Counts,
    /// Sketches = sketches made from raw events, bit by bit.
    Sketches,
    /// Active days of actors = those that raw events show.
    ActiveDays,
}

impl Invariant {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Invariant; 8] = [
        Invariant::StreamCounters,
        Invariant::PendingRows,
        Invariant::DeadLetters,
        Invariant::RawRows,
        Invariant::BatchNumbers,
        Invariant::Counts,
        Invariant::Sketches,
        Invariant::ActiveDays,
    ];

    /// The name in reports and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Invariant::StreamCounters => "stream_counters",
            Invariant::PendingRows => "pending_rows",
            Invariant::DeadLetters => "dead_letters",
            Invariant::RawRows => "raw_rows",
            Invariant::BatchNumbers => "batch_numbers",
            Invariant::Counts => "counts",
            Invariant::Sketches => "sketches",
            Invariant::ActiveDays => "active_days",
        }
    }

    /// Whether it is about shards, and so about all projects together.
    pub fn is_of_shards(self) -> bool {
        !matches!(
            self,
            Invariant::Counts | Invariant::Sketches | Invariant::ActiveDays
        )
    }
}

/// Where an invariant does not hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    Shard(u16),
    Day(ProjectNumber, Day),
    Sketch(ProjectNumber, Day, String),
    Project(ProjectNumber),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Shard(shard) => write!(f, "shard {shard}"),
            Place::Day(project, day) => write!(f, "project {project}, {day}"),
            Place::Sketch(project, day, event) if event.is_empty() => {
                write!(f, "project {project}, {day}, any activity")
            }
            Place::Sketch(project, day, event) => write!(f, "project {project}, {day}, {event:?}"),
            Place::Project(project) => write!(f, "project {project}"),
        }
    }
}

/// What became of one invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub invariant: Invariant,
    /// Places that were compared.
    pub compared: u64,
    /// Where it does not hold, with the numbers.
    pub broken: Vec<(Place, String)>,
    /// Where nothing can be said at the moment, with the reason.
    pub unjudged: Vec<(Place, String)>,
}

impl Check {
    /// Nothing compared yet.
    pub fn new(invariant: Invariant) -> Check {
        Check {
            invariant,
            compared: 0,
            broken: Vec::new(),
            unjudged: Vec::new(),
        }
    }

    /// Whether no place breaks it.
    pub fn holds(&self) -> bool {
        self.broken.is_empty()
    }

    /// What was found, in a sentence or some lines.
    pub fn detail(&self) -> String {
        let mut parts = Vec::new();
        for (word, places) in [("", &self.broken), ("not judged: ", &self.unjudged)] {
            parts.extend(
                places
                    .iter()
                    .take(MOST_NAMED)
                    .map(|(place, why)| format!("{word}{place}: {why}")),
            );
            if places.len() > MOST_NAMED {
                parts.push(format!("{word}and {} more", places.len() - MOST_NAMED));
            }
        }
        if parts.is_empty() {
            return format!("{} compared", self.compared);
        }
        parts.join("; ")
    }
}

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReport {
    /// One for each invariant, in the order of [`Invariant::ALL`].
    pub checks: Vec<Check>,
    /// Every UTC day with events, by project.
    pub days: Vec<DayBook>,
}

impl AuditReport {
    /// Whether no invariant is broken anywhere.
    pub fn holds(&self) -> bool {
        self.checks.iter().all(Check::holds)
    }
}

/// A line for each invariant.
impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            let word = match (check.holds(), check.unjudged.is_empty()) {
                (false, _) => "BROKEN",
                (true, true) => "ok",
                (true, false) => "open",
            };
            writeln!(f, "{word:<8}{:<17}{}", check.invariant.as_str(), check.detail())?;
        }
        Ok(())
    }
}
