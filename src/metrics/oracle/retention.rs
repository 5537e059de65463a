//! Retention by looking at every pair of a start and a later return.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::{People, QUARTER_HOUR_MS, date_exists, end_of_day, fraction, label};
use crate::event::{Day, Event, Zone};
use crate::metrics::filter::value_of;
use crate::metrics::retention::{
    RetentionCell, RetentionClock, RetentionCohort, RetentionColumn, RetentionEntry, RetentionMean,
    RetentionReport, RetentionRule, RetentionSpec, RetentionSplit, RetentionUnit, SplitOf,
};
use crate::metrics::selection::Selection;
use crate::metrics::time::{Interval, Moment};

const HOUR_MS: i64 = 4 * QUARTER_HOUR_MS;

/// A local hour, day, week or month: its label, its first instant and the first one behind it.
struct Cohort {
    label: label::Label,
    start: i64,
    end: i64,
}

/// The table over a project's events.
pub fn retention<'a>(
    spec: &RetentionSpec,
    zone: &Zone,
    as_of_ms: i64,
    events: impl Into<People<'a>>,
) -> RetentionReport {
    let people = events.into();
    let properties = people.properties();
    let of = |event: &Event| &properties[&people.person(event)];
    let people: Vec<Person> = people
        .by_entity(spec.group.as_ref())
        .into_values()
        .map(|events| {
            let is = |selection: &Selection| {
                events
                    .iter()
                    .map(|event| selection.matches(event, of(event)))
                    .collect()
            };
            Person {
                starts: is(&spec.start),
                returns: is(&spec.returns),
                values: match &spec.breakdown {
                    Some((property, _)) => events
                        .iter()
                        .map(|event| value_of(property, event, of(event)))
                        .collect(),
                    None => vec![None; events.len()],
                },
                events,
            }
        })
        .collect();
    let whole = table(spec, zone, as_of_ms, &people, &|_| true);
    RetentionReport {
        unit: spec.unit,
        entry: spec.entry,
        rule: spec.rule,
        clock: spec.clock,
        minimum: spec.minimum,
        columns: spec
            .cells
            .iter()
            .map(|&(from, to)| RetentionColumn { from, to })
            .collect(),
        breakdown: spec
            .breakdown
            .as_ref()
            .map(|(_, limit)| splits(spec, zone, as_of_ms, &people, *limit as usize)),
        cohorts: whole.cohorts,
        size: whole.size,
        mean: whole.mean,
    }
}

/// The events of somebody (or of a group) in total order, and what each is.
struct Person<'a> {
    events: Vec<&'a Event>,
    starts: Vec<bool>,
    returns: Vec<bool>,
    values: Vec<Option<String>>,
}

/// The tables of the values with the most persons, of the rest and of those without a value.
fn splits(
    spec: &RetentionSpec,
    zone: &Zone,
    as_of_ms: i64,
    people: &[Person],
    limit: usize,
) -> Vec<RetentionSplit> {
    let of = |of: SplitOf, name: &str, wanted: &dyn Fn(Option<&str>) -> bool| {
        let table = table(spec, zone, as_of_ms, people, wanted);
        RetentionSplit {
            of,
            value: name.to_owned(),
            ..table
        }
    };
    let values: BTreeSet<&str> = people
        .iter()
        .flat_map(|person| person.values.iter().flatten())
        .map(String::as_str)
        .collect();
    let mut tables: Vec<RetentionSplit> = values
        .iter()
        .map(|value| of(SplitOf::Value, value, &|at| at == Some(*value)))
        .filter(|split| split.size > 0)
        .collect();
    tables.sort_by_key(|split| (u64::MAX - split.size, split.value.clone()));
    let more = tables.len() > limit;
    tables.truncate(limit);
    let shown: BTreeSet<String> = tables.iter().map(|split| split.value.clone()).collect();
    if more {
        let rest = |at: Option<&str>| at.is_some_and(|value| !shown.contains(value));
        tables.push(of(SplitOf::Other, "Other", &rest));
    }
    let none = of(SplitOf::None, "(none)", &|at| at.is_none());
    if none.size > 0 {
        tables.push(none);
    }
    tables
}

