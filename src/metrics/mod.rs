//! What the numbers mean. Pure: no IO, no async, no clock (`now_ms` is an argument).
//!
//! The engine gives facts (selected, ordered, counted rows); this room turns them into reports. Every metric
//! has a slow and obvious twin in [`oracle`], and property tests hold the pair together.
//!
//! # Glossary
//!
//! - **person**: who did it. Derived from an event's actor by the override map when the question is asked,
//!   never stored with the event. What makes a person of devices and users: see [`identity`].
//! - **total order**: `(ts, seq, id)`. What "before" and "later" mean for events of one person.
//! - **range**: half-open `[from, to)`, of instants ([`time::TimeRange`]) or of local days
//!   ([`time::DayRange`]).
//! - **local day**: a date of the project's zone. It starts at its first instant, has 23 to 25 hours, and a
//!   date that never happened (Apia 2011-12-30) is absent.
//! - **active**: did at least one event that counts as activity.
//! - **DAU, WAU, MAU** of a day: distinct active persons of that day, of the 7 days and of the 30 days that
//!   end with it. See [`active`].
//! - **funnel**: ordered steps within a *conversion window*; a person's *depth* is the number of steps of
//!   their deepest attempt, and the *reported chain* is the attempt whose times are shown. See [`funnel`].
//! - **conversion** of B after A: the two-step funnel by local day of entry. See [`conversion`].
//! - **retention**: of those who started in a *cohort* (a local hour, day, week, month), who came back in which
//!   *period* after. See [`retention`].
//! - **cohort** (as a filter): persons by what they did, what is known of them, or a list; their members are written
//!   down from time to time. See [`cohort`].
//! - **lifecycle**: new, returning, resurrecting, dormant. See [`lifecycle`]. **Stickiness**: on how many days of a
//!   range. See [`stickiness`].
//! - **session**: what a person did on one device without a long silence. See [`session`]; its duration, bounce,
//!   entry, exit and source: see [`visit`].
//! - **final**: whether a point can still change only through late, corrected or erased events.
//!
//! Each question arrives as a *query* (texts, as a person would write them), is validated into a *spec*
//! (numbers, nothing left to default) or refused with [`SpecError`]s, and leaves as a *report*.

pub mod active;
pub mod cohort;
pub mod conversion;
pub mod envelope;
pub mod filter;
pub mod funnel;
pub mod identity;
pub mod ledger;
pub mod lifecycle;
pub mod naming;
pub mod oracle;
pub mod path;
pub mod person;
pub mod retention;
pub mod schema;
pub mod selection;
pub mod session;
pub mod sketch;
pub mod stickiness;
pub mod time;
pub mod trend;
pub mod turning;
pub mod visit;

/// The longest event name, in characters, as at capture.
pub const MAX_NAME_CHARS: usize = 200;

/// One thing that is wrong with a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct SpecError {
    /// JSON pointer (RFC 6901) into the query: `/steps/2/event`.
    pub pointer: String,
    /// Stable snake_case reason: `required`, `too_many`, `out_of_range`, …
    pub code: &'static str,
    /// The reason in words, with the limit where there is one.
    pub detail: String,
}

impl SpecError {
    /// A refused field.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            code,
            detail: detail.into(),
        }
    }
}

/// Notes what is wrong with an event name: capture would never have accepted it.
fn check_event_name(pointer: &str, name: &str, errors: &mut Vec<SpecError>) {
    if name.is_empty() {
        errors.push(SpecError::new(pointer, "required", "name the event"));
    } else if name.chars().count() > MAX_NAME_CHARS {
        errors.push(SpecError::new(
            pointer,
            "name_too_long",
            format!("an event name has at most {MAX_NAME_CHARS} characters"),
        ));
    }
}

/// The answer if nothing was wrong, else everything that was.
fn accepted<T>(spec: T, errors: Vec<SpecError>) -> Result<T, Vec<SpecError>> {
    if errors.is_empty() { Ok(spec) } else { Err(errors) }
}

/// `part / whole`, absent when there is nothing to divide by.
fn rate(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
