//! The invariants that must hold between the raw table and its rollups, asked of ClickHouse itself.
//!
//! What looks up to cuts ([`Store::shard_rows`], [`Store::day_books`], [`Store::sketch_books`]) is exact while
//! workers write: rows of a committed batch never change, but for removals.

mod days;
mod people;

use std::collections::BTreeMap;
use std::fmt;

use clickhouse::Row;
use serde::Deserialize;

use super::{Store, StoreError};
use crate::event::{Day, ProjectNumber};

pub use days::{DayBook, ShardRows};
pub use people::{ActiveBooks, SketchBooks};

/// What a statement of the audit may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Threads at once.
    pub threads: u8,
    /// Seconds after which it is given up.
    pub seconds: u32,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "max_threads = {}, max_execution_time = {}",
            self.threads, self.seconds
        )
    }
}

/// The cuts as an SQL array.
fn array(cuts: &[u64]) -> String {
    let numbers: Vec<String> = cuts.iter().map(u64::to_string).collect();
    format!("CAST([{}], 'Array(UInt64)')", numbers.join(","))
}

/// A UTC day on which raw and rollup disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    pub project: ProjectNumber,
    pub day: Day,
    /// Rows in `events`.
    pub events: u64,
    /// Events that the count rollups know.
    pub counted: u64,
}

impl Store {
    /// The UTC days of the project whose number of raw events differs from the count rollups. Empty when all
    /// is well and no batch is under way.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn differences(&self, project: ProjectNumber) -> Result<Vec<Difference>, StoreError> {
        #[derive(Row, Deserialize)]
        struct RawDay {
            day: u16,
            events: u64,
        }
        let raw: Vec<RawDay> = self
            .question(
                project,
                "SELECT day, count() AS events FROM events WHERE project = {project:UInt32} GROUP BY day",
            )
            .fetch_all()
            .await?;
        let mut days: BTreeMap<Day, (u64, u64)> = BTreeMap::new();
        for row in raw {
            days.entry(Day(row.day.into())).or_default().0 = row.events;
        }
        for (day, counted) in self.day_totals(project).await? {
            days.entry(day).or_default().1 = counted;
        }
        Ok(days
            .into_iter()
            .filter(|(_, (events, counted))| events != counted)
            .map(|(day, (events, counted))| Difference {
                project,
                day,
                events,
                counted,
            })
            .collect())
    }

    /// Rows in `events` by shard, all projects: to compare with the stream's `rows_out - rows_removed`.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn rows_by_shard(&self) -> Result<BTreeMap<u16, u64>, StoreError> {
        #[derive(Row, Deserialize)]
        struct ShardRows {
            shard: u16,
            found: u64,
        }
        let rows: Vec<ShardRows> = self
            .statement("SELECT shard, count() AS found FROM events GROUP BY shard")
            .fetch_all()
            .await?;
        Ok(rows.into_iter().map(|row| (row.shard, row.found)).collect())
    }
}