/// The table of those who start with a wanted value.
fn table(
    spec: &RetentionSpec,
    zone: &Zone,
    as_of_ms: i64,
    people: &[Person],
    wanted: &dyn Fn(Option<&str>) -> bool,
) -> RetentionSplit {
    let cohorts: Vec<RetentionCohort> = cohorts(spec, zone)
        .iter()
        .map(|cohort| {
            let members: Vec<(&Person, usize)> = people
                .iter()
                .filter_map(|person| Some((person, start_in(spec, zone, cohort, person)?)))
                .filter(|(person, start)| wanted(person.values[*start].as_deref()))
                .collect();
            let cells = spec.cells.iter().map(|cell| {
                let kept = members
                    .iter()
                    .filter(|(person, start)| is_retained(spec, zone, cohort, (person, *start), *cell));
                let kept = kept.count();
                RetentionCell {
                    retained: kept as u64,
                    rate: fraction(kept, members.len()),
                    complete: over_at(spec, zone, cohort, *cell) <= as_of_ms,
                }
            });
            RetentionCohort {
                start: Moment(cohort.start),
                date: (spec.unit != RetentionUnit::Hour).then(|| Day::from_date(cohort.label.0)),
                size: members.len() as u64,
                partial: cohort.start < spec.range.from_ms || spec.range.to_ms < cohort.end,
                complete: cohort.end <= as_of_ms,
                cells: cells.collect(),
            }
        })
        .collect();
    let mean = (0..spec.cells.len()).map(|i| {
        let (mut size, mut retained) = (0, 0);
        for cohort in cohorts.iter().filter(|cohort| cohort.cells[i].complete) {
            size += cohort.size;
            retained += cohort.cells[i].retained;
        }
        RetentionMean {
            size,
            retained,
            rate: fraction(retained as usize, size as usize),
        }
    });
    RetentionSplit {
        of: SplitOf::Value,
        value: String::new(),
        size: cohorts.iter().map(|cohort| cohort.size).sum(),
        mean: mean.collect(),
        cohorts,
    }
}

/// The cohorts that hold an instant of the range.
fn cohorts(spec: &RetentionSpec, zone: &Zone) -> Vec<Cohort> {
    let label = |ts| label(spec, zone, ts);
    let mut cohorts: Vec<Cohort> = Vec::new();
    let mut inside = spec.range.from_ms.div_euclid(QUARTER_HOUR_MS) * QUARTER_HOUR_MS;
    while inside < spec.range.to_ms {
        if cohorts.last().is_none_or(|last| last.label != label(inside)) {
            let (mut start, mut end) = (inside, inside);
            while label(start - QUARTER_HOUR_MS) == label(inside) {
                start -= QUARTER_HOUR_MS;
            }
            while label(end) == label(inside) {
                end += QUARTER_HOUR_MS;
            }
            cohorts.push(Cohort {
                label: label(inside),
                start,
                end,
            });
        }
        inside += QUARTER_HOUR_MS;
    }
    cohorts
}

fn label(spec: &RetentionSpec, zone: &Zone, ts: i64) -> label::Label {
    let interval = match spec.unit {
        RetentionUnit::Hour => Interval::Hour,
        RetentionUnit::Day => Interval::Day,
        RetentionUnit::Week => Interval::Week,
        RetentionUnit::Month => Interval::Month,
    };
    label::label(interval, spec.week_start, zone, ts)
}

/// Where the person's start of this cohort stands among their events.
fn start_in(spec: &RetentionSpec, zone: &Zone, cohort: &Cohort, person: &Person) -> Option<usize> {
    let events = &person.events;
    let in_range = |at: &usize| (spec.range.from_ms..spec.range.to_ms).contains(&events[*at].ts);
    let in_cohort = |at: &usize| in_range(at) && label(spec, zone, events[*at].ts) == cohort.label;
    let mut all = (0..events.len()).filter(|at| person.starts[*at]);
    match spec.entry {
        RetentionEntry::FirstEver => all.next().filter(in_cohort),
        RetentionEntry::FirstInRange => all.find(in_range).filter(in_cohort),
        RetentionEntry::Recurring => all.find(in_cohort),
    }
}

