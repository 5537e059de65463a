//! What conversions are worth, and a goal among the active.

use clickhouse::Row;
use clickhouse::query::RowCursor;
use serde::Deserialize;
use uuid::Uuid;

use super::filter::{Bind, number, value};
use super::selection::{entity, selected};
use super::{Facts, Store, StoreError, facts, read_rows};
use crate::event::{Day, ProjectNumber, Zone};
use crate::metrics::conversion::{ConversionSpec, ConversionValue, ConvertingEvent, GoalCount, GoalFacts};

#[derive(Row, Deserialize)]
struct EventRow {
    entity: u64,
    ts: i64,
    seq: u32,
    #[serde(with = "clickhouse::serde::uuid")]
    id: Uuid,
    enters: u8,
    converts: u8,
    number: Option<f64>,
}

#[derive(Row, Deserialize)]
struct GoalRow {
    is_total: u8,
    at: i64,
    active: u64,
    converted: u64,
    numbers: u64,
    sum: Option<f64>,
}

/// Events that enter or convert, person by person (or group by group) and in no order beyond that. Dropping it ends the query.
pub struct ConvertingEvents {
    cursor: RowCursor<EventRow>,
    rows: u64,
}

/// The number of a converting event.
fn number_of(spec: &ConversionSpec, bind: &mut Bind) -> String {
    match &spec.value {
        Some(property) => {
            let text = value(property, bind);
            number(&text, bind)
        }
        None => "CAST(NULL, 'Nullable(Float64)')".to_owned(),
    }
}

impl Store {
    /// The events that enter in the range and those that may convert after them, with their numbers.
    ///
    /// # Errors
    /// When ClickHouse does not accept the question. Limits of time and memory show while reading.
    pub async fn converting_events(
        &self,
        project: ProjectNumber,
        spec: &ConversionSpec,
        zone: &Zone,
    ) -> Result<ConvertingEvents, StoreError> {
        let range = spec.range.instants(zone);
        let end = range.to_ms + spec.window_ms;
        let mut bind = Bind::new();
        let enters = selected(&spec.entries(), &mut bind);
        let converts = selected(&spec.goals(), &mut bind);
        let number = number_of(spec, &mut bind);
        let whom = entity(spec.group.as_ref(), &mut bind);
        let names: Vec<String> = spec.after.iter().chain([&spec.goal]).cloned().collect();
        let query = self
            .stream(
                project,
                &format!(
                    "SELECT entity, ts, seq, id, enters, converts, number FROM ( \
                       SELECT {whom} AS entity, ts, seq, id, toUInt8({enters}) AS enters, toUInt8({converts}) AS converts, \
                         {number} AS number \
                       FROM {people} WHERE project = {{project:UInt32}} AND event IN {names} \
                         AND day >= toDate({{from_day:UInt16}}) AND day <= toDate({{to_day:UInt16}}) \
                         AND ts >= fromUnixTimestamp64Milli({{from:Int64}}, 'UTC') \
                         AND ts < fromUnixTimestamp64Milli({{to:Int64}}, 'UTC')) \
                     WHERE enters OR converts ORDER BY entity",
                    names = bind.texts(&names),
                    people = self.people(),
                ),
            )
            .param("from", range.from_ms)
            .param("to", end)
            .param("from_day", Day::of_utc(range.from_ms).as_u16())
            .param("to_day", Day::of_utc(end - 1).as_u16());
        Ok(ConvertingEvents {
            cursor: bind.apply(query).fetch()?,
            rows: 0,
        })
    }

    /// Who was active and who did the goal, on each day of the range and over all of it.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn goal_facts(
        &self,
        project: ProjectNumber,
        spec: &ConversionSpec,
        zone: &Zone,
    ) -> Result<Facts<GoalFacts>, StoreError> {
        let range = spec.range.instants(zone);
        let starts: Vec<i64> = spec.days(zone).iter().map(|day| day.start).collect();
        let mut bind = Bind::new();
        let active = selected(&spec.entries(), &mut bind);
        let converts = selected(&spec.goals(), &mut bind);
        let number = number_of(spec, &mut bind);
        let whom = entity(spec.group.as_ref(), &mut bind);
        let sql = format!(
            "SELECT toUInt8(grouping(start)) AS is_total, toInt64(start) AS at, uniqExactIf(entity, enters) AS active, \
               uniqExactIf(entity, converts) AS converted, countIf(converts AND isNotNull(x)) AS numbers, \
               CAST(sumIf(x, converts), 'Nullable(Float64)') AS sum FROM ( \
               SELECT {whom} AS entity, roundDown(toUnixTimestamp64Milli(ts), {{starts:Array(Int64)}}) AS start, \
                 toUInt8({active}) AS enters, toUInt8({converts}) AS converts, {number} AS x \
               FROM {people} WHERE project = {{project:UInt32}} \
                 AND day >= toDate({{from_day:UInt16}}) AND day <= toDate({{to_day:UInt16}}) \
                 AND ts >= fromUnixTimestamp64Milli({{from:Int64}}, 'UTC') \
                 AND ts < fromUnixTimestamp64Milli({{to:Int64}}, 'UTC')) \
             WHERE enters OR converts GROUP BY GROUPING SETS ((start), ())",
            people = self.people(),
        );
        let query = self
            .question(project, &sql)
            .param("starts", starts)
            .param("from", range.from_ms)
            .param("to", range.to_ms)
            .param("from_day", Day::of_utc(range.from_ms).as_u16())
            .param("to_day", Day::of_utc(range.to_ms - 1).as_u16());
        let found: Facts<Vec<GoalRow>> = facts(bind.apply(query)).await?;
        let mut rows = GoalFacts::default();
        for row in found.rows {
            let count = GoalCount {
                active: row.active,
                converted: row.converted,
                value: ConversionValue::of(row.numbers, row.sum.unwrap_or(0.0)),
            };
            match row.is_total {
                0 => drop(rows.days.insert(row.at, count)),
                _ => rows.total = count,
            }
        }
        Ok(Facts {
            rows,
            rows_read: found.rows_read,
        })
    }
}

impl ConvertingEvents {
    /// The next event and whose it is; `None` at the end.
    ///
    /// # Errors
    /// When ClickHouse stops within the answer, for a limit or for trouble.
    pub async fn next(&mut self) -> Result<Option<(u64, ConvertingEvent)>, StoreError> {
        let Some(row) = self.cursor.next().await? else {
            return Ok(None);
        };
        self.rows += 1;
        let event = ConvertingEvent {
            ts: row.ts,
            seq: row.seq,
            id: row.id.as_u128(),
            enters: row.enters == 1,
            converts: row.converts == 1,
            number: row.number,
        };
        Ok(Some((row.entity, event)))
    }

    /// Rows that ClickHouse read. Complete once the first event came.
    pub fn rows_read(&self) -> u64 {
        read_rows(&self.cursor).max(self.rows)
    }
}
