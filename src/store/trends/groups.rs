//! Trends by values that were ranked before: for breakdowns with more values than one pass takes, for what those that are
//! not shown measure together, and for persons within a span.

use clickhouse::Row;
use clickhouse::query::Query;
use serde::Deserialize;

use super::{BUCKET, Part, RANGE, measured, of, seconds, start, which, within};
use crate::event::ProjectNumber;
use crate::metrics::time::TimeRange;
use crate::metrics::trend::{At, Group, Measure, Span, TrendFact, TrendSpec};
use crate::store::breakdown::{bind_groups, grouped, ranked, ranking};
use crate::store::filter::Bind;
use crate::store::selection::entity;
use crate::store::{Facts, Store, StoreError, facts};

/// Which of a trend's groups are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of them.
    Every,
    /// What is not shown, together.
    Other,
}

#[derive(Row, Deserialize)]
struct Found {
    kind: u8,
    place: u16,
    at: i64,
    n: u64,
    measured: Option<f64>,
}

impl Store {
    /// The values of a trend's breakdown that are shown: by the first series' measure over the range when that is
    /// `count`, `persons` or `sum`, else by its events, ties by text; events that lack every property left out.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub(super) async fn trend_groups(
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
        let rank = match series.measure {
            Measure::Persons => "uniqExact(entity)",
            Measure::Sum => "ifNull(sum(x), 0)",
            _ => "count()",
        };
        let select = format!(
            "{} AS entity, {} AS x",
            entity(series.group.as_ref(), &mut bind),
            of(series, &mut bind)
        );
        let from = which(spec, series, spec.range, &mut bind);
        let sql = ranking(&spec.breakdown, (&select, &from, rank), self.people(), &mut bind);
        let query = within(self.question(project, &sql), spec.range);
        ranked(bind.apply(query), spec.breakdown_limit).await
    }

    /// What a series has in a range, by shown group: where `wanted`, each bucket, and the range up to where its total
    /// stops; then changes of the persons within its span, if it has one. Buckets without events are left out.
    pub(super) async fn trend_facts(
        &self,
        part: Part<'_>,
        groups: &[Group],
        wanted: Option<Wanted>,
    ) -> Result<Facts<Vec<TrendFact>>, StoreError> {
        let mut found = match wanted {
            Some(wanted) => self.measured(part, groups, wanted).await?,
            None => Facts {
                rows: Vec::new(),
                rows_read: 0,
            },
        };
        if part.series.span != Span::Bucket {
            let spans = self.spans(part, groups).await?;
            found.rows.extend(spans.rows);
            found.rows_read += spans.rows_read;
        }
        Ok(found)
    }

    async fn measured(
        &self,
        part: Part<'_>,
        groups: &[Group],
        wanted: Wanted,
    ) -> Result<Facts<Vec<TrendFact>>, StoreError> {
        let Part {
            spec, series, range, ..
        } = part;
        let starts = part.starts();
        let mut bind = Bind::new();
        let group = grouped(&spec.breakdown, &mut bind);
        let (number, entity) = (of(series, &mut bind), entity(series.group.as_ref(), &mut bind));
        let which_events = which(spec, series, range, &mut bind);
        // Counts add up, so one grouping will do; everything else is measured once more over the whole range.
        let (kind, by) = match series.measure {
            Measure::Count => ("toUInt8(0)", "grp, start"),
            _ => (
                "toUInt8(grouping(start))",
                "GROUPING SETS ((grp, start), (grp, counts)) HAVING kind = 0 OR counts",
            ),
        };
        let only = match wanted {
            Wanted::Every => "",
            Wanted::Other => "WHERE grp = 0",
        };
        let measured = match series.measure {
            Measure::Count => "CAST(countIf(counts), 'Nullable(Float64)')".to_owned(),
            measure => measured(measure),
        };
        let sql = format!(
            "SELECT {kind} AS kind, toUInt16(grp) AS place, toInt64(start) * 1000 AS at, count() AS n, \
               {measured} AS measured FROM ( \
               SELECT {group} AS grp, {start} AS start, \
                 ts < fromUnixTimestamp64Milli({{until:Int64}}, 'UTC') AS counts, {entity} AS entity, {number} AS x \
               FROM {people} WHERE {which_events}) {only} GROUP BY {by}",
            people = self.people(),
            start = start(&starts),
        );
        let query = self.grouped_by(part, &sql, groups, range);
        let query = query
            .param("starts", seconds(&starts))
            .param("until", part.until_ms);
        let found: Facts<Vec<Found>> = facts(bind.apply(query)).await?;
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
                _ => {
                    debug_assert_eq!(row.kind, RANGE, "buckets and the range");
                    rows.push(fact(At::Range, row.n, row.measured));
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
    async fn spans(&self, part: Part<'_>, groups: &[Group]) -> Result<Facts<Vec<TrendFact>>, StoreError> {
        let Part {
            spec, series, range, ..
        } = part;
        let starts = &spec.span_starts(series, part.zone, &spec.buckets(part.zone, range));
        let mut bind = Bind::new();
        let group = grouped(&spec.breakdown, &mut bind);
        let first = match series.span {
            Span::Rolling(_) => starts.first().copied().unwrap_or(range.from_ms),
            Span::Cumulative | Span::Bucket => range.from_ms,
        };
        let reach = TimeRange {
            from_ms: first,
            to_ms: range.to_ms,
        };
        let entity = entity(series.group.as_ref(), &mut bind);
        let which_events = which(spec, series, reach, &mut bind);
        let length = match series.span {
            Span::Rolling(days) => i64::from(days),
            Span::Cumulative | Span::Bucket => i64::from(u32::MAX),
        };
        let sql = format!(
            "SELECT toUInt8(2) AS kind, toUInt16(grp) AS place, step.1 AS at, toUInt64(0) AS n, \
               CAST(sum(step.2), 'Nullable(Float64)') AS measured FROM ( \
               SELECT grp, entity, arraySort(groupUniqArray(place)) AS places FROM ( \
                 SELECT {group} AS grp, {entity} AS entity, transform(roundDown(toUnixTimestamp(ts), {{starts:Array(UInt32)}}), \
                   {{starts:Array(UInt32)}}, {{indexes:Array(Int64)}}, toInt64(0)) AS place \
                 FROM {people} WHERE {which_events}) GROUP BY grp, entity) \
             ARRAY JOIN arrayConcat(arrayMap(p -> (p, 1), places), \
               arrayMap((p, next) -> (least(p + {{length:Int64}}, next), -1), places, \
                 arrayPushBack(arrayPopFront(places), toInt64({{end:Int64}})))) AS step \
             WHERE step.1 < {{end:Int64}} GROUP BY grp, at",
            people = self.people(),
        );
        let indexes: Vec<i64> = (0..starts.len() as i64).collect();
        let query = self
            .grouped_by(part, &sql, groups, reach)
            .param("starts", seconds(starts))
            .param("indexes", indexes)
            .param("length", length)
            .param("end", starts.len() as i64);
        let found: Facts<Vec<Found>> = facts(bind.apply(query)).await?;
        let step = |row: Found| TrendFact {
            group: row.place.into(),
            at: At::Place(usize::try_from(row.at).unwrap_or(usize::MAX)),
            events: row.n,
            value: row.measured,
        };
        Ok(Facts {
            rows: found.rows.into_iter().map(step).collect(),
            rows_read: found.rows_read,
        })
    }

    fn grouped_by(&self, part: Part<'_>, sql: &str, groups: &[Group], range: TimeRange) -> Query {
        let query = within(self.question(part.project, sql), range);
        bind_groups(query, part.spec.breakdown.len(), groups)
    }
}
