//! The events of a funnel's steps, person by person, as they stream out of ClickHouse.

use clickhouse::Row;
use clickhouse::query::RowCursor;
use serde::Deserialize;
use uuid::Uuid;

use super::{Store, StoreError, read_rows};
use crate::event::{Day, ProjectNumber};
use crate::metrics::funnel::StepEvent;

/// Event names that one question may list: an index has to fit a byte, and 0 stands for no name.
pub const MAX_NAMES: usize = 255;

/// Threads of a funnel's query.
const THREADS: &str = "4";

#[derive(Row, Deserialize)]
struct StepRow {
    actor: u64,
    ts: i64,
    seq: u32,
    #[serde(with = "clickhouse::serde::uuid")]
    id: Uuid,
    name_index: u8,
}

/// Step events ordered by actor and then in the total order `(ts, seq, id)`. Dropping it ends the query.
pub struct StepEvents {
    cursor: Option<RowCursor<StepRow>>,
    /// The first event of the next person, read while looking for the end of the last one.
    ahead: Option<(u64, StepEvent)>,
    rows: u64,
}

impl Store {
    /// The project's events with one of `names` in `[from_ms, to_ms)`. A step event's `name_index` is the
    /// place of its name in `names`, counted from 1. At most [`MAX_NAMES`], without duplicates.
    ///
    /// # Errors
    /// When ClickHouse does not accept the question. Limits of time and memory show while reading.
    pub async fn step_events(
        &self,
        project: ProjectNumber,
        names: &[String],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<StepEvents, StoreError> {
        if names.len() > MAX_NAMES {
            let message = format!("{} event names in one question, at most {MAX_NAMES}", names.len());
            return Err(StoreError::Unreadable(message));
        }
        if names.is_empty() || from_ms >= to_ms {
            return Ok(StepEvents {
                cursor: None,
                ahead: None,
                rows: 0,
            });
        }
        let indexes: Vec<u8> = (1..=names.len() as u8).collect();
        // UUIDs compare by their second half first in ClickHouse; UUIDToNum gives the bytes as written, whose
        // order is that of Rust's Uuid and u128. The CAST sheds LowCardinality, which transform keeps.
        let cursor = self
            .stream(
                project,
                "SELECT actor, ts, seq, id, \
                   CAST(transform(event, {names:Array(String)}, {indexes:Array(UInt8)}, 0), 'UInt8') AS name_index \
                 FROM events \
                 WHERE project = {project:UInt32} AND event IN {names:Array(String)} \
                   AND day >= toDate({from_day:UInt16}) AND day <= toDate({to_day:UInt16}) \
                   AND ts >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') \
                   AND ts < fromUnixTimestamp64Milli({to:Int64}, 'UTC') \
                 ORDER BY actor, ts, seq, UUIDToNum(id)",
            )
            .param("names", names)
            .param("indexes", indexes)
            .param("from_day", Day::of_utc(from_ms).as_u16())
            .param("to_day", Day::of_utc(to_ms - 1).as_u16())
            .param("from", from_ms)
            .param("to", to_ms)
            .with_setting("max_threads", THREADS)
            .fetch()?;
        Ok(StepEvents {
            cursor: Some(cursor),
            ahead: None,
            rows: 0,
        })
    }
}

impl StepEvents {
    /// The next event and its actor; `None` at the end.
    ///
    /// # Errors
    /// When ClickHouse stops within the answer, for a limit or for trouble.
    pub async fn next(&mut self) -> Result<Option<(u64, StepEvent)>, StoreError> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        let Some(cursor) = &mut self.cursor else {
            return Ok(None);
        };
        let Some(row) = cursor.next().await? else {
            return Ok(None);
        };
        self.rows += 1;
        let event = StepEvent {
            ts: row.ts,
            seq: row.seq,
            id: row.id.as_u128(),
            name_index: row.name_index,
        };
        Ok(Some((row.actor, event)))
    }

    /// All events of the next actor, into `events` (cleared first: reuse it), in total order. Returns the
    /// actor; `None` at the end.
    ///
    /// # Errors
    /// As [`StepEvents::next`].
    pub async fn next_person(&mut self, events: &mut Vec<StepEvent>) -> Result<Option<u64>, StoreError> {
        events.clear();
        let Some((person, first)) = self.next().await? else {
            return Ok(None);
        };
        events.push(first);
        while let Some((actor, event)) = self.next().await? {
            if actor != person {
                self.ahead = Some((actor, event));
                break;
            }
            events.push(event);
        }
        Ok(Some(person))
    }

    /// Rows that ClickHouse read. Complete once the first event came: an ordered answer begins when
    /// everything was read.
    pub fn rows_read(&self) -> u64 {
        let told = self.cursor.as_ref().map_or(0, read_rows);
        told.max(self.rows)
    }
}
