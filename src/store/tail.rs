//! What is new: the live tail and the few numbers beside it.

use clickhouse::Row;
use serde::Deserialize;

use super::events::{COLUMNS, StoredEvent};
use super::{Facts, Store, StoreError, facts};
use crate::event::{Day, ProjectNumber, flag};

/// The numbers of the live view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Row, Deserialize)]
pub struct Pulse {
    /// Persons with an activity event since `active_since`.
    pub active: u64,
    /// Events since `recent_since`.
    pub recent: u64,
    /// Events since `today`.
    pub today: u64,
}

impl Store {
    /// Events received at or after `since` (UTC milliseconds), oldest first; of more than `limit` the newest.
    ///
    /// Batches of different shards commit in no order, so an event may appear behind one that was already
    /// seen: whoever must not miss one asks again from a few seconds earlier and leaves out known ids.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn newer_than(
        &self,
        project: ProjectNumber,
        since: i64,
        limit: u32,
    ) -> Result<Facts<Vec<StoredEvent>>, StoreError> {
        let query = self
            .question(
                project,
                &format!(
                    "SELECT {COLUMNS} FROM events WHERE project = {{project:UInt32}} \
                     AND received_at >= fromUnixTimestamp64Milli({{since:Int64}}, 'UTC') \
                     ORDER BY received_at DESC, UUIDToNum(id) DESC LIMIT {{limit:UInt32}}"
                ),
            )
            .param("since", since)
            .param("limit", limit);
        let mut found: Facts<Vec<StoredEvent>> = facts(query).await?;
        found.rows.reverse();
        Ok(found)
    }

    /// Counts by event time since three instants (UTC milliseconds), in one question.
    ///
    /// # Errors
    /// As [`Store::newer_than`].
    pub async fn count_since(
        &self,
        project: ProjectNumber,
        active_since: i64,
        recent_since: i64,
        today: i64,
    ) -> Result<Facts<Pulse>, StoreError> {
        let first = active_since.min(recent_since).min(today);
        let query = self
            .question(
                project,
                &format!(
                    "SELECT uniqExactIf(person, ts >= fromUnixTimestamp64Milli({{active:Int64}}, 'UTC') \
                         AND bitAnd(flags, {{quiet:UInt16}}) = 0) AS active, \
                       countIf(ts >= fromUnixTimestamp64Milli({{recent:Int64}}, 'UTC')) AS recent, \
                       countIf(ts >= fromUnixTimestamp64Milli({{today:Int64}}, 'UTC')) AS today \
                     FROM {} WHERE project = {{project:UInt32}} AND day >= toDate({{first_day:UInt16}})",
                    self.people()
                ),
            )
            .param("active", active_since)
            .param("recent", recent_since)
            .param("today", today)
            .param("quiet", flag::NOT_ACTIVITY)
            .param("first_day", Day::of_utc(first).as_u16());
        let found: Facts<Vec<Pulse>> = facts(query).await?;
        Ok(Facts {
            rows: found.rows.into_iter().next().unwrap_or_default(),
            rows_read: found.rows_read,
        })
    }

    /// The UTC day of the project's earliest event; `None` when it has none.
    ///
    /// # Errors
    /// As [`Store::newer_than`].
    pub async fn first_day(&self, project: ProjectNumber) -> Result<Option<Day>, StoreError> {
        #[derive(Row, Deserialize)]
        struct First {
            first: u16,
            found: u64,
        }
        let first: First = self
            .question(
                project,
                "SELECT min(day) AS first, count() AS found FROM events WHERE project = {project:UInt32}",
            )
            .fetch_one()
            .await?;
        Ok((first.found > 0).then_some(Day(first.first.into())))
    }
}
