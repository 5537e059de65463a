//! Events over time by walking the clock in quarter hours.

use jiff::civil::{Date, DateTime};

use super::{QUARTER_HOUR_MS, first_copies, wall_clock};
use crate::event::{Day, Event, Zone};
use crate::metrics::time::{Interval, Moment, WeekStart};
use crate::metrics::trend::{TrendPoint, TrendReport, TrendSeries, TrendSpec};

/// What the instants of one bucket have in common: a date, and for an hour the hour and the offset too.
type Label = (Date, i64);

/// The report over a project's events.
pub fn trend(spec: &TrendSpec, zone: &Zone, now_ms: i64, events: &[Event]) -> TrendReport {
    let label = |ts: i64| label(spec, zone, ts);
    let (from, to) = (spec.range.from_ms, spec.range.to_ms);
    let mut labels: Vec<(Label, i64)> = Vec::new();
    let mut ts = from;
    while ts < to {
        if labels.last().is_none_or(|(last, _)| *last != label(ts)) {
            labels.push((label(ts), ts));
        }
        ts += QUARTER_HOUR_MS;
    }
    let events = first_copies(events);
    let series = spec.events.iter().map(|name| {
        let of_series: Vec<i64> = events
            .iter()
            .filter(|event| event.event == *name && from <= event.ts && event.ts < to)
            .map(|event| event.ts)
            .collect();
        let points = labels.iter().map(|(of_bucket, inside)| {
            let (mut start, mut end) = (*inside, *inside);
            while label(start - QUARTER_HOUR_MS) == *of_bucket {
                start -= QUARTER_HOUR_MS;
            }
            while label(end) == *of_bucket {
                end += QUARTER_HOUR_MS;
            }
            TrendPoint {
                start: Moment(start),
                date: (spec.interval != Interval::Hour).then(|| Day::from_date(of_bucket.0)),
                count: of_series.iter().filter(|ts| label(**ts) == *of_bucket).count() as u64,
                partial: start < from || end > to,
                is_final: if end > to { to <= now_ms } else { end <= now_ms },
            }
        });
        TrendSeries {
            event: name.clone(),
            total: of_series.len() as u64,
            points: points.collect(),
        }
    });
    TrendReport {
        interval: spec.interval,
        series: series.collect(),
    }
}

fn label(spec: &TrendSpec, zone: &Zone, ts: i64) -> Label {
    let clock: DateTime = wall_clock(zone, ts);
    let date = clock.date();
    match spec.interval {
        Interval::Hour => {
            let utc = wall_clock(&Zone::utc(), ts);
            let offset_minutes = clock.duration_since(utc).as_mins();
            (date, i64::from(clock.hour()) * 10_000 + offset_minutes)
        }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::worlds;
    use super::*;
    use crate::metrics::time::TimeRange;
    use proptest::prelude::*;

    fn world() -> impl Strategy<Value = (Zone, TrendSpec, i64, Vec<Event>)> {
        let intervals = prop::sample::select(vec![
            Interval::Hour,
            Interval::Day,
            Interval::Week,
            Interval::Month,
        ]);
        let week_starts =
            prop::sample::select(vec![WeekStart::Monday, WeekStart::Sunday, WeekStart::Saturday]);
        // Quarter hours around the transition; events also lie outside the range.
        let range = (-100..150_i64, 1..400_i64, prop::bool::ANY);
        let events = worlds::events(3, 1..60, (-120..500_i64).boxed());
        (
            worlds::transition(),
            intervals,
            week_starts,
            range,
            -100..400_i64,
            events,
        )
            .prop_map(
                |((zone, at), interval, week_start, (from, length, whole_days), now, mut events)| {
                    events.dedup_by_key(|event| event.id); // the rollups have no copies
                    for event in &mut events {
                        event.ts = at + event.ts * QUARTER_HOUR_MS + 1_234;
                    }
                    let quarter = |n: i64| at + n * QUARTER_HOUR_MS;
                    let end = |ts: i64| {
                        if whole_days {
                            zone.day_start(zone.local_day(ts))
                        } else {
                            ts
                        }
                    };
                    let spec = TrendSpec {
                        events: vec!["B".to_owned(), "A".to_owned(), "none".to_owned()],
                        interval,
                        week_start,
                        range: TimeRange {
                            from_ms: end(quarter(from)),
                            to_ms: end(quarter(from + length)).max(quarter(from + 1)),
                        },
                    };
                    (zone, spec, quarter(now), events)
                },
            )
    }

    proptest! {
        #![proptest_config(worlds::seeded(300))]

        #[test]
        fn adding_quarter_hours_up_is_walking_the_clock((zone, spec, now, events) in world()) {
            let mut counts: BTreeMap<(&str, u32), u64> = BTreeMap::new();
            for event in &events {
                *counts.entry((&event.event, event.quarter_hour())).or_default() += 1;
            }
            let rows = counts.iter().map(|((event, bucket), count)| (*event, *bucket, *count));
            let report = TrendReport::from_counts(&spec, &zone, now, rows);
            prop_assert_eq!(&report, &trend(&spec, &zone, now, &events));
            for series in &report.series {
                prop_assert_eq!(series.total, series.points.iter().map(|point| point.count).sum::<u64>());
            }
        }
    }
}
