//! Naive twins of the metrics: slow, obvious, written straight from the definitions over a slice of events.
//!
//! They share the vocabulary of specs and reports with the fast path, and nothing else: where the fast path keeps
//! one attempt a step, the twin tries every chain; where it adds differences, the twin builds sets; where it
//! computes a bucket, the twin walks the clock. Property tests hold each pair together on small random worlds.
//!
//! A slice holds the events of one project in order of arrival; of events with the same id the first counts. Whose
//! they are follows from the ids that they name ([`Persons`]); who knows more hands [`People`] instead.

mod active;
mod cohort;
mod conversion;
mod funnel;
mod identity;
mod label;
mod lifecycle;
mod path;
mod people;
pub mod person;
mod retention;
mod schema;
mod trend;
mod visits;

#[cfg(test)]
mod calendar_cases;
#[cfg(test)]
pub(in crate::metrics) mod worlds;

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

pub use active::active_users;
pub use cohort::{Told, cohort};
pub use conversion::conversion;
#[cfg(test)]
pub(in crate::metrics) use funnel::reported_chain;
pub use funnel::{actors, funnel};
pub use identity::Persons;
pub use lifecycle::{lifecycle, stickiness};
pub use path::paths;
pub use people::People;
pub use retention::retention;
pub use schema::{schema_names, schema_properties};
pub use trend::trend;
pub use visits::{sessions, web};

use crate::event::{Event, Zone};

const QUARTER_HOUR_MS: i64 = 900_000;

/// The events without the later copies of each id.
fn first_copies(events: &[Event]) -> Vec<&Event> {
    let mut seen = BTreeSet::new();
    events.iter().filter(|event| seen.insert(event.id)).collect()
}

/// What a clock on the wall of the zone shows at an instant.
fn wall_clock(zone: &Zone, ts: i64) -> DateTime {
    zone.tz()
        .to_datetime(Timestamp::from_millisecond(ts).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// The first quarter hour that begins on a later date than `date`: where the day ends.
fn end_of_day(zone: &Zone, date: Date) -> i64 {
    let midnight_utc = date
        .at(0, 0, 0, 0)
        .in_tz("UTC")
        .map_or(0, |z| z.timestamp().as_millisecond());
    let mut ts = midnight_utc - 16 * 4 * QUARTER_HOUR_MS;
    while wall_clock(zone, ts).date() <= date {
        ts += QUARTER_HOUR_MS;
    }
    ts
}

/// Whether any quarter hour of the zone has the date.
fn date_exists(zone: &Zone, date: Date) -> bool {
    wall_clock(zone, end_of_day(zone, date) - QUARTER_HOUR_MS).date() == date
}

/// A fraction; nothing when there is nothing to divide by.
fn fraction(part: usize, whole: usize) -> Option<f64> {
    if whole == 0 {
        None
    } else {
        Some(part as f64 / whole as f64)
    }
}
