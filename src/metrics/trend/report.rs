//! The answer to a trend: facts put into their places.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::spec::{At, Group, Measure, SeriesFacts, SeriesSpec, Span, TrendFact, TrendSpec};
use crate::event::{Day, Zone};
use crate::metrics::filter::{NONE, OTHER};
use crate::metrics::time::{Bucket, Interval, Moment, TimeRange};

/// Events over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrendReport {
    /// Width of a point.
    pub interval: Interval,
    /// In the order of the question; with a breakdown one for each series and shown value: the values by rank, then
    /// "(none)" and "Other" if there are such events.
    pub series: Vec<TrendSeries>,
    /// The formula's values, one list for each shown value; empty without a formula.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formula: Vec<FormulaSeries>,
    /// The range before, when it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousRange>,
}

/// One series over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrendSeries {
    /// What the series is called: its name, else its events.
    #[schema(example = "page_view")]
    pub event: String,
    /// What formulas call it.
    #[schema(example = "A")]
    pub letter: String,
    /// What is measured.
    pub measure: Measure,
    /// Of which value of the breakdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<TrendGroup>,
    /// Events in the whole range.
    pub total: u64,
    /// The measure over the whole range; persons are distinct over it.
    pub value: Option<f64>,
    /// One for each bucket that the range touches, zeros included.
    pub points: Vec<TrendPoint>,
    /// The range before, when it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousSeries>,
}

/// A shown value of a breakdown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct TrendGroup {
    /// Whether these are values, or stand for missing ones or for all others.
    pub kind: GroupKind,
    /// The texts of the breakdown's properties; "(none)" where one is missing, and "Other".
    #[schema(example = json!(["DE"]))]
    pub values: Vec<String>,
}

/// What a shown value of a breakdown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// A value.
    Value,
    /// Every property is missing.
    None,
    /// Every value that is not shown.
    Other,
}

/// What one bucket has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"start": "2026-11-22T23:00:00Z", "date": "2026-11-23", "count": 812, "value": 812.0, "partial": false, "final": true}))]
pub struct TrendPoint {
    /// The bucket's first instant.
    #[schema(value_type = String, format = DateTime)]
    pub start: Moment,
    /// The bucket's first local date; absent for hours and minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub date: Option<Day>,
    /// Events of the bucket that lie in the range.
    pub count: u64,
    /// The measure; null where there is nothing to measure.
    pub value: Option<f64>,
    /// Whether the range covers only a part of the bucket.
    pub partial: bool,
    /// Whether the bucket, or the range's part of it, is over.
    #[serde(rename = "final")]
    pub is_final: bool,
}

/// The range before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PreviousRange {
    /// Its start.
    #[schema(value_type = String, format = DateTime)]
    pub from: Moment,
    /// Its end, not included.
    #[schema(value_type = String, format = DateTime)]
    pub to: Moment,
    /// Where its totals stop: while the range is open, at the same local offset.
    #[schema(value_type = String, format = DateTime)]
    pub until: Moment,
}

/// A series in the range before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PreviousSeries {
    /// Events up to where its totals stop.
    pub total: u64,
    /// The measure up to there.
    pub value: Option<f64>,
    /// Beside each point of the series that of the range before; null where it has none. Longer than `points` where
    /// the range before has more days.
    pub points: Vec<Option<PreviousPoint>>,
}

/// What one bucket of the range before had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PreviousPoint {
    /// The bucket's first instant.
    #[schema(value_type = String, format = DateTime)]
    pub start: Moment,
    /// Its events.
    pub count: u64,
    /// The measure.
    pub value: Option<f64>,
}

/// The values of the formula.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FormulaSeries {
    /// Of which value of the breakdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<TrendGroup>,
    /// Over the measures of the whole range.
    pub value: Option<f64>,
    /// One for each point; null where it divides by 0 or where a measure is null.
    pub points: Vec<Option<f64>>,
    /// The same over the range before, beside each point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub previous: Vec<Option<f64>>,
}

