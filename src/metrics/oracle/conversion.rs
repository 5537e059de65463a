//! Conversion by looking, for each day and person, for a pair of events.

use super::{by_person, date_exists, end_of_day, fraction, funnel, wall_clock};
use crate::event::{Day, Event, Zone};
use crate::metrics::conversion::{ConversionDay, ConversionReport, ConversionSpec};
use crate::metrics::filter::{self, PersonProperties};
use crate::metrics::funnel::spec::Alternative;
use crate::metrics::funnel::{FunnelSpec, FunnelStep};
use crate::metrics::time::TimeRange;

/// The report over a project's events.
pub fn conversion(spec: &ConversionSpec, zone: &Zone, now_ms: i64, events: &[Event]) -> ConversionReport {
    let persons = by_person(events);
    let (properties, none) = (filter::persons(events), PersonProperties::default());
    let is_one = |event: &Event, name: &str, filter: &filter::Filter| {
        let person = properties.get(&event.actor()).unwrap_or(&none);
        event.event == name && spec.filter.matches(event, person) && filter.matches(event, person)
    };
    let dates = (spec.range.from.0..spec.range.to.0).map(|day| Day(day).date());
    let days = dates.filter(|date| date_exists(zone, *date)).map(|date| {
        let enters = |event: &Event| {
            is_one(event, &spec.after, &spec.after_filter) && wall_clock(zone, event.ts).date() == date
        };
        let converts = |events: &[&Event]| {
            events
                .iter()
                .enumerate()
                .filter(|(_, a)| enters(a))
                .any(|(i, a)| {
                    let later = &events[i + 1..];
                    later
                        .iter()
                        .any(|b| is_one(b, &spec.goal, &spec.goal_filter) && b.ts - a.ts <= spec.window_ms)
                })
        };
        let entered = persons
            .values()
            .filter(|events| events.iter().any(|event| enters(event)))
            .count();
        let converted = persons.values().filter(|events| converts(events)).count();
        ConversionDay {
            date: Day::from_date(date),
            entered: entered as u64,
            converted: converted as u64,
            rate: fraction(converted, entered),
            is_final: end_of_day(zone, date) + spec.window_ms <= now_ms,
        }
    });
    let step = |name: &String, filter: &filter::Filter| FunnelStep {
        events: vec![Alternative {
            event: name.clone(),
            filter: filter.clone(),
        }],
        name: None,
        optional: false,
    };
    let steps = vec![
        step(&spec.after, &spec.after_filter),
        step(&spec.goal, &spec.goal_filter),
    ];
    let range = TimeRange {
        from_ms: end_of_day(zone, spec.range.from.plus(-1).date()),
        to_ms: end_of_day(zone, spec.range.to.plus(-1).date()),
    };
    let whole_range = FunnelSpec {
        filter: spec.filter.clone(),
        ..FunnelSpec::plain(steps, spec.window_ms, range)
    };
    ConversionReport {
        days: days.collect(),
        total: funnel(&whole_range, zone, now_ms, events).overall,
        window_ms: spec.window_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::super::worlds;
    use super::*;
    use crate::metrics::conversion::ConversionTally;
    use crate::metrics::time::DayRange;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;

    fn world() -> impl Strategy<Value = (Zone, ConversionSpec, i64, Vec<Event>)> {
        let names = prop::sample::select(vec![("A", "B"), ("A", "A"), ("B", "A")]);
        // Hours from a day before to five days after the instant before the transition.
        let events = worlds::events(3, 1..40, (-24..120_i64).boxed());
        (
            worlds::transition(),
            names,
            1..80_i64,
            -1..2_i32,
            1..6_i32,
            -24..200_i64,
            events,
        )
            .prop_map(
                |((zone, at), (after, goal), window, first, days, now, mut events)| {
                    for event in &mut events {
                        event.ts = at + event.ts * HOUR;
                    }
                    let from = zone.local_day(at).plus(first);
                    let spec = ConversionSpec {
                        goal: goal.to_owned(),
                        after: after.to_owned(),
                        window_ms: window * HOUR,
                        range: DayRange {
                            from,
                            to: from.plus(days),
                        },
                        filter: filter::Filter::everything(),
                        goal_filter: filter::Filter::everything(),
                        after_filter: filter::Filter::everything(),
                    };
                    // Every other day's window is over to the millisecond.
                    let now = worlds::moment(&zone, at + now * HOUR) + now % 2 * spec.window_ms;
                    (zone, spec, now, events)
                },
            )
    }

    proptest! {
        #![proptest_config(worlds::seeded(worlds::count(300)))]

        #[test]
        fn a_run_a_day_finds_what_looking_for_pairs_finds((zone, spec, now, events) in world()) {
            let funnel = spec.funnel(&zone);
            let mut tally = ConversionTally::new(&spec, &zone);
            for (person, events) in worlds::step_events(&funnel, &events).0 {
                tally.add(person, &events);
            }
            let report = tally.finish(now);
            prop_assert_eq!(&report, &conversion(&spec, &zone, now, &events));
            let entries: u64 = report.days.iter().map(|day| day.entered).sum();
            prop_assert!(entries >= report.total.entered);
        }
    }
}
