//! The ledger: what became of every event received. Written batch by batch like the rollups, under the same
//! names and tokens; read up to the batches that the stream calls committed.
//!
//! **Kept**: minutes for a week, then quarter hours for 400 days (`ledger/fold`); client sequences for a week.

use clickhouse::Row;
use serde::{Deserialize, Serialize};

use super::batch::{BatchName, InsertError, MAX_ROWS, Table, Verdict};
use super::{Store, StoreError};
use crate::event::ledger::{ClientSequence, LedgerRow};
use crate::event::{Day, ProjectNumber};

mod fold;

pub use fold::{MINUTES_KEPT_DAYS, QUARTERS_KEPT_DAYS, SEQUENCES_KEPT_DAYS};

/// What a batch adds to the ledger's tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerShare {
    pub rows: Vec<LedgerRow>,
    pub sequences: Vec<ClientSequence>,
    pub late_days: Vec<LateDay>,
    /// Start of the UTC hour in which the stream took the batch's last entry, in seconds.
    pub received_hour: u32,
}

/// Events of a local day that arrived more than 24 hours after they happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LateDay {
    pub project: ProjectNumber,
    pub day: Day,
    pub count: u64,
}

#[derive(Row, Serialize)]
struct StoredRow<'a> {
    project: u32,
    minute: u32,
    source: &'a str,
    outcome: &'a str,
    reason: &'a str,
    count: i64,
    shard: u16,
    batch: u64,
    #[serde(rename = "try")]
    attempt: u8,
    received_hour: u32,
}

#[derive(Row, Serialize)]
struct StoredSequence<'a> {
    project: u32,
    minute: u32,
    source: &'a str,
    client: u64,
    first: u64,
    last: u64,
    count: u64,
    shard: u16,
    batch: u64,
    #[serde(rename = "try")]
    attempt: u8,
    received_hour: u32,
}

#[derive(Row, Serialize)]
struct StoredLateDay {
    project: u32,
    day: u16,
    count: u64,
    shard: u16,
    batch: u64,
    #[serde(rename = "try")]
    attempt: u8,
    received_hour: u32,
}

/// The start of a minute in seconds. Minutes beyond what a `DateTime` holds end at its last.
fn seconds(minute: u32) -> u32 {
    minute.min(u32::MAX / 60) * 60
}

impl Store {
    /// Inserts a batch's ledger rows: one block each [`MAX_ROWS`], under tokens of their own.
    ///
    /// # Errors
    /// As [`Store::insert_events`].
    pub async fn insert_ledger(&self, name: &BatchName, share: &LedgerShare) -> Result<(), InsertError> {
        for (n, rows) in share.rows.chunks(MAX_ROWS).enumerate() {
            let part = (n > 0).then(|| n.to_string());
            let rows = rows.iter().map(|row| StoredRow {
                project: row.project.0,
                minute: seconds(row.minute),
                source: &row.source,
                outcome: row.outcome.as_str(),
                reason: &row.reason,
                count: row.count,
                shard: name.shard,
                batch: name.batch,
                attempt: name.attempt,
                received_hour: share.received_hour,
            });
            self.insert::<StoredRow<'_>>(Table::Ledger, name, part.as_deref(), rows)
                .await?;
        }
        Ok(())
    }

    /// Inserts a batch's client sequences, as [`Self::insert_ledger`].
    ///
    /// # Errors
    /// As [`Store::insert_events`].
    pub async fn insert_sequences(&self, name: &BatchName, share: &LedgerShare) -> Result<(), InsertError> {
        for (n, rows) in share.sequences.chunks(MAX_ROWS).enumerate() {
            let part = (n > 0).then(|| n.to_string());
            let rows = rows.iter().map(|row| StoredSequence {
                project: row.project.0,
                minute: seconds(row.minute),
                source: &row.source,
                client: row.client,
                first: row.first,
                last: row.last,
                count: row.count,
                shard: name.shard,
                batch: name.batch,
                attempt: name.attempt,
                received_hour: share.received_hour,
            });
            self.insert::<StoredSequence<'_>>(Table::ClientSequences, name, part.as_deref(), rows)
                .await?;
        }
        Ok(())
    }

    /// Inserts a batch's late days. At most one for each of its rows.
    ///
    /// # Errors
    /// As [`Store::insert_events`].
    pub async fn insert_late_days(&self, name: &BatchName, share: &LedgerShare) -> Result<(), InsertError> {
        let rows = share.late_days.iter().map(|row| StoredLateDay {
            project: row.project.0,
            day: row.day.as_u16(),
            count: row.count,
            shard: name.shard,
            batch: name.batch,
            attempt: name.attempt,
            received_hour: share.received_hour,
        });
        self.insert::<StoredLateDay>(Table::LateDays, name, None, rows)
            .await
    }

