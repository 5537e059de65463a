//! Trends of raw events: what is measured by group and bucket, one statement a series.

use clickhouse::Row;
use serde::Deserialize;

use super::filter::{Bind, condition, number, value};
use super::{Facts, Store, StoreError, facts};
use crate::event::{Day, ProjectNumber, Zone};
use crate::metrics::filter::Filter;
use crate::metrics::time::TimeRange;
use crate::metrics::trend::{At, Group, Measure, SeriesSpec, Span, TrendFact, TrendSpec, group_key};

#[derive(Row, Deserialize)]
struct Ranked {
    shown: Vec<Option<String>>,
}

#[derive(Row, Deserialize)]
struct Found {
    kind: u8,
    place: u16,
    at: i64,
    n: u64,
    measured: Option<f64>,
}

const BUCKET: u8 = 0;
const RANGE: u8 = 1;

/// The events of a series in a range, as a condition. `{from}`, `{to}`, `{from_day}`, `{to_day}` have to be bound.
fn which(spec: &TrendSpec, series: &SeriesSpec, bind: &mut Bind) -> String {
    let names = match series.events.as_slice() {
        [name] => format!("event = {}", bind.text(name)),
        names => format!("event IN {}", bind.texts(names)),
    };
    let mut conditions = format!(
        "project = {{project:UInt32}} AND {names} \
         AND day >= toDate({{from_day:UInt16}}) AND day <= toDate({{to_day:UInt16}}) \
         AND ts >= fromUnixTimestamp64Milli({{from:Int64}}, 'UTC') AND ts < fromUnixTimestamp64Milli({{to:Int64}}, 'UTC')"
    );
    for filter in [&spec.filter, &series.filter] {
        if *filter != Filter::everything() {
            conditions.push_str(" AND ");
            conditions.push_str(&condition(filter, bind));
        }
    }
    conditions
}

