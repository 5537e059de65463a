//! Trends of raw events. A series is read once: every value of the breakdown by bucket, as long as there are not too many
//! of them; `metrics` ranks them and puts those together that are not shown. `groups` is for what that cannot answer.

mod cells;
mod groups;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};

use self::groups::Wanted;
use super::filter::{Bind, condition, number, value};
use super::{Facts, Store, StoreError};
use crate::event::zone::UTC_DAY_MS;
use crate::event::{Day, ProjectNumber, Zone};
use crate::metrics::filter::Filter;
use crate::metrics::time::TimeRange;
use crate::metrics::trend::{Measure, SeriesFacts, SeriesSpec, TrendFact, TrendFacts, TrendSpec, fold, rank};

/// Statements of one trend that ClickHouse works on at once.
const AT_ONCE: usize = 4;

const BUCKET: u8 = 0;
const RANGE: u8 = 1;

/// One series of a trend in one range.
#[derive(Clone, Copy, Debug)]
struct Part<'a> {
    project: ProjectNumber,
    spec: &'a TrendSpec,
    series: &'a SeriesSpec,
    range: TimeRange,
    /// Where the range's total stops.
    until_ms: i64,
    zone: &'a Zone,
}

impl<'a> Part<'a> {
    /// The parts of a trend: each series in the range, and in the one before where they are compared.
    fn all(project: ProjectNumber, spec: &'a TrendSpec, zone: &'a Zone) -> Vec<Part<'a>> {
        let now = Some((spec.range, spec.range.to_ms));
        let before = spec.compare.map(|compare| (compare.previous, compare.until_ms));
        let of_series = |series| {
            let ranges = [now, before].into_iter().flatten();
            ranges.map(move |(range, until_ms)| Part {
                project,
                spec,
                series,
                range,
                until_ms,
                zone,
            })
        };
        spec.series.iter().flat_map(of_series).collect()
    }

    /// The starts of its buckets.
    fn starts(&self) -> Vec<i64> {
        let buckets = self.spec.buckets(self.zone, self.range);
        buckets.iter().map(|bucket| bucket.start).collect()
    }
}

/// Some statements at a time, all of them if none fails.
async fn at_once<T>(statements: Vec<BoxFuture<'_, Result<T, StoreError>>>) -> Result<Vec<T>, StoreError> {
    stream::iter(statements).buffered(AT_ONCE).try_collect().await
}

impl Store {
    /// The facts of a trend that raw events answer.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn trend(
        &self,
        project: ProjectNumber,
        spec: &TrendSpec,
        zone: &Zone,
    ) -> Result<Facts<TrendFacts>, StoreError> {
        let parts = Part::all(project, spec, zone);
        let cells = parts.iter().map(|part| self.trend_cells(*part).boxed()).collect();
        let cells = match at_once(cells).await {
            Err(StoreError::TooManyRows(_)) if !spec.breakdown.is_empty() => {
                return self.trend_by_rank(project, spec, zone).await;
            }
            cells => cells?,
        };
        let mut rows_read: u64 = cells.iter().map(|cells| cells.rows_read).sum();
        let groups = cells.first().map_or(Vec::new(), |first| rank(spec, &first.rows));
        let mut folded = Vec::new();
        let mut more = Vec::new();
        for (cells, part) in cells.into_iter().zip(&parts) {
            let of_part = fold(part.series, cells.rows, &groups);
            let wanted = of_part.lacks_other.then_some(Wanted::Other);
            more.push(self.trend_facts(*part, &groups, wanted).boxed());
            folded.push(of_part.facts);
        }
        let mut facts = Vec::new();
        for (folded, more) in folded.into_iter().zip(at_once(more).await?) {
            rows_read += more.rows_read;
            facts.push([folded, more.rows].concat());
        }
        Ok(Facts {
            rows: TrendFacts {
                series: by_series(spec, facts),
                groups,
            },
            rows_read,
        })
    }

    /// The same for breakdowns with very many values: they are ranked first, then each series is measured by those that
    /// are shown.
    ///
    /// # Errors
    /// As [`Store::trend`].
    pub async fn trend_by_rank(
        &self,
        project: ProjectNumber,
        spec: &TrendSpec,
        zone: &Zone,
    ) -> Result<Facts<TrendFacts>, StoreError> {
        let ranked = self.trend_groups(project, spec).await?;
        let parts = Part::all(project, spec, zone);
        let groups = ranked.rows;
        let facts = parts
            .iter()
            .map(|part| self.trend_facts(*part, &groups, Some(Wanted::Every)).boxed());
        let found = at_once(facts.collect()).await?;
        let rows_read = found.iter().map(|found| found.rows_read).sum::<u64>() + ranked.rows_read;
        let facts = found.into_iter().map(|found| found.rows).collect();
        Ok(Facts {
            rows: TrendFacts {
                series: by_series(spec, facts),
                groups,
            },
            rows_read,
        })
    }
}

