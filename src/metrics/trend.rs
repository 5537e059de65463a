//! Events over time, from the counts per UTC quarter hour that the rollups keep.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::{self, Bucket, Interval, MAX_POINTS, Moment, TimeRange, WeekStart};
use super::{SpecError, accepted, check_event_name};
use crate::event::{Day, QUARTER_HOUR_S, Zone};

/// The most series in one answer.
pub const MAX_SERIES: usize = 20;

/// A question about events over time, as a person writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"events": ["page_view", "purchase"], "interval": "day", "from": "2026-11-01", "to": "2026-12-01"}))]
pub struct TrendsQuery {
    /// One series for each event name, 1 to 20.
    #[serde(default)]
    #[schema(required = true, min_items = 1, max_items = 20, example = json!(["page_view", "purchase"]))]
    pub events: Vec<String>,
    /// Start of the range: a local date, or an instant on a UTC quarter hour. Default: 30 days before `to`.
    #[serde(default)]
    #[schema(example = "2026-11-01")]
    pub from: Option<String>,
    /// End of the range, not included. Default: tomorrow.
    #[serde(default)]
    #[schema(example = "2026-12-01")]
    pub to: Option<String>,
    /// Width of a point.
    #[serde(default)]
    pub interval: Interval,
    /// First day of a week, for the interval `week`.
    #[serde(default)]
    pub week_start: WeekStart,
}

/// Counts are kept per UTC quarter hour: refuses ranges that start or end within one.
pub fn check_quarter_hours(range: TimeRange, errors: &mut Vec<SpecError>) {
    for (pointer, ts) in [("/from", range.from_ms), ("/to", range.to_ms)] {
        if ts % (i64::from(QUARTER_HOUR_S) * 1000) != 0 {
            errors.push(SpecError::new(
                pointer,
                "not_a_quarter_hour",
                "events are counted per UTC quarter hour: the range has to start and end on one",
            ));
        }
    }
}

/// A validated [`TrendsQuery`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrendSpec {
    /// Event names, one series each, all different.
    pub events: Vec<String>,
    /// Width of a point.
    pub interval: Interval,
    /// First day of a week.
    pub week_start: WeekStart,
    /// Both ends lie on UTC quarter hours.
    pub range: TimeRange,
}

impl TrendsQuery {
    /// The spec, or everything that is wrong with the query.
    pub fn validate(&self, zone: &Zone, now_ms: i64) -> Result<TrendSpec, Vec<SpecError>> {
        let mut errors = Vec::new();
        match self.events.len() {
            0 => errors.push(SpecError::new("/events", "required", "name at least one event")),
            n if n > MAX_SERIES => errors.push(SpecError::new(
                "/events",
                "too_many",
                format!("a trend has at most {MAX_SERIES} series, this one has {n}"),
            )),
            _ => {}
        }
        for (i, name) in self.events.iter().enumerate() {
            let pointer = format!("/events/{i}");
            check_event_name(&pointer, name, &mut errors);
            if self.events[..i].contains(name) {
                errors.push(SpecError::new(
                    pointer,
                    "duplicate",
                    format!("{name:?} is listed twice"),
                ));
            }
        }
        let range = time::time_range(
            self.from.as_deref(),
            self.to.as_deref(),
            zone,
            now_ms,
            &mut errors,
        );
        check_quarter_hours(range, &mut errors);
        if errors.is_empty() {
            let points = time::buckets(zone, range, self.interval, self.week_start).len() * self.events.len();
            if points > MAX_POINTS {
                errors.push(SpecError::new(
                    "/interval",
                    "too_many_points",
                    format!("an answer has at most {MAX_POINTS} points, this one would have {points}"),
                ));
            }
        }
        let spec = TrendSpec {
            events: self.events.clone(),
            interval: self.interval,
            week_start: self.week_start,
            range,
        };
        accepted(spec, errors)
    }
}

/// Events over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrendReport {
    /// Width of a point.
    pub interval: Interval,
    /// One for each event asked for, in that order.
    pub series: Vec<TrendSeries>,
}

/// One event's counts over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrendSeries {
    /// Event name.
    #[schema(example = "page_view")]
    pub event: String,
    /// Events in the whole range.
    pub total: u64,
    /// One for each bucket that the range touches, zeros included.
    pub points: Vec<TrendPoint>,
}

