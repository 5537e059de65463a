//! Starts and returns of a retention table, person by person (or group by group), as they stream out of ClickHouse.

use std::collections::HashSet;

use clickhouse::Row;
use clickhouse::query::RowCursor;
use serde::Deserialize;
use uuid::Uuid;

use super::filter::{Bind, value};
use super::selection::{entity, selected};
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
    entity: u64,
    ts: i64,
    seq: u32,
    #[serde(with = "clickhouse::serde::uuid")]
    id: Uuid,
    is_start: u8,
    is_return: u8,
    value: Option<String>,
}

/// Starts and returns, person by person and in no order beyond that. Dropping it ends the query.
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
        let whom = entity(spec.group.as_ref(), &mut bind);
        // By name the primary key finds them; what counts as activity may have any name.
        let named = match [&spec.start.events, &spec.returns.events] {
            [some, others] if !some.is_empty() && !others.is_empty() => {
                format!("AND event IN {}", bind.texts(&[some.as_slice(), others].concat()))
            }
            _ => String::new(),
        };
        // Only who starts matters: where few do, most of the returns need not be sorted.
        let of_starters = match spec.start.events.as_slice() {
            [] => String::new(),
            names => format!(
                "AND {whom} IN (SELECT {whom} FROM {people} WHERE project = {{project:UInt32}} AND event IN {} \
                   AND day >= toDate({{start_day:UInt16}}) AND day <= toDate({{start_end_day:UInt16}}))",
                bind.texts(names),
                people = self.people(),
            ),
        };
        let query = self
            .stream(
                project,
                &format!(
                    "SELECT {whom} AS entity, ts, seq, id, ({start}) AS is_start, ({back}) AS is_return, {value} AS value \
                     FROM {people} WHERE project = {{project:UInt32}} {named} \
                       AND day >= toDate({{from_day:UInt16}}) AND day <= toDate({{to_day:UInt16}}) \
                       AND (({start}) OR ({back})) {of_starters} \
                     ORDER BY entity",
                    people = self.people(),
                ),
            )
            .param("from_day", Day::of_utc(starts.from_ms.min(returns.from_ms)).as_u16())
            .param("to_day", Day::of_utc(starts.to_ms.max(returns.to_ms) - 1).as_u16())
            .param("start_day", Day::of_utc(starts.from_ms).as_u16())
            .param("start_end_day", Day::of_utc(starts.to_ms - 1).as_u16())
            .with_setting("max_threads", THREADS);
        Ok(ReturnEvents {
            cursor: bind.apply(query).fetch()?,
            rows: 0,
            values: HashSet::new(),
        })
    }
}

#[derive(Row, Deserialize)]
struct TimesRow {
    times: Vec<i64>,
}

/// When people were active, person by person. Dropping it ends the query.
pub struct ActivityTimes {
    cursor: RowCursor<TimesRow>,
    rows: u64,
}

impl Store {
    /// When the project's people started, of whom each start is a return too: all from the start of the range to the last
    /// horizon. Those who started before the range are left out where the first start ever counts.
    ///
    /// # Errors
    /// As [`Store::return_events`].
    pub async fn activity_times(
        &self,
        project: ProjectNumber,
        spec: &RetentionSpec,
        zone: &Zone,
    ) -> Result<ActivityTimes, StoreError> {
        let mut bind = Bind::new();
        let which = selected(&spec.start, &mut bind);
        let whom = entity(spec.group.as_ref(), &mut bind);
        let (starts, returns) = (spec.start_range(), spec.return_range(zone));
        let to_ms = starts.to_ms.max(returns.to_ms);
        let (times, having) = match starts.from_ms < returns.from_ms {
            true => (
                "groupArrayIf(at, at >= {from:Int64})",
                "HAVING countIf(at < {from:Int64}) = 0",
            ),
            false => ("groupArray(at)", ""),
        };
        let query = self
            .stream(
                project,
                &format!(
                    "SELECT {times} AS times FROM ( \
                       SELECT {whom} AS entity, toUnixTimestamp64Milli(ts) AS at FROM {people} \
                       WHERE project = {{project:UInt32}} AND {which} \
                         AND day >= toDate({{from_day:UInt16}}) AND day <= toDate({{to_day:UInt16}}) \
                         AND ts >= fromUnixTimestamp64Milli({{first:Int64}}, 'UTC') \
                         AND ts < fromUnixTimestamp64Milli({{to:Int64}}, 'UTC')) \
                     GROUP BY entity {having}",
                    people = self.people(),
                ),
            )
            .param("first", starts.from_ms.min(returns.from_ms))
            .param("from", returns.from_ms)
            .param("to", to_ms)
            .param(
                "from_day",
                Day::of_utc(starts.from_ms.min(returns.from_ms)).as_u16(),
            )
            .param("to_day", Day::of_utc(to_ms - 1).as_u16())
            .with_setting("max_threads", THREADS);
        Ok(ActivityTimes {
            cursor: bind.apply(query).fetch()?,
            rows: 0,
        })
    }
}

impl ActivityTimes {
    /// The times of the next person, in order; `None` at the end.
    ///
    /// # Errors
    /// When ClickHouse stops within the answer, for a limit or for trouble.
    pub async fn next(&mut self) -> Result<Option<Vec<i64>>, StoreError> {
        let Some(mut row) = self.cursor.next().await? else {
            return Ok(None);
        };
        self.rows += row.times.len() as u64;
        row.times.sort_unstable();
        Ok(Some(row.times))
    }

    /// Rows that ClickHouse read. Complete once the first person came: the answer begins when everything was read.
    pub fn rows_read(&self) -> u64 {
        read_rows(&self.cursor).max(self.rows)
    }
}

impl ReturnEvents {
    /// The next event and whose it is; `None` at the end.
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
        Ok(Some((row.entity, event)))
    }

    /// Rows that ClickHouse read. Complete once the first event came: an ordered answer begins when everything was
    /// read.
    pub fn rows_read(&self) -> u64 {
        read_rows(&self.cursor).max(self.rows)
    }
}
