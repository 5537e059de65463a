//! Is a batch there, whole and once? And if not: the removal of what older tries left.

use std::collections::BTreeMap;

use clickhouse::Row;
use serde::Deserialize;

use super::{BatchName, Table};
use crate::event::{Day, Event};
use crate::fault;
use crate::store::{Store, StoreError};

/// What VERIFY found of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Exactly what was expected, over all tries together.
    Whole,
    /// Too little or too much.
    Differs { expected: u64, found: u64 },
    /// The table does not name its rows' batch. Only an insert under a token that was never used settles it.
    Unknown,
}

/// What `events` must hold of a batch. Compute it from the rows that are to be stored (dead ones left out).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedEvents {
    /// Rows by UTC day, as ClickHouse's `Date`.
    days: BTreeMap<u16, u64>,
    /// The first and last receipt: with the days they bound the search.
    received: (i64, i64),
}

impl Default for ExpectedEvents {
    /// No rows.
    fn default() -> ExpectedEvents {
        ExpectedEvents {
            days: BTreeMap::new(),
            received: (i64::MAX, i64::MIN),
        }
    }
}

impl ExpectedEvents {
    /// What `events` says must be there.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> ExpectedEvents {
        let mut expected = ExpectedEvents::default();
        for event in events {
            expected.add(event);
        }
        expected
    }

    /// One row more.
    pub fn add<T: AsRef<str>>(&mut self, event: &Event<T>) {
        *self.days.entry(event.day().as_u16()).or_default() += 1;
        let (first, last) = self.received;
        self.received = (first.min(event.received_at), last.max(event.received_at));
    }

    /// Another's rows too.
    pub fn merge(&mut self, other: ExpectedEvents) {
        for (day, rows) in other.days {
            *self.days.entry(day).or_default() += rows;
        }
        let (first, last) = self.received;
        self.received = (first.min(other.received.0), last.max(other.received.1));
    }

    /// Receipt of the last row; `None` without rows.
    pub fn last_received_at(&self) -> Option<i64> {
        (!self.days.is_empty()).then_some(self.received.1)
    }

    /// Rows by month (202611), because each month is a part of its own.
    fn months(&self) -> BTreeMap<u32, u64> {
        let mut months = BTreeMap::new();
        for (day, rows) in &self.days {
            let date = Day(i32::from(*day)).date();
            let month = date.year() as u32 * 100 + date.month() as u32;
            *months.entry(month).or_default() += rows;
        }
        months
    }
}

impl Store {
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
            .param(
                "first_day",
                expected.days.keys().next().copied().unwrap_or(u16::MAX),
            )
            .param("last_day", expected.days.keys().next_back().copied().unwrap_or(0))
            .param("first", expected.received.0)
            .param("last", expected.received.1)
            .fetch_all()
            .await?;
        let found: BTreeMap<u32, u64> = found.into_iter().map(|row| (row.month, row.found)).collect();
        if found == expected.months() {
            return Ok(Verdict::Whole);
        }
        Ok(Verdict::Differs {
            expected: expected.days.values().sum(),
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

    pub(in crate::store) async fn verify(
        &self,
        name: &BatchName,
        expected: u64,
        select: &str,
    ) -> Result<Verdict, StoreError> {
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
        if table.is_set() {
            return Ok(0);
        }
        let select = format!(
            "SELECT _partition_id AS id, count() AS found FROM {}",
            table.name()
        );
        let older = match fault::left_out("repair_try") {
            false => format!("AND try < {below_try}"),
            true => String::new(),
        };
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

    /// The largest batch number of the shard in `events` and `ledger` (a batch may be of notes only); `None`
    /// when they have no rows. Reads two columns of the whole tables: ask when a shard is taken over, not more
    /// often.
    ///
    /// # Errors
    /// When ClickHouse cannot say.
    pub async fn max_batch(&self, shard: u16) -> Result<Option<u64>, StoreError> {
        let largest: u64 = self
            .statement(
                "SELECT max(largest) FROM ( \
                   SELECT max(batch) AS largest FROM events WHERE shard = {shard:UInt16} \
                   UNION ALL SELECT max(batch) AS largest FROM ledger WHERE shard = {shard:UInt16})",
            )
            .param("shard", shard)
            .fetch_one()
            .await?;
        Ok((largest > 0).then_some(largest))
    }
}
