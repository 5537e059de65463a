//! When time alone changes an answer: a day ends, a window runs out, a point becomes final. Between two such
//! instants the same facts give the same report, so a remembered answer stays right.

use super::active::ActiveSpec;
use super::conversion::ConversionSpec;
use super::funnel::FunnelSpec;
use super::time::{self, Interval, TimeRange, WeekStart};
use super::trend::TrendSpec;
use crate::event::Zone;

/// A validated question whose report depends on the time at which it is asked.
pub trait Turning {
    /// The first instant after `now_ms` at which the report may change although the facts do not; `None`: never
    /// again. Too early costs a computation, too late would be a wrong answer.
    fn next_turn(&self, zone: &Zone, now_ms: i64) -> Option<i64>;
}

/// The end of the local hour or day (all other intervals) that `now_ms` lies in. Weeks and months end with a day.
pub fn end_of_bucket(zone: &Zone, now_ms: i64, interval: Interval) -> Option<i64> {
    let interval = match interval {
        Interval::Hour => Interval::Hour,
        Interval::Day | Interval::Week | Interval::Month => Interval::Day,
    };
    let moment = TimeRange {
        from_ms: now_ms,
        to_ms: now_ms + 1,
    };
    let buckets = time::buckets(zone, moment, interval, WeekStart::Monday);
    buckets.first().map(|bucket| bucket.end)
}

impl Turning for ActiveSpec {
    fn next_turn(&self, zone: &Zone, now_ms: i64) -> Option<i64> {
        // The last week and month may end after the range.
        let over = zone.day_start(self.facts_range(zone).to);
        end_of_bucket(zone, now_ms, Interval::Day).filter(|_| now_ms < over)
    }
}

impl Turning for TrendSpec {
    fn next_turn(&self, zone: &Zone, now_ms: i64) -> Option<i64> {
        if self.range.to_ms <= now_ms {
            return None;
        }
        let end = end_of_bucket(zone, now_ms, self.interval);
        Some(end.map_or(self.range.to_ms, |end| end.min(self.range.to_ms)))
    }
}

impl Turning for FunnelSpec {
    fn next_turn(&self, _: &Zone, now_ms: i64) -> Option<i64> {
        let over = self.facts_range().to_ms;
        (now_ms < over).then_some(over)
    }
}

impl Turning for ConversionSpec {
    fn next_turn(&self, zone: &Zone, now_ms: i64) -> Option<i64> {
        let whole = self.funnel(zone).next_turn(zone, now_ms)?;
        // A day is final when the window of its last entry is over.
        let day = end_of_bucket(zone, now_ms - self.window_ms, Interval::Day);
        Some(day.map_or(whole, |end| whole.min(end + self.window_ms)))
    }
}
