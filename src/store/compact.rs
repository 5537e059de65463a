//! Generations: the deltas of a day become rows of a new generation, and one row in `compactions` makes it
//! the latest.
//!
//! # Why two rollers, a late one and one that dies half-way are harmless
//!
//! 1. The generation is drawn from a counter before anything is read; its rows mean nothing until the switch.
//! 2. The switch is a compare-and-set in one statement: it takes place only if the generation that was the
//!    latest when the source was read (the *base*) still is, and the new one is larger. So nothing that
//!    happened meanwhile (another compaction, a rebuild after an erasure, a removal of old deltas) can be
//!    overwritten by what was read before it.
//! 3. Cuts never go back: those of a new generation are at least its base's, shard by shard.
//! 4. What a switch made superfluous is removed only when the switch is `grace` old (minutes), and every
//!    statement here and every question ends long before that. A reader that began under the old generation
//!    finds all of it. [`Store::drop_behind`]
//!
//! A rebuild is the same with raw as its source.

use clickhouse::Row;
use serde::Deserialize;

use super::{Store, StoreError};
use crate::event::{Day, ProjectNumber, Zone};
use crate::fault;

mod cleanup;
mod sketching;

pub use cleanup::Dropped;

/// Seconds that one statement of a compaction may take: far less than any grace.
const STATEMENT_SECONDS: &str = "120";

/// Which rollup. Counts are kept by UTC day, sketches by local day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Counts,
    Sketches,
}

impl Kind {
    /// The name in `compactions`, in queues and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Counts => "counts",
            Kind::Sketches => "sketches",
        }
    }
}

/// A day whose deltas are worth compacting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub project: ProjectNumber,
    pub kind: Kind,
    pub day: Day,
    /// Deltas behind the latest cuts.
    pub deltas: u64,
}

/// How a compaction or a rebuild ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The new generation is the day's latest, with this many rows.
    Switched { rows: u64 },
    /// Another one came first, or the generation is not larger than the latest. What was written means
    /// nothing and goes with the old generations. Where there is still reason to, draw a new generation.
    Overtaken,
}

/// What a compaction starts from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Base {
    /// 0: none yet.
    generation: u64,
    cuts: Vec<u64>,
}

impl Base {
    /// The cuts of a successor: as asked, but never behind what the base already includes.
    fn advance(&self, asked: &[u64]) -> Vec<u64> {
        let shards = asked.len().max(self.cuts.len());
        let at = |cuts: &[u64], shard: usize| cuts.get(shard).copied().unwrap_or(0);
        (0..shards)
            .map(|shard| at(asked, shard).max(at(&self.cuts, shard)))
            .collect()
    }
}

