//! Buckets by walking the clock.

use jiff::civil::{Date, DateTime};

use crate::event::Zone;
use crate::metrics::oracle::{QUARTER_HOUR_MS, wall_clock};
use crate::metrics::time::{Interval, TimeRange, WeekStart};
use crate::metrics::trend::TrendSpec;

/// What the instants of one bucket have in common: a date, and for an hour or minute the time and the offset too.
type Label = (Date, i64);

/// One bucket: its instants, its label's date, and its label.
pub(super) struct Walked {
    pub start: i64,
    pub end: i64,
    pub date: Date,
}

/// The buckets that a range touches.
pub(super) fn walk(spec: &TrendSpec, zone: &Zone, range: TimeRange) -> Vec<Walked> {
    let step = match spec.interval {
        Interval::Minute => 60_000,
        _ => QUARTER_HOUR_MS,
    };
    let mut buckets: Vec<Walked> = Vec::new();
    let mut ts = range.from_ms.div_euclid(step) * step;
    while ts < range.to_ms {
        let of_bucket = label(spec, zone, ts);
        let (mut start, mut end) = (ts, ts);
        while label(spec, zone, start - step) == of_bucket {
            start -= step;
        }
        while label(spec, zone, end) == of_bucket {
            end += step;
        }
        buckets.push(Walked {
            start,
            end,
            date: of_bucket.0,
        });
        ts = end;
    }
    buckets
}

fn label(spec: &TrendSpec, zone: &Zone, ts: i64) -> Label {
    let clock: DateTime = wall_clock(zone, ts);
    let date = clock.date();
    let utc = wall_clock(&Zone::utc(), ts);
    let offset_minutes = clock.duration_since(utc).as_mins();
    match spec.interval {
        Interval::Minute => {
            let minute = i64::from(clock.hour()) * 60 + i64::from(clock.minute());
            (date, minute * 10_000 + offset_minutes)
        }
        Interval::Hour => (date, i64::from(clock.hour()) * 10_000 + offset_minutes),
        Interval::Day => (date, 0),
        Interval::Week => {
            let back = match spec.week_start {
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
