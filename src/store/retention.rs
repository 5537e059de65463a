//! Starts and returns of a retention table, person by person, as they stream out of ClickHouse.

use std::collections::HashSet;

use clickhouse::Row;
use clickhouse::query::RowCursor;
use serde::Deserialize;
use uuid::Uuid;

use super::filter::{Bind, value};
use super::selection::selected;
use super::{Store, StoreError, read_rows};
use crate::event::{Day, ProjectNumber, Zone};
use crate::metrics::retention::{RetentionSpec, ReturnEvent};
use crate::metrics::selection::Selection;
use crate::metrics::time::TimeRange;

/// Threads of a retention query.
const THREADS: &str = "4";

/// The most different values of a breakdown that are kept apart on the way to the most frequent ones.
const MAX_VALUES: usize = 100_000;

#[derive(Row, Deserialize)]
struct ReturnRow {
    actor: u64,
    ts: i64,
    seq: u32,
    #[serde(with = "clickhouse::serde::uuid")]
    id: Uuid,
    is_start: u8,
    is_return: u8,
    value: Option<String>,
}

/// Starts and returns, ordered by actor and then in the total order `(ts, seq, id)`. Dropping it ends the query.
pub struct ReturnEvents {
    cursor: RowCursor<ReturnRow>,
    rows: u64,
    values: HashSet<String>,
}

impl Store {
    /// The project's starts and returns, each where it matters; a start with its value of the breakdown.
    ///
    /// # Errors
    /// When ClickHouse does not accept the question. Limits of time and memory show while reading.
    pub async fn return_events(
        &self,
        project: ProjectNumber,
        spec: &RetentionSpec,
        zone: &Zone,
    ) -> Result<ReturnEvents, StoreError> {
        let mut bind = Bind::new();
        let mut wanted = |selection: &Selection, range: TimeRange| {
            format!(
                "{} AND ts >= fromUnixTimestamp64Milli({}, 'UTC') AND ts < fromUnixTimestamp64Milli({}, 'UTC')",
                selected(selection, &mut bind),
                bind.integer(range.from_ms),
                bind.integer(range.to_ms),
            )
        };
        let (starts, returns) = (spec.start_range(), spec.return_range(zone));
        let start = wanted(&spec.start, starts);
        let back = wanted(&spec.returns, returns);
        let value = match &spec.breakdown {
            Some((property, _)) => format!("if({start}, {}, NULL)", value(property, &mut bind)),
            None => "CAST(NULL, 'Nullable(String)')".to_owned(),
        };
        // By name the primary key finds them; what counts as activity may have any name.
        let named = match [&spec.start.events, &spec.returns.events] {
            [some, others] if !some.is_empty() && !others.is_empty() => {
                format!("AND event IN {}", bind.texts(&[some.as_slice(), others].concat()))
            }
            _ => String::new(),
        };
        let query = self
            .stream(
                project,
                &format!(
                    "SELECT actor, ts, seq, id, ({start}) AS is_start, ({back}) AS is_return, {value} AS value \
                     FROM events WHERE project = {{project:UInt32}} {named} \
                       AND day >= toDate({{from_day:UInt16}}) AND day <= toDate({{to_day:UInt16}}) \
                       AND (({start}) OR ({back})) \
                     ORDER BY actor, ts, seq, UUIDToNum(id)"
                ),
            )
            .param("from_day", Day::of_utc(starts.from_ms.min(returns.from_ms)).as_u16())
            .param("to_day", Day::of_utc(starts.to_ms.max(returns.to_ms) - 1).as_u16())
            .with_setting("max_threads", THREADS);
        Ok(ReturnEvents {
            cursor: bind.apply(query).fetch()?,
            rows: 0,
            values: HashSet::new(),
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
        if let Some(value) = row.value.as_ref().filter(|value| !self.values.contains(*value)) {
            if self.values.len() == MAX_VALUES {
                let message = format!("the breakdown has more than {MAX_VALUES} values");
                return Err(StoreError::TooManyRows(message));
            }
            self.values.insert(value.clone());
        }
        let event = ReturnEvent {
            ts: row.ts,
            seq: row.seq,
            id: row.id.as_u128(),
            starts: row.is_start == 1,
            returns: row.is_return == 1,
            value: row.value,
        };
        Ok(Some((row.actor, event)))
    }

    /// Rows that ClickHouse read. Complete once the first event came: an ordered answer begins when everything was
    /// read.
    pub fn rows_read(&self) -> u64 {
        read_rows(&self.cursor).max(self.rows)
    }
}
