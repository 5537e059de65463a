//! Active users by sets of persons.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};

use super::{People, date_exists, end_of_day, fraction, wall_clock};
use crate::event::{Day, Zone};
use crate::metrics::active::{
    ActiveDay, ActivePeriod, ActiveSpec, ActiveSplit, ActiveSummary, ActiveUsersReport,
};
use crate::metrics::filter::value_of;
use crate::metrics::time::WeekStart;
use crate::metrics::trend::{Group, GroupKind, TrendGroup};

/// Who (a person, or a value that is counted) was active on which date.
type Active = BTreeSet<(Date, String)>;

/// The exact report over a project's events.
pub fn active_users<'a>(
    spec: &ActiveSpec,
    zone: &Zone,
    now_ms: i64,
    events: impl Into<People<'a>>,
) -> ActiveUsersReport {
    let people = events.into();
    let (selection, properties) = (spec.selection(), people.properties());
    let mut active: Vec<(Date, String, Group)> = Vec::new();
    for event in people.events() {
        let properties = &properties[&people.person(event)];
        let entity = people.entity(event, spec.group.as_ref(), properties);
        if let Some(entity) = entity.filter(|_| selection.matches(event, properties)) {
            let values = spec.breakdown.iter().map(|by| value_of(by, event, properties));
            let date = wall_clock(zone, event.ts).date();
            active.push((date, entity, values.collect()));
        }
    }
    let of = |wanted: &dyn Fn(&Group) -> bool| -> Active {
        let wanted = active.iter().filter(|(_, _, values)| wanted(values));
        wanted.map(|(date, who, _)| (*date, who.clone())).collect()
    };
    let mut report = of_active(spec, zone, now_ms, &of(&|_| true));
    if !spec.breakdown.is_empty() {
        let dates = dates_that_count(spec, zone);
        active.retain(|(date, _, _)| dates.contains(date));
        report.breakdown = Some(splits(spec, zone, now_ms, &active));
    }
    report
}

/// The dates that any number of the report looks at.
fn dates_that_count(spec: &ActiveSpec, zone: &Zone) -> BTreeSet<Date> {
    let mut dates = BTreeSet::new();
    for date in dates_between(spec.range.from.date(), spec.range.to.date()) {
        dates.extend(last_dates(zone, date, 30));
        let week = week_start(spec.week_start, date);
        dates.extend(dates_between(week, (0..7).fold(week, |date, _| tomorrow(date))));
        dates.extend(dates_between(
            date.first_of_month(),
            tomorrow(date.last_of_month()),
        ));
    }
    dates
}

/// The report of each value: those with the most persons in the range, what has none, and all others.
fn splits(spec: &ActiveSpec, zone: &Zone, now_ms: i64, active: &[(Date, String, Group)]) -> Vec<ActiveSplit> {
    let range = dates_between(spec.range.from.date(), spec.range.to.date());
    let is_none = |values: &Group| values.iter().all(Option::is_none);
    let mut values: Vec<Group> = active.iter().map(|(_, _, values)| values.clone()).collect();
    values.sort_by_key(|values| {
        values
            .iter()
            .map(|value| (value.is_none(), value.clone()))
            .collect::<Vec<_>>()
    });
    values.dedup();
    values.retain(|values| !is_none(values));
    values.sort_by_key(|values| {
        let of_them = active
            .iter()
            .filter(|(date, _, of)| of == values && range.contains(date));
        let persons: BTreeSet<&String> = of_them.map(|(_, who, _)| who).collect();
        std::cmp::Reverse(persons.len())
    });
    values.truncate(spec.breakdown_limit as usize);
    let split = |kind: GroupKind, names: Vec<String>, wanted: &dyn Fn(&Group) -> bool| {
        let of_them = active.iter().filter(|(_, _, values)| wanted(values));
        let of_them: Active = of_them.map(|(date, who, _)| (*date, who.clone())).collect();
        let found = !of_them.is_empty();
        let report = of_active(spec, zone, now_ms, &of_them);
        let split = ActiveSplit {
            group: TrendGroup { kind, values: names },
            days: report.days,
            weeks: report.weeks,
            months: report.months,
            summary: report.summary,
        };
        found.then_some(split)
    };
    let all = |name: &str| vec![name.to_owned(); spec.breakdown.len()];
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
    let mut splits: Vec<ActiveSplit> = values
        .iter()
        .filter_map(|value| {
            let names = value.iter().map(text).collect();
            split(GroupKind::Value, names, &|values| values == value)
        })
        .collect();
    splits.extend(split(GroupKind::None, all("(none)"), &is_none));
    let is_other = |of: &Group| !is_none(of) && !values.contains(of);
    splits.extend(split(GroupKind::Other, all("Other"), &is_other));
    splits
}

