//! The events that matter to a funnel, marked with what they are, gathered person by person.
//!
//! ClickHouse selects and marks; rows come in no order, are spread over partitions by person as they arrive, and
//! each partition is put into total order when it is folded. Grouping here costs a fraction of grouping there. Marks come
//! by actor where nothing else asks for persons, and are put together (`merged`) if the project has overrides.
//!
//! Most funnels are told by who, when and what alone ([`marks`], 15 bytes a row on the way). Event ids decide only
//! between events of one person at the same millisecond and the same place in their batches, and sessions, held values
//! and lists of persons need more besides: those are read as whole [`rows`], of all persons or of the few concerned.

pub mod marks;
mod merged;
pub mod rows;
pub(super) mod spread;
pub(super) mod sql;

use std::collections::BTreeMap;

use clickhouse::query::BytesCursor;
use marks::Marks;
use merged::merged;
use rows::Rows;
use tokio::task::spawn_blocking;
use tokio::try_join;
use uuid::Uuid;

use super::maps::Maps;
use super::people::maybe_of;
use super::{Facts, Store, StoreError, facts};
use crate::event::{Day, ProjectNumber};
use crate::metrics::funnel::{FunnelSpec, FunnelTally, Values};
use crate::metrics::time::TimeRange;
pub use spread::Scratch;

/// The most events of one funnel: one takes 24 bytes, so these are 1 GB, and a partition at work again as much.
pub const MAX_MARKS: usize = 40_000_000;

/// The most events of one funnel that needs more than who, when and what: one takes 80 bytes, so these are 1.6 GB.
pub const MAX_ROWS: usize = 20_000_000;

/// The most persons whose events are asked for by name.
pub const MAX_NAMED: usize = 8_000;

/// The most values of a breakdown's property in the data: each has numbers of its own.
pub const MAX_VALUES: usize = 100_000;

/// The most values of properties that are held constant, and groups, in the data.
pub const MAX_HELD_VALUES: usize = 2_000_000;

/// Refuses more texts than are kept.
fn check_texts(spec: &FunnelSpec, values: &Values) -> Result<(), StoreError> {
    let of_breakdown = spec.breakdown.as_ref().map_or(0, |_| MAX_VALUES);
    let held = !spec.hold.is_empty() || spec.group.is_some();
    let most = of_breakdown + if held { MAX_HELD_VALUES } else { 0 };
    match values.len() > most {
        true => Err(StoreError::TooManyRows(format!(
            "more than {most} values in one funnel"
        ))),
        false => Ok(()),
    }
}

/// The events of a funnel.
pub struct FunnelFacts<T> {
    /// To be folded each on its own.
    pub pieces: Vec<T>,
    /// Rows that ClickHouse read, as far as it told, at least those that came.
    pub rows_read: u64,
}

/// Whose events are read.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'a> {
    /// Everybody's.
    All,
    /// Those of these persons.
    Of(&'a [u64]),
    /// Those of these persons, from the very first one on.
    OfAllTime(&'a [u64]),
}

/// The events of some persons.
pub trait Piece: Send + 'static {
    /// What folding needs besides, to be used for one piece after the other.
    type Scratch: Default;
    /// Adds the persons to the tally.
    fn fold(self, tally: &mut FunnelTally, scratch: &mut Self::Scratch);
}

impl Store {
    /// The project's events that matter to a funnel that is told by who, when and what ([`FunnelSpec::needs_ids`] says
    /// which is not). Texts are numbered on in `values`.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits, or the events are more than [`MAX_MARKS`].
    pub async fn funnel_marks(
        &self,
        project: ProjectNumber,
        spec: &FunnelSpec,
        values: &mut Values,
    ) -> Result<FunnelFacts<Marks>, StoreError> {
        let (sql, bind, of_actors) = sql::marks(spec);
        let query = bind.apply(self.stream(project, &sql));
        // Where ClickHouse has nothing to compute, two threads are as fast as we can read, and take less together.
        let is_simple = spec.is_told_by_names() && spec.breakdown.is_none();
        let threads = if is_simple { "2" } else { "4" };
        let mut cursor = query.with_setting("max_threads", threads).fetch_bytes("Native")?;
        let maps = async {
            match of_actors {
                true => self.override_maps(&[project]).await,
                false => Ok(Maps::default()),
            }
        };
        let read = marks::read(spec, &mut cursor, values);
        let (maps, (spread, rows)) = try_join!(maps, read)?;
        let map = maps.shared(project).filter(|map| !map.is_empty());
        let pieces = match map {
            None => spread.into_iter().map(Marks::Spread).collect(),
            Some(map) => {
                let merged = spawn_blocking(move || merged(spread, &map)).await;
                let merged = merged.map_err(|error| StoreError::Unreadable(error.to_string()))?;
                merged.into_iter().map(Marks::Merged).collect()
            }
        };
        Ok(FunnelFacts {
            pieces,
            rows_read: rows_read(&cursor, rows),
        })
    }

