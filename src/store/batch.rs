//! A worker's batch on its way into the tables: insert under a token, verify, repair.
//!
//! Every row names the insert that brought it, `(shard, batch, try)`, so a table can be asked whether a batch
//! is there, whole and once, and be repaired by that name. When each step is due is the worker's business.

use std::collections::BTreeMap;
use std::time::Duration;

use clickhouse::{Row, RowWrite};
use serde::Deserialize;

use super::rows::{ActorDay, ActorDayRow, CountDelta, CountDeltaRow, EventRow, SketchDelta, SketchDeltaRow};
use super::{Store, StoreError};
use crate::event::Event;

/// Rows that one insert may carry: well under ClickHouse's block size, so that an insert is one block, and
/// its token covers it whole.
pub const MAX_ROWS: usize = 200_000;

/// How long an insert may wait for the socket, and then for ClickHouse's answer.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// A table that batches are inserted into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    Events,
    CountDeltas,
    SketchDeltas,
    /// A set: inserting twice is harmless, so it is never verified nor repaired.
    ActorDays,
}

impl Table {
    /// The name in SQL, and the first part of every token.
    pub fn name(self) -> &'static str {
        match self {
            Table::Events => "events",
            Table::CountDeltas => "count_deltas",
            Table::SketchDeltas => "sketch_deltas",
            Table::ActorDays => "actor_days",
        }
    }
}

/// The name of one attempt at a shard's batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BatchName {
    pub shard: u16,
    /// `incarnation * 2^40 + seq`; starts at 1, because a cut of 0 means "nothing yet".
    pub batch: u64,
    /// The plan's `try`: raised before a repair, so that the repair deletes older tries only.
    pub attempt: u8,
}

impl BatchName {
    /// The deduplication token: `events:s3:4711:0`, with the row range after a slash when split.
    pub fn token(&self, table: Table, suffix: Option<&str>) -> String {
        let BatchName {
            shard,
            batch,
            attempt,
        } = self;
        let base = format!("{}:s{shard}:{batch}:{attempt}", table.name());
        suffix.map_or(base.clone(), |suffix| format!("{base}/{suffix}"))
    }
}

/// Why an insert did not end in a plain yes.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InsertError {
    /// ClickHouse cannot read these rows or does not accept them; the same rows will never be accepted.
    /// Nothing of this insert is stored.
    #[error("ClickHouse refused the rows with code {code}: {message}")]
    Refused { code: u32, message: String },
    /// Anything else: it may or may not be stored. Retry the same rows under the same name, then verify.
    #[error("the insert is in doubt: {0}")]
    Doubt(String),
}

/// What VERIFY found of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Exactly what was expected, over all tries together.
    Whole,
    /// Too little or too much.
    Differs { expected: u64, found: u64 },
}

/// What `events` must hold of a batch. Compute it from the rows that are to be stored (dead ones left out).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpectedEvents {
    /// Rows by month of the UTC day (202611), because each month is a part of its own.
    months: BTreeMap<u32, u64>,
    /// The first and last receipt, and the first and last UTC day: they bound the search.
    received: (i64, i64),
    days: (u16, u16),
}

impl ExpectedEvents {
    /// What `events` says must be there.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> ExpectedEvents {
        let mut expected = ExpectedEvents {
            received: (i64::MAX, i64::MIN),
            days: (u16::MAX, 0),
            ..ExpectedEvents::default()
        };
        for event in events {
            let day = event.day();
            let date = day.date();
            let month = date.year() as u32 * 100 + date.month() as u32;
            *expected.months.entry(month).or_default() += 1;
            let (first, last) = expected.received;
            expected.received = (first.min(event.received_at), last.max(event.received_at));
            let (first, last) = expected.days;
            expected.days = (first.min(day.as_u16()), last.max(day.as_u16()));
        }
        expected
    }
}

impl Store {
    /// Inserts events as one block. `suffix` names a part of a split batch (`"0-1000"`).
    ///
    /// # Errors
    /// [`InsertError::Refused`] or [`InsertError::Doubt`].
    pub async fn insert_events(
        &self,
        name: &BatchName,
        events: &[Event],
        suffix: Option<&str>,
    ) -> Result<(), InsertError> {
        let rows = events.iter().map(|event| EventRow::new(name, event));
        self.insert::<EventRow<'_>>(Table::Events, name, suffix, rows)
            .await
    }

    /// Inserts a batch's counts.
    ///
    /// # Errors
    /// As [`Store::insert_events`].
    pub async fn insert_count_deltas(
        &self,
        name: &BatchName,
        rows: &[CountDelta],
    ) -> Result<(), InsertError> {
        let rows = rows.iter().map(|row| CountDeltaRow::new(name, row));
        self.insert::<CountDeltaRow<'_>>(Table::CountDeltas, name, None, rows)
            .await
    }