/// The report over some activity.
fn of_active(spec: &ActiveSpec, zone: &Zone, now_ms: i64, active: &Active) -> ActiveUsersReport {
    let persons = |dates: &[Date]| {
        let of_them = active.iter().filter(|(date, _)| dates.contains(date));
        of_them.map(|(_, who)| who).collect::<BTreeSet<_>>().len()
    };
    let is_over = |last: Date| end_of_day(zone, last) <= now_ms;

    let dates = dates_between(spec.range.from.date(), spec.range.to.date());
    let existing = dates.iter().copied().filter(|date| date_exists(zone, *date));
    let day = |date| {
        let (dau, mau) = (persons(&[date]), persons(&last_dates(zone, date, 30)));
        ActiveDay {
            date: Day::from_date(date),
            dau: dau as u64,
            wau: persons(&last_dates(zone, date, 7)) as u64,
            mau: mau as u64,
            stickiness: fraction(dau, mau),
            is_final: is_over(date),
        }
    };
    let days: Vec<ActiveDay> = existing.map(day).collect();

    // The last date of a week or month that exists, and none after today's.
    let today = wall_clock(zone, now_ms).date();
    let last = |start: Date, end: Date| {
        let mut known = dates_between(start, end)
            .into_iter()
            .filter(|date| *date <= today && *date >= spec.range.from.date() && date_exists(zone, *date));
        known.next_back()
    };
    let period = |start: Date, end: Date| ActivePeriod {
        start: Day::from_date(start),
        end: Day::from_date(end),
        active: persons(&dates_between(start, end)) as u64,
        is_final: is_over(yesterday(end)),
        point: last(start, end).map(day),
    };
    let weeks: BTreeSet<Date> = dates
        .iter()
        .map(|date| week_start(spec.week_start, *date))
        .collect();
    let months: BTreeSet<Date> = dates.iter().map(|date| date.first_of_month()).collect();

    let complete: Vec<&ActiveDay> = days.iter().filter(|day| day.is_final).collect();
    let sum: u64 = complete.iter().map(|day| day.dau).sum();
    let mean_dau = fraction(sum as usize, complete.len());
    let mau = complete.last().map(|day| day.mau);
    ActiveUsersReport {
        summary: ActiveSummary {
            active: persons(&dates) as u64,
            complete_days: complete.len() as u64,
            mean_dau,
            mau,
            ratio: match (mean_dau, mau) {
                (Some(mean), Some(mau)) if mau > 0 => Some(mean / mau as f64),
                _ => None,
            },
        },
        days,
        weeks: weeks
            .into_iter()
            .map(|start| period(start, (0..7).fold(start, |date, _| tomorrow(date))))
            .collect(),
        months: months
            .into_iter()
            .map(|start| period(start, tomorrow(start.last_of_month())))
            .collect(),
        breakdown: None,
    }
}

fn tomorrow(date: Date) -> Date {
    date.tomorrow().unwrap_or(date)
}

fn yesterday(date: Date) -> Date {
    date.yesterday().unwrap_or(date)
}

fn dates_between(from: Date, to: Date) -> Vec<Date> {
    std::iter::successors(Some(from), |date| Some(tomorrow(*date)))
        .take_while(|date| *date < to)
        .collect()
}

/// The last `n` dates that exist, up to and including `date`.
fn last_dates(zone: &Zone, date: Date, n: usize) -> Vec<Date> {
    std::iter::successors(Some(date), |date| Some(yesterday(*date)))
        .filter(|date| date_exists(zone, *date))
        .take(n)
        .collect()
}