    /// Whether one of the ledger's tables has the expected number of the batch's rows.
    ///
    /// # Errors
    /// When ClickHouse cannot say.
    pub async fn verify_ledger(
        &self,
        table: Table,
        name: &BatchName,
        expected: usize,
    ) -> Result<Verdict, StoreError> {
        let select = format!("SELECT count() FROM {}", table.name());
        self.verify(name, expected as u64, &select).await
    }

    /// Counts of outcomes in `[from_s, to_s)` (seconds), in steps of `step_s`, in no order. Only batches up to
    /// `cuts` are read, so that what the stream calls pending is not in it.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn ledger_series(
        &self,
        asked: &LedgerRange<'_>,
        step_s: u32,
    ) -> Result<Vec<LedgerPoint>, StoreError> {
        let sql = format!(
            "SELECT toUInt32(intDiv(toUnixTimestamp(minute), {{step:UInt32}}) * {{step:UInt32}}) AS at, \
                    toString(outcome) AS outcome, sum(count) AS events \
             FROM ledger WHERE {COMMITTED} GROUP BY at, outcome HAVING events != 0"
        );
        Ok(asked
            .bind(self.question(asked.project, &sql))
            .param("step", step_s)
            .fetch_all()
            .await?)
    }

    /// Counts of outcomes by source and reason, as [`Self::ledger_series`].
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn ledger_sources(&self, asked: &LedgerRange<'_>) -> Result<Vec<LedgerSource>, StoreError> {
        let sql = format!(
            "SELECT toString(source) AS source, toString(outcome) AS outcome, toString(reason) AS reason, \
                    sum(count) AS events, toUInt32(max(minute)) AS last \
             FROM ledger WHERE {COMMITTED} GROUP BY source, outcome, reason"
        );
        Ok(asked.bind(self.question(asked.project, &sql)).fetch_all().await?)
    }

    /// Events that clients numbered and that never arrived, by source: for each client the numbers between
    /// its first and its last that no event came with. An estimate; see [`ClientSequence`].
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn missing_by_source(&self, asked: &LedgerRange<'_>) -> Result<Vec<(String, u64)>, StoreError> {
        let sql = format!(
            "SELECT source, sum(missing) AS events FROM ( \
               SELECT toString(source) AS source, client, \
                      toUInt64(greatest(0, toInt64(max(last) - min(first)) + 1 - toInt64(sum(count)))) AS missing \
               FROM client_sequences WHERE {COMMITTED} GROUP BY source, client \
             ) GROUP BY source HAVING events > 0"
        );
        Ok(asked.bind(self.question(asked.project, &sql)).fetch_all().await?)
    }

    /// Events that arrived more than 24 hours after they happened, by the local day on which they did.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn late_days(&self, project: ProjectNumber) -> Result<Vec<(Day, u64)>, StoreError> {
        #[derive(Row, Deserialize)]
        struct Late {
            on: u16,
            events: u64,
        }
        let sql = "SELECT day AS on, toUInt64(sum(count)) AS events FROM late_days \
                   WHERE project = {project:UInt32} GROUP BY day";
        let found: Vec<Late> = self.question(project, sql).fetch_all().await?;
        Ok(found
            .into_iter()
            .map(|late| (Day(late.on.into()), late.events))
            .collect())
    }
}

/// Rows of the range that are committed. Folded rows name no batch: their days are long over.
const COMMITTED: &str = "project = {project:UInt32} \
    AND minute >= toDateTime({from:UInt32}, 'UTC') AND minute < toDateTime({to:UInt32}, 'UTC') \
    AND (batch = 0 OR batch <= arrayElement({cuts:Array(UInt64)}, shard + 1))";

/// What of the ledger is asked for.
#[derive(Clone, Copy, Debug)]
pub struct LedgerRange<'a> {
    pub project: ProjectNumber,
    /// The first second.
    pub from_s: u32,
    /// The second after the last.
    pub to_s: u32,
    /// For each shard the last batch to read.
    pub cuts: &'a [u64],
}

impl LedgerRange<'_> {
    fn bind(&self, query: clickhouse::query::Query) -> clickhouse::query::Query {
        query
            .param("from", self.from_s)
            .param("to", self.to_s)
            .param("cuts", self.cuts)
    }
}

/// So many events received from `at` on had this outcome.
#[derive(Clone, Debug, PartialEq, Eq, Row, Deserialize)]
pub struct LedgerPoint {
    /// Start of the step, in seconds.
    pub at: u32,
    pub outcome: String,
    pub events: i64,
}

/// So many events of a source had this outcome.
#[derive(Clone, Debug, PartialEq, Eq, Row, Deserialize)]
pub struct LedgerSource {
    pub source: String,
    pub outcome: String,
    pub reason: String,
    pub events: i64,
    /// Start of the last minute with such events, in seconds.
    pub last: u32,
}
