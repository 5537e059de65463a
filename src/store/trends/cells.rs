//! A series read once: every value of the breakdown by bucket.

use clickhouse::Row;
use serde::Deserialize;

use super::{BUCKET, Part, measured, of, seconds, start, which, within};
use crate::metrics::trend::{At, Group, Measure, TrendCell};
use crate::store::filter::{Bind, grouping};
use crate::store::selection::entity;
use crate::store::{Facts, Store, StoreError, facts};

/// Values of a breakdown times buckets that are read in one pass at most.
const MOST_CELLS: u32 = 100_000;

#[derive(Row, Deserialize)]
struct CellRow {
    kind: u8,
    shown: Group,
    at: i64,
    n: u64,
    counted: u64,
    measured: Option<f64>,
    until: Option<f64>,
}

impl Store {
    /// What a series has in a range, by value of the breakdown: each bucket, and where numbers of buckets do not add up
    /// the range up to `until_ms` too. Buckets without events are left out.
    ///
    /// # Errors
    /// [`StoreError::TooManyRows`] where a breakdown has more than [`MOST_CELLS`]; when ClickHouse does not answer within
    /// the limits.
    pub(super) async fn trend_cells(&self, part: Part<'_>) -> Result<Facts<Vec<TrendCell>>, StoreError> {
        let Part {
            spec,
            series,
            range,
            until_ms,
            ..
        } = part;
        let starts = part.starts();
        let mut bind = Bind::new();
        let (mut keys, mut shown, mut inner) = (String::new(), Vec::new(), String::new());
        for (n, property) in spec.breakdown.iter().enumerate() {
            let name = format!("k{n}");
            let (key, text) = grouping(property, &name, &mut bind);
            inner.push_str(&format!("{key} AS {name}, "));
            keys.push_str(&format!("{name}, "));
            shown.push(text);
        }
        let (number, entity) = (of(series, &mut bind), entity(series.group.as_ref(), &mut bind));
        let which_events = which(spec, series, range, &mut bind);
        // Where all of the range counts it need not be told apart.
        let whole = until_ms >= range.to_ms;
        let of_range = keys.trim_end_matches(", ");
        let (kind, by) = match (series.measure.adds_up(), whole) {
            (true, _) => ("toUInt8(0)", format!("{keys}start")),
            (false, true) => (
                "toUInt8(grouping(start))",
                format!("GROUPING SETS (({keys}start), ({of_range}))"),
            ),
            (false, false) => (
                "toUInt8(grouping(start))",
                format!("GROUPING SETS (({keys}start), ({keys}counts)) HAVING kind = 0 OR counts"),
            ),
        };
        let (counts, counted, until) = match whole {
            true => ("1", "count()", measured(series.measure)),
            false => (
                "ts < fromUnixTimestamp64Milli({until:Int64}, 'UTC')",
                "countIf(counts)",
                measured_until(series.measure).to_owned(),
            ),
        };
        let sql = format!(
            "SELECT {kind} AS kind, CAST([{shown}], 'Array(Nullable(String))') AS shown, toInt64(start) * 1000 AS at, \
               count() AS n, {counted} AS counted, {measured} AS measured, {until} AS until FROM ( \
               SELECT {inner}{start} AS start, toUInt8({counts}) AS counts, {entity} AS entity, {number} AS x \
               FROM {people} WHERE {which_events}) GROUP BY {by}",
            people = self.people(),
            shown = shown.join(", "),
            measured = measured(series.measure),
            start = start(&starts),
        );
        let mut query = within(self.question(part.project, &sql), range)
            .param("starts", seconds(&starts))
            .param("until", until_ms);
        if !spec.breakdown.is_empty() {
            query = query
                .with_setting("max_rows_to_group_by", MOST_CELLS.to_string())
                .with_setting("group_by_overflow_mode", "throw");
        }
        let found: Facts<Vec<CellRow>> = facts(bind.apply(query)).await?;
        let cell = |row: CellRow| TrendCell {
            values: row.shown,
            at: match row.kind {
                BUCKET => At::Bucket(row.at),
                _ => At::Range,
            },
            events: row.n,
            counted: row.counted,
            value: row.measured,
            until: row.until,
        };
        Ok(Facts {
            // Of nothing there is a range too.
            rows: found.rows.into_iter().filter(|row| row.n > 0).map(cell).collect(),
            rows_read: found.rows_read,
        })
    }
}

/// The same of the events that count, for measures whose buckets add up.
fn measured_until(measure: Measure) -> &'static str {
    match measure {
        Measure::Sum => "CAST(sumIf(x, counts), 'Nullable(Float64)')",
        Measure::Min => "CAST(minIf(x, counts), 'Nullable(Float64)')",
        Measure::Max => "CAST(maxIf(x, counts), 'Nullable(Float64)')",
        _ => "CAST(NULL, 'Nullable(Float64)')",
    }
}
