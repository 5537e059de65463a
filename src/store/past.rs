//! The tables as they were: the same statements, but only of events that had been received by an instant, and of persons
//! as they were known by a version of the override map.
//!
//! No statement knows of it. Events are cut by a condition that the reader's connection adds to their table, the map is
//! read from the history that it keeps, and a statement that reads any other table is refused by ClickHouse itself:
//! what has no history must not answer for the past.

use std::borrow::Cow;

use super::migrate::table_names;
use super::{Facts, Store, StoreError, facts};
use crate::event::{Day, ProjectNumber};
use crate::metrics::time::TimeRange;

/// A state of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Past {
    /// Events received by then, UTC milliseconds.
    pub received_ms: i64,
    /// Persons by this version of the override map.
    pub identity_version: u64,
}

/// Tables that can be read as they were.
const KEPT: [&str; 3] = ["events", "person_map", "person_changes"];

/// What ClickHouse says when a table without a history is read (`throwIf`).
pub(super) const NO_PAST: u32 = 395;

impl Store {
    /// The same database as it was, but for what was erased since.
    pub fn as_of(&self, past: Past) -> Store {
        let database = &self.database;
        let mut filters = vec![format!(
            "'{database}.events': 'received_at <= fromUnixTimestamp64Milli({})'",
            past.received_ms
        )];
        let version = past.identity_version;
        filters.push(format!("'{database}.person_changes': 'version <= {version}'"));
        for table in table_names().filter(|table| !KEPT.contains(table)) {
            filters.push(format!("'{database}.{table}': 'throwIf(1) = 0'"));
        }
        let filters = format!("{{{}}}", filters.join(", "));
        Store {
            reader: self
                .reader
                .clone()
                .with_setting("additional_table_filters", filters),
            past: true,
            ..self.clone()
        }
    }

    /// A statement of ours as this store asks it.
    pub(super) fn worded<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        if !self.past {
            return sql.into();
        }
        let latest = "FROM person_map FINAL WHERE project = {project:UInt32}";
        let of_then = "FROM (SELECT actor, argMax(person, version) AS person, argMax(split, version) AS split FROM ( \
                         SELECT actor, person, split, version FROM person_changes WHERE project = {project:UInt32}) \
                       GROUP BY actor) AS person_map WHERE 1";
        sql.replace(latest, of_then)
            // Where rows may be too many, or are read in their order.
            .replace("FROM person_map WHERE", "FROM person_changes WHERE")
            .into()
    }

    /// The version of the override map that questions read now; 0 where everybody's events are their own.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn latest_identity(&self, project: ProjectNumber) -> Result<u64, StoreError> {
        let sql = "SELECT max(version) FROM person_changes WHERE project = {project:UInt32}";
        // No row to a question that does not run.
        let latest: Option<u64> = self.question(project, sql).fetch_optional().await?;
        Ok(latest.unwrap_or_default())
    }

    /// How many ids changed hands between two versions.
    ///
    /// # Errors
    /// As [`Store::latest_identity`].
    pub async fn changed_hands(
        &self,
        project: ProjectNumber,
        (after, until): (u64, u64),
    ) -> Result<u64, StoreError> {
        let sql = "SELECT uniqExact(actor) FROM person_changes WHERE project = {project:UInt32} \
                   AND version > {after:UInt64} AND version <= {until:UInt64}";
        let query = self.question(project, sql);
        Ok(query
            .param("after", after)
            .param("until", until)
            .fetch_one()
            .await?)
    }

    /// How many events of a range were received after the first instant and by the second, by local day at capture.
    ///
    /// # Errors
    /// As [`Store::latest_identity`].
    pub async fn received_between(
        &self,
        project: ProjectNumber,
        (after, until): (i64, i64),
        range: TimeRange,
    ) -> Result<Facts<Vec<(Day, u64)>>, StoreError> {
        let sql = "SELECT toUInt16(local_day), count() FROM events WHERE project = {project:UInt32} \
                     AND day >= toDate({from_day:UInt16}) AND day <= toDate({to_day:UInt16}) \
                     AND ts >= fromUnixTimestamp64Milli({from:Int64}) AND ts < fromUnixTimestamp64Milli({to:Int64}) \
                     AND received_at > fromUnixTimestamp64Milli({after:Int64}) \
                     AND received_at <= fromUnixTimestamp64Milli({until:Int64}) \
                   GROUP BY local_day ORDER BY local_day";
        let query = self
            .question(project, sql)
            .param("from_day", Day::of_utc(range.from_ms).as_u16())
            .param("to_day", Day::of_utc(range.to_ms - 1).as_u16())
            .param("from", range.from_ms)
            .param("to", range.to_ms)
            .param("after", after)
            .param("until", until);
        let found = facts::<(u16, u64)>(query).await?;
        let rows = found.rows.into_iter();
        Ok(Facts {
            rows: rows.map(|(day, count)| (Day(day.into()), count)).collect(),
            rows_read: found.rows_read,
        })
    }
}
