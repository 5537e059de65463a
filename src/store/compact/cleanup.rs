//! Removing what compactions made superfluous: old generations, and deltas that a generation includes.

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
    /// Days for which something was removed.
    pub days: u64,
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
        let (table, table_day) = match kind {
            Kind::Counts => ("counts", "toDate(bucket)"),
            Kind::Sketches => ("sketches", "day"),
        };
        let settled = self.settled(kind, grace_s).await?;
        let stale = self.days_with(table, table_day).await?;
        let waiting = self.days_with(deltas, delta_day).await?;
        let pick = |days: &std::collections::HashSet<(u32, u16)>| -> Vec<&Settled> {
            settled
                .iter()
                .filter(|s| days.contains(&(s.project, s.on)))
                .collect()
        };
        let mut touched = std::collections::HashSet::new();
        for chunk in pick(&stale).chunks(DAYS_A_STATEMENT) {
            self.remove(table, chunk, |s| s.old_rows(kind), &mut touched)
                .await?;
        }
        for chunk in pick(&waiting).chunks(DAYS_A_STATEMENT) {
            self.remove(deltas, chunk, |s| s.passed_deltas(kind), &mut touched)
                .await?;
        }
        let all: Vec<&Settled> = settled.iter().collect();
        for chunk in all.chunks(DAYS_A_STATEMENT) {
            self.remove("compactions", chunk, |s| s.old_switches(kind), &mut touched)
                .await?;
        }
        Ok(Dropped {
            days: touched.len() as u64,
        })
    }

    async fn settled(&self, kind: Kind, grace_s: u32) -> Result<Vec<Settled>, StoreError> {
        Ok(self
            .compaction(&format!(
                "SELECT c.project AS project, c.day AS on, any(h.gen) AS head, \
                   minForEach(c.cuts) AS cuts \
                 FROM compactions AS c INNER JOIN \
                   (SELECT project, day, max(gen) AS gen FROM compactions \
                    WHERE kind = '{kind}' AND compacted_at <= now('UTC') - {grace_s} \
                    GROUP BY project, day) AS h \
                 ON c.project = h.project AND c.day = h.day \
                 WHERE c.kind = '{kind}' AND c.gen >= h.gen GROUP BY project, on",
                kind = kind.name(),
            ))
            .fetch_all()
            .await?)
    }

    /// The (project, day) pairs that have rows at all.
    async fn days_with(
        &self,
        table: &str,
        day: &str,
    ) -> Result<std::collections::HashSet<(u32, u16)>, StoreError> {
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

    /// Deletes what the conditions name, if there is any of it: an empty mutation costs as much as another.
    async fn remove(
        &self,
        table: &str,
        days: &[&Settled],
        condition: impl Fn(&Settled) -> String,
        touched: &mut std::collections::HashSet<(u32, u16)>,
    ) -> Result<(), StoreError> {
        let mut due = Vec::new();
        for day in days {
            due.push((condition(day), (day.project, day.on)));
        }
        let any: Vec<&str> = due.iter().map(|(condition, _)| condition.as_str()).collect();
        let condition = any.join(" OR ");
        let found: u64 = self
            .compaction(&format!("SELECT count() FROM {table} WHERE {condition}"))
            .fetch_one()
            .await?;
        if found == 0 {
            return Ok(());
        }
        self.compaction(&format!("DELETE FROM {table} WHERE {condition}"))
            .with_setting("lightweight_deletes_sync", "2")
            .execute()
            .await?;
        touched.extend(due.iter().map(|(_, day)| *day));
        Ok(())
    }
}