fn week_start(first: WeekStart, date: Date) -> Date {
    let weekday = match first {
        WeekStart::Monday => Weekday::Monday,
        WeekStart::Sunday => Weekday::Sunday,
        WeekStart::Saturday => Weekday::Saturday,
    };
    let mut day = date;
    while day.weekday() != weekday {
        day = yesterday(day);
    }
    day
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::worlds;
    use super::*;
    use crate::event::Event;
    use crate::metrics::active::{ExactActives, from_windows};
    use crate::metrics::filter::{Filter, PersonProperties};
    use crate::metrics::sketch::UserSketch;
    use crate::metrics::time::DayRange;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;

    /// A zone near a transition, a spec around it, events from a month before it, and a now.
    fn world() -> impl Strategy<Value = (Zone, ActiveSpec, i64, Vec<Event>)> {
        let week_starts =
            prop::sample::select(vec![WeekStart::Monday, WeekStart::Sunday, WeekStart::Saturday]);
        let names = prop::sample::select(vec![None, Some("A".to_owned()), Some("$identify".to_owned())]);
        // Quarter hours from 40 days before the transition to 8 after it, half of them close to it.
        let times = prop_oneof![-40 * 96..8 * 96_i64, 0..4 * 96_i64].boxed();
        let events = worlds::events(5, 1..60, times).prop_map(worlds::for_companies);
        (
            worlds::transition(),
            -9..34_i32,
            1..12_i32,
            week_starts,
            names,
            -48..200_i64,
            (events, worlds::group()),
        )
            .prop_map(
                |((zone, at), first, days, week_start, event, now, (mut events, group))| {
                    for event in &mut events {
                        event.ts = at + event.ts * 900_000;
                    }
                    let from = zone.local_day(at).plus(first);
                    let spec = ActiveSpec {
                        event,
                        range: DayRange {
                            from,
                            to: from.plus(days),
                        },
                        week_start,
                        exact: true,
                        filter: Filter::everything().having(group.as_ref()),
                        group,
                        breakdown: Vec::new(),
                        breakdown_limit: 25,
                    };
                    let now = worlds::moment(&zone, at + now * HOUR);
                    (zone, spec, now, events)
                },
            )
    }

    /// Persons by the local days on which they were active, as worker and store prepare them.
    fn active_days(zone: &Zone, spec: &ActiveSpec, events: &[Event]) -> BTreeMap<Day, Vec<u64>> {
        let mut days: BTreeMap<Day, Vec<u64>> = BTreeMap::new();
        let (selection, nobody) = (spec.selection(), PersonProperties::default());
        let people = People::from(events);
        let events = people.events().iter();
        for event in events.filter(|event| selection.matches(event, &nobody)) {
            let day = zone.local_day(event.ts);
            if spec.facts_range(zone).contains(day) {
                let who = worlds::number(&people, event, spec.group.as_ref());
                days.entry(day).or_default().extend(who);
            }
        }
        days
    }

    proptest! {
        #![proptest_config(worlds::seeded(worlds::count(200)))]

        #[test]
        fn counting_by_differences_is_counting_by_sets((zone, spec, now, events) in world()) {
            let mut persons: BTreeMap<u64, Vec<Day>> = BTreeMap::new();
            for (day, people) in active_days(&zone, &spec, &events) {
                for person in people {
                    persons.entry(person).or_default().push(day);
                }
            }
            let mut exact = ExactActives::new(&spec, &zone);
            for days in persons.values() {
                exact.add_person(days);
            }
            prop_assert_eq!(exact.finish(now), active_users(&spec, &zone, now, &events));
        }

        #[test]
        fn sketches_of_small_worlds_are_exact((zone, spec, now, events) in world()) {
            let sketches: BTreeMap<Day, UserSketch> = active_days(&zone, &spec, &events)
                .into_iter()
                .map(|(day, people)| (day, people.into_iter().collect()))
                .collect();
            let count = |days: DayRange| {
                let mut union = UserSketch::new();
                for sketch in sketches.range(days.from..days.to).map(|(_, sketch)| sketch) {
                    union.merge(sketch);
                }
                union.count()
            };
            prop_assert_eq!(
                from_windows(&spec, &zone, now, count),
                active_users(&spec, &zone, now, &events)
            );
        }
    }

    #[test]
    fn facts_reach_back_to_the_first_of_30_days_that_exist_and_over_whole_months() {
        let facts = |zone: &str, from: &str| {
            let from: Day = from.parse().unwrap();
            let spec = ActiveSpec {
                event: None,
                range: DayRange {
                    from,
                    to: from.plus(1),
                },
                week_start: WeekStart::Monday,
                exact: false,
                filter: Filter::everything(),
                group: None,
                breakdown: Vec::new(),
                breakdown_limit: 25,
            };
            let facts = spec.facts_range(&Zone::parse(zone).unwrap());
            (facts.from.to_string(), facts.to.to_string())
        };
        let text = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        assert_eq!(facts("UTC", "2026-01-31"), text("2026-01-01", "2026-02-02"));
        assert_eq!(facts("UTC", "2026-01-08"), text("2025-12-10", "2026-02-01"));
        assert_eq!(
            facts("Pacific/Apia", "2012-01-08"),
            text("2011-12-09", "2012-02-01")
        );
    }

    #[test]
    fn apias_week_reaches_over_the_day_that_never_was() {
        let apia = Zone::parse("Pacific/Apia").unwrap();
        let day = |text: &str| text.parse::<Day>().unwrap();
        let noon = |text: &str| apia.day_start(day(text)) + 12 * HOUR;
        let events = [
            worlds::event("early", "A", noon("2011-12-25"), 0, 1),
            worlds::event("later", "A", noon("2012-01-01"), 0, 2),
        ];
        let spec = ActiveSpec {
            event: None,
            range: DayRange {
                from: day("2011-12-29"),
                to: day("2012-01-03"),
            },
            week_start: WeekStart::Monday,
            exact: true,
            filter: Filter::everything(),
            group: None,
            breakdown: Vec::new(),
            breakdown_limit: 25,
        };
        let report = active_users(&spec, &apia, noon("2012-01-03"), &events);
        let wau: Vec<(String, u64)> = report.days.iter().map(|d| (d.date.to_string(), d.wau)).collect();
        // Seven days that exist end with 1 January: 25 to 29, 31, 1.
        let expected = [
            ("2011-12-29", 1),
            ("2011-12-31", 1),
            ("2012-01-01", 2),
            ("2012-01-02", 1),
        ];
        assert_eq!(wau, expected.map(|(date, wau)| (date.to_owned(), wau)));
    }
}
