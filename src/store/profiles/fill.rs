//! The rows of `profiles` and its kin made again from raw events: once for events from before these tables, and after a
//! removal.

use clickhouse::Row;
use clickhouse::query::RowCursor;
use serde::Deserialize;
use uuid::Uuid;

use super::current::told;
use crate::event::{ProjectNumber, Subject, Which};
use crate::metrics::person::{GROUP_MARKS, PERSON_MARKS};
use crate::store::batch::BatchName;
use crate::store::rows::{Profile, ProfileProperty};
use crate::store::{InsertError, Store, StoreError};

/// The tables.
const TABLES: [&str; 3] = ["profiles", "profile_properties", "profile_adds"];

/// What is filled or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Everything,
    Project(ProjectNumber),
    /// Of some actors of a project; groups are not touched.
    Actors(ProjectNumber, Vec<u64>),
}

impl Scope {
    /// The scope as a condition on the columns `project` and `owner`. Numbers only: a mutation's text stays in logs.
    fn is(&self, owner: &str) -> String {
        match self {
            Scope::Everything => "1".to_owned(),
            Scope::Project(project) => format!("project = {project}"),
            Scope::Actors(project, actors) => {
                let actors: Vec<String> = actors.iter().map(u64::to_string).collect();
                format!("project = {project} AND {owner} IN ({})", actors.join(", "))
            }
        }
    }

    /// What a removal's subject was told of. Retention is another matter: see [`Store::forget_idle_profiles`].
    pub fn of(subject: &Subject) -> Scope {
        match &subject.which {
            Which::Persons { actors, .. } => Scope::Actors(subject.project, actors.clone()),
            Which::Times { .. } | Which::Until { .. } => Scope::Project(subject.project),
        }
    }
}

/// An event that says something of persons or groups.
#[derive(Debug, Row, Deserialize)]
pub struct Told {
    pub project: u32,
    pub actor: u64,
    /// UTC milliseconds.
    pub ts: i64,
    #[serde(with = "clickhouse::serde::uuid")]
    pub id: Uuid,
    /// All properties, the text of a JSON object.
    pub props: String,
}

/// Events that say something of persons or groups, in any order.
pub struct ToldEvents(RowCursor<Told>);

impl ToldEvents {
    /// The next one.
    ///
    /// # Errors
    /// When ClickHouse does not go on.
    pub async fn next(&mut self) -> Result<Option<Told>, StoreError> {
        Ok(self.0.next().await?)
    }
}

impl Store {
    /// The stored events that say something of persons or groups.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub fn told_events(&self, scope: &Scope) -> Result<ToldEvents, StoreError> {
        let marks: Vec<&str> = PERSON_MARKS.iter().chain(&GROUP_MARKS).copied().collect();
        let sql = format!(
            "SELECT project, actor, toUnixTimestamp64Milli(ts) AS ts, id, props FROM events WHERE {} AND ({})",
            scope.is("actor"),
            told(&marks)
        );
        Ok(ToldEvents(self.statement(&sql).fetch()?))
    }

    /// Notes every actor of the stored events. Repeating is harmless.
    ///
    /// # Errors
    /// When ClickHouse does not do it.
    pub async fn fill_actors(&self, scope: &Scope) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO profiles SELECT project, '' AS kind, actor AS owner, any(distinct_id) AS id, \
               max(user_id != '') AS is_user, min(ts) AS first_seen, max(ts) AS last_seen \
             FROM events WHERE {} GROUP BY project, actor",
            scope.is("actor")
        );
        let query = self
            .statement(&sql)
            .with_setting("max_bytes_before_external_group_by", (1_u64 << 30).to_string());
        Ok(query.execute().await?)
    }

    /// Inserts rows that were made from stored events, each time under a name of its own.
    ///
    /// # Errors
    /// As [`Store::insert_events`].
    pub async fn fill_told(
        &self,
        profiles: &[Profile],
        properties: &[ProfileProperty],
    ) -> Result<(), InsertError> {
        let name = BatchName {
            shard: u16::MAX,
            batch: Uuid::new_v4().as_u64_pair().0 | 1,
            attempt: 0,
        };
        self.insert_profiles(&name, profiles).await?;
        self.insert_profile_properties(&name, properties).await?;
        self.insert_profile_adds(&name, properties).await
    }

    /// Deletes what is known of the scope's persons, and of groups where the scope is not persons. What events that
    /// are left say has to be filled in again afterwards: a batch that comes in between has its events there first.
    ///
    /// # Errors
    /// When ClickHouse does not do it; repeating is harmless.
    pub async fn delete_profiles(&self, scope: &Scope) -> Result<(), StoreError> {
        let persons = match scope {
            Scope::Actors(..) => " AND kind = ''",
            Scope::Everything | Scope::Project(_) => "",
        };
        self.delete_where(&format!("{}{persons}", scope.is("owner")))
            .await
    }

    /// Deletes what is known of actors who have no events left. What is known of others stays, also where the events
    /// that said so are gone: a person who is still there keeps their properties and when they came.
    ///
    /// # Errors
    /// When ClickHouse does not do it; repeating is harmless.
    pub async fn forget_idle_profiles(&self, project: ProjectNumber) -> Result<(), StoreError> {
        self.delete_where(&format!(
            "project = {project} AND kind = '' AND owner NOT IN (SELECT actor FROM events WHERE project = {project})"
        ))
        .await
    }

    async fn delete_where(&self, rows: &str) -> Result<(), StoreError> {
        for table in TABLES {
            let found: u64 = self
                .statement(&format!("SELECT count() FROM {table} WHERE {rows}"))
                .fetch_one()
                .await?;
            if found > 0 {
                self.statement(&format!("DELETE FROM {table} WHERE {rows}"))
                    .with_setting("lightweight_deletes_sync", "2")
                    .execute()
                    .await?;
            }
        }
        Ok(())
    }

    /// Actors of whom something is known although none of their events is left but the subject's. Right before these
    /// are deleted, and after.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn subject_profiles(&self, subject: &Subject) -> Result<u64, StoreError> {
        let scope = Scope::of(subject);
        let known: Vec<String> = TABLES
            .iter()
            .map(|table| {
                format!(
                    "SELECT owner FROM {table} WHERE kind = '' AND {}",
                    scope.is("owner")
                )
            })
            .collect();
        let sql = format!(
            "SELECT uniqExact(owner) FROM ({}) WHERE owner NOT IN ( \
               SELECT actor FROM events WHERE {} AND NOT ({}))",
            known.join(" UNION ALL "),
            scope.is("actor"),
            crate::store::remove::which(subject)
        );
        Ok(self.statement(&sql).fetch_one().await?)
    }

    /// Whether the events from before the tables of profiles were read for them.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn profiles_filled(&self) -> Result<bool, StoreError> {
        Ok(self.recorded("profiles_filled").await?.is_some())
    }

    /// Notes that they were.
    ///
    /// # Errors
    /// When ClickHouse does not store it.
    pub async fn note_profiles_filled(&self) -> Result<(), StoreError> {
        self.record("profiles_filled", 1).await
    }
}
