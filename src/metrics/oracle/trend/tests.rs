use super::*;
use crate::metrics::oracle::{QUARTER_HOUR_MS, worlds};
use crate::metrics::time::WeekStart;
use crate::metrics::trend::TrendsQuery;
use proptest::prelude::*;

fn world() -> impl Strategy<Value = (Zone, TrendSpec, i64, Vec<Event>)> {
    let intervals = prop::sample::select(vec![
        Interval::Hour,
        Interval::Day,
        Interval::Week,
        Interval::Month,
    ]);
    let week_starts = prop::sample::select(vec![WeekStart::Monday, WeekStart::Sunday, WeekStart::Saturday]);
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
                let query = TrendsQuery {
                    events: vec!["B".to_owned(), "A".to_owned(), "none".to_owned()],
                    ..TrendsQuery::default()
                };
                let spec = TrendSpec {
                    interval,
                    week_start,
                    range: TimeRange {
                        from_ms: end(quarter(from)),
                        to_ms: end(quarter(from + length)).max(quarter(from + 1)),
                    },
                    ..query.validate(&zone, at).unwrap()
                };
                let now = worlds::moment(&zone, quarter(now));
                (zone, spec, now, events)
            },
        )
}

proptest! {
    #![proptest_config(worlds::seeded(worlds::count(300)))]

    #[test]
    fn adding_quarter_hours_up_is_walking_the_clock((zone, spec, now, events) in world()) {
        let mut counts: BTreeMap<(&str, u32), u64> = BTreeMap::new();
        for event in &events {
            *counts.entry((&event.event, event.quarter_hour())).or_default() += 1;
        }
        let rows = counts.iter().map(|((event, bucket), count)| (*event, *bucket, *count));
        let facts = spec.facts_of_counts(&zone, rows);
        let report = TrendReport::from_facts(&spec, &zone, now, &[], &facts);
        prop_assert_eq!(&report, &trend(&spec, &zone, now, &events));
        for series in &report.series {
            prop_assert_eq!(series.total, series.points.iter().map(|point| point.count).sum::<u64>());
        }
    }
}