/// The facts of one group of one series in one range, put into their places.
struct Cells {
    total: (u64, Option<f64>),
    points: Vec<(u64, Option<f64>)>,
}

impl TrendReport {
    /// The report. `groups` are the breakdown's values that are shown, by rank; facts number them from 1, "(none)" is
    /// the number after the last of them and 0 is Other.
    pub fn from_facts(
        spec: &TrendSpec,
        zone: &Zone,
        now_ms: i64,
        groups: &[Group],
        facts: &[SeriesFacts],
    ) -> TrendReport {
        let buckets = spec.buckets(zone, spec.range);
        let before = spec.compare.map(|compare| {
            let before = spec.buckets(zone, compare.previous);
            let beside = compare.beside(zone, spec.interval, &buckets, &before);
            (before, beside)
        });
        let mut report = TrendReport {
            interval: spec.interval,
            series: Vec::new(),
            formula: Vec::new(),
            previous: spec.compare.map(|compare| PreviousRange {
                from: Moment(compare.previous.from_ms),
                to: Moment(compare.previous.to_ms),
                until: Moment(compare.until_ms),
            }),
        };
        let shown = shown(spec, groups, facts);
        for (n, series) in spec.series.iter().enumerate() {
            for (number, group) in &shown {
                let now = cells(spec, series, zone, &buckets, *number, &facts[n].current);
                let previous = before.as_ref().map(|(before, beside)| {
                    let cells = cells(spec, series, zone, before, *number, &facts[n].previous);
                    let point = |at: usize| PreviousPoint {
                        start: Moment(before[at].start),
                        count: cells.points[at].0,
                        value: cells.points[at].1,
                    };
                    PreviousSeries {
                        total: cells.total.0,
                        value: cells.total.1,
                        points: beside.iter().map(|at| at.map(point)).collect(),
                    }
                });
                let points = buckets.iter().zip(now.points);
                report.series.push(TrendSeries {
                    event: series.name.clone().unwrap_or_else(|| series.events.join(", ")),
                    letter: letter(n),
                    measure: series.measure,
                    group: group.clone(),
                    total: now.total.0,
                    value: now.total.1,
                    points: points
                        .map(|(bucket, cell)| point(spec.range, now_ms, bucket, cell))
                        .collect(),
                    previous,
                });
            }
        }
        report.formula = formula(spec, &shown, &report.series);
        report
    }
}

/// The groups that are shown, with their numbers.
fn shown(spec: &TrendSpec, groups: &[Group], facts: &[SeriesFacts]) -> Vec<(usize, Option<TrendGroup>)> {
    if spec.breakdown.is_empty() {
        return vec![(0, None)];
    }
    let found = facts
        .iter()
        .flat_map(|facts| facts.current.iter().chain(&facts.previous))
        .filter(|fact| !matches!(fact.at, At::Place(_)))
        .map(|fact| fact.group)
        .collect();
    let shown = shown_groups(spec.breakdown.len(), groups, &found).into_iter();
    shown.map(|(number, group)| (number, Some(group))).collect()
}

/// The groups of a breakdown by so many properties, with their numbers: the values, then "(none)" and Other if they were
/// found.
pub fn shown_groups(
    properties: usize,
    groups: &[Group],
    found: &BTreeSet<usize>,
) -> Vec<(usize, TrendGroup)> {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| NONE.to_owned());
    let value = |values: &Group| TrendGroup {
        kind: GroupKind::Value,
        values: values.iter().map(text).collect(),
    };
    let mut shown: Vec<(usize, TrendGroup)> = (1..).zip(groups.iter().map(value)).collect();
    for (number, kind, name) in [
        (groups.len() + 1, GroupKind::None, NONE),
        (0, GroupKind::Other, OTHER),
    ] {
        if found.contains(&number) {
            let values = vec![name.to_owned(); properties];
            shown.push((number, TrendGroup { kind, values }));
        }
    }
    shown
}