fn is_retained(
    spec: &RetentionSpec,
    zone: &Zone,
    cohort: &Cohort,
    (person, start): (&Person, usize),
    (from, to): (u32, u32),
) -> bool {
    let same = spec.start.filter == spec.returns.filter
        && spec.start.events.iter().collect::<BTreeSet<_>>() == spec.returns.events.iter().collect();
    if same && from == 0 {
        return true;
    }
    let enough = |from: u32, to: u32| {
        let later = (start + 1..person.events.len()).filter(|at| person.returns[*at]);
        let counted = later.filter(|at| {
            let period = period(spec, zone, cohort, person.events[start].ts, person.events[*at].ts);
            i64::from(from) <= period && period < i64::from(to)
        });
        counted.count() >= spec.minimum as usize
    };
    let horizon = spec.cells[spec.cells.len() - 1].1;
    match spec.rule {
        RetentionRule::On => enough(from, to),
        RetentionRule::OnOrAfter => enough(from, horizon),
        RetentionRule::Streak => spec
            .cells
            .iter()
            .filter(|cell| 0 < cell.0 && cell.1 <= to)
            .all(|cell| enough(cell.0, cell.1)),
    }
}

/// In which period after the start a return falls.
fn period(spec: &RetentionSpec, zone: &Zone, cohort: &Cohort, start: i64, ts: i64) -> i64 {
    if spec.clock == RetentionClock::Rolling {
        return (ts - start).div_euclid(length(spec.unit));
    }
    if spec.unit == RetentionUnit::Hour {
        return (ts - cohort.start).div_euclid(HOUR_MS);
    }
    let (first, then) = (cohort.label.0, label(spec, zone, ts).0);
    let mut at = first;
    let mut period = 0;
    while at < then {
        at = next(spec, zone, at);
        period += 1;
    }
    period
}

/// The first date of the day, week or month behind the one that begins with `date`. Dates that never were are passed
/// over.
fn next(spec: &RetentionSpec, zone: &Zone, date: Date) -> Date {
    let tomorrow = |date: Date| date.tomorrow().unwrap_or(date);
    match spec.unit {
        RetentionUnit::Week => (0..7).fold(date, |date, _| tomorrow(date)),
        RetentionUnit::Month => tomorrow(date.last_of_month()),
        RetentionUnit::Day | RetentionUnit::Hour => {
            let mut date = tomorrow(date);
            while !date_exists(zone, date) {
                date = tomorrow(date);
            }
            date
        }
    }
}

fn length(unit: RetentionUnit) -> i64 {
    match unit {
        RetentionUnit::Hour => HOUR_MS,
        RetentionUnit::Day => 24 * HOUR_MS,
        RetentionUnit::Week => 7 * 24 * HOUR_MS,
        RetentionUnit::Month => 30 * 24 * HOUR_MS,
    }
}

/// When nobody of the cohort can return in the cell any more.
fn over_at(spec: &RetentionSpec, zone: &Zone, cohort: &Cohort, (_, to): (u32, u32)) -> i64 {
    let to = match spec.rule {
        RetentionRule::OnOrAfter => spec.cells[spec.cells.len() - 1].1,
        _ => to,
    };
    if spec.clock == RetentionClock::Rolling {
        return cohort.end + i64::from(to) * length(spec.unit);
    }
    if spec.unit == RetentionUnit::Hour {
        return cohort.start + i64::from(to) * HOUR_MS;
    }
    let date = (0..to).fold(cohort.label.0, |date, _| next(spec, zone, date));
    end_of_day(zone, date.yesterday().unwrap_or(date))
}

#[cfg(test)]
mod tests;
