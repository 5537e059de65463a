//! A validated trend, and the facts that answer it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use xxhash_rust::xxh3::xxh3_64;

use super::{Compare, Formula};
use crate::event::{Day, QUARTER_HOUR_S, Zone};
use crate::metrics::filter::{Filter, Property};
use crate::metrics::time::{self, Bucket, Interval, TimeRange, WeekStart};

/// What is measured of a series' events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Events.
    #[default]
    Count,
    /// Distinct persons.
    Persons,
    /// Events per person; null without events.
    PerPerson,
    /// Sum of a numeric property; 0 without one.
    Sum,
    /// Mean of a numeric property; null without one. So for all below.
    Avg,
    /// Smallest value of a numeric property.
    Min,
    /// Largest value of a numeric property.
    Max,
    /// Median of a numeric property: exact, linear between the two nearest ranks. So for all below.
    P50,
    /// 90th percentile.
    P90,
    /// 95th percentile.
    P95,
    /// 99th percentile.
    P99,
}

impl Measure {
    /// The quantile, if it is one.
    pub fn quantile(self) -> Option<f64> {
        match self {
            Measure::P50 => Some(0.5),
            Measure::P90 => Some(0.9),
            Measure::P95 => Some(0.95),
            Measure::P99 => Some(0.99),
            _ => None,
        }
    }

    /// Whether the whole follows from the parts: buckets make up the range, values of a breakdown their rest.
    pub fn adds_up(self) -> bool {
        matches!(self, Measure::Count | Measure::Sum | Measure::Min | Measure::Max)
    }

    /// Whether it measures a numeric property.
    pub fn is_of_number(self) -> bool {
        !matches!(self, Measure::Count | Measure::Persons | Measure::PerPerson)
    }
}

/// Over what a point's persons are distinct.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// The bucket.
    Bucket,
    /// From the range's start to the bucket's end.
    Cumulative,
    /// So many existing local dates, the last of which is the bucket's.
    Rolling(u32),
}

/// A validated series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesSpec {
    /// Event names, any of which will do; all different.
    pub events: Vec<String>,
    /// What the asker calls it.
    pub name: Option<String>,
    /// Which of them.
    pub filter: Filter,
    /// What is measured.
    pub measure: Measure,
    /// The numeric property, for measures of one.
    pub of: Option<Property>,
    /// The property whose values are counted instead of persons; the filter lets only events pass that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Property>,
    /// Over what its persons are distinct.
    pub span: Span,
}

/// A validated trend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrendSpec {
    /// 1 to 20: A, B, …
    pub series: Vec<SeriesSpec>,
    /// Which events, of all series.
    pub filter: Filter,
    /// Width of a point.
    pub interval: Interval,
    /// First day of a week.
    pub week_start: WeekStart,
    /// `[from, to)`.
    pub range: TimeRange,
    /// At most 3 properties.
    pub breakdown: Vec<Property>,
    /// How many values a breakdown shows.
    pub breakdown_limit: u32,
    /// An expression over the series.
    pub formula: Option<Formula>,
    /// What it is compared with.
    pub compare: Option<Compare>,
}

/// The values of the breakdown's properties, in its order; missing where they are.
pub type Group = Vec<Option<String>>;

/// The number under which statements know a group: the same function as in ClickHouse. One value is hashed as it is
/// (0 is a missing one), several with their lengths.
pub fn group_key(group: &[Option<String>]) -> u64 {
    if let [value] = group {
        return value.as_ref().map_or(0, |text| xxh3_64(text.as_bytes()));
    }
    let text: String = group
        .iter()
        .map(|value| match value {
            Some(text) => format!("v{}:{text}", text.len()),
            None => "n".to_owned(),
        })
        .collect();
    xxh3_64(text.as_bytes())
}

/// Of what a fact speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The bucket that starts then.
    Bucket(i64),
    /// The whole range (of a previous range: up to where its total stops).
    Range,
    /// A change of the persons within the span, at a place of [`TrendSpec::span_starts`].
    Place(usize),
}