fn cells(
    spec: &TrendSpec,
    series: &SeriesSpec,
    zone: &Zone,
    buckets: &[Bucket],
    group: usize,
    facts: &[TrendFact],
) -> Cells {
    let nothing = match series.measure {
        Measure::Count | Measure::Persons | Measure::Sum => Some(0.0),
        _ => None,
    };
    let mut events: BTreeMap<i64, u64> = BTreeMap::new();
    let mut values: BTreeMap<i64, Option<f64>> = BTreeMap::new();
    let mut total = (0, nothing);
    let starts = spec.span_starts(series, zone, buckets);
    let mut changes = vec![0.0; starts.len() + 1];
    for fact in facts.iter().filter(|fact| fact.group == group) {
        match fact.at {
            At::Bucket(start) => {
                *events.entry(start).or_default() += fact.events;
                values.insert(start, fact.value.or(nothing));
            }
            At::Range => total = (total.0 + fact.events, fact.value.or(nothing)),
            At::Place(place) => changes[place.min(starts.len())] += fact.value.unwrap_or(0.0),
        }
    }
    if series.measure == Measure::Count {
        total.1 = Some(total.0 as f64);
    }
    let mut within_span = changes.iter().scan(0.0, |sum, change| {
        *sum += change;
        Some(*sum)
    });
    // What a span reaches over before the first bucket is no point.
    let mut within_span = within_span.by_ref().skip(starts.len() - buckets.len());
    let points = buckets.iter().map(|bucket| {
        let count = events.get(&bucket.start).copied().unwrap_or(0);
        let spanned = within_span.next();
        let value = match (series.measure, series.span) {
            (Measure::Count, _) => Some(count as f64),
            (_, Span::Bucket) => values.get(&bucket.start).copied().unwrap_or(nothing),
            (_, Span::Cumulative | Span::Rolling(_)) => spanned,
        };
        (count, value)
    });
    Cells {
        total,
        points: points.collect(),
    }
}

fn point(range: TimeRange, now_ms: i64, bucket: &Bucket, (count, value): (u64, Option<f64>)) -> TrendPoint {
    TrendPoint {
        start: Moment(bucket.start),
        date: bucket.date,
        count,
        value,
        partial: bucket.start < range.from_ms || range.to_ms < bucket.end,
        is_final: bucket.end.min(range.to_ms) <= now_ms,
    }
}

/// What formulas call the series with this index: A, B, …
fn letter(index: usize) -> String {
    char::from(b'A' + index.min(25) as u8).to_string()
}

/// The formula over every shown group; `all` holds the groups of the first series, then those of the second.
fn formula(
    spec: &TrendSpec,
    shown: &[(usize, Option<TrendGroup>)],
    all: &[TrendSeries],
) -> Vec<FormulaSeries> {
    let Some(formula) = &spec.formula else {
        return Vec::new();
    };
    let groups = shown.iter().enumerate().map(|(n, (_, group))| {
        let series: Vec<&TrendSeries> = all.iter().skip(n).step_by(shown.len()).collect();
        let over = |value: &dyn Fn(&TrendSeries) -> Option<f64>| {
            let values: Vec<Option<f64>> = series.iter().map(|series| value(series)).collect();
            formula.value(&values)
        };
        let beside = |series: &TrendSeries, at: usize| {
            let points = &series.previous.as_ref()?.points;
            points.get(at)?.as_ref()?.value
        };
        let length = |of: &dyn Fn(&TrendSeries) -> usize| series.first().map_or(0, |series| of(series));
        let before = length(&|series| series.previous.as_ref().map_or(0, |before| before.points.len()));
        FormulaSeries {
            group: group.clone(),
            value: over(&|series| series.value),
            points: (0..length(&|series| series.points.len()))
                .map(|at| over(&|series| series.points[at].value))
                .collect(),
            previous: (0..before).map(|at| over(&|series| beside(series, at))).collect(),
        }
    });
    groups.collect()
}
