//! Groups: their types, those of a type, and what is known of one.

use clickhouse::Row;
use serde::Deserialize;

use crate::event::{ProjectNumber, actor_of};
use crate::metrics::person::Record;
use crate::store::{Facts, Store, StoreError, facts};

/// A group that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Row, Deserialize)]
pub struct SeenGroup {
    pub number: u64,
    pub key: String,
    /// UTC milliseconds.
    pub first: i64,
    /// UTC milliseconds.
    pub last: i64,
}

/// A type of groups.
#[derive(Clone, Debug, PartialEq, Eq, Row, Deserialize)]
pub struct GroupType {
    pub kind: String,
    pub groups: u64,
}

impl Store {
    /// The types of groups and how many there are of each, the most first; so many types at most.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn group_types(
        &self,
        project: ProjectNumber,
        limit: u32,
    ) -> Result<Facts<Vec<GroupType>>, StoreError> {
        let sql = "SELECT toString(kind) AS kind, uniqExact(owner) AS groups FROM profiles \
             WHERE project = {project:UInt32} AND profiles.kind != '' GROUP BY kind ORDER BY groups DESC, kind \
             LIMIT {limit:UInt32}";
        facts(self.question(project, sql).param("limit", limit)).await
    }

    /// The groups of a type by key, behind a key, those whose key contains a text.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn list_groups(
        &self,
        project: ProjectNumber,
        kind: &str,
        (search, after): (&str, Option<&str>),
        limit: u32,
    ) -> Result<Facts<Vec<SeenGroup>>, StoreError> {
        let behind = after.map_or("", |_| "AND key > {after:String}");
        let sql = format!(
            "SELECT owner AS number, any(id) AS key, toUnixTimestamp64Milli(min(first_seen)) AS first, \
               toUnixTimestamp64Milli(max(last_seen)) AS last \
             FROM profiles WHERE project = {{project:UInt32}} AND kind = {{kind:String}} \
               AND positionCaseInsensitiveUTF8(id, {{search:String}}) > 0 \
             GROUP BY owner HAVING 1 {behind} ORDER BY key LIMIT {{limit:UInt32}}"
        );
        let mut query = self
            .question(project, &sql)
            .param("kind", kind)
            .param("search", search)
            .param("limit", limit);
        if let Some(after) = after {
            query = query.param("after", after);
        }
        facts(query).await
    }

    /// When a group was seen. Nothing: never.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn group(
        &self,
        project: ProjectNumber,
        kind: &str,
        key: &str,
    ) -> Result<Facts<Option<SeenGroup>>, StoreError> {
        let sql = "SELECT owner AS number, any(id) AS key, toUnixTimestamp64Milli(min(first_seen)) AS first, \
               toUnixTimestamp64Milli(max(last_seen)) AS last \
             FROM profiles WHERE project = {project:UInt32} AND kind = {kind:String} AND owner = {owner:UInt64} \
             GROUP BY owner";
        let query = self
            .question(project, sql)
            .param("kind", kind)
            .param("owner", actor_of(key));
        let found: Facts<Vec<SeenGroup>> = facts(query).await?;
        Ok(Facts {
            rows: found.rows.into_iter().next(),
            rows_read: found.rows_read,
        })
    }

    /// What groups' properties are made of: group, property, record.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn group_records(
        &self,
        project: ProjectNumber,
        kind: &str,
        groups: &[u64],
    ) -> Result<Facts<Vec<(u64, String, Record)>>, StoreError> {
        self.records(project, kind, groups, None).await
    }
}
