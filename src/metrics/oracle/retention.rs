//! Retention by looking at every pair of a start and a later return.

use jiff::civil::Date;

use super::{QUARTER_HOUR_MS, by_person, date_exists, end_of_day, fraction, trend};
use crate::event::{Day, Event, Zone};
use crate::metrics::retention::{
    RetentionCell, RetentionClock, RetentionCohort, RetentionColumn, RetentionEntry, RetentionEvent,
    RetentionMean, RetentionReport, RetentionRule, RetentionSpec, RetentionUnit,
};
use crate::metrics::time::{Interval, Moment};

const HOUR_MS: i64 = 4 * QUARTER_HOUR_MS;

/// A local hour, day, week or month: its label, its first instant and the first one behind it.
struct Cohort {
    label: trend::Label,
    start: i64,
    end: i64,
}

/// The table over a project's events.
pub fn retention(spec: &RetentionSpec, zone: &Zone, as_of_ms: i64, events: &[Event]) -> RetentionReport {
    let people: Vec<Vec<&Event>> = by_person(events).into_values().collect();
    let cohorts: Vec<RetentionCohort> = cohorts(spec, zone)
        .iter()
        .map(|cohort| {
            let members: Vec<(&[&Event], usize)> = people
                .iter()
                .filter_map(|events| Some((events.as_slice(), start_in(spec, zone, cohort, events)?)))
                .collect();
            let cells = spec.cells.iter().map(|cell| {
                let kept = members
                    .iter()
                    .filter(|(events, start)| is_retained(spec, zone, cohort, (events, *start), *cell));
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

fn label(spec: &RetentionSpec, zone: &Zone, ts: i64) -> trend::Label {
    let interval = match spec.unit {
        RetentionUnit::Hour => Interval::Hour,
        RetentionUnit::Day => Interval::Day,
        RetentionUnit::Week => Interval::Week,
        RetentionUnit::Month => Interval::Month,
    };
    trend::label(interval, spec.week_start, zone, ts)
}

/// Where the person's start of this cohort stands among their events.
fn start_in(spec: &RetentionSpec, zone: &Zone, cohort: &Cohort, events: &[&Event]) -> Option<usize> {
    let starts = |at: &usize| is(&spec.start, events[*at]);
    let in_range = |at: &usize| (spec.range.from_ms..spec.range.to_ms).contains(&events[*at].ts);
    let in_cohort = |at: &usize| in_range(at) && label(spec, zone, events[*at].ts) == cohort.label;
    let mut all = (0..events.len()).filter(starts);
    match spec.entry {
        RetentionEntry::FirstEver => all.next().filter(in_cohort),
        RetentionEntry::FirstInRange => all.find(in_range).filter(in_cohort),
        RetentionEntry::Recurring => all.find(in_cohort),
    }
}

fn is(selection: &RetentionEvent, event: &Event) -> bool {
    match selection.events.as_slice() {
        [] => event.is_activity(),
        names => names.iter().any(|name| *name == event.event),
    }
}

fn is_retained(
    spec: &RetentionSpec,
    zone: &Zone,
    cohort: &Cohort,
    (events, start): (&[&Event], usize),
    (from, to): (u32, u32),
) -> bool {
    let same = spec
        .start
        .events
        .iter()
        .all(|name| spec.returns.events.contains(name))
        && spec
            .returns
            .events
            .iter()
            .all(|name| spec.start.events.contains(name))
        && spec.start.events.is_empty() == spec.returns.events.is_empty();
    if same && from == 0 {
        return true;
    }
    let enough = |from: u32, to: u32| {
        let returns = events[start + 1..]
            .iter()
            .filter(|event| is(&spec.returns, event));
        let counted = returns.filter(|event| {
            let period = period(spec, zone, cohort, events[start].ts, event.ts);
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
