//! The trust envelope: what every analytics answer says about itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::{Moment, TimeRange};

/// What an answer says about itself, the same beside every report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "as_of": "2026-11-23T10:15:00.250Z", "complete": false, "approximate": true, "error": 0.0081,
    "rows_read": 120, "elapsed_ms": 1.8, "cached": false, "timezone": "Europe/Berlin", "warnings": []
}))]
pub struct Envelope {
    /// Receipt instant: every event received before it is counted. It is measured over the whole installation,
    /// some seconds behind the clock: another project's burst may hold it back (then `events_pending` warns), it
    /// never runs ahead of this one's.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Moment,
    /// False while the range is still open, or while something that the answer depends on lags behind.
    pub complete: bool,
    /// Whether a sketch answered, so that unique counts carry the relative standard error `error`.
    pub approximate: bool,
    /// Relative standard error of unique counts; null in an exact answer.
    pub error: Option<f64>,
    /// At most so many persons too many does a number from sketches hold: ids that turned out to be somebody else's, on
    /// days whose sketches are still to be made anew (a minute at most, as a rule). Absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overcount_bound: Option<u64>,
    /// The version of whose ids are whose that was read: with `as_of` it names an answer that can be asked for again. 0
    /// where no id was ever found to be somebody else's.
    #[serde(default)]
    pub identity_version: u64,
    /// Rows that the analytics engine read for it; 0 from memory.
    pub rows_read: u64,
    /// Milliseconds between question and answer, at the server.
    pub elapsed_ms: f64,
    /// Whether the answer was remembered from an earlier, identical question.
    pub cached: bool,
    /// The IANA zone in which days and hours were counted.
    pub timezone: String,
    /// What a careful reader has to know before using the numbers: `unknown_event` that the question says a name which the
    /// project never had, `late_events`, `events_pending`, `beyond_retention`, `cohort_as_of`, …
    pub warnings: Vec<Warning>,
    /// The range, whose end decides about `complete`.
    #[serde(skip)]
    pub range: Option<TimeRange>,
}

/// A limit of one answer, in words and as a code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    /// Stable snake_case name.
    #[schema(example = "range_open")]
    pub code: String,
    /// The same in words.
    #[schema(example = "the range ends in the future: the last points will still grow")]
    pub detail: String,
    /// Of how many events it speaks, where it counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

impl Warning {
    /// A warning.
    pub fn new(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            detail: detail.into(),
            count: None,
        }
    }

    /// The same about so many events.
    pub fn of(self, events: u64) -> Self {
        Self {
            count: Some(events),
            ..self
        }
    }
}

/// A report in its trust envelope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Answer<T> {
    /// The report.
    pub data: T,
    /// What the answer says about itself.
    pub meta: Envelope,
}