/// What was found about one group of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrendFact {
    /// Place in the shown groups, counted from 1; 0 is Other, or everything without a breakdown.
    pub group: usize,
    /// Of what it speaks.
    pub at: At,
    /// Events; several facts of one bucket add up.
    pub events: u64,
    /// The measure; of counts absent.
    pub value: Option<f64>,
}

/// The facts of one series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesFacts {
    /// Of the range.
    pub current: Vec<TrendFact>,
    /// Of the range before, when they are compared.
    pub previous: Vec<TrendFact>,
}

/// The facts of a trend.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrendFacts {
    /// The breakdown's values that are shown, by rank.
    pub groups: Vec<Group>,
    /// One for each series.
    pub series: Vec<SeriesFacts>,
}

impl TrendFacts {
    /// Of plain counts: see [`TrendSpec::facts_of_counts`].
    pub fn of_counts<'a>(
        spec: &TrendSpec,
        zone: &Zone,
        rows: impl IntoIterator<Item = (&'a str, u32, u64)>,
    ) -> TrendFacts {
        TrendFacts {
            groups: Vec::new(),
            series: spec.facts_of_counts(zone, rows),
        }
    }
}

impl TrendSpec {
    /// The buckets of a range of this trend.
    pub fn buckets(&self, zone: &Zone, range: TimeRange) -> Vec<Bucket> {
        time::buckets(zone, range, self.interval, self.week_start)
    }

    /// Whether counts per UTC quarter hour answer it.
    pub fn is_plain(&self) -> bool {
        let quarter_ms = i64::from(QUARTER_HOUR_S) * 1000;
        let whole = |ts: i64| ts % quarter_ms == 0;
        self.filter.is_everything()
            && self.breakdown.is_empty()
            && self.compare.is_none()
            && self.interval != Interval::Minute
            && whole(self.range.from_ms)
            && whole(self.range.to_ms)
            && self
                .series
                .iter()
                .all(|series| series.measure == Measure::Count && series.filter.is_everything())
    }

    /// The starts of the buckets that a series' span reaches over, in order; the last ones are `buckets`.
    pub fn span_starts(&self, series: &SeriesSpec, zone: &Zone, buckets: &[Bucket]) -> Vec<i64> {
        let mut starts: Vec<i64> = buckets.iter().map(|bucket| bucket.start).collect();
        if let (Span::Rolling(days), Some(first)) =
            (series.span, buckets.first().and_then(|bucket| bucket.date))
        {
            let mut day: Day = first;
            let mut missing = days.saturating_sub(1);
            while missing > 0 && day > time::FIRST_DAY {
                day = day.plus(-1);
                if zone.day_exists(day) {
                    starts.insert(0, zone.day_start(day));
                    missing -= 1;
                }
            }
        }
        starts
    }

    /// The facts of plain counts: rows `(event, start of a UTC quarter hour in seconds, count)` in any order; rows
    /// of other events or outside the range are ignored.
    pub fn facts_of_counts<'a>(
        &self,
        zone: &Zone,
        rows: impl IntoIterator<Item = (&'a str, u32, u64)>,
    ) -> Vec<SeriesFacts> {
        let buckets = self.buckets(zone, self.range);
        // By series and bucket: there are far fewer of them than quarter hours.
        let mut counts = vec![vec![0_u64; buckets.len()]; self.series.len()];
        for (event, quarter_hour_s, count) in rows {
            let ts = i64::from(quarter_hour_s) * 1000;
            let Some(bucket) = self
                .range
                .contains(ts)
                .then(|| time::bucket_of(&buckets, ts))
                .flatten()
            else {
                continue;
            };
            for (series, counts) in self.series.iter().zip(&mut counts) {
                if series.events.iter().any(|name| name == event) {
                    counts[bucket] += count;
                }
            }
        }
        let facts_of = |counts: Vec<u64>| {
            let fact = |at, events| TrendFact {
                group: 0,
                at,
                events,
                value: None,
            };
            let found = buckets.iter().zip(counts).filter(|(_, count)| *count > 0);
            let current = found
                .flat_map(|(bucket, count)| [fact(At::Bucket(bucket.start), count), fact(At::Range, count)]);
            SeriesFacts {
                current: current.collect(),
                previous: Vec::new(),
            }
        };
        counts.into_iter().map(facts_of).collect()
    }
}
