//! What was received when: how whoever keeps something made of events learns what is new, and that nothing is gone.

use clickhouse::Row;
use serde::Deserialize;

use super::{Facts, Store, StoreError, facts};
use crate::event::{Day, ProjectNumber};
use crate::metrics::identity::Override;

/// Actors of one parameter.
const ACTORS_A_PARAMETER: usize = 4_000;

impl Store {
    /// How many events, from the UTC day of an instant on, were received before each of two instants.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn received_before(
        &self,
        project: ProjectNumber,
        since_ms: i64,
        before_ms: (i64, i64),
    ) -> Result<Facts<(u64, u64)>, StoreError> {
        #[derive(Row, Deserialize)]
        struct Counts {
            earlier: u64,
            later: u64,
        }
        let sql = "SELECT countIf(received_at < fromUnixTimestamp64Milli({earlier:Int64}, 'UTC')) AS earlier, \
               countIf(received_at < fromUnixTimestamp64Milli({later:Int64}, 'UTC')) AS later \
             FROM events WHERE project = {project:UInt32} AND day >= toDate({since_day:UInt16})";
        let query = self
            .question(project, sql)
            .param("earlier", before_ms.0)
            .param("later", before_ms.1)
            .param("since_day", Day::of_utc(since_ms).as_u16());
        let found: Facts<Vec<Counts>> = facts(query).await?;
        let counts = found.rows.first().map(|counts| (counts.earlier, counts.later));
        Ok(Facts {
            rows: counts.unwrap_or_default(),
            rows_read: found.rows_read,
        })
    }

    /// The actors, at most so many, of whom an event was received at an instant or later, whenever it happened.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn actors_received_since(
        &self,
        project: ProjectNumber,
        since_ms: i64,
        most: u64,
    ) -> Result<Facts<Vec<u64>>, StoreError> {
        let sql = "SELECT DISTINCT actor FROM events WHERE project = {project:UInt32} \
               AND received_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') LIMIT {most:UInt64}";
        let query = self
            .question(project, sql)
            .param("since", since_ms)
            .param("most", most);
        facts(query).await
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