/// The count of one bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"start": "2026-11-22T23:00:00Z", "date": "2026-11-23", "count": 812, "partial": false, "final": true}))]
pub struct TrendPoint {
    /// The bucket's first instant.
    #[schema(value_type = String, format = DateTime)]
    pub start: Moment,
    /// The bucket's first local date; absent for hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub date: Option<Day>,
    /// Events of the bucket that lie in the range.
    pub count: u64,
    /// Whether the range covers only a part of the bucket.
    pub partial: bool,
    /// Whether the bucket, or the range's part of it, is over.
    #[serde(rename = "final")]
    pub is_final: bool,
}

impl TrendReport {
    /// The report over rows `(event, start of a UTC quarter hour in seconds, count)` in any order; rows of other
    /// events or outside the range are ignored, several of the same quarter hour add up.
    pub fn from_counts<'a>(
        spec: &TrendSpec,
        zone: &Zone,
        now_ms: i64,
        rows: impl IntoIterator<Item = (&'a str, u32, u64)>,
    ) -> TrendReport {
        let buckets = time::buckets(zone, spec.range, spec.interval, spec.week_start);
        let by_name: HashMap<&str, usize> = spec
            .events
            .iter()
            .enumerate()
            .map(|(i, name)| (name.as_str(), i))
            .collect();
        let mut counts = vec![vec![0_u64; buckets.len()]; spec.events.len()];
        for (event, quarter_hour_s, count) in rows {
            let ts = i64::from(quarter_hour_s) * 1000;
            if let Some(series) = by_name.get(event)
                && spec.range.contains(ts)
                && let Some(bucket) = time::bucket_of(&buckets, ts)
            {
                counts[*series][bucket] += count;
            }
        }
        let series = spec.events.iter().zip(counts).map(|(event, counts)| TrendSeries {
            event: event.clone(),
            total: counts.iter().sum(),
            points: buckets
                .iter()
                .zip(counts)
                .map(|(bucket, count)| point(spec, now_ms, bucket, count))
                .collect(),
        });
        TrendReport {
            interval: spec.interval,
            series: series.collect(),
        }
    }
}

fn point(spec: &TrendSpec, now_ms: i64, bucket: &Bucket, count: u64) -> TrendPoint {
    TrendPoint {
        start: Moment(bucket.start),
        date: bucket.date,
        count,
        partial: bucket.start < spec.range.from_ms || spec.range.to_ms < bucket.end,
        is_final: bucket.end.min(spec.range.to_ms) <= now_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: serde_json::Value) -> Result<TrendSpec, Vec<(String, &'static str)>> {
        let query: TrendsQuery = serde_json::from_value(json).unwrap();
        query
            .validate(&Zone::parse("Asia/Kathmandu").unwrap(), 1_795_000_000_000)
            .map_err(|errors| errors.into_iter().map(|e| (e.pointer, e.code)).collect())
    }

    #[test]
    fn what_is_wrong_is_named_by_pointer() {
        let error = |pointer: &str, code| (pointer.to_owned(), code);
        assert_eq!(
            check(serde_json::json!({})),
            Err(vec![error("/events", "required")])
        );
        assert_eq!(
            check(
                serde_json::json!({"events": ["a", "", "a"], "from": "2026-11-01T00:10:00Z", "to": "2026-12-01"})
            ),
            Err(vec![
                error("/events/1", "required"),
                error("/events/2", "duplicate"),
                error("/from", "not_a_quarter_hour"),
            ])
        );
        let names: Vec<String> = (0..21).map(|n| format!("e{n}")).collect();
        assert_eq!(
            check(serde_json::json!({"events": names})),
            Err(vec![error("/events", "too_many")])
        );
        let year = serde_json::json!({"events": ["a", "b"], "interval": "hour", "from": "2025-01-01", "to": "2026-01-01"});
        assert_eq!(check(year), Err(vec![error("/interval", "too_many_points")]));
        let unknown =
            serde_json::from_value::<TrendsQuery>(serde_json::json!({"events": ["a"], "breakdown": "x"}));
        assert!(unknown.unwrap_err().to_string().contains("breakdown"));
    }

    #[test]
    fn a_year_of_hours_of_one_event_is_allowed_and_days_are_the_default() {
        let year = serde_json::json!({"events": ["a"], "interval": "hour", "from": "2024-01-01", "to": "2025-01-01"});
        assert!(check(year).is_ok());
        assert_eq!(
            check(serde_json::json!({"events": ["a"]})).unwrap().interval,
            Interval::Day
        );
    }
}
