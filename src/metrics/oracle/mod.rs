//! Naive twins of the metrics: slow, obvious, written straight from the definitions over a slice of events.
//!
//! They share the vocabulary of specs and reports with the fast path, and nothing else: where the fast path keeps
//! one attempt a step, the twin tries every chain; where it adds differences, the twin builds sets; where it
//! computes a bucket, the twin walks the clock. Property tests hold each pair together on small random worlds.
//!
//! A slice holds the events of one project in order of arrival; of events with the same id the first counts.

mod active;
mod conversion;
mod funnel;
mod identity;
mod label;
mod lifecycle;
pub mod person;
mod retention;
mod trend;

#[cfg(test)]
mod calendar_cases;
#[cfg(test)]
pub(in crate::metrics) mod worlds;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

pub use active::active_users;
pub use conversion::conversion;
#[cfg(test)]
pub(in crate::metrics) use funnel::reported_chain;
pub use funnel::{actors, funnel};
pub use identity::Persons;
pub use lifecycle::{lifecycle, stickiness};
pub use retention::retention;
pub use trend::trend;

use crate::event::{Event, Zone};

const QUARTER_HOUR_MS: i64 = 900_000;

/// The events without the later copies of each id.
fn first_copies(events: &[Event]) -> Vec<&Event> {
    let mut seen = BTreeSet::new();
    events.iter().filter(|event| seen.insert(event.id)).collect()
}

/// Each person's events in total order.
fn by_person(events: &[Event]) -> BTreeMap<&str, Vec<&Event>> {
    let mut persons: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in first_copies(events) {
        persons.entry(event.distinct_id.as_str()).or_default().push(event);
    }
    for events in persons.values_mut() {
        events.sort_by_key(|event| (event.ts, event.seq, event.id));
    }
    persons
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