impl Store {
    /// Days with more than `more_than` deltas behind their cuts, and days with any delta received before
    /// `quiet_before_s` (so that a quiet project's deltas do not stay for ever). Busiest first.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn candidates(
        &self,
        kind: Kind,
        more_than: u64,
        quiet_before_s: u32,
        limit: u32,
    ) -> Result<Vec<Candidate>, StoreError> {
        #[derive(Row, Deserialize)]
        struct Found {
            project: u32,
            on: u16,
            deltas: u64,
        }
        let (table, day) = kind.deltas();
        let found: Vec<Found> = self
            .statement(&format!(
                "SELECT d.project AS project, d.on AS on, count() AS deltas FROM \
                   (SELECT project, {day} AS on, shard, batch, received_hour FROM {table}) AS d \
                 LEFT JOIN \
                   (SELECT project, day AS on, argMax(cuts, gen) AS cuts FROM compactions \
                    WHERE kind = '{kind}' GROUP BY project, day) AS h \
                 ON d.project = h.project AND d.on = h.on \
                 WHERE d.batch > h.cuts[d.shard + 1] GROUP BY project, on \
                 HAVING deltas > {{more_than:UInt64}} OR min(d.received_hour) < toDateTime({{quiet:UInt32}}, 'UTC') \
                 ORDER BY deltas DESC, project, on LIMIT {{limit:UInt32}}",
                kind = kind.name(),
            ))
            .param("more_than", more_than)
            .param("quiet", quiet_before_s)
            .param("limit", limit)
            .fetch_all()
            .await?;
        Ok(found
            .into_iter()
            .map(|row| Candidate {
                project: ProjectNumber(row.project),
                kind,
                day: Day(row.on.into()),
                deltas: row.deltas,
            })
            .collect())
    }

    /// The largest generation anywhere: a counter that was lost (a new Redis) must start above it.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn highest_generation(&self) -> Result<u64, StoreError> {
        Ok(self
            .statement(
                "SELECT max(g) FROM (SELECT max(gen) AS g FROM compactions \
                 UNION ALL SELECT max(gen) FROM counts UNION ALL SELECT max(gen) FROM sketches)",
            )
            .fetch_one()
            .await?)
    }

    /// Compacts the counts of a project's UTC day: its latest generation and the deltas up to `cuts`
    /// (by shard: the last committed batch, included) become `generation`.
    ///
    /// # Errors
    /// When ClickHouse does not do it; nothing changed for readers then.
    pub async fn compact_counts(
        &self,
        project: ProjectNumber,
        day: Day,
        generation: u64,
        cuts: &[u64],
    ) -> Result<Outcome, StoreError> {
        let base = self.base(Kind::Counts, project, day).await?;
        let next = base.advance(cuts);
        let source = format!(
            "SELECT event, bucket, sum(n) FROM ( \
               SELECT event, bucket, count AS n FROM counts \
               WHERE project = {project} AND {within} AND gen = {latest} AND gen != 0 \
               UNION ALL \
               SELECT event, bucket, count AS n FROM count_deltas \
               WHERE project = {project} AND {within} \
                 AND batch > {passed}[shard + 1] AND batch <= {next}[shard + 1] \
             ) GROUP BY event, bucket",
            within = buckets_of(day),
            latest = base.generation,
            passed = array(&base.cuts),
            next = array(&next),
        );
        self.write_counts(project, day, generation, base, next, &source)
            .await
    }

    /// Counts the project's UTC day anew from raw events of batches up to `cuts`.
    ///
    /// # Errors
    /// As [`Store::compact_counts`].
    pub async fn rebuild_counts(
        &self,
        project: ProjectNumber,
        day: Day,
        generation: u64,
        cuts: &[u64],
    ) -> Result<Outcome, StoreError> {
        let base = self.base(Kind::Counts, project, day).await?;
        let next = base.advance(cuts);
        let source = format!(
            "SELECT event, toStartOfFifteenMinutes(toDateTime(ts, 'UTC')) AS bucket, count() FROM events \
             WHERE project = {project} AND day = toDate({day}) AND batch <= {next}[shard + 1] \
             GROUP BY event, bucket",
            day = day.as_u16(),
            next = array(&next),
        );
        self.write_counts(project, day, generation, base, next, &source)
            .await
    }

    async fn write_counts(
        &self,
        project: ProjectNumber,
        day: Day,
        generation: u64,
        base: Base,
        next: Vec<u64>,
        source: &str,
    ) -> Result<Outcome, StoreError> {
        if generation <= base.generation {
            return Ok(Outcome::Overtaken);
        }
        self.compaction(&format!(
            "INSERT INTO counts (project, event, bucket, gen, count) \
             SELECT {project}, event, bucket, {generation}, n FROM ({source}) AS s (event, bucket, n)"
        ))
        .execute()
        .await?;
        let rows: u64 = self
            .compaction(&format!(
                "SELECT count() FROM counts WHERE project = {project} AND {} AND gen = {generation}",
                buckets_of(day)
            ))
            .fetch_one()
            .await?;
        self.switch(Kind::Counts, project, day, generation, &base, &next, rows)
            .await
    }

    /// Compacts the sketches of a project's local day, as [`Store::compact_counts`]; the union is made here,
    /// one event name at a time.
    ///
    /// # Errors
    /// As [`Store::compact_counts`]; [`StoreError::DamagedSketch`] where a rebuild from raw is due.
    pub async fn compact_sketches(
        &self,
        project: ProjectNumber,
        day: Day,
        generation: u64,
        cuts: &[u64],
    ) -> Result<Outcome, StoreError> {
        let base = self.base(Kind::Sketches, project, day).await?;
        if generation <= base.generation {
            return Ok(Outcome::Overtaken);
        }
        let next = base.advance(cuts);
        let rows = self.unite(project, day, generation, &base, &next).await?;
        self.switch(Kind::Sketches, project, day, generation, &base, &next, rows)
            .await
    }

    /// Sketches the local day, as `zone` cuts it, anew from raw events of batches up to `cuts`: one sketch
    /// for each event name, and one of any activity. A day without events is switched to empty.
    ///
    /// # Errors
    /// As [`Store::compact_counts`].
    pub async fn rebuild_sketches(
        &self,
        project: ProjectNumber,
        day: Day,
        zone: &Zone,
        generation: u64,
        cuts: &[u64],
    ) -> Result<Outcome, StoreError> {
        let base = self.base(Kind::Sketches, project, day).await?;
        if generation <= base.generation {
            return Ok(Outcome::Overtaken);
        }
        let next = base.advance(cuts);
        let identity = self.identity_version(project).await?;
        let rows = self.sketch_raw(project, day, zone, generation, &next).await?;
        let outcome = self
            .switch(Kind::Sketches, project, day, generation, &base, &next, rows)
            .await?;
        if matches!(outcome, Outcome::Switched { .. }) {
            self.settle_moves(project, day, identity).await?;
        }
        Ok(outcome)
    }

    /// The latest generation of the day.
    async fn base(&self, kind: Kind, project: ProjectNumber, day: Day) -> Result<Base, StoreError> {
        #[derive(Row, Deserialize)]
        struct Head {
            generation: u64,
            cuts: Vec<u64>,
        }
        let head: Option<Head> = self
            .compaction(&format!(
                "SELECT gen AS generation, cuts FROM compactions WHERE {} ORDER BY gen DESC LIMIT 1",
                kind.of_day(project, day)
            ))
            .fetch_optional()
            .await?;
        Ok(head.map_or_else(Base::default, |head| Base {
            generation: head.generation,
            cuts: head.cuts,
        }))
    }

    /// Makes `generation` the latest, if `base` still is.
    #[expect(clippy::too_many_arguments, reason = "the parts of one row")]
    async fn switch(
        &self,
        kind: Kind,
        project: ProjectNumber,
        day: Day,
        generation: u64,
        base: &Base,
        cuts: &[u64],
        rows: u64,
    ) -> Result<Outcome, StoreError> {
        let of_day = kind.of_day(project, day);
        fault::point_in("roll.before_switch", kind.name()).await?;
        self.compaction(&format!(
            "INSERT INTO compactions (project, kind, day, gen, cuts) \
             SELECT {project}, '{kind}', toDate({day}), {generation}, {cuts} \
             FROM (SELECT max(gen) AS latest FROM compactions WHERE {of_day}) WHERE latest = {base}",
            kind = kind.name(),
            day = day.as_u16(),
            cuts = array(cuts),
            base = base.generation,
        ))
        .execute()
        .await?;
        fault::point_in("roll.after_switch", kind.name()).await?;
        let there: u64 = self
            .compaction(&format!(
                "SELECT count() FROM compactions WHERE {of_day} AND gen = {generation}"
            ))
            .fetch_one()
            .await?;
        Ok(match there {
            0 => Outcome::Overtaken,
            _ => Outcome::Switched { rows },
        })
    }

    /// A statement of a compaction. Its text holds numbers only.
    fn compaction(&self, sql: &str) -> clickhouse::query::Query {
        self.statement(sql)
            .with_setting("async_insert", "0")
            .with_setting("max_execution_time", STATEMENT_SECONDS)
            .with_setting("max_threads", "1")
    }
}

impl Kind {
    /// The table of deltas, and the day of one of its rows.
    fn deltas(self) -> (&'static str, &'static str) {
        match self {
            Kind::Counts => ("count_deltas", "toDate(bucket)"),
            Kind::Sketches => ("sketch_deltas", "day"),
        }
    }

    /// The condition on `compactions` for one day.
    fn of_day(self, project: ProjectNumber, day: Day) -> String {
        format!(
            "project = {project} AND kind = '{}' AND day = toDate({})",
            self.name(),
            day.as_u16()
        )
    }
}

/// The condition on `bucket` for a UTC day.
fn buckets_of(day: Day) -> String {
    let start = i64::from(day.as_u16()) * 86_400;
    format!(
        "bucket >= toDateTime({start}, 'UTC') AND bucket < toDateTime({}, 'UTC')",
        start + 86_400
    )
}

/// `[1,2]` as Array(UInt64), also when empty.
fn array(numbers: &[u64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
    format!("CAST([{}], 'Array(UInt64)')", numbers.join(","))
}
