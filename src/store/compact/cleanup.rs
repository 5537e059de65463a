//! Removing what compactions made superfluous: old generations, and deltas that a generation includes.

use std::collections::HashSet;

use clickhouse::Row;
use serde::Deserialize;

use super::{Kind, array, buckets_of};
use crate::event::{Day, ProjectNumber};
use crate::store::{Store, StoreError};

/// Days whose conditions fit into one statement.
const DAYS_A_STATEMENT: usize = 200;

/// What a clean-up removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Deltas that a generation includes.
    pub deltas: u64,
    /// Rows of old generations, and of such that were never switched to.
    pub rows: u64,
}

/// A day's latest generation that is old enough.
#[derive(Clone, Debug, Row, Deserialize)]
struct Settled {
    project: u32,
    on: u16,
    head: u64,
    /// For each shard the least cut of this generation and all later ones, so that no reader, whichever of
    /// them it holds for the latest, misses a delta.
    cuts: Vec<u64>,
    /// Earlier switches of the day that are still recorded.
    older: u64,
}

impl Settled {
    /// Rows of `counts` or `sketches` below the generation.
    fn old_rows(&self, kind: Kind) -> String {
        format!("({} AND gen < {})", self.day(kind), self.head)
    }

    /// Deltas that the generation includes.
    fn passed_deltas(&self, kind: Kind) -> String {
        format!(
            "({} AND batch <= {}[shard + 1])",
            self.day(kind),
            array(&self.cuts)
        )
    }

    /// Rows of `compactions` below the generation.
    fn old_switches(&self, kind: Kind) -> String {
        let of_day = kind.of_day(ProjectNumber(self.project), Day(self.on.into()));
        format!("({of_day} AND gen < {})", self.head)
    }

    fn day(&self, kind: Kind) -> String {
        let day = Day(self.on.into());
        match kind {
            Kind::Counts => format!("project = {} AND {}", self.project, buckets_of(day)),
            Kind::Sketches => format!("project = {} AND day = toDate({})", self.project, self.on),
        }
    }
}

impl Store {
    /// Removes, for every day whose latest switch is at least `grace_s` seconds old, the generations before
    /// it and the deltas that it includes. `grace_s` must exceed what any question or compaction takes (600 in
    /// production; 0 only where nothing else runs).
    ///
    /// Deltas go by name, not by dropping the hour's partition: after an outage a worker may still bring rows
    /// for an old hour, between the check and the drop.
    ///
    /// # Errors
    /// When ClickHouse does not do it; repeating is harmless.
    pub async fn drop_behind(&self, kind: Kind, grace_s: u32) -> Result<Dropped, StoreError> {
        let (deltas, delta_day) = kind.deltas();
        let table = match kind {
            Kind::Counts => "counts",
            Kind::Sketches => "sketches",
        };
        let settled = self.settled(kind, grace_s).await?;
        let with_deltas = self.days_with(deltas, delta_day).await?;
        let mut dropped = Dropped::default();

        let passed: Vec<&Settled> = settled
            .iter()
            .filter(|day| with_deltas.contains(&(day.project, day.on)))
            .collect();
        for days in passed.chunks(DAYS_A_STATEMENT) {
            let condition = any_of(days, |day| day.passed_deltas(kind));
            // a mutation that rewrites, not one that masks: an hour's partition never merges again
            let delete = format!("ALTER TABLE {deltas} DELETE WHERE {condition}");
            dropped.deltas += self.remove(deltas, &condition, &delete).await?;
        }

        // The earlier switches go last: they are what finds the day again if this ends half-way.
        let superseded: Vec<&Settled> = settled.iter().filter(|day| day.older > 0).collect();
        for days in superseded.chunks(DAYS_A_STATEMENT) {
            let condition = any_of(days, |day| day.old_rows(kind));
            let delete = format!("DELETE FROM {table} WHERE {condition}");
            dropped.rows += self.remove(table, &condition, &delete).await?;
            let condition = any_of(days, |day| day.old_switches(kind));
            let delete = format!("DELETE FROM compactions WHERE {condition}");
            self.remove("compactions", &condition, &delete).await?;
        }
        Ok(dropped)
    }

    async fn settled(&self, kind: Kind, grace_s: u32) -> Result<Vec<Settled>, StoreError> {
        Ok(self
            .compaction(&format!(
                "SELECT c.project AS project, c.day AS on, any(h.latest) AS head, \
                   minForEachIf(c.cuts, c.gen >= h.latest) AS cuts, countIf(c.gen < h.latest) AS older \
                 FROM compactions AS c INNER JOIN \
                   (SELECT project, day, max(gen) AS latest FROM compactions \
                    WHERE kind = '{kind}' AND compacted_at <= now('UTC') - {grace_s} \
                    GROUP BY project, day) AS h \
                 ON c.project = h.project AND c.day = h.day \
                 WHERE c.kind = '{kind}' GROUP BY project, on",
                kind = kind.name(),
            ))
            .fetch_all()
            .await?)
    }

    /// The (project, day) pairs that have rows at all.
    async fn days_with(&self, table: &str, day: &str) -> Result<HashSet<(u32, u16)>, StoreError> {
        #[derive(Row, Deserialize)]
        struct Pair {
            project: u32,
            on: u16,
        }
        let pairs: Vec<Pair> = self
            .compaction(&format!("SELECT DISTINCT project, {day} AS on FROM {table}"))
            .fetch_all()
            .await?;
        Ok(pairs.into_iter().map(|pair| (pair.project, pair.on)).collect())
    }

    /// Deletes what the condition names and returns how many rows that were; an empty mutation would cost as
    /// much as another.
    async fn remove(&self, table: &str, condition: &str, delete: &str) -> Result<u64, StoreError> {
        let found: u64 = self
            .compaction(&format!("SELECT count() FROM {table} WHERE {condition}"))
            .fetch_one()
            .await?;
        if found > 0 {
            self.compaction(delete)
                .with_setting("lightweight_deletes_sync", "2")
                .with_setting("mutations_sync", "2")
                .execute()
                .await?;
        }
        Ok(found)
    }
}

fn any_of(days: &[&Settled], condition: impl Fn(&Settled) -> String) -> String {
    let conditions: Vec<String> = days.iter().map(|day| condition(day)).collect();
    conditions.join(" OR ")
}
