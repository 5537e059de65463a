//! The one reader of rollups: the rows of each day's latest generation, and the deltas behind its cuts.
//!
//! A compaction adds rows under a new generation and then, by one row in `compactions`, makes it the
//! latest; old generations and passed deltas go much later ([`super::compact`]). So a reader that finds out
//! *first* which generation is the latest, and *then* reads rows and deltas, is right at every moment. In
//! one statement that order is the order of the FROM clause: ClickHouse takes its snapshot of a table when
//! it resolves the table's name, from left to right. Hence `heads … RIGHT JOIN rows`; the join is told to
//! swap its sides, so that the hash table is built over the few heads.

mod counts;
mod names;
mod sketches;
mod upto;

use clickhouse::Row;
use serde::Deserialize;

pub use names::{NameDay, NameSpan};
pub use sketches::DeltaSpan;
pub(super) use upto::FINGERPRINT;

use super::compact::Kind;
use super::rows::ByteBuf;
use super::{Facts, Store, StoreError, facts};
use crate::event::zone::UTC_DAY_MS;
use crate::event::{Day, ProjectNumber};

/// How many events of one name fell into one UTC quarter hour.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Row, Deserialize)]
pub struct CountRow {
    pub event: String,
    /// Start of the UTC quarter hour, in seconds.
    pub bucket: u32,
    pub count: u64,
}

#[derive(Row, Deserialize)]
struct Total {
    event: String,
    count: u64,
}

#[derive(Row, Deserialize)]
struct DaySketch {
    day: u16,
    sketch: ByteBuf,
}

#[derive(Row, Deserialize)]
struct Span {
    first: u16,
    last: u16,
    found: u64,
}

/// `SELECT {what}` over the valid counts of `[from, to)`; `{names}` may restrict the events.
fn over_counts(what: &str, names: &str) -> String {
    format!(
        "SELECT {what} FROM ( \
           SELECT day, max(gen) AS head, argMax(cuts, gen) AS cuts FROM compactions \
           WHERE project = {{project:UInt32}} AND kind = 'counts' \
             AND day >= toDate({{from_day:UInt16}}) AND day <= toDate({{to_day:UInt16}}) GROUP BY day \
         ) AS h RIGHT JOIN ( \
           SELECT toDate(bucket) AS day, event, bucket, count AS n, gen, 0::UInt16 AS shard, 0::UInt64 AS batch \
           FROM counts WHERE project = {{project:UInt32}} AND {within} {names} \
           UNION ALL \
           SELECT toDate(bucket) AS day, event, bucket, count AS n, 0::UInt64 AS gen, shard, batch \
           FROM count_deltas WHERE project = {{project:UInt32}} AND {within} {names} \
         ) AS r ON r.day = h.day \
         WHERE {VALID}",
        within = "bucket >= toDateTime({from:UInt32}, 'UTC') AND bucket < toDateTime({to:UInt32}, 'UTC')",
    )
}

/// A generation's row is valid if it is the latest; a delta (gen 0) if its batch lies behind the cut. A day
/// without a compaction has head 0 and no cuts, and a missing element is 0.
const VALID: &str = "(r.gen != 0 AND r.gen = h.head) OR (r.gen = 0 AND r.batch > h.cuts[r.shard + 1])";

/// `SELECT {what}` over the valid sketches of `{within}` (columns `event` and `day`).
fn over_sketches(what: &str, within: &str) -> String {
    format!(
        "SELECT {what} FROM ( \
           SELECT day, max(gen) AS head, argMax(cuts, gen) AS cuts FROM compactions \
           WHERE project = {{project:UInt32}} AND kind = 'sketches' GROUP BY day \
         ) AS h RIGHT JOIN ( \
           SELECT day, event, sketch, gen, 0::UInt16 AS shard, 0::UInt64 AS batch \
           FROM sketches WHERE project = {{project:UInt32}} AND {within} \
           UNION ALL \
           SELECT day, event, sketch, 0::UInt64 AS gen, shard, batch \
           FROM sketch_deltas WHERE project = {{project:UInt32}} AND {within} \
         ) AS r ON r.day = h.day \
         WHERE {VALID}"
    )
}

impl Store {
    /// A question of rollups: one thread (more cost CPU and save nothing on such small tables).
    fn rollup(&self, project: ProjectNumber, sql: &str) -> clickhouse::query::Query {
        self.question(project, sql)
            .with_setting("max_threads", "1")
            .with_setting("query_plan_join_swap_table", "true")
    }

    fn over_counts(
        &self,
        project: ProjectNumber,
        (what, names, tail): (&str, &str, &str),
        (from_s, to_s): (u32, u32),
    ) -> clickhouse::query::Query {
        let day = |seconds: u32| Day::of_utc(i64::from(seconds) * 1000).as_u16();
        self.rollup(project, &format!("{} {tail}", over_counts(what, names)))
            .param("from", from_s)
            .param("to", to_s)
            .param("from_day", day(from_s))
            .param("to_day", day(to_s))
    }

