//! Members and sizes as they are written down; uploaded lists; what is removed.

use std::collections::BTreeMap;

use clickhouse::Row;
use serde::Deserialize;
use uuid::Uuid;

use super::IDS_A_STATEMENT;
use crate::event::{Day, ProjectNumber, Subject, Zone, actor_of};
use crate::metrics::identity::fresh_of;
use crate::store::people::PEOPLE;
use crate::store::{Facts, Store, StoreError, facts};

/// The size of a cohort on a local day, as it was last computed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DaySize {
    /// The day.
    pub day: Day,
    /// Members.
    pub size: u64,
}

/// The members that are valid now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latest {
    /// When they were written down, UTC milliseconds.
    pub computed_at: i64,
    /// How many they are.
    pub size: u64,
}

#[derive(Row, Deserialize)]
struct SizeRow {
    #[serde(with = "clickhouse::serde::uuid")]
    cohort: Uuid,
    at: i64,
    size: u64,
}

impl Store {
    /// Members by their numbers, in that order, those behind `after` first.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn cohort_members(
        &self,
        project: ProjectNumber,
        cohort: Uuid,
        after: Option<u64>,
        limit: u64,
    ) -> Result<Facts<Vec<u64>>, StoreError> {
        let query = self
            .question(
                project,
                &valid(
                    "SELECT DISTINCT person",
                    "AND person > {after:UInt64} ORDER BY person LIMIT {limit:UInt64}",
                ),
            )
            .param("cohort", cohort.to_string())
            .param("after", after.unwrap_or(0))
            .param("limit", limit);
        facts(query).await
    }

    /// Whether a person is written down as a member.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn is_cohort_member(
        &self,
        project: ProjectNumber,
        cohort: Uuid,
        person: u64,
    ) -> Result<bool, StoreError> {
        let query = self
            .question(project, &valid("SELECT count()", "AND person = {person:UInt64}"))
            .param("cohort", cohort.to_string())
            .param("person", person);
        let found: Facts<Vec<u64>> = facts(query).await?;
        Ok(found.rows.first().is_some_and(|count| *count > 0))
    }

    /// The person of the latest event under an id; `None`: there is no such event.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn person_behind(
        &self,
        project: ProjectNumber,
        distinct_id: &str,
    ) -> Result<Option<u64>, StoreError> {
        let query = self
            .question(
                project,
                &format!(
                    "SELECT argMax(person, (ts, seq, UUIDToNum(id))) AS person FROM {PEOPLE} \
                     WHERE project = {{project:UInt32}} AND actor = {{actor:UInt64}} GROUP BY actor"
                ),
            )
            .param("actor", actor_of(distinct_id));
        let found: Facts<Vec<u64>> = facts(query).await?;
        Ok(found.rows.first().copied())
    }

    /// When cohorts were computed last, and their sizes then.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn latest_cohorts(
        &self,
        project: ProjectNumber,
        cohorts: &[Uuid],
    ) -> Result<BTreeMap<Uuid, Latest>, StoreError> {
        let rows = self
            .sizes(
                project,
                cohorts,
                "SELECT cohort, toUnixTimestamp64Milli(argMax(computed_at, generation)) AS at, \
                   argMax(size, generation) AS size",
                "GROUP BY cohort",
            )
            .await?;
        let latest = rows.into_iter().map(|row| {
            let latest = Latest {
                computed_at: row.at,
                size: row.size,
            };
            (row.cohort, latest)
        });
        Ok(latest.collect())
    }

    /// The last size of each local day, of the last `days` days on which one was computed.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn cohort_sizes(
        &self,
        project: ProjectNumber,
        cohorts: &[Uuid],
        zone: &Zone,
        days: u8,
    ) -> Result<BTreeMap<Uuid, Vec<DaySize>>, StoreError> {
        // Of each hour the last one; which day it belongs to is the calendar's to say.
        let rows = self
            .sizes(
                project,
                cohorts,
                "SELECT cohort, toUnixTimestamp64Milli(max(computed_at)) AS at, argMax(size, generation) AS size",
                &format!(
                    "AND computed_at >= (SELECT max(computed_at) FROM cohort_sizes WHERE project = {{project:UInt32}} \
                       AND has({{cohorts:Array(String)}}, toString(cohort))) - INTERVAL {days} DAY \
                     GROUP BY cohort, intDiv(toUnixTimestamp64Milli(computed_at), 900000) ORDER BY cohort, at"
                ),
            )
            .await?;
        let mut sizes: BTreeMap<Uuid, Vec<DaySize>> = BTreeMap::new();
        for row in rows {
            let size = DaySize {
                day: zone.local_day(row.at),
                size: row.size,
            };
            let known = sizes.entry(row.cohort).or_default();
            match known.last_mut() {
                Some(last) if last.day == size.day => *last = size,
                _ => known.push(size),
            }
        }
        Ok(sizes)
    }

    async fn sizes(
        &self,
        project: ProjectNumber,
        cohorts: &[Uuid],
        select: &str,
        rest: &str,
    ) -> Result<Vec<SizeRow>, StoreError> {
        if cohorts.is_empty() {
            return Ok(Vec::new());
        }
        let cohorts: Vec<String> = cohorts.iter().map(Uuid::to_string).collect();
        let query = self
            .question(
                project,
                &format!(
                    "{select} FROM cohort_sizes WHERE project = {{project:UInt32}} \
                     AND has({{cohorts:Array(String)}}, toString(cohort)) {rest}"
                ),
            )
            .param("cohorts", cohorts);
        let found: Facts<Vec<SizeRow>> = facts(query).await?;
        Ok(found.rows)
    }

    /// Adds ids to an uploaded list, or puts them in its place; answers how many the list has then.
    ///
    /// # Errors
    /// When ClickHouse does not take them. Repeating is harmless.
    pub async fn list_cohort(
        &self,
        project: ProjectNumber,
        cohort: Uuid,
        actors: &[u64],
        replace: bool,
    ) -> Result<u64, StoreError> {
        if replace {
            self.delete_members(project, cohort, "generation = 0").await?;
        }
        for actors in actors.chunks(IDS_A_STATEMENT) {
            self.of_cohort(
                project,
                cohort,
                "INSERT INTO cohort_members (project, cohort, generation, person) SELECT {project:UInt32}, \
                   toUUID({cohort:String}), 0, arrayJoin({actors:Array(UInt64)})",
            )
            .param("actors", actors)
            .execute()
            .await?;
        }
        self.cohort_listed(project, cohort).await
    }

    /// How many ids an uploaded list has.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn cohort_listed(&self, project: ProjectNumber, cohort: Uuid) -> Result<u64, StoreError> {
        let query = self.of_cohort(
            project,
            cohort,
            "SELECT uniqExact(person) FROM cohort_members \
             WHERE project = {project:UInt32} AND cohort = toUUID({cohort:String}) AND generation = 0",
        );
        Ok(query.fetch_one().await?)
    }

    /// Drops the generations before one.
    ///
    /// # Errors
    /// When ClickHouse does not do it; repeating is harmless.
    pub async fn drop_generations_before(
        &self,
        project: ProjectNumber,
        cohort: Uuid,
        generation: u64,
    ) -> Result<(), StoreError> {
        let older = format!("generation > 0 AND generation < {generation}");
        self.delete_members(project, cohort, &older).await
    }

    /// Removes a cohort that is deleted: its members, its list, its sizes.
    ///
    /// # Errors
    /// When ClickHouse does not do it; repeating is harmless.
    pub async fn forget_cohort(&self, project: ProjectNumber, cohort: Uuid) -> Result<(), StoreError> {
        self.delete_members(project, cohort, "1").await?;
        let which = format!("project = {} AND cohort = toUUID('{cohort}')", project.0);
        self.delete_rows("cohort_sizes", &which).await
    }

    /// Removes a subject of a removal from members and lists: everybody of a project that is gone, else the persons,
    /// under whichever of their ids' numbers they were members.
    ///
    /// # Errors
    /// When ClickHouse does not do it; repeating is harmless.
    pub async fn forget_cohort_members(
        &self,
        subject: &Subject,
        project_gone: bool,
    ) -> Result<(), StoreError> {
        let project = format!("project = {}", subject.project);
        if project_gone {
            self.delete_rows("cohort_members", &project).await?;
            return self.delete_rows("cohort_sizes", &project).await;
        }
        let Some(actors) = subject.actors() else {
            return Ok(());
        };
        let persons = actors.iter().flat_map(|actor| [*actor, fresh_of(*actor)]);
        let persons: Vec<String> = persons.map(|person| person.to_string()).collect();
        let which = format!("{project} AND person IN ({})", persons.join(", "));
        self.delete_rows("cohort_members", &which).await
    }

    async fn delete_members(
        &self,
        project: ProjectNumber,
        cohort: Uuid,
        which: &str,
    ) -> Result<(), StoreError> {
        let which = format!(
            "project = {} AND cohort = toUUID('{cohort}') AND {which}",
            project.0
        );
        self.delete_rows("cohort_members", &which).await
    }

    /// Deletes rows, if there are any. The condition holds numbers and ids of cohorts only.
    async fn delete_rows(&self, table: &str, which: &str) -> Result<(), StoreError> {
        let found: u64 = self
            .statement(&format!("SELECT count() FROM {table} WHERE {which}"))
            .fetch_one()
            .await?;
        if found > 0 {
            self.statement(&format!("DELETE FROM {table} WHERE {which}"))
                .with_setting("lightweight_deletes_sync", "2")
                .execute()
                .await?;
        }
        Ok(())
    }
}

/// A question about the valid members of `{cohort:String}`.
fn valid(select: &str, rest: &str) -> String {
    format!(
        "{select} FROM cohort_members WHERE project = {{project:UInt32}} AND cohort = toUUID({{cohort:String}}) \
           AND generation = (SELECT max(generation) FROM cohort_sizes WHERE project = {{project:UInt32}} \
             AND cohort = toUUID({{cohort:String}})) AND generation > 0 {rest}"
    )
}
