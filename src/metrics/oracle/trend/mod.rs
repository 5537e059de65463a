//! Events over time, from the events themselves: the clock is walked in quarter hours (or minutes), and each point
//! measures its own events anew.

pub(super) mod clock;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{People, date_exists, wall_clock};
use clock::{Walked, walk};

use crate::event::{Day, Event, Zone};
use crate::metrics::filter::{PersonProperties, number_of, value_of};
use crate::metrics::time::{Interval, Moment, TimeRange};
use crate::metrics::trend::{
    Compare, FormulaSeries, Group, GroupKind, Measure, PreviousPoint, PreviousRange, PreviousSeries,
    SeriesSpec, Span, TrendGroup, TrendPoint, TrendReport, TrendSeries, TrendSpec,
};

/// A value of a breakdown, in the order of ties: by text, missing last.
type OrderedValue = (bool, Option<String>);

struct World<'a> {
    spec: &'a TrendSpec,
    zone: &'a Zone,
    people: People<'a>,
    properties: BTreeMap<u64, PersonProperties>,
    /// The events of each series, of all times.
    passing: Vec<Vec<&'a Event>>,
    /// The breakdown's values that are shown, by rank.
    top: Vec<Group>,
    /// The group of each event that passes, by id.
    groups: BTreeMap<Uuid, TrendGroup>,
}

/// The report over a project's events.
pub fn trend<'a>(spec: &TrendSpec, zone: &Zone, now_ms: i64, events: impl Into<People<'a>>) -> TrendReport {
    let people = events.into();
    let mut world = World {
        spec,
        zone,
        properties: people.properties(),
        people,
        passing: Vec::new(),
        top: Vec::new(),
        groups: BTreeMap::new(),
    };
    world.passing = spec.series.iter().map(|series| world.passing(series)).collect();
    world.top = world.ranked();
    let all = world.passing.iter().flatten();
    world.groups = all.map(|event| (event.id, world.group_of(event))).collect();
    let groups = world.groups();
    let buckets = walk((spec.interval, spec.week_start), zone, spec.range);
    let mut all = Vec::new();
    for (n, series) in spec.series.iter().enumerate() {
        for group in &groups {
            let of = |range: TimeRange| world.of(n, group.as_ref(), range);
            let points = buckets.iter().map(|bucket| {
                let (count, value) = world.point(n, group.as_ref(), spec.range, bucket);
                let over = bucket.end.min(spec.range.to_ms);
                TrendPoint {
                    start: Moment(bucket.start),
                    date: world.has_dates().then(|| Day::from_date(bucket.date)),
                    count,
                    value,
                    partial: bucket.start < spec.range.from_ms || bucket.end > spec.range.to_ms,
                    is_final: over <= now_ms,
                }
            });
            all.push(TrendSeries {
                event: series.name.clone().unwrap_or(series.events.join(", ")),
                letter: ["A", "B", "C", "D", "E"][n].to_owned(),
                measure: series.measure,
                group: group.clone(),
                total: of(spec.range).len() as u64,
                value: world.measure(series, &of(spec.range)),
                points: points.collect(),
                previous: spec
                    .compare
                    .map(|compare| world.previous(n, group.as_ref(), compare, &buckets)),
            });
        }
    }
    TrendReport {
        interval: spec.interval,
        formula: formula(spec, &groups, &all),
        series: all,
        previous: spec.compare.map(|compare| PreviousRange {
            from: Moment(compare.previous.from_ms),
            to: Moment(compare.previous.to_ms),
            until: Moment(compare.until_ms),
        }),
    }
}

fn formula(spec: &TrendSpec, groups: &[Option<TrendGroup>], all: &[TrendSeries]) -> Vec<FormulaSeries> {
    let Some(formula) = &spec.formula else {
        return Vec::new();
    };
    let of_group = |group: &Option<TrendGroup>| {
        let series: Vec<&TrendSeries> = all.iter().filter(|series| series.group == *group).collect();
        let value = |of: &dyn Fn(&TrendSeries) -> Option<f64>| {
            formula.value(&series.iter().map(|series| of(series)).collect::<Vec<_>>())
        };
        let before =
            |series: &TrendSeries| series.previous.clone().map_or(Vec::new(), |before| before.points);
        FormulaSeries {
            group: group.clone(),
            value: value(&|series| series.value),
            points: (0..series[0].points.len())
                .map(|n| value(&|series| series.points[n].value))
                .collect(),
            previous: (0..before(series[0]).len())
                .map(|n| value(&|series| before(series)[n].clone().and_then(|point| point.value)))
                .collect(),
        }
    };
    groups.iter().map(of_group).collect()
}

