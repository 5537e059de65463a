//! Buckets by walking the clock.

use jiff::civil::Date;

use crate::event::Zone;
use crate::metrics::oracle::QUARTER_HOUR_MS;
use crate::metrics::oracle::label::label;
use crate::metrics::time::{Interval, TimeRange, WeekStart};

/// One bucket: its instants, its label's date, and its label.
pub(in crate::metrics::oracle) struct Walked {
    pub start: i64,
    pub end: i64,
    pub date: Date,
}

/// The buckets that a range touches.
pub(in crate::metrics::oracle) fn walk(
    (interval, week_start): (Interval, WeekStart),
    zone: &Zone,
    range: TimeRange,
) -> Vec<Walked> {
    let label = |ts: i64| label(interval, week_start, zone, ts);
    let step = match interval {
        Interval::Minute => 60_000,
        _ => QUARTER_HOUR_MS,
    };
    let mut buckets: Vec<Walked> = Vec::new();
    let mut ts = range.from_ms.div_euclid(step) * step;
    while ts < range.to_ms {
        let of_bucket = label(ts);
        let (mut start, mut end) = (ts, ts);
        while label(start - step) == of_bucket {
            start -= step;
        }
        while label(end) == of_bucket {
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
