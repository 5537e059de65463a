//! Conversion by looking, for each day and person, for a pair of events; of a goal among the active by sets of persons.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::{People, date_exists, end_of_day, fraction, funnel, wall_clock};
use crate::event::{Day, Event, Zone};
use crate::metrics::conversion::{ConversionDay, ConversionReport, ConversionSpec, ConversionValue};
use crate::metrics::filter::{self, PersonProperties};
use crate::metrics::funnel::spec::{Alternative, Entity};
use crate::metrics::funnel::{FunnelOverall, FunnelSpec, FunnelStep};
use crate::metrics::time::TimeRange;

/// The report over a project's events.
pub fn conversion<'a>(
    spec: &ConversionSpec,
    zone: &Zone,
    now_ms: i64,
    events: impl Into<People<'a>>,
) -> ConversionReport {
    let people = events.into();
    let Some(after) = &spec.after else {
        return of_goal(spec, zone, now_ms, &people);
    };
    let (entities, properties) = (people.by_entity(spec.group.as_ref()), people.properties());
    let is_one = |event: &Event, name: &str, filter: &filter::Filter| {
        let person = &properties[&people.person(event)];
        event.event == name && spec.filter.matches(event, person) && filter.matches(event, person)
    };
    // The first goal that some entry before it leads to in time.
    let converting = |events: &[&Event], enters: &dyn Fn(&Event) -> bool| -> Option<Option<f64>> {
        let goals = events.iter().enumerate();
        let mut goals = goals.filter(|(_, b)| is_one(b, &spec.goal, &spec.goal_filter));
        let (_, goal) = goals.find(|(i, b)| {
            let before = &events[..*i];
            before.iter().any(|a| enters(a) && b.ts - a.ts <= spec.window_ms)
        })?;
        Some(number(spec, goal, &properties[&people.person(goal)]))
    };
    let worth = |enters: &dyn Fn(&Event) -> bool| {
        let numbers = entities.values().filter_map(|events| converting(events, enters));
        spec.value.is_some().then(|| value(numbers.flatten()))
    };
    let dates = (spec.range.from.0..spec.range.to.0).map(|day| Day(day).date());
    let days = dates.filter(|date| date_exists(zone, *date)).map(|date| {
        let enters = |event: &Event| {
            is_one(event, after, &spec.after_filter) && wall_clock(zone, event.ts).date() == date
        };
        let converts = |events: &&Vec<&Event>| converting(events, &enters).is_some();
        let entered = entities
            .values()
            .filter(|events| events.iter().any(|event| enters(event)))
            .count();
        let converted = entities.values().filter(converts).count();
        ConversionDay {
            date: Day::from_date(date),
            entered: entered as u64,
            converted: converted as u64,
            rate: fraction(converted, entered),
            is_final: end_of_day(zone, date) + spec.window_ms <= now_ms,
            value: worth(&enters),
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
        step(after, &spec.after_filter),
        step(&spec.goal, &spec.goal_filter),
    ];
    let range = TimeRange {
        from_ms: end_of_day(zone, spec.range.from.plus(-1).date()),
        to_ms: end_of_day(zone, spec.range.to.plus(-1).date()),
    };
    let whole_range = FunnelSpec {
        filter: spec.filter.clone(),
        entity: match spec.group {
            Some(_) => Entity::Group,
            None => Entity::Person,
        },
        group: spec.group.clone(),
        ..FunnelSpec::plain(steps, spec.window_ms, range)
    };
    ConversionReport {
        days: days.collect(),
        total: funnel(&whole_range, zone, now_ms, &people).overall,
        window_ms: spec.window_ms,
        value: worth(&|event: &Event| {
            let entry = is_one(event, after, &spec.after_filter);
            entry && range.from_ms <= event.ts && event.ts < range.to_ms
        }),
    }
}

/// The number that an event is worth.
fn number(spec: &ConversionSpec, event: &Event, person: &PersonProperties) -> Option<f64> {
    let text = filter::value_of(spec.value.as_ref()?, event, person)?;
    filter::number_of(&text)
}

fn value(numbers: impl Iterator<Item = f64>) -> ConversionValue {
    let numbers: Vec<f64> = numbers.collect();
    let sum = numbers.iter().sum::<f64>() + 0.0;
    ConversionValue {
        events: numbers.len() as u64,
        sum,
        mean: (!numbers.is_empty()).then(|| sum / numbers.len() as f64),
    }
}

/// Of those who were active on a date, who did the goal on it.
fn of_goal(spec: &ConversionSpec, zone: &Zone, now_ms: i64, people: &People) -> ConversionReport {
    let properties = people.properties();
    let on = |dates: &[Date]| {
        let (mut active, mut did, mut numbers) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for event in people.events() {
            let person = &properties[&people.person(event)];
            if !dates.contains(&wall_clock(zone, event.ts).date()) || !spec.filter.matches(event, person) {
                continue;
            }
            let Some(who) = people.entity(event, spec.group.as_ref(), person) else {
                continue;
            };
            if event.is_activity() {
                active.insert(who.clone());
            }
            if event.event == spec.goal && spec.goal_filter.matches(event, person) {
                did.insert(who);
                numbers.extend(number(spec, event, person));
            }
        }
        let worth = spec.value.is_some().then(|| value(numbers.into_iter()));
        (active.len(), did.len(), worth)
    };
    let dates: Vec<Date> = (spec.range.from.0..spec.range.to.0)
        .map(|day| Day(day).date())
        .filter(|date| date_exists(zone, *date))
        .collect();
    let day = |date: &Date| {
        let (active, did, value) = on(&[*date]);
        ConversionDay {
            date: Day::from_date(*date),
            entered: active as u64,
            converted: did as u64,
            rate: fraction(did, active),
            is_final: end_of_day(zone, *date) <= now_ms,
            value,
        }
    };
    let (active, did, value) = on(&dates);
    ConversionReport {
        days: dates.iter().map(day).collect(),
        total: FunnelOverall {
            entered: active as u64,
            converted: did as u64,
            rate: fraction(did, active),
            median_ms: None,
        },
        window_ms: 0,
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::super::worlds;
    use super::*;
    use crate::metrics::conversion::{ConversionTally, ConversionValues, ConvertingEvent};
    use crate::metrics::time::DayRange;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;

    fn world() -> impl Strategy<Value = (Zone, ConversionSpec, i64, Vec<Event>)> {
        let names = prop::sample::select(vec![("A", "B"), ("A", "A"), ("B", "A")]);
        // Hours from a day before to five days after the instant before the transition.
        let events = worlds::events(3, 1..40, (-24..120_i64).boxed()).prop_map(worlds::for_companies);
        (
            worlds::transition(),
            names,
            1..80_i64,
            -1..2_i32,
            1..6_i32,
            -24..200_i64,
            (events, worlds::group()),
        )
            .prop_map(
                |((zone, at), (after, goal), window, first, days, now, (mut events, group))| {
                    for event in &mut events {
                        event.ts = at + event.ts * HOUR;
                        // Some are worth nothing.
                        event.amount = (event.id.as_u128() % 5) as f64 * 2.5;
                    }
                    let from = zone.local_day(at).plus(first);
                    let spec = ConversionSpec {
                        goal: goal.to_owned(),
                        after: Some(after.to_owned()),
                        window_ms: window * HOUR,
                        range: DayRange {
                            from,
                            to: from.plus(days),
                        },
                        filter: filter::Filter::everything().having(group.as_ref()),
                        group,
                        goal_filter: filter::Filter::everything(),
                        after_filter: filter::Filter::everything(),
                        value: Some(filter::Property::Event("$amount".to_owned())),
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
            let funnel = spec.funnel(&zone).expect("an event that enters");
            let mut tally = ConversionTally::new(&funnel, &zone);
            for (person, events) in worlds::step_events(&funnel, &events).0 {
                tally.add(person, &events);
            }
            let mut values = ConversionValues::new(&spec, &zone);
            let nobody = PersonProperties::default();
            let people = People::from(&events);
            let number_of = |event: &Event| worlds::number(&people, event, spec.group.as_ref());
            let mut known = people.events().to_vec();
            known.sort_by_key(|event| number_of(event));
            for (who, event) in known.iter().filter_map(|event| Some((number_of(event)?, event))) {
                let wanted = ConvertingEvent {
                    ts: event.ts,
                    seq: event.seq,
                    id: event.id.as_u128(),
                    enters: spec.entries().matches(event, &nobody),
                    converts: spec.goals().matches(event, &nobody),
                    number: number(&spec, event, &nobody),
                };
                values.push(who, wanted);
            }
            let report = tally.finish(now).worth(values);
            prop_assert_eq!(&report, &conversion(&spec, &zone, now, &events));
            let entries: u64 = report.days.iter().map(|day| day.entered).sum();
            prop_assert!(entries >= report.total.entered);
        }
    }
}
