//! When time alone changes an answer: a day ends, a window runs out, a point becomes final. Between two such
//! instants the same facts give the same report, so a remembered answer stays right.

use super::active::ActiveSpec;
use super::conversion::ConversionSpec;
use super::funnel::FunnelSpec;
use super::funnel::spec::View;
use super::lifecycle::LifecycleSpec;
use super::path::PathSpec;
use super::person::PersonsSpec;
use super::retention::RetentionSpec;
use super::stickiness::StickinessSpec;
use super::time::{self, Interval, TimeRange, WeekStart};
use super::trend::TrendSpec;
use crate::event::{QUARTER_HOUR_S, Zone};

/// No bucket of a report is longer: a month and a day that a clock change prolongs.
const LONGEST_BUCKET_MS: i64 = 32 * 86_400_000;

/// A validated question whose report depends on the time at which it is asked.
pub trait Turning {
    /// The first instant after `now_ms` at which the report may change although the facts do not; `None`: never
    /// again. Too early costs a computation, too late would be a wrong answer.
    fn next_turn(&self, zone: &Zone, now_ms: i64) -> Option<i64>;
}

/// The end of the local minute, hour or day (all other intervals) that `now_ms` lies in. Weeks and months end with a day.
pub fn end_of_bucket(zone: &Zone, now_ms: i64, interval: Interval) -> Option<i64> {
    let interval = match interval {
        Interval::Minute => Interval::Minute,
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
    fn next_turn(&self, zone: &Zone, now_ms: i64) -> Option<i64> {
        // The range, and each bucket, is final when the window of its last entry is over. A bucket may end after
        // the range.
        let range = self.to_ms + self.window_ms;
        let bucket = match self.view {
            View::Trend(interval, _) if now_ms < range + LONGEST_BUCKET_MS => {
                end_of_bucket(zone, now_ms - self.window_ms, interval).map(|end| end + self.window_ms)
            }
            _ => None,
        };
        let turns = [Some(range), bucket];
        turns.into_iter().flatten().filter(|turn| now_ms < *turn).min()
    }
}

impl Turning for PathSpec {
    fn next_turn(&self, _: &Zone, now_ms: i64) -> Option<i64> {
        Some(self.final_from()).filter(|turn| now_ms < *turn)
    }
}

impl Turning for PersonsSpec {
    fn next_turn(&self, _: &Zone, _: i64) -> Option<i64> {
        None
    }
}

impl Turning for RetentionSpec {
    fn next_turn(&self, _: &Zone, now_ms: i64) -> Option<i64> {
        // Every period of every zone ends with a UTC quarter hour.
        let quarter_ms = i64::from(QUARTER_HOUR_S) * 1000;
        Some((now_ms.div_euclid(quarter_ms) + 1) * quarter_ms)
    }
}

impl Turning for LifecycleSpec {
    fn next_turn(&self, zone: &Zone, now_ms: i64) -> Option<i64> {
        end_of_bucket(zone, now_ms, Interval::Day)
    }
}

impl Turning for StickinessSpec {
    fn next_turn(&self, zone: &Zone, now_ms: i64) -> Option<i64> {
        end_of_bucket(zone, now_ms, Interval::Day)
    }
}

impl Turning for ConversionSpec {
    fn next_turn(&self, zone: &Zone, now_ms: i64) -> Option<i64> {
        let Some(funnel) = self.funnel(zone) else {
            let over = self.range.instants(zone).to_ms;
            return end_of_bucket(zone, now_ms, Interval::Day).filter(|_| now_ms < over);
        };
        let whole = funnel.next_turn(zone, now_ms)?;
        // A day is final when the window of its last entry is over.
        let day = end_of_bucket(zone, now_ms - self.window_ms, Interval::Day);
        Some(day.map_or(whole, |end| whole.min(end + self.window_ms)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::metrics::active::{ActiveUsersQuery, from_windows};
    use crate::metrics::conversion::{ConversionQuery, ConversionReport, ConversionTally, GoalFacts};
    use crate::metrics::funnel::{FunnelQuery, FunnelTally, StepQuery, Values};
    use crate::metrics::path::walk::Words;
    use crate::metrics::path::{PathTally, PathsQuery};
    use crate::metrics::retention::{RetentionClock, RetentionQuery, RetentionTally};
    use crate::metrics::trend::{TrendReport, TrendsQuery};

    /// Walks from turn to turn: between two nothing changes, and the last one is the end.
    fn walk<S: Turning>(spec: &S, zone: &Zone, mut now: i64, report: impl Fn(i64) -> String) {
        let mut turns = 0;
        while let Some(turn) = spec.next_turn(zone, now) {
            assert!(turn > now);
            assert_eq!(report(now), report(turn - 1));
            assert_eq!(report(now), report(now + (turn - now) / 2));
            (now, turns) = (turn, turns + 1);
            assert!(turns < 1_000, "it ends");
        }
        assert_eq!(report(now), report(now + 400 * 86_400_000));
        assert!(turns > 0);
    }

    #[test]
    fn between_two_turns_a_report_stays_as_it_is() {
        let now = 1_795_428_900_123;
        for name in ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"] {
            let zone = &Zone::parse(name).unwrap();
            let (from, to) = (Some("2026-11-20".to_owned()), Some("2026-11-27".to_owned()));
            let active = ActiveUsersQuery {
                from: from.clone(),
                to: to.clone(),
                ..Default::default()
            };
            let active = active.validate(zone, now).unwrap();
            walk(&active, zone, now, |now| {
                format!("{:?}", from_windows(&active, zone, now, |_| 0))
            });
            for interval in [Interval::Hour, Interval::Day, Interval::Week, Interval::Month] {
                let trend = TrendsQuery {
                    events: vec!["a".to_owned()],
                    from: from.clone(),
                    to: Some("2026-11-27T13:45:00Z".to_owned()),
                    interval,
                    ..Default::default()
                };
                let trend = trend.validate(zone, now).unwrap();
                walk(&trend, zone, now, |now| {
                    let facts = trend.facts_of_counts(zone, []);
                    format!("{:?}", TrendReport::from_facts(&trend, zone, now, &[], &facts))
                });
            }
            let conversion = ConversionQuery {
                goal: "b".to_owned(),
                after: Some("a".to_owned()),
                window: Some("7h".to_owned()),
                from: from.clone(),
                to: to.clone(),
                ..Default::default()
            };
            let conversion = conversion.validate(zone, now).unwrap();
            walk(&conversion, zone, now, |now| {
                let funnel = conversion.funnel(zone).unwrap();
                format!("{:?}", ConversionTally::new(&funnel, zone).finish(now))
            });
            let goal = ConversionQuery {
                goal: "b".to_owned(),
                from: from.clone(),
                to: to.clone(),
                ..Default::default()
            };
            let goal = goal.validate(zone, now).unwrap();
            walk(&goal, zone, now, |now| {
                let facts = GoalFacts::default();
                format!("{:?}", ConversionReport::of_goal(&goal, zone, now, &facts))
            });
            let paths = PathsQuery {
                from: from.clone(),
                to: to.clone(),
                ..Default::default()
            };
            let paths = paths.validate(zone, now).unwrap();
            walk(&paths, zone, now, |now| {
                let tally = PathTally::new(&paths, Words::default(), HashMap::new());
                format!("{:?}", tally.finish(now))
            });
            let retention = RetentionQuery {
                from: from.clone(),
                to: to.clone(),
                clock: RetentionClock::Rolling,
                ..Default::default()
            };
            let retention = retention.validate(zone, now).unwrap();
            let report = |now| format!("{:?}", RetentionTally::new(&retention, zone).finish(now));
            let (mut at, mut changes) = (now, 0);
            while at < now + 30 * 86_400_000 {
                let turn = retention.next_turn(zone, at).unwrap();
                assert_eq!(report(at), report(turn - 1));
                changes += usize::from(report(at) != report(turn));
                at = turn;
            }
            assert!(changes > 0);
            let steps = ["a", "b"].map(|name| StepQuery::event(name.to_owned())).to_vec();
            for view in ["steps", "trend"] {
                let funnel = FunnelQuery {
                    steps: steps.clone(),
                    window: Some("90s".to_owned()),
                    view: serde_json::from_value(view.into()).unwrap(),
                    from: from.clone(),
                    to: to.clone(),
                    ..Default::default()
                };
                let funnel = funnel.validate(zone, now).unwrap();
                walk(&funnel, zone, now, |now| {
                    let tally = FunnelTally::new(&funnel, zone);
                    format!("{:?}", tally.finish(&Values::default(), now))
                });
            }
        }
    }
}
