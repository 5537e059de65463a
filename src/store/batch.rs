//! A worker's batch on its way into the tables: insert under a token, verify, repair.
//!
//! Every row names the insert that brought it, `(shard, batch, try)`, so a table can be asked whether a batch
//! is there, whole and once, and be repaired by that name. When each step is due is the worker's business.

use std::time::Duration;

use clickhouse::{Client, Row, RowWrite};

use super::rows::{
    ActorDay, ActorDayRow, AddRow, CountDelta, CountDeltaRow, EVENT_COLUMNS, EventBlock, INSERT_COLUMNS,
    Profile, ProfileProperty, ProfileRow, PropertyRow, SketchDelta, SketchDeltaRow,
};
use super::{Store, StoreError};
use crate::event::Event;
use crate::fault::{self, Fault};

mod verify;

pub use verify::{ExpectedEvents, Verdict};

/// Rows that one insert may carry: well under ClickHouse's block size, so that an insert is one block, and
/// its token covers it whole.
pub const MAX_ROWS: usize = 200_000;

/// How long an insert may wait for the socket, and then for ClickHouse's answer.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// A table that batches are inserted into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    Events,
    CountDeltas,
    SketchDeltas,
    /// A set: its rows name no batch, and inserting them twice is harmless. Nothing is counted nor deleted
    /// here; what is in doubt is inserted again under another token.
    ActorDays,
    /// Sets too, as the two below.
    Profiles,
    ProfileProperties,
    ProfileAdds,
    /// Devices and users that were seen together: a set like [`Table::ActorDays`].
    IdentityEdges,
    Ledger,
    ClientSequences,
    LateDays,
}

impl Table {
    /// Whether it is a set, whose rows name no batch.
    pub fn is_set(self) -> bool {
        use Table::{ActorDays, IdentityEdges, ProfileAdds, ProfileProperties, Profiles};
        matches!(
            self,
            ActorDays | IdentityEdges | Profiles | ProfileProperties | ProfileAdds
        )
    }

    /// The name in SQL, and the first part of every token.
    pub fn name(self) -> &'static str {
        match self {
            Table::Events => "events",
            Table::CountDeltas => "count_deltas",
            Table::SketchDeltas => "sketch_deltas",
            Table::ActorDays => "actor_days",
            Table::Profiles => "profiles",
            Table::ProfileProperties => "profile_properties",
            Table::ProfileAdds => "profile_adds",
            Table::IdentityEdges => "identity_edges",
            Table::Ledger => "ledger",
            Table::ClientSequences => "client_sequences",
            Table::LateDays => "late_days",
        }
    }
}

/// The name of one attempt at a shard's batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BatchName {
    pub shard: u16,
    /// `incarnation * 2^40 + seq`; starts at 1, because a cut of 0 means "nothing yet".
    pub batch: u64,
    /// The plan's `try`: raised before a repair, so that the repair deletes older tries only.
    pub attempt: u8,
}

impl BatchName {
    /// The deduplication token: `events:s3:4711:0`, with the row range after a slash when split.
    pub fn token(&self, table: Table, suffix: Option<&str>) -> String {
        let BatchName {
            shard,
            batch,
            attempt,
        } = self;
        let base = format!("{}:s{shard}:{batch}:{attempt}", table.name());
        suffix.map_or(base.clone(), |suffix| format!("{base}/{suffix}"))
    }
}

/// Why an insert did not end in a plain yes.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InsertError {
    /// ClickHouse cannot read these rows or does not accept them; the same rows will never be accepted.
    /// Nothing of this insert is stored.
    #[error("ClickHouse refused the rows with code {code}: {message}")]
    Refused { code: u32, message: String },
    /// Anything else: it may or may not be stored. Retry the same rows under the same name, then verify.
    #[error("the insert is in doubt: {0}")]
    Doubt(String),
}

impl From<Fault> for InsertError {
    fn from(fault: Fault) -> InsertError {
        InsertError::Doubt(fault.to_string())
    }
}

impl Store {
    /// Inserts events as one block. `suffix` names a part of a split batch (`"0-1000"`).
    ///
    /// # Errors
    /// [`InsertError::Refused`] or [`InsertError::Doubt`].
    pub async fn insert_events(
        &self,
        name: &BatchName,
        events: &[Event],
        suffix: Option<&str>,
    ) -> Result<(), InsertError> {
        self.insert_event_block(name, &EventBlock::of(events), suffix)
            .await
    }

