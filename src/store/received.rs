//! What is new: how whoever keeps something made of events learns whose to read again.

use clickhouse::Row;
use serde::Deserialize;

use super::{Facts, Store, StoreError, facts};
use crate::event::ProjectNumber;
use crate::metrics::identity::Override;

/// Actors of one parameter.
const ACTORS_A_PARAMETER: usize = 4_000;

impl Store {
    /// The actors, at most so many, of whom an event was received at an instant or later, and when the earliest of these
    /// events happened.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn actors_received_since(
        &self,
        project: ProjectNumber,
        since_ms: i64,
        most: u64,
    ) -> Result<Facts<Vec<(u64, i64)>>, StoreError> {
        let sql = "SELECT actor, toUnixTimestamp64Milli(min(ts)) FROM events WHERE project = {project:UInt32} \
               AND received_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') GROUP BY actor LIMIT {most:UInt64}";
        let query = self
            .question(project, sql)
            .param("since", since_ms)
            .param("most", most);
        facts(query).await
    }

    /// When the first event of each of these actors happened; of those who have none, nothing.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn actors_first_seen(
        &self,
        project: ProjectNumber,
        actors: &[u64],
    ) -> Result<Vec<(u64, i64)>, StoreError> {
        let mut seen = Vec::new();
        for actors in actors.chunks(ACTORS_A_PARAMETER) {
            let sql = "SELECT owner, toUnixTimestamp64Milli(min(first_seen)) FROM profiles \
                 WHERE project = {project:UInt32} AND kind = '' AND owner IN {actors:Array(UInt64)} GROUP BY owner";
            let query = self.question(project, sql).param("actors", actors);
            seen.extend(query.fetch_all::<(u64, i64)>().await?);
        }
        Ok(seen)
    }

    /// Every row that the override map ever had of these actors, at most some thousands.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn overrides_ever(
        &self,
        project: ProjectNumber,
        actors: &[u64],
    ) -> Result<Vec<Override>, StoreError> {
        #[derive(Row, Deserialize)]
        struct Changed {
            actor: u64,
            person: u64,
            split: i64,
        }
        let mut rows = Vec::new();
        for actors in actors.chunks(ACTORS_A_PARAMETER) {
            let sql = "SELECT actor, person, split FROM person_changes WHERE project = {project:UInt32} \
                 AND actor IN {actors:Array(UInt64)}";
            let found: Vec<Changed> = self
                .question(project, sql)
                .param("actors", actors)
                .fetch_all()
                .await?;
            rows.extend(found.into_iter().map(|row| Override {
                actor: row.actor,
                person: row.person,
                split: row.split,
            }));
        }
        Ok(rows)
    }
}
