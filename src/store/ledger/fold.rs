//! Keeping the ledger small: minutes become quarter hours, and what is too old goes.
//!
//! A day of `ledger` is a partition by the time at which the stream took the batches, so once nothing that
//! old waits in the stream no row can come into it any more. It is then added up into a table beside it and
//! replaced as a whole: one atomic step, and a fold of a fold is the same fold, so two workers at once or one
//! that dies half-way are harmless. A removal beside it is not: its rows would come back. So the roller does one
//! or the other.

use clickhouse::Row;
use serde::Deserialize;

use super::super::{Store, StoreError};

/// Days for which the ledger keeps minutes.
pub const MINUTES_KEPT_DAYS: u32 = 7;
/// Days for which the ledger keeps quarter hours.
pub const QUARTERS_KEPT_DAYS: u32 = 400;
/// Days for which client sequences are kept, so for which gaps are estimated.
pub const SEQUENCES_KEPT_DAYS: u32 = 7;

const DAY_S: u32 = 86_400;

#[derive(Row, Deserialize)]
struct Partition {
    id: String,
    batches: u64,
}

impl Store {
    /// Folds the days of the ledger that are older than a week at `now_s`, and drops what is older than it is
    /// kept. `settled_s`: everything that the stream took before then is committed. Seconds both. Returns the
    /// days folded and the days dropped.
    ///
    /// # Errors
    /// When ClickHouse does not do it; repeating is harmless.
    pub async fn fold_ledger(&self, settled_s: u32, now_s: u32) -> Result<(u64, u64), StoreError> {
        let before = |days: u32| now_s.saturating_sub(days * DAY_S).min(settled_s);
        let (mut folded, mut dropped) = (0, 0);
        for (table, kept) in [
            ("ledger", QUARTERS_KEPT_DAYS),
            ("client_sequences", SEQUENCES_KEPT_DAYS),
        ] {
            for day in self.days_before(table, before(kept)).await? {
                let drop = format!("ALTER TABLE {table} DROP PARTITION ID '{}'", day.id);
                self.statement(&drop).execute().await?;
                dropped += 1;
            }
        }
        for day in self.days_before("ledger", before(MINUTES_KEPT_DAYS)).await? {
            if day.batches > 0 {
                self.fold_day(&day.id).await?;
                folded += 1;
            }
        }
        Ok((folded, dropped))
    }

    /// The partitions of whole days before this second, with the number of rows that name a batch.
    async fn days_before(&self, table: &str, before_s: u32) -> Result<Vec<Partition>, StoreError> {
        let sql = format!(
            "SELECT _partition_id AS id, countIf(batch > 0) AS batches FROM {table} \
             WHERE received_hour < toStartOfDay(toDateTime({{before:UInt32}}, 'UTC')) GROUP BY id ORDER BY id"
        );
        Ok(self.statement(&sql).param("before", before_s).fetch_all().await?)
    }

    async fn fold_day(&self, partition: &str) -> Result<(), StoreError> {
        let beside = format!("ledger_fold_{}", uuid::Uuid::new_v4().simple());
        let steps = [
            format!("CREATE TABLE {beside} AS ledger"),
            format!(
                "INSERT INTO {beside} SELECT project, toStartOfFifteenMinutes(minute) AS quarter, source, outcome, \
                   reason, sum(count) AS events, 0, 0, 0, toStartOfDay(received_hour) AS taken \
                 FROM ledger WHERE _partition_id = '{partition}' \
                 GROUP BY project, quarter, source, outcome, reason, taken HAVING events != 0"
            ),
            format!("ALTER TABLE ledger REPLACE PARTITION ID '{partition}' FROM {beside}"),
        ];
        let mut done = Ok(());
        for step in &steps {
            let query = self.statement(step).with_setting("async_insert", "0");
            done = query.execute().await.map_err(StoreError::from);
            if done.is_err() {
                break;
            }
        }
        self.statement(&format!("DROP TABLE IF EXISTS {beside}"))
            .execute()
            .await?;
        done
    }
}