    /// Events by name and UTC quarter hour, of `[from_s, to_s)` (seconds, whole quarter hours), ordered by
    /// name and time; `events` restricts the names. Quarter hours without events are left out.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn counts(
        &self,
        project: ProjectNumber,
        events: Option<&[String]>,
        from_s: u32,
        to_s: u32,
    ) -> Result<Facts<Vec<CountRow>>, StoreError> {
        let names = events.map_or("", |_| "AND event IN {names:Array(String)}");
        let what = "event, bucket, sum(n) AS count";
        let tail = "GROUP BY event, bucket ORDER BY event, bucket";
        let mut query = self.over_counts(project, (what, names, tail), (from_s, to_s));
        if let Some(events) = events {
            query = query.param("names", events);
        }
        facts(query).await
    }

    /// The `limit` most frequent event names of `[from_s, to_s)`, most frequent first, ties by name.
    ///
    /// # Errors
    /// As [`Store::counts`].
    pub async fn event_totals(
        &self,
        project: ProjectNumber,
        from_s: u32,
        to_s: u32,
        limit: u32,
    ) -> Result<Facts<Vec<(String, u64)>>, StoreError> {
        let tail = "GROUP BY event ORDER BY count DESC, event LIMIT {limit:UInt32}";
        let query = self
            .over_counts(project, ("event, sum(n) AS count", "", tail), (from_s, to_s))
            .param("limit", limit);
        let found: Facts<Vec<Total>> = facts(query).await?;
        let rows = found.rows.into_iter().map(|row| (row.event, row.count)).collect();
        Ok(Facts {
            rows,
            rows_read: found.rows_read,
        })
    }

    /// Events of each UTC day, all names together: what the audit compares with raw.
    pub(super) async fn day_totals(&self, project: ProjectNumber) -> Result<Vec<(Day, u64)>, StoreError> {
        #[derive(Row, Deserialize)]
        struct DayTotal {
            on: u16,
            count: u64,
        }
        let query = self.over_counts(
            project,
            ("r.day AS on, sum(n) AS count", "", "GROUP BY on ORDER BY on"),
            (0, u32::MAX),
        );
        let found: Facts<Vec<DayTotal>> = facts(query).await?;
        Ok(found
            .rows
            .into_iter()
            .map(|row| (Day(row.on.into()), row.count))
            .collect())
    }

    /// The encoded sketches of one event name (`""`: any activity) for the local days `[from, to)`, in order
    /// of day. A day has one for its compacted past and one for each batch since: unite them.
    ///
    /// # Errors
    /// As [`Store::counts`].
    pub async fn day_sketches(
        &self,
        project: ProjectNumber,
        event: &str,
        from: Day,
        to: Day,
    ) -> Result<Facts<Vec<(Day, Vec<u8>)>>, StoreError> {
        let within = "event = {event:String} AND day >= toDate({from:UInt16}) AND day < toDate({to:UInt16})";
        let sql = format!(
            "{} ORDER BY day",
            over_sketches("r.day AS day, r.sketch AS sketch", within)
        );
        let query = self
            .rollup(project, &sql)
            .param("event", event)
            .param("from", from.as_u16())
            .param("to", to.as_u16());
        let found: Facts<Vec<DaySketch>> = facts(query).await?;
        let rows = found
            .rows
            .into_iter()
            .map(|row| (Day(row.day.into()), row.sketch.0))
            .collect();
        Ok(Facts {
            rows,
            rows_read: found.rows_read,
        })
    }

    /// The latest generation of each of the days `[from, to)` that has one.
    ///
    /// # Errors
    /// As [`Store::counts`].
    pub async fn heads(
        &self,
        project: ProjectNumber,
        kind: Kind,
        from: Day,
        to: Day,
    ) -> Result<Facts<Vec<(Day, u64)>>, StoreError> {
        #[derive(Row, Deserialize)]
        struct Head {
            on: u16,
            head: u64,
        }
        let sql = format!(
            "SELECT day AS on, max(gen) AS head FROM compactions \
             WHERE project = {{project:UInt32}} AND kind = '{}' \
               AND day >= toDate({{from:UInt16}}) AND day < toDate({{to:UInt16}}) GROUP BY day",
            kind.name()
        );
        let query = self
            .rollup(project, &sql)
            .param("from", from.as_u16())
            .param("to", to.as_u16());
        let found: Facts<Vec<Head>> = facts(query).await?;
        let rows = found.rows.into_iter();
        Ok(Facts {
            rows: rows.map(|row| (Day(row.on.into()), row.head)).collect(),
            rows_read: found.rows_read,
        })
    }

    /// The first and the last local day with activity; `None` for a project without any.
    ///
    /// # Errors
    /// As [`Store::counts`].
    pub async fn data_days(&self, project: ProjectNumber) -> Result<Option<(Day, Day)>, StoreError> {
        let what = "min(r.day) AS first, max(r.day) AS last, count() AS found";
        let query = self.rollup(project, &over_sketches(what, "event = ''"));
        let span: Option<Span> = query.fetch_optional().await?;
        Ok(span
            .filter(|span| span.found > 0)
            .map(|span| (Day(span.first.into()), Day(span.last.into()))))
    }
}

/// The half-open range of whole quarter hours, in seconds, that covers `[from_ms, to_ms)`; instants outside
/// 1970 to 2106 saturate.
pub fn quarter_hours(from_ms: i64, to_ms: i64) -> (u32, u32) {
    let quarter_ms = i64::from(crate::event::QUARTER_HOUR_S) * 1000;
    debug_assert_eq!(UTC_DAY_MS % quarter_ms, 0, "a UTC day is whole quarter hours");
    let seconds = |quarters: i64| {
        let seconds = quarters.saturating_mul(i64::from(crate::event::QUARTER_HOUR_S));
        u32::try_from(seconds.max(0)).unwrap_or(u32::MAX)
    };
    let up = to_ms.div_euclid(quarter_ms) + i64::from(to_ms.rem_euclid(quarter_ms) != 0);
    (seconds(from_ms.div_euclid(quarter_ms)), seconds(up))
}
