//! Noting what new events carry.
//!
//! # Why a look and not the batch
//!
//! A worker could note names while it makes a batch. But then every event would be parsed once more on the way into
//! the tables, whose CPU is what an installation pays for, every batch would be one more insert, and what was stored
//! before this table existed would be unknown. So names are looked for afterwards: every few seconds one statement reads
//! the events of the batches that were committed since (0.8 µs an event in ClickHouse, on one thread; equal shapes are put
//! together before anything else), and the first look reads everything there is, day by day.
//!
//! # Why it loses nothing and doubles nothing
//!
//! What is new is decided by the batches' numbers, not by time: a batch is whole in the tables before it is
//! committed, and only what was noted moves [`Store::schema_cuts`]. A look that dies half-way is done again, and the
//! rows are a set. The minute of receipt only says which parts need not be read; it comes from the ledger's
//! rows of the very same batches, so that a dead letter of last week is found too.

use clickhouse::Row;
use serde::Deserialize;

use crate::event::{Day, ProjectNumber};
use crate::metrics::schema::ValueType;
use crate::store::{Store, StoreError};

/// Seconds that one look, or one day of the first one, may take.
const LOOK_SECONDS: &str = "120";

/// Names that one statement notes of a project at most: one that makes up names must not fill the table at once.
pub const MOST_NOTED: u32 = 20_000;

/// Members of `props` whose own members are properties of the person, not of the event.
pub(super) const OF_PERSON: [&str; 3] = ["$set", "$set_once", "$add"];

/// Members of `props` that tell something of the person.
pub(super) const NOT_OF_EVENT: [&str; 4] = ["$set", "$set_once", "$add", "$unset"];

pub(super) fn texts(list: &[&str]) -> String {
    let quoted: Vec<String> = list.iter().map(|text| format!("'{text}'")).collect();
    format!("[{}]", quoted.join(", "))
}

/// `INSERT … SELECT` of what the events of `which` carry. A null is nothing. Per event only what has to be done is done:
/// names and the first byte of each value, which tells its type.
fn note(which: &str) -> String {
    let bit = ValueType::bit;
    let first_bytes = |pairs: &str| format!("arrayMap(p -> (p.1, substring(p.2, 1, 1)), {pairs})");
    let seen = |kind: &str, shape: &str| {
        format!(
            "arrayMap(p -> ('{kind}', p.1, transform(p.2, ['\"', 't', 'f', '{{', '['], \
             [{}, {boolean}, {boolean}, {}, {}], {})::UInt8), {shape})",
            bit(ValueType::String),
            bit(ValueType::Object),
            bit(ValueType::Array),
            bit(ValueType::Number),
            boolean = bit(ValueType::Boolean),
        )
    };
    let own = first_bytes("JSONExtractKeysAndValuesRaw(props) AS pairs");
    let nested = format!(
        "arrayFlatten(arrayMap(p -> JSONExtractKeysAndValuesRaw(p.2), arrayFilter(p -> has({}, p.1), pairs)))",
        texts(&OF_PERSON)
    );
    let persons = format!("if(position(props, '\"$') = 0, [], {})", first_bytes(&nested));
    let own_names = format!(
        "arrayFilter(p -> p.2 != 'n' AND NOT has({}, p.1), own)",
        texts(&NOT_OF_EVENT)
    );
    format!(
        "INSERT INTO schema_days (project, kind, event, property, day, types, first, last) \
         SELECT project, seen.1 AS kind, event, seen.2 AS property, day, groupBitOr(seen.3) AS types, \
           min(earliest) AS first, max(latest) AS last \
         FROM ( \
           SELECT project, event, day, {own} AS own, {persons} AS persons, min(ts) AS earliest, max(ts) AS latest \
           FROM events WHERE {which} GROUP BY project, event, day, own, persons \
         ) ARRAY JOIN arrayConcat([('event', '', 0::UInt8)], {}, {}) AS seen \
         GROUP BY project, kind, event, property, day \
         ORDER BY project, kind, event, property, day LIMIT {MOST_NOTED} BY project",
        seen("property", &own_names),
        seen("person", "arrayFilter(p -> p.2 != 'n', persons)"),
    )
}

/// What was committed behind one cut and up to another.
const NEW: &str = "batch > {noted:Array(UInt64)}[shard + 1] AND batch <= {upto:Array(UInt64)}[shard + 1]";

