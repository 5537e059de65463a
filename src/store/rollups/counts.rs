//! Counts for a reader that keeps them in memory: whole days, and what is new since.

use super::{CountRow, DeltaSpan, over_counts};
use crate::event::zone::UTC_DAY_MS;
use crate::event::{Day, ProjectNumber};
use crate::store::{Facts, Store, StoreError, facts};

/// The first second of a UTC day.
fn start_of(day: Day) -> u32 {
    let second = i64::from(day.0) * (UTC_DAY_MS / 1000);
    second.clamp(0, i64::from(u32::MAX)) as u32
}

impl Store {
    /// Events by name and quarter hour of these UTC days (in order), up to the cuts: as [`Store::counts`].
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn counts_of(
        &self,
        project: ProjectNumber,
        events: &[String],
        days: &[Day],
        upto: &[u64],
    ) -> Result<Facts<Vec<CountRow>>, StoreError> {
        let (Some(first), Some(last)) = (days.first(), days.last()) else {
            return Ok(Facts {
                rows: Vec::new(),
                rows_read: 0,
            });
        };
        let names =
            "AND event IN {names:Array(String)} AND has({days:Array(UInt16)}, toUInt16(toDate(bucket)))";
        let what = "r.event AS event, r.bucket AS bucket, r.n AS n, r.gen AS gen, r.shard AS shard, r.batch AS batch";
        let sql = format!(
            "SELECT event, bucket, sum(n) AS count FROM ({}) \
             WHERE gen != 0 OR batch <= {{upto:Array(UInt64)}}[shard + 1] GROUP BY event, bucket",
            over_counts(what, names)
        );
        let numbers: Vec<u16> = days.iter().map(|day| day.as_u16()).collect();
        let query = self
            .rollup(project, &sql)
            .param("names", events)
            .param("from", start_of(*first))
            .param("to", start_of(last.plus(1)))
            .param("from_day", first.as_u16())
            .param("to_day", last.as_u16())
            .param("days", numbers)
            .param("upto", upto);
        facts(query).await
    }

    /// Deltas by name and quarter hour that are new, and all deltas up to the cuts of the UTC days `whole`.
    ///
    /// # Errors
    /// As [`Store::counts_of`].
    pub async fn new_counts(
        &self,
        project: ProjectNumber,
        events: &[String],
        span: DeltaSpan<'_>,
        whole: &[Day],
    ) -> Result<Facts<Vec<CountRow>>, StoreError> {
        let sql = "SELECT event, bucket, sum(count) AS count FROM count_deltas \
                   WHERE project = {project:UInt32} AND event IN {names:Array(String)} \
                     AND bucket >= toDateTime({from:UInt32}, 'UTC') AND bucket < toDateTime({to:UInt32}, 'UTC') \
                     AND (batch > {behind:Array(UInt64)}[shard + 1] \
                       OR has({whole:Array(UInt16)}, toUInt16(toDate(bucket)))) \
                     AND batch <= {upto:Array(UInt64)}[shard + 1] GROUP BY event, bucket";
        let whole: Vec<u16> = whole.iter().map(|day| day.as_u16()).collect();
        let query = self
            .rollup(project, sql)
            .param("names", events)
            .param("from", start_of(span.from))
            .param("to", start_of(span.to))
            .param("behind", span.behind)
            .param("upto", span.upto)
            .param("whole", whole);
        facts(query).await
    }
}
