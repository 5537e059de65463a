use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::worlds;
use super::*;
use crate::metrics::active::ActiveBuckets;
use crate::metrics::filter::{PersonProperties, Property};
use crate::metrics::retention::calendar::Calendar;
use crate::metrics::retention::{RetentionTally, ReturnEvent};
use crate::metrics::time::{TimeRange, WeekStart, bucket_of};

fn selection() -> impl Strategy<Value = Selection> {
    let lists: [&[&str]; 5] = [&[], &[], &["A"], &["A", "B"], &["$identify", "C"]];
    prop::sample::select(lists.to_vec()).prop_map(|names| Selection {
        events: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Selection::default()
    })
}

fn cells() -> impl Strategy<Value = Vec<(u32, u32)>> {
    prop_oneof![
        (1..5_u32).prop_map(|last| (0..=last).map(|k| (k, k + 1)).collect()),
        prop::sample::subsequence(vec![0, 1, 2, 3, 5, 8], 2..=5)
            .prop_map(|edges: Vec<u32>| edges.windows(2).map(|pair| (pair[0], pair[1])).collect()),
    ]
}

fn spec() -> impl Strategy<Value = RetentionSpec> {
    let units = [
        RetentionUnit::Hour,
        RetentionUnit::Day,
        RetentionUnit::Day,
        RetentionUnit::Week,
        RetentionUnit::Month,
    ];
    let entries = [
        RetentionEntry::FirstEver,
        RetentionEntry::FirstInRange,
        RetentionEntry::Recurring,
    ];
    let rules = [RetentionRule::On, RetentionRule::OnOrAfter, RetentionRule::Streak];
    let clocks = [RetentionClock::Calendar, RetentionClock::Rolling];
    let week_starts = [WeekStart::Monday, WeekStart::Sunday, WeekStart::Saturday];
    (
        (selection(), selection(), prop::bool::ANY),
        prop::sample::select(units.to_vec()),
        cells(),
        prop::sample::select(entries.to_vec()),
        prop::sample::select(rules.to_vec()),
        prop::sample::select(clocks.to_vec()),
        1..3_u32,
        prop::sample::select(week_starts.to_vec()),
        (
            prop::sample::select(vec![None, Some(1), Some(5)]),
            worlds::group(),
        ),
    )
        .prop_map(
            |(
                (start, returns, same),
                unit,
                cells,
                entry,
                rule,
                clock,
                minimum,
                week_start,
                (limit, group),
            )| {
                let [start, returns] = [start, returns].map(|one| one.having(group.as_ref()));
                RetentionSpec {
                    returns: if same { start.clone() } else { returns },
                    start,
                    group,
                    range: TimeRange { from_ms: 0, to_ms: 0 },
                    unit,
                    cells,
                    entry,
                    rule,
                    clock,
                    minimum,
                    week_start,
                    breakdown: limit.map(|limit| (Property::Event("$path".to_owned()), limit)),
                }
            },
        )
}

/// A zone near a transition, a question about the days around it, and events from some days before it on: within
/// hours of each other when periods are hours, else within weeks.
fn world() -> impl Strategy<Value = (Zone, RetentionSpec, i64, Vec<Event>)> {
    let times = prop_oneof![-60..1_200_i64, 0..300_i64].boxed();
    (
        worlds::transition(),
        spec(),
        (-40..100_i64, 1..300_i64, prop::bool::ANY, -20..900_i64),
        worlds::events(4, 1..50, times).prop_map(worlds::for_companies),
    )
        .prop_map(
            |((zone, at), mut spec, (first, length, whole, now), mut events)| {
                let step = match spec.unit {
                    RetentionUnit::Hour => QUARTER_HOUR_MS / 3,
                    RetentionUnit::Day => QUARTER_HOUR_MS,
                    RetentionUnit::Week => 5 * QUARTER_HOUR_MS,
                    RetentionUnit::Month => 12 * QUARTER_HOUR_MS,
                };
                for event in &mut events {
                    event.ts = at + event.ts * step;
                }
                let mut range = TimeRange {
                    from_ms: at + first * step,
                    to_ms: at + (first + length) * step,
                };
                if whole {
                    range.from_ms = zone.day_start(zone.local_day(range.from_ms));
                    range.to_ms = zone.day_start(zone.local_day(range.to_ms).plus(1));
                }
                spec.range = range;
                let now = worlds::moment(&zone, at + now * step);
                (zone, spec, now, events)
            },
        )
}

/// What the store would send: starts and returns, each where it matters, in total order.
fn rows(spec: &RetentionSpec, zone: &Zone, events: &[Event]) -> BTreeMap<u64, Vec<ReturnEvent>> {
    let (starts, returns) = (spec.start_range(), spec.return_range(zone));
    let nobody = PersonProperties::default();
    let mut persons: BTreeMap<u64, Vec<ReturnEvent>> = BTreeMap::new();
    let people = People::from(events);
    for event in people.events() {
        let row = ReturnEvent {
            ts: event.ts,
            seq: event.seq,
            id: event.id.as_u128(),
            starts: spec.start.matches(event, &nobody) && starts.contains(event.ts),
            value: spec
                .breakdown
                .as_ref()
                .and_then(|(by, _)| value_of(by, event, &nobody)),
            returns: spec.returns.matches(event, &nobody) && returns.contains(event.ts),
        };
        if row.starts || row.returns {
            let who = worlds::number(&people, event, spec.group.as_ref()).expect("a group");
            persons.entry(who).or_default().push(row);
        }
    }
    for events in persons.values_mut() {
        events.sort_unstable();
    }
    persons
}

