//! The range before: which one it is, up to where its total counts, and which of its points stand beside which.
//!
//! - A range of whole calendar months is preceded by as many months, one of whole weeks by as many weeks, any other
//!   range of whole local days by as many local dates (one that never was is none), and one that starts or ends within
//!   a day by as many milliseconds.
//! - While the range is open the previous total stops at the same local offset: as many dates after its start, at the
//!   same time of day. Its points are whole.
//! - Days, weeks and months stand beside each other by index, the shorter side padded with null. Hours and minutes of
//!   whole days stand beside each other by local label (the date's place in the range, the time of day, and for a
//!   repeated hour which of the two); a label that the previous range lacks is null. Those of other ranges stand by
//!   index.

use std::collections::HashMap;

use jiff::civil::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::zone::instant;
use crate::event::{Day, Zone};
use crate::metrics::time::{Bucket, Interval, TimeRange, WeekStart, month_of};

/// What a trend is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompareWith {
    /// The range before, of the same length in calendar terms.
    Previous,
}

/// A comparison, settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compare {
    /// The range before.
    pub previous: TimeRange,
    /// Where its total stops.
    pub until_ms: i64,
    /// Whether both ranges are whole local days.
    pub by_date: bool,
}

impl Compare {
    /// The range before `range`.
    pub fn with_previous(range: TimeRange, week_start: WeekStart, zone: &Zone, now_ms: i64) -> Compare {
        let (from, to) = (zone.local_day(range.from_ms), zone.local_day(range.to_ms));
        let by_date = zone.day_start(from) == range.from_ms && zone.day_start(to) == range.to_ms;
        if !by_date {
            let length = range.to_ms - range.from_ms;
            let previous = TimeRange {
                from_ms: range.from_ms - length,
                to_ms: range.from_ms,
            };
            let passed = (now_ms - range.from_ms).clamp(0, length);
            return Compare {
                previous,
                until_ms: previous.from_ms + passed,
                by_date,
            };
        }
        let first = if month_of(from) == from && month_of(to) == to {
            months_before(from, months_between(from, to))
        } else {
            debug_assert!(week_start.week_of(from) <= from, "whole weeks are as many dates");
            dates_before(zone, from, dates_between(zone, from, to))
        };
        let previous = TimeRange {
            from_ms: zone.day_start(first),
            to_ms: range.from_ms,
        };
        let until_ms = if now_ms >= range.to_ms {
            previous.to_ms
        } else if now_ms <= range.from_ms {
            previous.from_ms
        } else {
            let clock = zone.tz().to_datetime(instant(now_ms));
            let day = date_after(
                zone,
                first,
                dates_between(zone, from, Day::from_date(clock.date())),
            );
            let same = zone
                .tz()
                .to_ambiguous_zoned(day.date().to_datetime(clock.time()))
                .compatible()
                .map_or(previous.to_ms, |zoned| zoned.timestamp().as_millisecond());
            same.clamp(previous.from_ms, previous.to_ms)
        };
        Compare {
            previous,
            until_ms,
            by_date,
        }
    }

    /// For each point of the answer, the bucket of the previous range that stands beside it. Days, weeks and months
    /// may go on where the current range has none.
    pub fn beside(
        &self,
        zone: &Zone,
        interval: Interval,
        current: &[Bucket],
        previous: &[Bucket],
    ) -> Vec<Option<usize>> {
        let by_label = self.by_date && matches!(interval, Interval::Hour | Interval::Minute);
        if !by_label {
            let index = |n: usize| (n < previous.len()).then_some(n);
            return (0..current.len().max(previous.len())).map(index).collect();
        }
        let places: HashMap<Label, usize> = labels(zone, previous).into_iter().zip(0..).collect();
        labels(zone, current)
            .iter()
            .map(|label| places.get(label).copied())
            .collect()
    }
}

/// The date's place among those of the range that were, the time of day, and which of several such.
type Label = (usize, Time, usize);

fn labels(zone: &Zone, buckets: &[Bucket]) -> Vec<Label> {
    let Some(first) = buckets.first().map(|bucket| zone.local_day(bucket.start)) else {
        return Vec::new();
    };
    let mut seen: HashMap<(usize, Time), usize> = HashMap::new();
    let mut here = (first, 0);
    let label = |bucket: &Bucket| {
        let clock = zone.tz().to_datetime(instant(bucket.start));
        let date = Day::from_date(clock.date());
        if date != here.0 {
            here = (date, here.1 + 1);
        }
        let label = (here.1, clock.time());
        let occurrence = seen.entry(label).or_default();
        *occurrence += 1;
        (label.0, label.1, *occurrence)
    };
    buckets.iter().map(label).collect()
}

/// How many dates from one on and before another there were.
fn dates_between(zone: &Zone, from: Day, to: Day) -> usize {
    (from.0..to.0).filter(|day| zone.day_exists(Day(*day))).count()
}

/// The date so many dates before.
fn dates_before(zone: &Zone, mut day: Day, dates: usize) -> Day {
    for _ in 0..dates {
        day = day.plus(-1);
        while !zone.day_exists(day) {
            day = day.plus(-1);
        }
    }
    day
}

/// The date so many dates after.
fn date_after(zone: &Zone, mut day: Day, dates: usize) -> Day {
    for _ in 0..dates {
        day = day.plus(1);
        while !zone.day_exists(day) {
            day = day.plus(1);
        }
    }
    day
}

fn months_between(from: Day, to: Day) -> i32 {
    let month = |day: Day| i32::from(day.date().year()) * 12 + i32::from(day.date().month());
    month(to) - month(from)
}

fn months_before(mut day: Day, months: i32) -> Day {
    for _ in 0..months {
        day = month_of(day.plus(-1));
    }
    day
}