impl<'a> World<'a> {
    fn has_dates(&self) -> bool {
        !matches!(self.spec.interval, Interval::Hour | Interval::Minute)
    }

    fn properties(&self, event: &Event) -> &PersonProperties {
        &self.properties[&self.people.person(event)]
    }

    fn values(&self, event: &Event) -> Group {
        let person = self.properties(event);
        let properties = self.spec.breakdown.iter();
        properties
            .map(|property| value_of(property, event, person))
            .collect()
    }

    fn passing(&self, series: &SeriesSpec) -> Vec<&'a Event> {
        let passes = |event: &&&Event| {
            let person = self.properties(event);
            series.events.contains(&event.event)
                && self.spec.filter.matches(event, person)
                && series.filter.matches(event, person)
        };
        self.people.events().iter().filter(passes).copied().collect()
    }

    /// The events of a series in a range.
    fn events(&self, series: usize, range: TimeRange) -> Vec<&'a Event> {
        let events = self.passing[series].iter();
        events
            .filter(|event| range.from_ms <= event.ts && event.ts < range.to_ms)
            .copied()
            .collect()
    }

    /// The values that are shown, by rank.
    fn ranked(&self) -> Vec<Group> {
        let first = &self.spec.series[0];
        let mut by_values: BTreeMap<Group, Vec<&Event>> = BTreeMap::new();
        for event in self.events(0, self.spec.range) {
            let values = self.values(event);
            if values.iter().any(Option::is_some) {
                by_values.entry(values).or_default().push(event);
            }
        }
        let ranks_itself = matches!(first.measure, Measure::Count | Measure::Persons | Measure::Sum);
        let mut ranked: Vec<(f64, Vec<OrderedValue>)> = by_values
            .into_iter()
            .map(|(values, events)| {
                let rank = if ranks_itself {
                    self.measure(first, &events).unwrap_or(0.0)
                } else {
                    events.len() as f64
                };
                (
                    rank,
                    values.into_iter().map(|value| (value.is_none(), value)).collect(),
                )
            })
            .collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let ranked = ranked.into_iter().take(self.spec.breakdown_limit as usize);
        ranked
            .map(|(_, values)| values.into_iter().map(|(_, value)| value).collect())
            .collect()
    }

    fn group_of(&self, event: &Event) -> TrendGroup {
        let values = self.values(event);
        let text = |value: &Option<String>| value.clone().unwrap_or("(none)".to_owned());
        if self.top.contains(&values) {
            return TrendGroup {
                kind: GroupKind::Value,
                values: values.iter().map(text).collect(),
            };
        }
        let (kind, name) = match values.iter().all(Option::is_none) {
            true => (GroupKind::None, "(none)"),
            false => (GroupKind::Other, "Other"),
        };
        TrendGroup {
            kind,
            values: vec![name.to_owned(); values.len()],
        }
    }

    /// What is shown: the values by rank, then missing and other ones that any series has in either range.
    fn groups(&self) -> Vec<Option<TrendGroup>> {
        if self.spec.breakdown.is_empty() {
            return vec![None];
        }
        let text = |value: &Option<String>| value.clone().unwrap_or("(none)".to_owned());
        let mut shown: Vec<TrendGroup> = self
            .top
            .iter()
            .map(|values| TrendGroup {
                kind: GroupKind::Value,
                values: values.iter().map(text).collect(),
            })
            .collect();
        let mut rest = BTreeSet::new();
        let ranges = [
            Some(self.spec.range),
            self.spec.compare.map(|compare| compare.previous),
        ];
        for range in ranges.into_iter().flatten() {
            for series in 0..self.spec.series.len() {
                for event in self.events(series, range) {
                    let group = self.groups[&event.id].clone();
                    if group.kind != GroupKind::Value {
                        rest.insert(group);
                    }
                }
            }
        }
        shown.extend(rest);
        shown.into_iter().map(Some).collect()
    }

    /// The events of a series' group in a range.
    fn of(&self, series: usize, group: Option<&TrendGroup>, range: TimeRange) -> Vec<&'a Event> {
        let mut events = self.events(series, range);
        if let Some(group) = group {
            events.retain(|event| self.groups[&event.id] == *group);
        }
        events
    }

    fn measure(&self, series: &SeriesSpec, events: &[&Event]) -> Option<f64> {
        // Groups by their keys, persons by their numbers.
        let people: BTreeSet<Result<String, u64>> = events
            .iter()
            .filter_map(|event| match &series.group {
                Some(group) => value_of(group, event, self.properties(event)).map(Ok),
                None => Some(Err(self.people.person(event))),
            })
            .collect();
        let mut numbers: Vec<f64> = Vec::new();
        for event in events {
            let text = series
                .of
                .as_ref()
                .and_then(|property| value_of(property, event, self.properties(event)));
            numbers.extend(text.and_then(|text| number_of(&text)));
        }
        numbers.sort_by(f64::total_cmp);
        let (count, n) = (events.len() as f64, numbers.len());
        let quantile = |p: f64| {
            if n == 0 {
                return None;
            }
            // Ranks are counted from 1, and the one asked for lies between two.
            let rank = p * (n - 1) as f64 + 1.0;
            let (below, above) = (rank.floor() as usize, rank.ceil() as usize);
            let (low, high) = (numbers[below - 1], numbers[above - 1]);
            Some(low + (rank - rank.floor()) * (high - low))
        };
        match series.measure {
            Measure::Count => Some(count),
            Measure::Persons => Some(people.len() as f64),
            Measure::PerPerson => (!people.is_empty()).then(|| count / people.len() as f64),
            Measure::Sum => Some(numbers.iter().sum::<f64>() + 0.0),
            Measure::Avg => (n > 0).then(|| numbers.iter().sum::<f64>() / n as f64),
            Measure::Min => numbers.first().copied(),
            Measure::Max => numbers.last().copied(),
            Measure::P50 => quantile(0.5),
            Measure::P90 => quantile(0.9),
            Measure::P95 => quantile(0.95),
            Measure::P99 => quantile(0.99),
        }
    }

    /// The events of a bucket that lie in the range, and the measure of those that its span reaches.
    fn point(
        &self,
        series: usize,
        group: Option<&TrendGroup>,
        range: TimeRange,
        bucket: &Walked,
    ) -> (u64, Option<f64>) {
        let within = |from_ms: i64, to_ms: i64| self.of(series, group, TimeRange { from_ms, to_ms });
        let end = bucket.end.min(range.to_ms);
        let count = within(bucket.start.max(range.from_ms), end).len() as u64;
        let reached = match self.spec.series[series].span {
            Span::Bucket => within(bucket.start.max(range.from_ms), end),
            Span::Cumulative => within(range.from_ms, end),
            Span::Rolling(days) => {
                let mut dates = vec![bucket.date];
                while dates.len() < days as usize {
                    let mut date = dates[dates.len() - 1].yesterday().unwrap_or(bucket.date);
                    while !date_exists(self.zone, date) {
                        date = date.yesterday().unwrap_or(date);
                    }
                    dates.push(date);
                }
                let mut events = within(i64::MIN, end);
                events.retain(|event| dates.contains(&wall_clock(self.zone, event.ts).date()));
                events
            }
        };
        (count, self.measure(&self.spec.series[series], &reached))
    }

    fn previous(
        &self,
        series: usize,
        group: Option<&TrendGroup>,
        compare: Compare,
        current: &[Walked],
    ) -> PreviousSeries {
        let before = walk(
            (self.spec.interval, self.spec.week_start),
            self.zone,
            compare.previous,
        );
        let counted = self.of(
            series,
            group,
            TimeRange {
                to_ms: compare.until_ms,
                ..compare.previous
            },
        );
        let beside: Vec<Option<usize>> = if compare.by_date && !self.has_dates() {
            let label = |buckets: &[Walked], n: usize| {
                // The date's place among those that were.
                let days = |bucket: &Walked| {
                    let before = buckets.iter().filter(|other| other.date < bucket.date);
                    before.map(|other| other.date).collect::<BTreeSet<_>>().len()
                };
                let time = |bucket: &Walked| wall_clock(self.zone, bucket.start).time();
                let same = |m: &usize| {
                    days(&buckets[*m]) == days(&buckets[n]) && time(&buckets[*m]) == time(&buckets[n])
                };
                (days(&buckets[n]), time(&buckets[n]), (0..n).filter(same).count())
            };
            (0..current.len())
                .map(|n| (0..before.len()).find(|m| label(&before, *m) == label(current, n)))
                .collect()
        } else {
            (0..current.len().max(before.len()))
                .map(|n| Some(n).filter(|n| *n < before.len()))
                .collect()
        };
        let point = |n: usize| {
            let (count, value) = self.point(series, group, compare.previous, &before[n]);
            PreviousPoint {
                start: Moment(before[n].start),
                count,
                value,
            }
        };
        PreviousSeries {
            total: counted.len() as u64,
            value: self.measure(&self.spec.series[series], &counted),
            points: beside.into_iter().map(|n| n.map(point)).collect(),
        }
    }
}