    /// Inserts a batch's sketches.
    ///
    /// # Errors
    /// As [`Store::insert_events`].
    pub async fn insert_sketch_deltas(
        &self,
        name: &BatchName,
        rows: &[SketchDelta],
    ) -> Result<(), InsertError> {
        let rows = rows.iter().map(|row| SketchDeltaRow::new(name, row));
        self.insert::<SketchDeltaRow<'_>>(Table::SketchDeltas, name, None, rows)
            .await
    }

    /// Inserts a batch's active days of actors. Idempotent.
    ///
    /// # Errors
    /// As [`Store::insert_events`].
    pub async fn insert_actor_days(&self, name: &BatchName, rows: &[ActorDay]) -> Result<(), InsertError> {
        let rows = rows.iter().map(|row| ActorDayRow::new(name, row));
        self.insert::<ActorDayRow>(Table::ActorDays, name, None, rows)
            .await
    }

    async fn insert<'a, R>(
        &self,
        table: Table,
        name: &BatchName,
        suffix: Option<&str>,
        rows: impl ExactSizeIterator<Item = R::Value<'a>>,
    ) -> Result<(), InsertError>
    where
        R: Row + RowWrite,
    {
        if rows.len() == 0 {
            return Ok(());
        }
        if rows.len() > MAX_ROWS {
            let message = format!(
                "{} rows in one insert, at most {MAX_ROWS} are one block",
                rows.len()
            );
            return Err(InsertError::Refused { code: 0, message });
        }
        if name.batch == 0 {
            return Err(InsertError::Doubt(
                "batch 0 lies behind every cut: numbers start at 1".into(),
            ));
        }
        let token = name.token(table, suffix);
        let client = self.writer.clone();
        let mut insert = client
            .with_setting("query_id", self.query_id(&token))
            .with_setting("async_insert", "0")
            .with_setting("deduplicate_insert", "enable")
            .with_setting("insert_deduplicate", "1")
            .with_setting("insert_deduplication_token", token)
            .with_setting("max_insert_threads", "1")
            // ClickHouse's defaults, pinned: a profile with smaller blocks would give each block a token of
            // its own, and a retry after a change of profile would be kept in part
            .with_setting("max_insert_block_size", "1048576")
            .with_setting("min_insert_block_size_rows", "1048576")
            .with_setting("min_insert_block_size_bytes", "268435456")
            .insert::<R>(table.name())
            .await
            .map_err(in_doubt)?
            .with_timeouts(Some(SEND_TIMEOUT), Some(ANSWER_TIMEOUT));
        for row in rows {
            insert.write(&row).await.map_err(judge)?;
        }
        insert.end().await.map_err(judge)
    }

    /// Query ids are unique in a server, so ours start with the database.
    fn query_id(&self, token: &str) -> String {
        format!("{}/{token}", self.database)
    }

    /// Whether `events` holds exactly the expected rows of the batch, over all tries.
    ///
    /// # Errors
    /// When ClickHouse cannot say.
    pub async fn verify_events(
        &self,
        name: &BatchName,
        expected: &ExpectedEvents,
    ) -> Result<Verdict, StoreError> {
        #[derive(Row, Deserialize)]
        struct Month {
            month: u32,
            found: u64,
        }
        let found: Vec<Month> = self
            .statement(
                "SELECT toYYYYMM(day) AS month, count() AS found FROM events \
                 WHERE shard = {shard:UInt16} AND batch = {batch:UInt64} \
                 AND day >= toDate({first_day:UInt16}) AND day <= toDate({last_day:UInt16}) \
                 AND received_at >= fromUnixTimestamp64Milli({first:Int64}, 'UTC') \
                 AND received_at <= fromUnixTimestamp64Milli({last:Int64}, 'UTC') \
                 GROUP BY month",
            )
            .param("shard", name.shard)
            .param("batch", name.batch)
            .param("first_day", expected.days.0)
            .param("last_day", expected.days.1)
            .param("first", expected.received.0)
            .param("last", expected.received.1)
            .fetch_all()
            .await?;
        let found: BTreeMap<u32, u64> = found.into_iter().map(|row| (row.month, row.found)).collect();
        if found == expected.months {
            return Ok(Verdict::Whole);
        }
        Ok(Verdict::Differs {
            expected: expected.months.values().sum(),
            found: found.values().sum(),
        })
    }

    /// Whether the batch's counts add up to the number of its rows.
    ///
    /// # Errors
    /// When ClickHouse cannot say.
    pub async fn verify_counts(&self, name: &BatchName, expected: u64) -> Result<Verdict, StoreError> {
        self.verify(name, expected, "SELECT sum(count) FROM count_deltas")
            .await
    }

    /// Whether the batch has the expected number of sketches.
    ///
    /// # Errors
    /// When ClickHouse cannot say.
    pub async fn verify_sketches(&self, name: &BatchName, expected: u64) -> Result<Verdict, StoreError> {
        self.verify(name, expected, "SELECT count() FROM sketch_deltas")
            .await
    }

    async fn verify(&self, name: &BatchName, expected: u64, select: &str) -> Result<Verdict, StoreError> {
        let found: u64 = self.named(select, name.shard, name.batch, "").fetch_one().await?;
        Ok(match found == expected {
            true => Verdict::Whole,
            false => Verdict::Differs { expected, found },
        })
    }

    /// Removes what tries older than `below_try` left of the batch, and returns how many rows that were.
    /// Synchronous, partition by partition. A try equal or newer is never touched: a stalled owner that wakes
    /// up here cannot delete what its successor committed.
    ///
    /// # Errors
    /// When ClickHouse does not do it; repeating is harmless.
    pub async fn repair(
        &self,
        table: Table,
        shard: u16,
        batch: u64,
        below_try: u8,
    ) -> Result<u64, StoreError> {
        #[derive(Row, Deserialize)]
        struct Partition {
            id: String,
            found: u64,
        }
        if table == Table::ActorDays {
            return Ok(0);
        }
        let select = format!(
            "SELECT _partition_id AS id, count() AS found FROM {}",
            table.name()
        );
        let older = format!("AND try < {below_try}");
        let partitions: Vec<Partition> = self
            .named(&select, shard, batch, &format!("{older} GROUP BY id"))
            .fetch_all()
            .await?;
        for Partition { id, .. } in &partitions {
            let delete = format!("DELETE FROM {} IN PARTITION ID '{id}'", table.name());
            self.named(&delete, shard, batch, &older)
                .with_setting("lightweight_deletes_sync", "2")
                .execute()
                .await?;
        }
        Ok(partitions.iter().map(|partition| partition.found).sum())
    }

    /// A statement about one batch. The numbers stand in the text: a mutation stores its text.
    fn named(&self, head: &str, shard: u16, batch: u64, tail: &str) -> clickhouse::query::Query {
        self.statement(&format!(
            "{head} WHERE shard = {shard} AND batch = {batch} {tail}"
        ))
    }

    /// Whether ClickHouse is still working on an insert of this batch into `table`, under whatever try.
    ///
    /// # Errors
    /// When ClickHouse cannot say.
    pub async fn query_running(&self, table: Table, shard: u16, batch: u64) -> Result<bool, StoreError> {
        let prefix = self.query_id(&format!("{}:s{shard}:{batch}:", table.name()));
        let running: u64 = self
            .statement("SELECT count() FROM system.processes WHERE startsWith(query_id, {prefix:String})")
            .param("prefix", prefix)
            .fetch_one()
            .await?;
        Ok(running > 0)
    }

    /// The largest batch number of the shard in `events`; `None` when it has no rows. Reads two columns of
    /// the whole table: ask when a shard is taken over, not more often.
    ///
    /// # Errors
    /// When ClickHouse cannot say.
    pub async fn max_batch(&self, shard: u16) -> Result<Option<u64>, StoreError> {
        let largest: u64 = self
            .statement("SELECT max(batch) FROM events WHERE shard = {shard:UInt16}")
            .param("shard", shard)
            .fetch_one()
            .await?;
        Ok((largest > 0).then_some(largest))
    }
}

/// Codes that speak about the rows themselves (ClickHouse's `ErrorCodes.cpp`): the same rows fail again.
const REFUSALS: [u32; 20] = [
    6, 26, 27, 38, 41, 53, 69, 70, 72, 117, 128, 131, 321, 349, 376, 407, 441, 467, 469, 691,
];

/// `TOO_MANY_PARTS` is two things: too many partitions in one insert (the rows' fault), and merges that
/// cannot keep up (wait).
const TOO_MANY_PARTS: u32 = 252;

/// Refused or in doubt?
fn judge(error: clickhouse::error::Error) -> InsertError {
    match StoreError::from(error) {
        StoreError::Server { code, message }
            if REFUSALS.contains(&code)
                || (code == TOO_MANY_PARTS && message.contains("Too many partitions")) =>
        {
            InsertError::Refused { code, message }
        }
        other => InsertError::Doubt(other.to_string()),
    }
}

/// Before the first row went out nothing can be the rows' fault (a table's schema that is not ours included:
/// no row may end as a dead letter for that).
fn in_doubt(error: clickhouse::error::Error) -> InsertError {
    InsertError::Doubt(StoreError::from(error).to_string())
}