/// The facts of all parts by series.
fn by_series(spec: &TrendSpec, facts: Vec<Vec<TrendFact>>) -> Vec<SeriesFacts> {
    let mut facts = facts.into_iter();
    let of_one = |_| SeriesFacts {
        current: facts.next().unwrap_or_default(),
        previous: match spec.compare {
            Some(_) => facts.next().unwrap_or_default(),
            None => Vec::new(),
        },
    };
    spec.series.iter().map(of_one).collect()
}

/// The events of a series in a range, as a condition. `{from}`, `{to}`, `{from_day}`, `{to_day}` have to be bound.
fn which(spec: &TrendSpec, series: &SeriesSpec, range: TimeRange, bind: &mut Bind) -> String {
    let names = match series.events.as_slice() {
        [name] => format!("event = {}", bind.text(name)),
        names => format!("event IN {}", bind.texts(names)),
    };
    let mut conditions = format!(
        "project = {{project:UInt32}} AND {names} \
         AND day >= toDate({{from_day:UInt16}}) AND day <= toDate({{to_day:UInt16}})"
    );
    if !is_utc_day(range.from_ms) || !is_utc_day(range.to_ms) {
        conditions.push_str(
            " AND ts >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') \
             AND ts < fromUnixTimestamp64Milli({to:Int64}, 'UTC')",
        );
    }
    for filter in [&spec.filter, &series.filter] {
        if *filter != Filter::everything() {
            conditions.push_str(" AND ");
            conditions.push_str(&condition(filter, bind));
        }
    }
    conditions
}

/// Whether a UTC day begins then.
fn is_utc_day(ts: i64) -> bool {
    ts.rem_euclid(UTC_DAY_MS) == 0
}

/// The start of an event's bucket, in seconds; the starts have to be bound. The buckets are those of metrics' own
/// clock, not of ClickHouse's zone tables. Where they are made of UTC days the time need not be read.
fn start(starts: &[i64]) -> &'static str {
    match starts.iter().all(|start| is_utc_day(*start)) {
        true => "roundDown(toUInt32(toUInt16(day)) * 86400, {starts:Array(UInt32)})",
        false => "roundDown(toUnixTimestamp(ts), {starts:Array(UInt32)})",
    }
}

/// Starts of buckets in seconds: all are whole ones, and ClickHouse takes 128 KiB for one parameter.
fn seconds(starts: &[i64]) -> Vec<u32> {
    let second = |start: &i64| u32::try_from(start.div_euclid(1000).max(0)).unwrap_or(u32::MAX);
    starts.iter().map(second).collect()
}

fn within(query: clickhouse::query::Query, range: TimeRange) -> clickhouse::query::Query {
    query
        .param("from", range.from_ms)
        .param("to", range.to_ms)
        .param("from_day", Day::of_utc(range.from_ms).as_u16())
        .param("to_day", Day::of_utc(range.to_ms - 1).as_u16())
}

/// The number that a series measures.
fn of(series: &SeriesSpec, bind: &mut Bind) -> String {
    match &series.of {
        Some(property) => {
            let text = value(property, bind);
            number(&text, bind)
        }
        None => "CAST(NULL, 'Nullable(Float64)')".to_owned(),
    }
}

/// The measure as an aggregate of `x` and `entity`.
fn measured(measure: Measure) -> String {
    let value = match measure {
        Measure::Count => "NULL",
        Measure::Persons => "uniqExact(entity)",
        Measure::PerPerson => "count() / uniqExact(entity)",
        Measure::Sum => "sum(x)",
        Measure::Avg => "avg(x)",
        Measure::Min => "min(x)",
        Measure::Max => "max(x)",
        Measure::P50 => "quantileExactInclusiveOrNull(0.5)(x)",
        Measure::P90 => "quantileExactInclusiveOrNull(0.9)(x)",
        Measure::P95 => "quantileExactInclusiveOrNull(0.95)(x)",
        Measure::P99 => "quantileExactInclusiveOrNull(0.99)(x)",
    };
    format!("CAST({value}, 'Nullable(Float64)')")
}
