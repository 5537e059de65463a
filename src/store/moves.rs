//! Whose events changed hands on days whose sketches do not know it yet.

use clickhouse::Row;
use serde::Serialize;

use super::remove::idle_moves;
use super::{Store, StoreError};
use crate::event::{Day, ProjectNumber, Subject};

/// The time by ClickHouse's clock, and no less than the latest version of the override map.
const NOW: &str = "SELECT greatest(toUInt64(toUnixTimestamp64Milli(now64(3))), max(version)) FROM person_changes \
                   WHERE project = {project:UInt32}";

#[derive(Row, Serialize)]
struct MoveRow {
    project: u32,
    day: u16,
    actor: u64,
    version: u64,
}

impl Store {
    /// The version that the override map has now, or would get.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn identity_version(&self, project: ProjectNumber) -> Result<u64, StoreError> {
        Ok(self.question(project, NOW).fetch_one().await?)
    }

    /// Notes days of actors that the day's sketches do not have right since `version`.
    ///
    /// # Errors
    /// When ClickHouse does not take them; again is harmless.
    pub async fn note_moves(
        &self,
        project: ProjectNumber,
        moved: &[(u64, Day)],
        version: u64,
    ) -> Result<(), StoreError> {
        if moved.is_empty() {
            return Ok(());
        }
        let mut insert = self.writing().insert::<MoveRow>("identity_moves").await?;
        for (actor, day) in moved {
            insert
                .write(&MoveRow {
                    project: project.0,
                    day: day.as_u16(),
                    actor: *actor,
                    version,
                })
                .await?;
        }
        Ok(insert.end().await?)
    }

    /// Notes that a day's sketches were made anew with a map of at least this version.
    ///
    /// # Errors
    /// As [`Store::note_moves`].
    pub async fn settle_moves(
        &self,
        project: ProjectNumber,
        day: Day,
        version: u64,
    ) -> Result<(), StoreError> {
        self.note_moves(project, &[(0, day)], version).await
    }

    /// How many days of a removal's persons are noted as moved, of which nothing is left; `days` bounds the search.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn subject_moves(
        &self,
        subject: &Subject,
        days: Option<(Day, Day)>,
    ) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT count(DISTINCT actor, day) FROM identity_moves WHERE {}",
            idle_moves(subject, days)
        );
        Ok(self.statement(&sql).fetch_one().await?)
    }

    /// Deletes these notes. Ask when the events are gone and their days were made anew.
    ///
    /// # Errors
    /// When ClickHouse does not do it; repeating is harmless.
    pub async fn forget_moves(&self, subject: &Subject, days: Option<(Day, Day)>) -> Result<(), StoreError> {
        if self.subject_moves(subject, days).await? > 0 {
            let sql = format!("DELETE FROM identity_moves WHERE {}", idle_moves(subject, days));
            self.statement(&sql)
                .with_setting("lightweight_deletes_sync", "2")
                .execute()
                .await?;
        }
        Ok(())
    }

    /// At most so many persons too many do the sketches of the local days in `[from, to)` hold: the ids whose events
    /// belong to somebody else by now.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn overcount_bound(
        &self,
        project: ProjectNumber,
        from: Day,
        to: Day,
    ) -> Result<u64, StoreError> {
        let query = self
            .question(
                project,
                "SELECT uniqExact(actor) FROM identity_moves LEFT ANY JOIN ( \
                   SELECT day AS made, max(version) AS settled FROM identity_moves \
                   WHERE project = {project:UInt32} AND actor = 0 GROUP BY day) AS anew ON day = made \
                 WHERE project = {project:UInt32} AND actor != 0 AND version > settled \
                   AND day >= toDate({from:UInt16}) AND day < toDate({to:UInt16})",
            )
            .param("from", from.as_u16())
            .param("to", to.as_u16());
        // No row to a question that does not run.
        let bound: Option<u64> = query.fetch_optional().await?;
        Ok(bound.unwrap_or_default())
    }
}
