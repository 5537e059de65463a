//! Rollups up to given cuts, over all projects if need be: what the audit compares with raw. Batches that were
//! begun since are left out, so the comparison is exact while workers write.
//!
//! A day whose latest generation holds batches behind the cuts says so (`ahead`): read newer cuts and look again.

use clickhouse::Row;
use clickhouse::query::RowCursor;
use serde::Deserialize;

use crate::event::ProjectNumber;
use crate::store::rows::ByteBuf;
use crate::store::{Store, StoreError};

/// The counts of one UTC day.
#[derive(Clone, Copy, Debug, Row, Deserialize)]
pub(in crate::store) struct DayCounts {
    pub project: u32,
    pub on: u16,
    pub counted: u64,
    /// Sum over events of a hash of name and quarter hour.
    pub fingerprint: u64,
    pub ahead: u8,
}

/// One stored sketch.
#[derive(Row, Deserialize)]
pub(in crate::store) struct StoredSketch {
    pub on: u16,
    pub event: String,
    pub sketch: ByteBuf,
    pub ahead: u8,
}

/// The hash of an event's name and quarter hour, of columns `event` and `bucket`.
pub(in crate::store) const FINGERPRINT: &str = "cityHash64(event, toUInt32(bucket))";

/// `VALID`, but for batches behind the cuts `upto`.
fn valid(upto: &str) -> String {
    format!(
        "(r.gen != 0 AND r.gen = h.head) OR (r.gen = 0 AND r.batch > h.cuts[r.shard + 1] \
         AND r.batch <= {upto}[r.shard + 1])"
    )
}

/// Whether a generation's cuts lie behind `upto` anywhere.
fn ahead(upto: &str) -> String {
    format!("arrayExists((c, i) -> c > {upto}[i], h.cuts, arrayEnumerate(h.cuts))")
}

impl Store {
    /// The counts of every day, of one project or of all. `upto` is an SQL array.
    pub(in crate::store) async fn counts_upto(
        &self,
        project: Option<ProjectNumber>,
        upto: &str,
        limits: &str,
    ) -> Result<Vec<DayCounts>, StoreError> {
        let of = project.map_or("1".to_owned(), |project| format!("project = {project}"));
        let sql = format!(
            "SELECT r.project AS project, r.on AS on, sum(r.n) AS counted, \
               sum(r.n * {FINGERPRINT}) AS fingerprint, max({ahead}) AS ahead \
             FROM (SELECT project, day, max(gen) AS head, argMax(cuts, gen) AS cuts FROM compactions \
                   WHERE kind = 'counts' AND {of} GROUP BY project, day) AS h \
             RIGHT JOIN ( \
               SELECT project, toDate(bucket) AS on, event, bucket, count AS n, gen, \
                 0::UInt16 AS shard, 0::UInt64 AS batch FROM counts WHERE {of} \
               UNION ALL \
               SELECT project, toDate(bucket) AS on, event, bucket, count AS n, 0::UInt64 AS gen, shard, batch \
               FROM count_deltas WHERE {of} \
             ) AS r ON r.project = h.project AND r.on = h.day \
             WHERE {valid} GROUP BY project, on SETTINGS query_plan_join_swap_table = 'true', {limits}",
            ahead = ahead(upto),
            valid = valid(upto),
        );
        Ok(self.statement(&sql).fetch_all().await?)
    }

    /// The sketches of a project's local days (an SQL list), by day and name.
    pub(in crate::store) fn sketches_upto(
        &self,
        project: ProjectNumber,
        days: &str,
        upto: &str,
        limits: &str,
    ) -> Result<RowCursor<StoredSketch>, StoreError> {
        let of = format!("project = {project} AND day IN ({days})");
        let sql = format!(
            "SELECT r.day AS on, r.event AS event, r.sketch AS sketch, {ahead} AS ahead \
             FROM (SELECT day, max(gen) AS head, argMax(cuts, gen) AS cuts FROM compactions \
                   WHERE kind = 'sketches' AND {of} GROUP BY day) AS h \
             RIGHT JOIN ( \
               SELECT day, event, sketch, gen, 0::UInt16 AS shard, 0::UInt64 AS batch FROM sketches WHERE {of} \
               UNION ALL \
               SELECT day, event, sketch, 0::UInt64 AS gen, shard, batch FROM sketch_deltas WHERE {of} \
             ) AS r ON r.day = h.day \
             WHERE {valid} ORDER BY on, event SETTINGS query_plan_join_swap_table = 'true', {limits}",
            ahead = ahead(upto),
            valid = valid(upto),
        );
        Ok(self.statement(&sql).fetch()?)
    }
}