impl Store {
    /// Up to which batch of each shard names were looked at; `None` before the first look.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn schema_cuts(&self) -> Result<Option<Vec<u64>>, StoreError> {
        #[derive(Row, Deserialize)]
        struct Look {
            cuts: Vec<u64>,
        }
        let sql = "SELECT cuts FROM schema_looks ORDER BY version DESC LIMIT 1";
        let look: Option<Look> = self.statement(sql).fetch_optional().await?;
        Ok(look.map(|look| look.cuts))
    }

    /// Writes down that everything up to these batches was looked at.
    ///
    /// # Errors
    /// When ClickHouse does not do it.
    pub async fn set_schema_cuts(&self, cuts: &[u64]) -> Result<(), StoreError> {
        let sql = "INSERT INTO schema_looks (version, cuts) \
                   SELECT (SELECT max(version) FROM schema_looks) + 1, {cuts:Array(UInt64)}";
        let insert = self.statement(sql).param("cuts", cuts);
        Ok(insert.with_setting("async_insert", "0").execute().await?)
    }

    /// Notes what the batches behind `noted` and up to `upto` carry.
    ///
    /// # Errors
    /// When ClickHouse does not do it; repeating is harmless.
    pub async fn note_schema(&self, noted: &[u64], upto: &[u64]) -> Result<(), StoreError> {
        // A shard that was added since has nothing noted.
        let mut noted = noted.to_vec();
        noted.resize(upto.len(), 0);
        let received: i64 = self
            .statement(&format!(
                "SELECT toInt64(toUnixTimestamp(min(minute))) FROM ledger WHERE {NEW}"
            ))
            .param("noted", noted.as_slice())
            .param("upto", upto)
            .fetch_one()
            .await?;
        let which = format!("received_at >= fromUnixTimestamp64Milli({{received:Int64}}, 'UTC') AND {NEW}");
        let insert = self
            .statement(&note(&which))
            .param("received", received.saturating_mul(1000))
            .param("noted", noted.as_slice())
            .param("upto", upto);
        self.noting(insert).await
    }

    /// The UTC days of all events, of all projects.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn event_days(&self) -> Result<Vec<Day>, StoreError> {
        let sql = "SELECT DISTINCT toUInt16(day) AS on FROM events ORDER BY on";
        let days: Vec<u16> = self.statement(sql).fetch_all().await?;
        Ok(days.into_iter().map(|day| Day(day.into())).collect())
    }

    /// Notes what all events of a UTC day carry.
    ///
    /// # Errors
    /// As [`Store::note_schema`].
    pub async fn note_schema_day(&self, day: Day) -> Result<(), StoreError> {
        let insert = self.statement(&note("day = toDate({day:UInt16})"));
        self.noting(insert.param("day", day.as_u16())).await
    }

    /// Computes anew what was seen of a project on a UTC day, from the events that are left. A reader in between
    /// finds less.
    ///
    /// # Errors
    /// As [`Store::note_schema`].
    pub async fn renote_schema_day(&self, project: ProjectNumber, day: Day) -> Result<(), StoreError> {
        self.forget_schema(project, &format!(" AND day = toDate({})", day.as_u16()))
            .await?;
        let which = "project = {project:UInt32} AND day = toDate({day:UInt16})";
        let insert = self.statement(&note(which));
        let insert = insert.param("project", project.0).param("day", day.as_u16());
        self.noting(insert).await
    }

    /// Removes what was seen of a project before a UTC day, or ever.
    ///
    /// # Errors
    /// When ClickHouse does not do it; repeating is harmless.
    pub async fn forget_schema_before(
        &self,
        project: ProjectNumber,
        day: Option<Day>,
    ) -> Result<(), StoreError> {
        let older = day.map(|day| format!(" AND day < toDate({})", day.as_u16()));
        self.forget_schema(project, &older.unwrap_or_default()).await
    }

    async fn forget_schema(&self, project: ProjectNumber, older: &str) -> Result<(), StoreError> {
        let rows = format!("project = {project}{older}");
        let count = format!("SELECT count() FROM schema_days WHERE {rows}");
        let found: u64 = self.statement(&count).fetch_one().await?;
        if found > 0 {
            self.statement(&format!("ALTER TABLE schema_days DELETE WHERE {rows}"))
                .with_setting("mutations_sync", "2")
                .execute()
                .await?;
        }
        Ok(())
    }

    async fn noting(&self, insert: clickhouse::query::Query) -> Result<(), StoreError> {
        Ok(insert
            // Nobody waits for it; questions and merges do for processors.
            .with_setting("max_threads", "1")
            .with_setting("max_execution_time", LOOK_SECONDS)
            .with_setting("async_insert", "0")
            .execute()
            .await?)
    }
}
