//! Lifecycle and days of activity by sets of dates.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::{People, QUARTER_HOUR_MS, date_exists, end_of_day, fraction, label, wall_clock};
use crate::event::{Day, Event, Zone};
use crate::metrics::filter::Property;
use crate::metrics::lifecycle::{LifecycleInterval, LifecyclePoint, LifecycleReport, LifecycleSpec};
use crate::metrics::selection::Selection;
use crate::metrics::stickiness::{StickinessBar, StickinessReport, StickinessSpec};
use crate::metrics::time::Interval;

/// Who is new, came back or is gone, over a project's events.
pub fn lifecycle<'a>(
    spec: &LifecycleSpec,
    zone: &Zone,
    now_ms: i64,
    events: impl Into<People<'a>>,
) -> LifecycleReport {
    let people = events.into();
    let interval = match spec.interval {
        LifecycleInterval::Day => Interval::Day,
        LifecycleInterval::Week => Interval::Week,
        LifecycleInterval::Month => Interval::Month,
    };
    let label = |ts: i64| label::label(interval, spec.week_start, zone, ts).0;
    let all = active_events(&spec.events, spec.group.as_ref(), &people);
    let active = |of: &dyn Fn(Date) -> bool| -> BTreeSet<&String> {
        let of_them = all.iter().filter(|(_, event)| of(label(event.ts)));
        of_them.map(|(who, _)| who).collect()
    };
    let dates = dates(spec.range.from.date(), spec.range.to.date());
    let dates = dates.into_iter().filter(|date| date_exists(zone, *date));
    let starts: BTreeSet<Date> = dates.map(|date| label(noon(zone, date))).collect();
    let points = starts.into_iter().map(|start| {
        let last = match spec.interval {
            LifecycleInterval::Day => start,
            LifecycleInterval::Week => (0..6).fold(start, |date, _| tomorrow(date)),
            LifecycleInterval::Month => start.last_of_month(),
        };
        let previous = label(end_of_day(zone, start.yesterday().unwrap_or(start)) - QUARTER_HOUR_MS);
        let here = active(&|at| at == start);
        let there = active(&|at| at == previous);
        let ever = active(&|at| at < start);
        LifecyclePoint {
            start: Day::from_date(start),
            end: Day::from_date(tomorrow(last)),
            new: here.difference(&ever).count() as u64,
            returning: here.intersection(&there).count() as u64,
            resurrecting: here
                .iter()
                .filter(|one| ever.contains(*one) && !there.contains(*one))
                .count() as u64,
            dormant: there.difference(&here).count() as u64,
            is_final: end_of_day(zone, last) <= now_ms,
        }
    });
    LifecycleReport {
        interval: spec.interval,
        points: points.collect(),
    }
}

/// On how many days people were active, over a project's events.
pub fn stickiness<'a>(
    spec: &StickinessSpec,
    zone: &Zone,
    now_ms: i64,
    events: impl Into<People<'a>>,
) -> StickinessReport {
    let world = events.into();
    let dates = dates(spec.range.from.date(), spec.range.to.date());
    let dates: Vec<Date> = dates
        .into_iter()
        .filter(|date| date_exists(zone, *date))
        .collect();
    let mut people: BTreeMap<String, BTreeSet<Date>> = BTreeMap::new();
    for (who, event) in active_events(&spec.events, spec.group.as_ref(), &world) {
        let date = wall_clock(zone, event.ts).date();
        if dates.contains(&date) {
            people.entry(who).or_default().insert(date);
        }
    }
    let persons = |is: &dyn Fn(usize) -> bool| people.values().filter(|days| is(days.len())).count() as u64;
    StickinessReport {
        persons: people.len() as u64,
        mean_days: fraction(people.values().map(BTreeSet::len).sum(), people.len()),
        days: dates.len() as u64,
        incomplete_days: dates
            .iter()
            .filter(|date| end_of_day(zone, **date) > now_ms)
            .map(|date| Day::from_date(*date))
            .collect(),
        histogram: (1..=dates.len())
            .map(|k| StickinessBar {
                days: k as u64,
                persons: persons(&|days| days == k),
                at_least: persons(&|days| days >= k),
            })
            .collect(),
    }
}

/// The events that count as activity, and whom for.
fn active_events<'a>(
    selection: &Selection,
    group: Option<&Property>,
    people: &People<'a>,
) -> Vec<(String, &'a Event)> {
    let properties = people.properties();
    let mut found = Vec::new();
    for event in people.events() {
        let person = &properties[&people.person(event)];
        if selection.matches(event, person) {
            found.extend(people.entity(event, group, person).map(|who| (who, *event)));
        }
    }
    found
}

/// An instant of the date, if it has one.
fn noon(zone: &Zone, date: Date) -> i64 {
    end_of_day(zone, date) - 4 * QUARTER_HOUR_MS
}

fn tomorrow(date: Date) -> Date {
    date.tomorrow().unwrap_or(date)
}