    /// The same from a block that is ready.
    ///
    /// # Errors
    /// As [`Store::insert_events`].
    pub async fn insert_event_block(
        &self,
        name: &BatchName,
        block: &EventBlock,
        suffix: Option<&str>,
    ) -> Result<(), InsertError> {
        if !fits(block.len(), name)? {
            return Ok(());
        }
        self.columns_are_ours().await?;
        let table = Table::Events.name();
        let mut insert = self
            .inserting(Table::Events, name, suffix)
            .with_setting("input_format_native_allow_types_conversion", "0")
            .with_compression(self.compression)
            .insert_formatted_with(format!("INSERT INTO {table} FORMAT Native"))
            .with_timeouts(Some(SEND_TIMEOUT), Some(ANSWER_TIMEOUT));
        for piece in block.body(name) {
            insert.send(piece).await.map_err(judge)?;
        }
        fault::point_in("insert.before_end", table).await?;
        insert.end().await.map_err(judge)
    }

    /// A block's columns that the table does not have would be dropped, so they are compared before the first one.
    async fn columns_are_ours(&self) -> Result<(), InsertError> {
        let look = async || {
            let found: Vec<(String, String)> = self
                .statement(
                    "SELECT name, type FROM system.columns \
                     WHERE database = {database:String} AND table = {table:String}",
                )
                .param("database", &self.database)
                .param("table", Table::Events.name())
                .fetch_all()
                .await
                .map_err(in_doubt)?;
            let mut ours = EVENT_COLUMNS.iter().chain(&INSERT_COLUMNS);
            match ours.find(|(name, kind)| !found.iter().any(|(n, k)| n == name && k == kind)) {
                None => Ok(()),
                Some((name, kind)) => Err(InsertError::Doubt(format!(
                    "the table events has no column {name} of type {kind}"
                ))),
            }
        };
        self.checked.get_or_try_init(look).await.copied()
    }

    /// Inserts a batch's counts.
    ///
    /// # Errors
    /// As [`Store::insert_events`].
    pub async fn insert_count_deltas(
        &self,
        name: &BatchName,
        rows: &[CountDelta],
    ) -> Result<(), InsertError> {
        let rows = rows.iter().map(|row| CountDeltaRow::new(name, row));
        self.insert::<CountDeltaRow<'_>>(Table::CountDeltas, name, None, rows)
            .await
    }

    /// Inserts a batch's sketches.
    ///
    /// # Errors
    /// As [`Store::insert_events`].
    pub async fn insert_sketch_deltas(
        &self,
        name: &BatchName,
        rows: &[SketchDelta],
    ) -> Result<(), InsertError> {
        let rows = rows.iter().map(|row| SketchDeltaRow::new(name, row));
        self.insert::<SketchDeltaRow<'_>>(Table::SketchDeltas, name, None, rows)
            .await
    }

    /// Inserts a batch's active days of actors. Idempotent.
    ///
    /// # Errors
    /// As [`Store::insert_events`].
    pub async fn insert_actor_days(&self, name: &BatchName, rows: &[ActorDay]) -> Result<(), InsertError> {
        let rows = rows.iter().map(|row| ActorDayRow::new(name, row));
        self.insert::<ActorDayRow>(Table::ActorDays, name, None, rows)
            .await
    }

    /// Inserts who and what a batch saw. Idempotent.
    ///
    /// # Errors
    /// As [`Store::insert_events`].
    pub async fn insert_profiles(&self, name: &BatchName, rows: &[Profile]) -> Result<(), InsertError> {
        self.insert_set::<ProfileRow<'_>>(Table::Profiles, name, rows.iter().map(ProfileRow::new))
            .await
    }

    /// Inserts a batch's properties of persons and groups. Idempotent.
    ///
    /// # Errors
    /// As [`Store::insert_events`].
    pub async fn insert_profile_properties(
        &self,
        name: &BatchName,
        rows: &[ProfileProperty],
    ) -> Result<(), InsertError> {
        let rows = rows.iter().filter(|row| row.record.is_base());
        self.insert_set::<PropertyRow<'_>>(Table::ProfileProperties, name, rows.map(PropertyRow::new))
            .await
    }

    /// Inserts what a batch adds to properties of persons and groups. Idempotent.
    ///
    /// # Errors
    /// As [`Store::insert_events`].
    pub async fn insert_profile_adds(
        &self,
        name: &BatchName,
        rows: &[ProfileProperty],
    ) -> Result<(), InsertError> {
        self.insert_set::<AddRow<'_>>(Table::ProfileAdds, name, rows.iter().flat_map(AddRow::all))
            .await
    }

