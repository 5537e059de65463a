//! Which ledger is asked for: a range of receipt and the width of its points.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::Zone;
use crate::metrics::time::{self, Bucket, TimeRange, WeekStart, buckets, parse_instant};
use crate::metrics::{SpecError, accepted};

/// Most points of a ledger.
pub const MAX_LEDGER_POINTS: usize = 1_500;

const MINUTE_MS: i64 = 60_000;
const QUARTER_MS: i64 = 15 * MINUTE_MS;
const DEFAULT_MS: i64 = 24 * 3_600_000;

/// The width of a point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LedgerInterval {
    /// A minute. What was received more than a week ago is kept by quarter hours, and stands at their start.
    Minute,
    /// A local hour.
    #[default]
    Hour,
    /// A local day.
    Day,
}

/// A ledger that may be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerSpec {
    /// Instants of receipt, on whole steps.
    pub range: TimeRange,
    pub interval: LedgerInterval,
    pub(super) buckets: Vec<Bucket>,
}

impl LedgerSpec {
    /// Reads a range (dates or instants, by default the 24 hours until now) and bounds its points.
    ///
    /// # Errors
    /// Everything that is wrong, by field.
    pub fn of(
        from: Option<&str>,
        to: Option<&str>,
        interval: LedgerInterval,
        zone: &Zone,
        now_ms: i64,
    ) -> Result<LedgerSpec, Vec<SpecError>> {
        let step = match interval {
            LedgerInterval::Minute => MINUTE_MS,
            LedgerInterval::Hour | LedgerInterval::Day => QUARTER_MS,
        };
        let mut errors = Vec::new();
        let mut end = |pointer: &str, text: &str| {
            parse_instant(pointer, text, zone).unwrap_or_else(|error| {
                errors.push(error);
                0
            })
        };
        let from = from.map(|text| end("/from", text));
        let to = to.map(|text| end("/to", text));
        let until = to.unwrap_or(now_ms + 1);
        let range = TimeRange {
            from_ms: from.unwrap_or(until - DEFAULT_MS).div_euclid(step) * step,
            to_ms: (until + step - 1).div_euclid(step) * step,
        };
        let field = if from.is_some() && to.is_none() {
            "/from"
        } else {
            "/to"
        };
        let mut points = Vec::new();
        if errors.is_empty() && range.from_ms >= range.to_ms {
            errors.push(SpecError::new(
                field,
                "empty_range",
                "the range ends before it starts",
            ));
        } else if errors.is_empty() {
            let widest = match interval {
                LedgerInterval::Minute => MINUTE_MS,
                LedgerInterval::Hour => 3_600_000,
                LedgerInterval::Day => 23 * 3_600_000,
            };
            // Before the points are made: a range may name a century of minutes.
            if (range.to_ms - range.from_ms) / widest > 2 * MAX_LEDGER_POINTS as i64 {
                errors.push(too_many(field));
            } else {
                points = points_of(zone, range, interval);
                if points.len() > MAX_LEDGER_POINTS {
                    errors.push(too_many(field));
                }
            }
        }
        accepted(
            LedgerSpec {
                range,
                interval,
                buckets: points,
            },
            errors,
        )
    }

    /// The steps by which facts are to be counted, in seconds: they divide every point.
    pub fn step_s(&self) -> u32 {
        match self.interval {
            LedgerInterval::Minute => 60,
            LedgerInterval::Hour | LedgerInterval::Day => 900,
        }
    }
}

fn too_many(pointer: &str) -> SpecError {
    SpecError::new(
        pointer,
        "too_many_points",
        format!("a ledger has at most {MAX_LEDGER_POINTS} points: shorten the range or widen the interval"),
    )
}

fn points_of(zone: &Zone, range: TimeRange, interval: LedgerInterval) -> Vec<Bucket> {
    let interval = match interval {
        LedgerInterval::Hour => time::Interval::Hour,
        LedgerInterval::Day => time::Interval::Day,
        LedgerInterval::Minute => {
            let minutes = (range.from_ms..range.to_ms).step_by(MINUTE_MS as usize);
            let bucket = |start| Bucket {
                start,
                end: start + MINUTE_MS,
                date: None,
            };
            return minutes.map(bucket).collect();
        }
    };
    buckets(zone, range, interval, WeekStart::Monday)
}