fn dates(from: Date, to: Date) -> Vec<Date> {
    std::iter::successors(Some(from), |date| Some(tomorrow(*date)))
        .take_while(|date| *date < to)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::worlds;
    use super::*;
    use crate::metrics::active::ActiveBuckets;
    use crate::metrics::lifecycle::LifecycleTally;
    use crate::metrics::time::{DayRange, WeekStart, bucket_of};
    use proptest::prelude::*;

    /// A zone near a transition, days around it, and events from two months before it.
    fn world() -> impl Strategy<Value = (Zone, LifecycleSpec, i64, Vec<Event>)> {
        let intervals = [
            LifecycleInterval::Day,
            LifecycleInterval::Week,
            LifecycleInterval::Month,
        ];
        let week_starts = [WeekStart::Monday, WeekStart::Sunday, WeekStart::Saturday];
        let names = [None, Some("A".to_owned()), Some("$identify".to_owned())];
        let times = prop_oneof![-60 * 96..8 * 96_i64, 0..5 * 96_i64].boxed();
        (
            worlds::transition(),
            prop::sample::select(intervals.to_vec()),
            prop::sample::select(week_starts.to_vec()),
            prop::sample::select(names.to_vec()),
            (-40..5_i32, 2..45_i32, -100..500_i64),
            (
                worlds::events(4, 1..60, times).prop_map(worlds::for_companies),
                worlds::group(),
            ),
        )
            .prop_map(
                |((zone, at), interval, week_start, event, (first, days, now), (mut events, group))| {
                    for event in &mut events {
                        event.ts = at + event.ts * QUARTER_HOUR_MS;
                    }
                    let from = zone.local_day(at).plus(first);
                    let spec = LifecycleSpec {
                        events: Selection::of(event.as_deref()).having(group.as_ref()),
                        group,
                        range: DayRange {
                            from,
                            to: from.plus(days),
                        },
                        interval,
                        week_start,
                    };
                    let now = worlds::moment(&zone, at + now * QUARTER_HOUR_MS);
                    (zone, spec, now, events)
                },
            )
    }

    /// What counts, and whom for, as the store would say it.
    fn counted<'a>(spec: (&Selection, &Option<Property>), world: &People<'a>) -> Vec<(u64, &'a Event)> {
        let (selection, group) = spec;
        let of = |event: &&'a Event| {
            let counts = match selection.events.first() {
                Some(name) => event.event == *name,
                None => event.is_activity(),
            };
            Some((worlds::number(world, event, group.as_ref())?, *event)).filter(|_| counts)
        };
        world.events().iter().filter_map(of).collect()
    }

    fn tally(spec: &LifecycleSpec, zone: &Zone, now: i64, events: &[Event]) -> LifecycleReport {
        let buckets = spec.buckets(zone);
        let mut people: BTreeMap<u64, ActiveBuckets> = BTreeMap::new();
        let world = People::from(events);
        for (who, event) in counted((&spec.events, &spec.group), &world) {
            let person = people.entry(who).or_default();
            person.before |= event.ts < buckets[0].start;
            if let Some(bucket) = bucket_of(&buckets, event.ts) {
                person.active.insert(bucket);
            }
        }
        let mut tally = LifecycleTally::new(spec, zone);
        for person in people.values() {
            tally.add(person, 1);
        }
        tally.finish(zone, now)
    }

    proptest! {
        #![proptest_config(worlds::seeded(worlds::count(300)))]

        #[test]
        fn walking_from_bucket_to_bucket_is_comparing_sets((zone, spec, now, events) in world()) {
            prop_assert_eq!(tally(&spec, &zone, now, &events), lifecycle(&spec, &zone, now, &events));
        }

        #[test]
        fn yesterdays_people_return_or_go((zone, spec, now, events) in world()) {
            let report = lifecycle(&spec, &zone, now, &events);
            for pair in report.points.windows(2) {
                let before = pair[0].new + pair[0].returning + pair[0].resurrecting;
                prop_assert_eq!(pair[1].returning + pair[1].dormant, before);
            }
        }

        #[test]
        fn counting_days_is_counting_dates((zone, spec, now, events) in world()) {
            let spec = StickinessSpec { events: spec.events, group: spec.group, range: spec.range };
            let buckets = spec.buckets(&zone);
            let mut people: BTreeMap<u64, BTreeSet<usize>> = BTreeMap::new();
            let world = People::from(&events);
            for (who, event) in counted((&spec.events, &spec.group), &world) {
                if let Some(bucket) = bucket_of(&buckets, event.ts) {
                    people.entry(who).or_default().insert(bucket);
                }
            }
            let days = people.values().map(|days| (days.len() as u64, 1));
            let report = StickinessReport::from_counts(&spec, &zone, now, days);
            prop_assert_eq!(report, stickiness(&spec, &zone, now, &events));
        }
    }
}