impl Store {
    /// The values of a trend's breakdown that are shown: by the first series' measure over the range when that is
    /// `count`, `persons` or `sum`, else by its events, ties by text; events that lack every property left out.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn trend_groups(
        &self,
        project: ProjectNumber,
        spec: &TrendSpec,
    ) -> Result<Facts<Vec<Group>>, StoreError> {
        let nothing = Facts {
            rows: Vec::new(),
            rows_read: 0,
        };
        let Some(series) = spec.series.first().filter(|_| !spec.breakdown.is_empty()) else {
            return Ok(nothing);
        };
        let mut bind = Bind::new();
        let values: Vec<String> = spec
            .breakdown
            .iter()
            .enumerate()
            .map(|(n, property)| format!("{} AS v{n}", value(property, &mut bind)))
            .collect();
        let names: Vec<String> = (0..values.len()).map(|n| format!("v{n}")).collect();
        let number = of(series, &mut bind);
        let rank = match series.measure {
            Measure::Persons => "uniqExact(actor)",
            Measure::Sum => "ifNull(sum(x), 0)",
            _ => "count()",
        };
        let order: Vec<String> = names
            .iter()
            .map(|name| format!("isNull({name}), {name}"))
            .collect();
        let some: Vec<String> = names.iter().map(|name| format!("{name} IS NOT NULL")).collect();
        let sql = format!(
            "SELECT CAST([{listed}], 'Array(Nullable(String))') AS shown FROM ( \
               SELECT {values}, actor, {number} AS x FROM events WHERE {which}) \
             WHERE {some} GROUP BY {listed} ORDER BY {rank} DESC, {order} LIMIT {{limit:UInt32}}",
            listed = names.join(", "),
            values = values.join(", "),
            which = which(spec, series, &mut bind),
            some = some.join(" OR "),
            order = order.join(", "),
        );
        let query = within(self.question(project, &sql), spec.range).param("limit", spec.breakdown_limit);
        let found: Facts<Vec<Ranked>> = facts(bind.apply(query)).await?;
        Ok(Facts {
            rows: found.rows.into_iter().map(|row| row.shown).collect(),
            rows_read: found.rows_read,
        })
    }

    /// What a series has in a range, by shown group: each bucket, and the range up to `until_ms`. Buckets without
    /// events are left out. The buckets are those of metrics' own clock, not of ClickHouse's zone tables.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn trend_facts(
        &self,
        project: ProjectNumber,
        spec: &TrendSpec,
        series: &SeriesSpec,
        (range, until_ms): (TimeRange, i64),
        groups: &[Group],
        zone: &Zone,
    ) -> Result<Facts<Vec<TrendFact>>, StoreError> {
        let buckets = spec.buckets(zone, range);
        let starts: Vec<i64> = buckets.iter().map(|bucket| bucket.start).collect();
        let mut bind = Bind::new();
        let group = grouped(spec, &mut bind);
        let number = of(series, &mut bind);
        let which_events = which(spec, series, &mut bind);
        // Counts add up, so one grouping will do; everything else is measured once more over the whole range.
        let (kind, by) = match series.measure {
            Measure::Count => ("toUInt8(0)", "grp, start"),
            _ => (
                "toUInt8(grouping(start))",
                "GROUPING SETS ((grp, start), (grp, counts)) HAVING kind = 0 OR counts",
            ),
        };
        let sql = format!(
            "SELECT {kind} AS kind, toUInt16(grp) AS place, toInt64(start) * 1000 AS at, count() AS n, \
               {measured} AS measured FROM ( \
               SELECT {group} AS grp, roundDown(toUnixTimestamp(ts), {{starts:Array(UInt32)}}) AS start, \
                 ts < fromUnixTimestamp64Milli({{until:Int64}}, 'UTC') AS counts, actor, {number} AS x \
               FROM events WHERE {which_events}) GROUP BY {by}",
            measured = measured(series.measure),
        );
        let query = self.grouped_by(project, &sql, spec, groups, range);
        let query = query.param("starts", seconds(&starts)).param("until", until_ms);
        let mut found: Facts<Vec<Found>> = facts(bind.apply(query)).await?;
        if series.span != Span::Bucket {
            let starts = spec.span_starts(series, zone, &buckets);
            let steps = self.span(project, spec, series, range, groups, &starts).await?;
            found.rows_read += steps.rows_read;
            found.rows.extend(steps.rows);
        }
        let mut rows = Vec::new();
        for row in found.rows {
            let fact = |at, events, value| TrendFact {
                group: row.place.into(),
                at,
                events,
                value,
            };
            match row.kind {
                BUCKET if series.measure == Measure::Count => {
                    rows.push(fact(At::Bucket(row.at), row.n, None));
                    // Those before `until_ms`.
                    rows.push(fact(At::Range, row.measured.unwrap_or(0.0) as u64, None));
                }
                BUCKET => rows.push(fact(At::Bucket(row.at), row.n, row.measured)),
                RANGE => rows.push(fact(At::Range, row.n, row.measured)),
                _ => {
                    let place = usize::try_from(row.at).unwrap_or(usize::MAX);
                    rows.push(fact(At::Place(place), row.n, row.measured));
                }
            }
        }
        Ok(Facts {
            rows,
            rows_read: found.rows_read,
        })
    }

    /// Where the number of persons within a span changes, and by how much: each person comes with the bucket of an
    /// event, and goes when no event of theirs is within the span any more.
    async fn span(
        &self,
        project: ProjectNumber,
        spec: &TrendSpec,
        series: &SeriesSpec,
        range: TimeRange,
        groups: &[Group],
        starts: &[i64],
    ) -> Result<Facts<Vec<Found>>, StoreError> {
        let mut bind = Bind::new();
        let group = grouped(spec, &mut bind);
        let which_events = which(spec, series, &mut bind);
        let (length, from_ms) = match series.span {
            Span::Rolling(days) => (i64::from(days), starts.first().copied().unwrap_or(range.from_ms)),
            Span::Cumulative | Span::Bucket => (i64::from(u32::MAX), range.from_ms),
        };
        let sql = format!(
            "SELECT toUInt8(2) AS kind, toUInt16(grp) AS place, step.1 AS at, toUInt64(0) AS n, \
               CAST(sum(step.2), 'Nullable(Float64)') AS measured FROM ( \
               SELECT grp, actor, arraySort(groupUniqArray(place)) AS places FROM ( \
                 SELECT {group} AS grp, actor, transform(roundDown(toUnixTimestamp(ts), {{starts:Array(UInt32)}}), \
                   {{starts:Array(UInt32)}}, {{indexes:Array(Int64)}}, toInt64(0)) AS place \
                 FROM events WHERE {which_events}) GROUP BY grp, actor) \
             ARRAY JOIN arrayConcat(arrayMap(p -> (p, 1), places), \
               arrayMap((p, next) -> (least(p + {{length:Int64}}, next), -1), places, \
                 arrayPushBack(arrayPopFront(places), toInt64({{end:Int64}})))) AS step \
             WHERE step.1 < {{end:Int64}} GROUP BY grp, at"
        );
        let reach = TimeRange {
            from_ms,
            to_ms: range.to_ms,
        };
        let indexes: Vec<i64> = (0..starts.len() as i64).collect();
        let query = self
            .grouped_by(project, &sql, spec, groups, reach)
            .param("starts", seconds(starts))
            .param("indexes", indexes)
            .param("length", length)
            .param("end", starts.len() as i64);
        facts(bind.apply(query)).await
    }

    fn grouped_by(
        &self,
        project: ProjectNumber,
        sql: &str,
        spec: &TrendSpec,
        groups: &[Group],
        range: TimeRange,
    ) -> clickhouse::query::Query {
        let query = within(self.question(project, sql), range);
        if spec.breakdown.is_empty() {
            return query;
        }
        let none = vec![None; spec.breakdown.len()];
        let keys: Vec<u64> = groups
            .iter()
            .chain([&none])
            .map(|group| group_key(group))
            .collect();
        let places: Vec<u16> = (1..).take(keys.len()).collect();
        query.param("keys", keys).param("places", places)
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

/// The number of an event's group: [`group_key`] looked up among those that are shown.
fn grouped(spec: &TrendSpec, bind: &mut Bind) -> String {
    if spec.breakdown.is_empty() {
        return "toUInt16(0)".to_owned();
    }
    let key = match spec.breakdown.as_slice() {
        [property] => format!("ifNull(xxh3({}), 0)", value(property, bind)),
        properties => {
            let texts: Vec<String> = properties
                .iter()
                .enumerate()
                .map(|(n, property)| {
                    let value = value(property, bind);
                    format!(
                        "if(isNull({value} AS v{n}), 'n', \
                         concat('v', toString(length(v{n})), ':', assumeNotNull(v{n})))"
                    )
                })
                .collect();
            format!("xxh3(concat({}))", texts.join(", "))
        }
    };
    format!("transform({key}, {{keys:Array(UInt64)}}, {{places:Array(UInt16)}}, toUInt16(0))")
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

fn measured(measure: Measure) -> String {
    let value = match measure {
        Measure::Count => "countIf(counts)",
        Measure::Persons => "uniqExact(actor)",
        Measure::PerPerson => "count() / uniqExact(actor)",
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