    /// The project's events that matter to a funnel, with everything about them, of everybody or of those named (at
    /// most [`MAX_NAMED`]).
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits, or the events are more than [`MAX_ROWS`].
    pub async fn funnel_rows(
        &self,
        project: ProjectNumber,
        spec: &FunnelSpec,
        whose: Whose<'_>,
        values: &mut Values,
    ) -> Result<FunnelFacts<Rows>, StoreError> {
        let (sql, bind) = sql::rows(spec, whose);
        let query = bind.apply(self.stream(project, &sql));
        let mut cursor = query.with_setting("max_threads", "4").fetch_bytes("Native")?;
        let (pieces, rows) = rows::read(spec, &mut cursor, values).await?;
        Ok(FunnelFacts {
            pieces,
            rows_read: rows_read(&cursor, rows),
        })
    }
}

/// What ClickHouse told when it began to answer, or what came.
pub(super) fn rows_read(cursor: &BytesCursor, rows: usize) -> u64 {
    let told = cursor.summary().and_then(|summary| summary.read_rows());
    told.unwrap_or(0).max(rows as u64)
}

#[derive(clickhouse::Row, serde::Deserialize)]
struct Named {
    person: u64,
    distinct_id: String,
}

impl Store {
    /// The ids by which persons are called: of those under which they sent events of a range the canonical one, else the
    /// smallest.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn distinct_ids(
        &self,
        project: ProjectNumber,
        persons: &[u64],
        range: TimeRange,
    ) -> Result<BTreeMap<u64, String>, StoreError> {
        if persons.is_empty() {
            return Ok(BTreeMap::new());
        }
        let query = self
            .question(
                project,
                &format!(
                    "SELECT person, argMin(distinct_id, (actor != person, distinct_id)) AS distinct_id FROM {} \
                     WHERE project = {{project:UInt32}} AND person IN {{persons:Array(UInt64)}} AND {} \
                       AND day >= toDate({{from:UInt16}}) AND day <= toDate({{to:UInt16}}) GROUP BY person",
                    self.people(),
                    maybe_of("{persons:Array(UInt64)}")
                ),
            )
            .param("persons", persons)
            .param("from", Day::of_utc(range.from_ms).as_u16())
            .param("to", Day::of_utc(range.to_ms - 1).as_u16());
        let found: Facts<Vec<Named>> = facts(query).await?;
        Ok(found
            .rows
            .into_iter()
            .map(|row| (row.person, row.distinct_id))
            .collect())
    }
}

#[derive(clickhouse::Row, serde::Deserialize)]
struct Called {
    #[serde(with = "clickhouse::serde::uuid")]
    id: Uuid,
    name: String,
}

impl Store {
    /// The names of events of a range, by their ids; of these persons and among these names, if any are given.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn event_names(
        &self,
        project: ProjectNumber,
        persons: &[u64],
        (names, ids): (&[String], &[Uuid]),
        range: TimeRange,
    ) -> Result<BTreeMap<Uuid, String>, StoreError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
        let query = self
            .question(
                project,
                &format!(
                    "SELECT id, any(toString(event)) AS name FROM events WHERE project = {{project:UInt32}} \
                       AND day >= toDate({{from:UInt16}}) AND day <= toDate({{to:UInt16}}) \
                       AND (empty({{names:Array(String)}}) OR event IN {{names:Array(String)}}) \
                       AND (empty({{persons:Array(UInt64)}}) OR {}) \
                       AND id IN {{ids:Array(UUID)}} GROUP BY id",
                    maybe_of("{persons:Array(UInt64)}")
                ),
            )
            .param("persons", persons)
            .param("names", names)
            .param("ids", ids)
            .param("from", Day::of_utc(range.from_ms).as_u16())
            .param("to", Day::of_utc(range.to_ms - 1).as_u16());
        let found: Facts<Vec<Called>> = facts(query).await?;
        Ok(found.rows.into_iter().map(|row| (row.id, row.name)).collect())
    }
}