    /// Inserts rows of a set, which may be more than one insert carries.
    async fn insert_set<'a, R>(
        &self,
        table: Table,
        name: &BatchName,
        mut rows: impl Iterator<Item = R::Value<'a>>,
    ) -> Result<(), InsertError>
    where
        R: Row + RowWrite,
    {
        for piece in 0.. {
            let block: Vec<R::Value<'a>> = rows.by_ref().take(MAX_ROWS).collect();
            let is_last = block.len() < MAX_ROWS;
            let suffix = (piece > 0).then(|| piece.to_string());
            self.insert::<R>(table, name, suffix.as_deref(), block.into_iter())
                .await?;
            if is_last {
                break;
            }
        }
        Ok(())
    }

    pub(super) async fn insert<'a, R>(
        &self,
        table: Table,
        name: &BatchName,
        suffix: Option<&str>,
        rows: impl ExactSizeIterator<Item = R::Value<'a>>,
    ) -> Result<(), InsertError>
    where
        R: Row + RowWrite,
    {
        if !fits(rows.len(), name)? {
            return Ok(());
        }
        let mut insert = self
            .inserting(table, name, suffix)
            .insert::<R>(table.name())
            .await
            .map_err(in_doubt)?
            .with_timeouts(Some(SEND_TIMEOUT), Some(ANSWER_TIMEOUT));
        for row in rows {
            insert.write(&row).await.map_err(judge)?;
        }
        fault::point_in("insert.before_end", table.name()).await?;
        insert.end().await.map_err(judge)
    }

    /// The writer, with everything that makes an insert one block under one token.
    fn inserting(&self, table: Table, name: &BatchName, suffix: Option<&str>) -> Client {
        let token = name.token(table, suffix);
        self.writer
            .clone()
            .with_setting("query_id", self.query_id(&token))
            .with_setting("async_insert", "0")
            .with_setting("deduplicate_insert", "enable")
            .with_setting("insert_deduplicate", "1")
            .with_setting("insert_deduplication_token", token)
            .with_setting("max_insert_threads", "1")
            // ClickHouse's defaults, pinned: a profile with smaller blocks would give each block a token of
            // its own, and a retry after a change of profile would be kept in part
            .with_setting("max_insert_block_size", "1048576")
            .with_setting("min_insert_block_size_rows", "1048576")
            .with_setting("min_insert_block_size_bytes", "268435456")
    }

    /// Query ids are unique in a server, so ours start with the database.
    fn query_id(&self, token: &str) -> String {
        format!("{}/{token}", self.database)
    }
}

/// Whether so many rows can be inserted as one block; `false` when there is nothing to do.
fn fits(rows: usize, name: &BatchName) -> Result<bool, InsertError> {
    if rows > MAX_ROWS {
        let message = format!("{rows} rows in one insert, at most {MAX_ROWS} are one block");
        return Err(InsertError::Refused { code: 0, message });
    }
    if rows > 0 && name.batch == 0 {
        return Err(InsertError::Doubt(
            "batch 0 lies behind every cut: numbers start at 1".into(),
        ));
    }
    Ok(rows > 0)
}

/// Codes that speak about the rows themselves (ClickHouse's `ErrorCodes.cpp`): the same rows fail again.
const REFUSALS: [u32; 20] = [
    6, 26, 27, 38, 41, 53, 69, 70, 72, 117, 128, 131, 321, 349, 376, 407, 441, 467, 469, 691,
];

/// `TOO_MANY_PARTS` is two things: too many partitions in one insert (the rows' fault), and merges that
/// cannot keep up (wait).
const TOO_MANY_PARTS: u32 = 252;

/// Refused or in doubt?
fn judge(error: clickhouse::error::Error) -> InsertError {
    match StoreError::from(error) {
        StoreError::Server { code, message }
            if REFUSALS.contains(&code)
                || (code == TOO_MANY_PARTS && message.contains("Too many partitions")) =>
        {
            InsertError::Refused { code, message }
        }
        other => InsertError::Doubt(other.to_string()),
    }
}

/// Before the first row went out nothing can be the rows' fault (a table's schema that is not ours included:
/// no row may end as a dead letter for that).
fn in_doubt(error: clickhouse::error::Error) -> InsertError {
    InsertError::Doubt(StoreError::from(error).to_string())
}
