//! Raw rows against counters and count rollups, up to given cuts.

use std::collections::BTreeMap;

use clickhouse::Row;
use serde::Deserialize;

use super::{Cost, array};
use crate::event::{Day, ProjectNumber};
use crate::store::rollups::FINGERPRINT;
use crate::store::{Store, StoreError};

/// Rows of a shard in `events`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardRows {
    /// Of batches up to the cut.
    pub rows: u64,
    /// The largest batch number of all.
    pub largest: u64,
}

/// A UTC day of a project: raw rows beside the count rollups, both of batches up to the cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayBook {
    pub project: ProjectNumber,
    pub day: Day,
    /// Rows in `events`.
    pub events: u64,
    /// Events that the count rollups know.
    pub counted: u64,
    /// Whether both know the same number of each name in each quarter hour.
    pub alike: bool,
    /// The rollup holds batches behind the cuts, so that nothing can be said: read newer cuts.
    pub ahead: bool,
}

impl Store {
    /// Rows in `events` by shard. Reads two columns of the whole table.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the cost.
    pub async fn shard_rows(&self, cuts: &[u64], cost: Cost) -> Result<BTreeMap<u16, ShardRows>, StoreError> {
        #[derive(Row, Deserialize)]
        struct Found {
            shard: u16,
            found: u64,
            largest: u64,
        }
        let sql = format!(
            "SELECT shard, countIf(batch <= {upto}[shard + 1]) AS found, max(batch) AS largest \
             FROM events GROUP BY shard SETTINGS {cost}",
            upto = array(cuts),
        );
        let rows: Vec<Found> = self.statement(&sql).fetch_all().await?;
        let rows_of = |row: Found| ShardRows {
            rows: row.found,
            largest: row.largest,
        };
        Ok(rows.into_iter().map(|row| (row.shard, rows_of(row))).collect())
    }

    /// Every UTC day that has raw rows or counts, of one project or of all, by project and day. Reads six columns
    /// of the project's rows.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the cost.
    pub async fn day_books(
        &self,
        project: Option<ProjectNumber>,
        cuts: &[u64],
        cost: Cost,
    ) -> Result<Vec<DayBook>, StoreError> {
        #[derive(Row, Deserialize)]
        struct RawDay {
            project: u32,
            on: u16,
            events: u64,
            fingerprint: u64,
        }
        let (upto, limits) = (array(cuts), cost.to_string());
        let of = project.map_or(String::new(), |project| format!("AND project = {project}"));
        let sql = format!(
            "SELECT project, day AS on, count() AS events, sum({FINGERPRINT}) AS fingerprint \
             FROM (SELECT project, day, event, toStartOfFifteenMinutes(toDateTime(ts, 'UTC')) AS bucket \
                   FROM events WHERE batch <= {upto}[shard + 1] {of}) \
             GROUP BY project, on SETTINGS {limits}"
        );
        let raw: Vec<RawDay> = self.statement(&sql).fetch_all().await?;
        let mut days: BTreeMap<(u32, u16), (DayBook, u64)> = BTreeMap::new();
        let empty = |project: u32, on: u16| DayBook {
            project: ProjectNumber(project),
            day: Day(on.into()),
            events: 0,
            counted: 0,
            alike: false,
            ahead: false,
        };
        for row in raw {
            let mut book = empty(row.project, row.on);
            book.events = row.events;
            days.insert((row.project, row.on), (book, row.fingerprint));
        }
        for row in self.counts_upto(project, &upto, &limits).await? {
            let (book, fingerprint) = days
                .entry((row.project, row.on))
                .or_insert_with(|| (empty(row.project, row.on), 0));
            book.counted = row.counted;
            book.alike = row.counted == book.events && row.fingerprint == *fingerprint;
            book.ahead = row.ahead != 0;
        }
        Ok(days.into_values().map(|(book, _)| book).collect())
    }
}
