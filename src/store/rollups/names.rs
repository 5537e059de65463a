//! Counts by name: what happens how often, and since when.

use clickhouse::Row;
use serde::Deserialize;

use crate::event::ProjectNumber;
use crate::store::{Facts, Store, StoreError, facts};

/// A name and its counts.
#[derive(Clone, Debug, PartialEq, Eq, Row, Deserialize)]
pub struct NameSpan {
    pub event: String,
    /// Start of the first UTC quarter hour in which it happened, in seconds.
    pub first: u32,
    /// Start of the last one.
    pub last: u32,
    /// Events of all time.
    pub total: u64,
    /// Events of the range that was asked for.
    pub volume: u64,
}

/// How many events of one name fell into one of several spans.
#[derive(Clone, Debug, PartialEq, Eq, Row, Deserialize)]
pub struct NameDay {
    pub event: String,
    /// Which span, from 0.
    pub at: u16,
    pub count: u64,
}

const ALL_TIME: (u32, u32) = (0, u32::MAX);

/// Names of one statement: ClickHouse takes 128 KiB for one parameter.
const NAMES_AT_ONCE: usize = 100;

impl Store {
    /// The `limit` most frequent names, with their counts of all time and of `[from_s, to_s)` (whole quarter hours):
    /// the most frequent of the range first, then of all time, then by name.
    ///
    /// # Errors
    /// As [`Store::counts`].
    pub async fn name_spans(
        &self,
        project: ProjectNumber,
        (from_s, to_s): (u32, u32),
        limit: u32,
    ) -> Result<Facts<Vec<NameSpan>>, StoreError> {
        let what = "event, toUInt32(min(bucket)) AS first, toUInt32(max(bucket)) AS last, sum(n) AS total, \
                    sumIf(n, bucket >= toDateTime({since:UInt32}, 'UTC') AND bucket < toDateTime({until:UInt32}, 'UTC')) \
                      AS volume";
        let tail = "GROUP BY event ORDER BY volume DESC, total DESC, event LIMIT {limit:UInt32}";
        let query = self
            .over_counts(project, (what, "", tail), ALL_TIME)
            .param("since", from_s)
            .param("until", to_s)
            .param("limit", limit);
        facts(query).await
    }

    /// Those of the names that ever happened, and were not removed since.
    ///
    /// # Errors
    /// As [`Store::counts`].
    pub async fn names_among(
        &self,
        project: ProjectNumber,
        names: &[String],
    ) -> Result<Vec<String>, StoreError> {
        #[derive(Row, Deserialize)]
        struct Name {
            event: String,
        }
        let mut found = Vec::new();
        for some in names.chunks(NAMES_AT_ONCE) {
            let which = "AND event IN {names:Array(String)}";
            let query = self.over_counts(project, ("event", which, "GROUP BY event"), ALL_TIME);
            let rows: Facts<Vec<Name>> = facts(query.param("names", some)).await?;
            found.extend(rows.rows.into_iter().map(|row| row.event));
        }
        Ok(found)
    }

    /// Events of some names in the spans that begin at `starts` (seconds, ascending, the last is the end); `names` are
    /// the xxh3 of the names, because a list of names may be longer than ClickHouse takes.
    ///
    /// # Errors
    /// As [`Store::counts`].
    pub async fn name_days(
        &self,
        project: ProjectNumber,
        names: &[u64],
        starts: &[u32],
    ) -> Result<Facts<Vec<NameDay>>, StoreError> {
        let (Some(first), Some(end)) = (starts.first(), starts.last()) else {
            return Ok(Facts {
                rows: Vec::new(),
                rows_read: 0,
            });
        };
        let what = "event, toUInt16(arrayCount(start -> start <= toUInt32(bucket), {starts:Array(UInt32)}) - 1) AS at, \
                    sum(n) AS count";
        let tail = "GROUP BY event, at ORDER BY event, at";
        let query = self
            .over_counts(
                project,
                (what, "AND xxh3(event) IN {names:Array(UInt64)}", tail),
                (*first, *end),
            )
            .param("names", names)
            .param("starts", starts);
        facts(query).await
    }

    /// Events of these names (of all, for `None`) by UTC quarter hour of all time, the latest first: start in seconds,
    /// and how many.
    ///
    /// # Errors
    /// As [`Store::counts`].
    pub async fn quarter_totals(
        &self,
        project: ProjectNumber,
        events: Option<&[String]>,
    ) -> Result<Facts<Vec<(u32, u64)>>, StoreError> {
        #[derive(Row, Deserialize)]
        struct Quarter {
            start: u32,
            count: u64,
        }
        let names = events.map_or("", |_| "AND event IN {names:Array(String)}");
        let what = "toUInt32(bucket) AS start, sum(n) AS count";
        let tail = "GROUP BY start ORDER BY start DESC";
        let mut query = self.over_counts(project, (what, names, tail), ALL_TIME);
        if let Some(events) = events {
            query = query.param("names", events);
        }
        let found: Facts<Vec<Quarter>> = facts(query).await?;
        let rows = found.rows.into_iter().map(|row| (row.start, row.count));
        Ok(Facts {
            rows: rows.collect(),
            rows_read: found.rows_read,
        })
    }
}
