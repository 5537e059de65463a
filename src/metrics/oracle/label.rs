//! What the instants of one local hour, day, week or month have in common.

use jiff::civil::{Date, DateTime};

use super::wall_clock;
use crate::event::Zone;
use crate::metrics::time::{Interval, WeekStart};

/// A date, and for an hour the hour and the offset too.
pub(super) type Label = (Date, i64);

/// The label of the bucket that holds an instant.
pub(super) fn label(interval: Interval, week_start: WeekStart, zone: &Zone, ts: i64) -> Label {
    let clock: DateTime = wall_clock(zone, ts);
    let date = clock.date();
    match interval {
        Interval::Hour => {
            let utc = wall_clock(&Zone::utc(), ts);
            let offset_minutes = clock.duration_since(utc).as_mins();
            (date, i64::from(clock.hour()) * 10_000 + offset_minutes)
        }
        Interval::Day => (date, 0),
        Interval::Week => {
            let back = match week_start {
                WeekStart::Monday => date.weekday().to_monday_zero_offset(),
                WeekStart::Sunday => date.weekday().to_sunday_zero_offset(),
                WeekStart::Saturday => (date.weekday().to_sunday_zero_offset() + 1) % 7,
            };
            (
                (0..back).fold(date, |date, _| date.yesterday().unwrap_or(date)),
                0,
            )
        }
        Interval::Month => (date.first_of_month(), 0),
    }
}
