//! Starts and returns of a retention table, person by person, as they stream out of ClickHouse.

use clickhouse::Row;
use clickhouse::query::RowCursor;
use serde::Deserialize;
use uuid::Uuid;

use super::{Store, StoreError, read_rows};
use crate::event::{Day, ProjectNumber, flag};
use crate::metrics::retention::ReturnEvent;
use crate::metrics::time::TimeRange;

/// Threads of a retention query.
const THREADS: &str = "4";

/// Which events are wanted, and when.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Event names; empty: any event that counts as activity.
    pub events: &'a [String],
    /// The instants in which they matter.
    pub range: TimeRange,
}

#[derive(Row, Deserialize)]
struct ReturnRow {
    actor: u64,
    ts: i64,
    seq: u32,
    #[serde(with = "clickhouse::serde::uuid")]
    id: Uuid,
    is_start: u8,
    is_return: u8,
}

/// Starts and returns, ordered by actor and then in the total order `(ts, seq, id)`. Dropping it ends the query.
pub struct ReturnEvents {
    cursor: RowCursor<ReturnRow>,
    rows: u64,
}

impl Store {
    /// The project's starts and returns.
    ///
    /// # Errors
    /// When ClickHouse does not accept the question. Limits of time and memory show while reading.
    pub async fn return_events(
        &self,
        project: ProjectNumber,
        starts: Wanted<'_>,
        returns: Wanted<'_>,
    ) -> Result<ReturnEvents, StoreError> {
        let is = |events: &[String], name: &str| match events {
            [] => "bitAnd(flags, {quiet:UInt16}) = 0".to_owned(),
            _ => format!("event IN {{{name}:Array(String)}}"),
        };
        let within = |name: &str| {
            format!(
                "ts >= fromUnixTimestamp64Milli({{{name}_from:Int64}}, 'UTC') \
                 AND ts < fromUnixTimestamp64Milli({{{name}_to:Int64}}, 'UTC')"
            )
        };
        let start = format!("{} AND {}", is(starts.events, "start"), within("start"));
        let back = format!("{} AND {}", is(returns.events, "return"), within("return"));
        // By name the primary key finds them; what counts as activity may have any name.
        let named = match starts.events.is_empty() || returns.events.is_empty() {
            true => "",
            false => "AND event IN arrayConcat({start:Array(String)}, {return:Array(String)})",
        };
        let from = starts.range.from_ms.min(returns.range.from_ms);
        let to = starts.range.to_ms.max(returns.range.to_ms);
        let mut query = self
            .stream(
                project,
                &format!(
                    "SELECT actor, ts, seq, id, ({start}) AS is_start, ({back}) AS is_return FROM events \
                     WHERE project = {{project:UInt32}} {named} \
                       AND day >= toDate({{from_day:UInt16}}) AND day <= toDate({{to_day:UInt16}}) \
                       AND (({start}) OR ({back})) \
                     ORDER BY actor, ts, seq, UUIDToNum(id)"
                ),
            )
            .param("from_day", Day::of_utc(from).as_u16())
            .param("to_day", Day::of_utc(to - 1).as_u16())
            .with_setting("max_threads", THREADS);
        for (name, wanted) in [("start", starts), ("return", returns)] {
            query = query
                .param(&format!("{name}_from"), wanted.range.from_ms)
                .param(&format!("{name}_to"), wanted.range.to_ms);
            query = match wanted.events {
                [] => query.param("quiet", flag::NOT_ACTIVITY),
                names => query.param(name, names),
            };
        }
        Ok(ReturnEvents {
            cursor: query.fetch()?,
            rows: 0,
        })
    }
}

impl ReturnEvents {
    /// The next event and its actor; `None` at the end.
    ///
    /// # Errors
    /// When ClickHouse stops within the answer, for a limit or for trouble.
    pub async fn next(&mut self) -> Result<Option<(u64, ReturnEvent)>, StoreError> {
        let Some(row) = self.cursor.next().await? else {
            return Ok(None);
        };
        self.rows += 1;
        let event = ReturnEvent {
            ts: row.ts,
            seq: row.seq,
            id: row.id.as_u128(),
            starts: row.is_start == 1,
            returns: row.is_return == 1,
        };
        Ok(Some((row.actor, event)))
    }

    /// Rows that ClickHouse read. Complete once the first event came: an ordered answer begins when everything was
    /// read.
    pub fn rows_read(&self) -> u64 {
        read_rows(&self.cursor).max(self.rows)
    }
}
