//! When the periods of a cohort begin and end.

use super::spec::{RetentionClock, RetentionSpec, RetentionUnit};
use crate::event::Zone;
use crate::metrics::time::{self, Bucket, Interval, TimeRange};

/// The cohorts that the range touches: local hours, days, weeks or months.
pub fn rows(spec: &RetentionSpec, zone: &Zone) -> Vec<Bucket> {
    time::buckets(zone, spec.range, interval(spec.unit), spec.week_start)
}

fn interval(unit: RetentionUnit) -> Interval {
    match unit {
        RetentionUnit::Hour => Interval::Hour,
        RetentionUnit::Day => Interval::Day,
        RetentionUnit::Week => Interval::Week,
        RetentionUnit::Month => Interval::Month,
    }
}

/// The cohorts, and the buckets behind them that their periods reach.
#[derive(Clone, Debug)]
pub struct Calendar {
    clock: RetentionClock,
    unit: RetentionUnit,
    end_period: u32,
    range: TimeRange,
    rows: usize,
    /// The cohorts; by the calendar also one bucket for each further period of the last one.
    buckets: Vec<Bucket>,
}

impl Calendar {
    /// The periods of a question.
    pub fn new(spec: &RetentionSpec, zone: &Zone) -> Calendar {
        let rows = rows(spec, zone);
        let mut calendar = Calendar {
            clock: spec.clock,
            unit: spec.unit,
            end_period: spec.end_period(),
            range: spec.range,
            rows: rows.len(),
            buckets: rows,
        };
        if calendar.counts_buckets() {
            // Months have up to 31 days, and some days more than their number may be missing from a calendar.
            let days = match spec.unit {
                RetentionUnit::Week => 7,
                RetentionUnit::Month => 31,
                RetentionUnit::Hour | RetentionUnit::Day => 1,
            };
            let reach = zone
                .local_day(spec.range.to_ms - 1)
                .plus(days * (spec.end_period() as i32 + 1) + 3);
            let range = TimeRange {
                from_ms: spec.range.from_ms,
                to_ms: zone.day_start(reach),
            };
            calendar.buckets = time::buckets(zone, range, interval(spec.unit), spec.week_start);
            calendar
                .buckets
                .truncate(calendar.rows + spec.end_period() as usize);
        }
        calendar
    }

    /// Whether periods are differences of buckets. Otherwise they have a fixed length: on the rolling clock, and
    /// hours, which count what elapsed.
    fn counts_buckets(&self) -> bool {
        self.clock == RetentionClock::Calendar && self.unit != RetentionUnit::Hour
    }

    /// The cohorts.
    pub fn rows(&self) -> &[Bucket] {
        &self.buckets[..self.rows]
    }

    /// The cohort that the instant lies in.
    pub fn row_of(&self, ts: i64) -> Option<usize> {
        time::bucket_of(self.rows(), ts)
    }

    /// The cohorts and the buckets that follow them, as far as periods reach; only the cohorts where periods are no
    /// buckets.
    pub fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// When period `k` begins for somebody who started at `ts` in the cohort `row`.
    pub fn period_start(&self, row: usize, ts: i64, k: u32) -> i64 {
        if self.counts_buckets() {
            return self.bucket_start(row + k as usize);
        }
        let start = match self.clock {
            RetentionClock::Calendar => self.buckets[row].start,
            RetentionClock::Rolling => ts,
        };
        start + i64::from(k) * self.unit.ms()
    }

    /// When the periods before `k` are over for everybody in the cohort.
    pub fn over_at(&self, row: usize, k: u32) -> i64 {
        match self.clock {
            RetentionClock::Calendar => self.period_start(row, 0, k),
            RetentionClock::Rolling => self.buckets[row].end + i64::from(k) * self.unit.ms(),
        }
    }

    /// The end of the last period of the last cohort.
    pub fn last_horizon(&self) -> i64 {
        let last = self.rows.saturating_sub(1);
        let by_bucket = self.over_at(last, self.end_period);
        match self.clock {
            RetentionClock::Calendar => by_bucket,
            // Starts end with the range, which may end within its last bucket.
            RetentionClock::Rolling => self.range.to_ms + i64::from(self.end_period) * self.unit.ms(),
        }
    }

    fn bucket_start(&self, index: usize) -> i64 {
        match self.buckets.get(index) {
            Some(bucket) => bucket.start,
            None => self.buckets.last().map_or(self.range.to_ms, |bucket| bucket.end),
        }
    }
}