fn tally(spec: &RetentionSpec, zone: &Zone, as_of: i64, events: &[Event]) -> RetentionReport {
    let mut tally = RetentionTally::new(spec, zone);
    for (person, events) in rows(spec, zone, events) {
        for event in events {
            tally.push(person, event);
        }
    }
    tally.finish(as_of)
}

/// The table from the buckets in which people started, as the store gathers them: from their days of activity, or from
/// their events.
fn by_buckets(
    spec: &RetentionSpec,
    zone: &Zone,
    as_of: i64,
    events: &[Event],
    days: bool,
) -> RetentionReport {
    let calendar = Calendar::new(spec, zone);
    let mut people: BTreeMap<u64, ActiveBuckets> = BTreeMap::new();
    let nobody = PersonProperties::default();
    let world = People::from(events);
    let events = world.events().iter();
    for event in events.filter(|event| spec.start.matches(event, &nobody)) {
        let ts = if days {
            zone.day_start(zone.local_day(event.ts))
        } else {
            event.ts
        };
        let who = worlds::number(&world, event, spec.group.as_ref()).expect("a group");
        let person = people.entry(who).or_default();
        person.before |= ts < spec.range.from_ms;
        if let Some(bucket) = bucket_of(calendar.buckets(), ts).filter(|_| ts >= spec.range.from_ms) {
            person.active.insert(bucket);
            if spec.range.contains(ts) {
                person.entered.insert(bucket);
            }
        }
    }
    let mut tally = RetentionTally::new(spec, zone);
    for person in people.values() {
        tally.add_active(person, 1);
    }
    tally.finish(as_of)
}

/// The table from the times of people's starts, as the store gathers them.
fn by_times(spec: &RetentionSpec, zone: &Zone, as_of: i64, events: &[Event]) -> RetentionReport {
    let mut people: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
    let nobody = PersonProperties::default();
    let world = People::from(events);
    for event in world.events() {
        if spec.start.matches(event, &nobody)
            && event.ts < spec.return_range(zone).to_ms.max(spec.range.to_ms)
        {
            let who = worlds::number(&world, event, spec.group.as_ref()).expect("a group");
            people.entry(who).or_default().push(event.ts);
        }
    }
    let mut tally = RetentionTally::new(spec, zone);
    for times in people.values_mut() {
        let before = times.iter().any(|ts| *ts < spec.range.from_ms);
        if !(before && spec.entry == RetentionEntry::FirstEver) {
            times.retain(|ts| *ts >= spec.range.from_ms);
            times.sort_unstable();
            tally.add_times(times);
        }
    }
    tally.finish(as_of)
}

proptest! {
    #![proptest_config(worlds::seeded(worlds::count(600)))]

    #[test]
    fn times_say_the_same_where_they_are_asked((zone, mut spec, as_of, events) in world()) {
        spec.returns = spec.start.clone();
        spec.breakdown = None;
        prop_assert!(spec.by_times());
        prop_assert_eq!(&by_times(&spec, &zone, as_of, &events), &retention(&spec, &zone, as_of, &events));
    }

    #[test]
    fn searching_for_periods_is_looking_at_every_pair((zone, spec, as_of, events) in world()) {
        prop_assert_eq!(tally(&spec, &zone, as_of, &events), retention(&spec, &zone, as_of, &events));
    }

    #[test]
    fn buckets_and_days_of_activity_say_the_same_where_they_are_asked((zone, mut spec, as_of, events) in world()) {
        spec.returns = spec.start.clone();
        spec.minimum = 1;
        spec.clock = RetentionClock::Calendar;
        spec.breakdown = None;
        let twin = retention(&spec, &zone, as_of, &events);
        if spec.by_buckets() {
            prop_assert_eq!(&by_buckets(&spec, &zone, as_of, &events, false), &twin);
        }
        if spec.by_active_days(&zone) {
            prop_assert_eq!(&by_buckets(&spec, &zone, as_of, &events, true), &twin);
        }
    }

    #[test]
    fn more_is_asked_of_fewer((zone, spec, as_of, events) in world()) {
        let with = |rule, minimum| {
            let spec = RetentionSpec { rule, minimum, ..spec.clone() };
            tally(&spec, &zone, as_of, &events)
        };
        let cells = |report: &RetentionReport| -> Vec<u64> {
            let cells = report.cohorts.iter().flat_map(|cohort| &cohort.cells);
            cells.map(|cell| cell.retained).collect()
        };
        let on = with(RetentionRule::On, 1);
        for (rule, minimum, fewer) in [
            (RetentionRule::On, 2, true),
            (RetentionRule::OnOrAfter, 1, false),
        ] {
            let other = with(rule, minimum);
            for (a, b) in cells(&on).into_iter().zip(cells(&other)) {
                let (more, less) = if fewer { (a, b) } else { (b, a) };
                prop_assert!(less <= more);
            }
        }
        for cohort in with(RetentionRule::OnOrAfter, 1).cohorts {
            let kept: Vec<u64> = cohort.cells.iter().map(|cell| cell.retained).collect();
            prop_assert!(kept.is_sorted_by(|a, b| a >= b), "on or after falls from left to right");
        }
    }
}
