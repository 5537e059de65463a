//! Sketches for a reader that keeps them in memory: which generation each day has, whole days, and what is new since.

use super::{DaySketch, over_sketches};
use crate::event::{Day, ProjectNumber};
use crate::store::{Facts, Store, StoreError, facts};

/// Deltas of the days `[from, to)` behind one cut and up to another.
#[derive(Clone, Copy, Debug)]
pub struct DeltaSpan<'a> {
    pub from: Day,
    pub to: Day,
    /// For each shard the last batch that is known.
    pub behind: &'a [u64],
    /// For each shard the last batch to read.
    pub upto: &'a [u64],
}

fn decoded(found: Facts<Vec<DaySketch>>) -> Facts<Vec<(Day, Vec<u8>)>> {
    let rows = found.rows.into_iter();
    Facts {
        rows: rows.map(|row| (Day(row.day.into()), row.sketch.0)).collect(),
        rows_read: found.rows_read,
    }
}

impl Store {
    /// The encoded sketches of one event name for these local days, up to the cuts: as [`Store::day_sketches`].
    ///
    /// # Errors
    /// As [`Store::heads`].
    pub async fn sketches_of(
        &self,
        project: ProjectNumber,
        event: &str,
        days: &[Day],
        upto: &[u64],
    ) -> Result<Facts<Vec<(Day, Vec<u8>)>>, StoreError> {
        let within = "event = {event:String} AND day >= toDate({from:UInt16}) AND day <= toDate({to:UInt16}) \
                      AND has({days:Array(UInt16)}, toUInt16(day))";
        let sql = format!(
            "SELECT day, sketch FROM ({}) WHERE gen != 0 OR batch <= {{upto:Array(UInt64)}}[shard + 1]",
            over_sketches(
                "r.day AS day, r.sketch AS sketch, r.gen AS gen, r.shard AS shard, r.batch AS batch",
                within
            )
        );
        let (first, last) = (days.first(), days.last());
        let numbers: Vec<u16> = days.iter().map(|day| day.as_u16()).collect();
        let query = self
            .rollup(project, &sql)
            .param("event", event)
            .param("from", first.map_or(0, |day| day.as_u16()))
            .param("to", last.map_or(0, |day| day.as_u16()))
            .param("days", numbers)
            .param("upto", upto);
        Ok(decoded(facts(query).await?))
    }

    /// The encoded deltas of one event name that are new, and all deltas up to the cuts of the local days `whole`.
    ///
    /// # Errors
    /// As [`Store::heads`].
    pub async fn new_sketch_deltas(
        &self,
        project: ProjectNumber,
        event: &str,
        span: DeltaSpan<'_>,
        whole: &[Day],
    ) -> Result<Facts<Vec<(Day, Vec<u8>)>>, StoreError> {
        let whole: Vec<u16> = whole.iter().map(|day| day.as_u16()).collect();
        let sql = "SELECT day, sketch FROM sketch_deltas WHERE project = {project:UInt32} \
                   AND event = {event:String} AND day >= toDate({from:UInt16}) AND day < toDate({to:UInt16}) \
                   AND (batch > {behind:Array(UInt64)}[shard + 1] OR has({whole:Array(UInt16)}, toUInt16(day))) \
                   AND batch <= {upto:Array(UInt64)}[shard + 1]";
        let query = self
            .rollup(project, sql)
            .param("event", event)
            .param("from", span.from.as_u16())
            .param("to", span.to.as_u16())
            .param("behind", span.behind)
            .param("whole", whole)
            .param("upto", span.upto);
        Ok(decoded(facts(query).await?))
    }
}
