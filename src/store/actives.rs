//! Who was active on which local day, exactly, from raw events.
//!
//! `actor_days` could answer faster, but it holds days of the zone at capture: after a change of the
//! project's zone its days are others than the question's. Raw is right under every zone.

use clickhouse::Row;
use clickhouse::query::RowCursor;
use serde::Deserialize;

use super::filter::Bind;
use super::selection::selected;
use super::{Store, StoreError, read_rows};
use crate::event::{Day, ProjectNumber, Zone};
use crate::metrics::selection::Selection;

#[derive(Row, Deserialize)]
struct ActorStart {
    actor: u64,
    start: i64,
}

/// Active days, ordered by actor and day, each once. Dropping it ends the query.
pub struct ActorDays {
    cursor: Option<RowCursor<ActorStart>>,
    zone: Zone,
    ahead: Option<(u64, Day)>,
}

impl Store {
    /// The local days in `[from, to)` on which each actor was active: had one of `events`.
    ///
    /// The days are cut by the first instants that `zone` gives, not by ClickHouse's own zone tables, which
    /// may be of another year.
    ///
    /// # Errors
    /// When ClickHouse does not accept the question. Limits of time and memory show while reading.
    pub async fn actor_day_rows(
        &self,
        project: ProjectNumber,
        from: Day,
        to: Day,
        events: &Selection,
        zone: &Zone,
    ) -> Result<ActorDays, StoreError> {
        let starts: Vec<i64> = (from.0..to.0)
            .map(Day)
            .filter(|day| zone.day_exists(*day))
            .map(|day| zone.day_start(day))
            .collect();
        let zone = zone.clone();
        let Some(first) = starts.first().copied() else {
            return Ok(ActorDays {
                cursor: None,
                zone,
                ahead: None,
            });
        };
        let end = zone.day_start(to);
        let mut bind = Bind::new();
        let which = selected(events, &mut bind);
        let query = self
            .stream(
                project,
                &format!(
                    "SELECT DISTINCT actor, \
                       roundDown(toUnixTimestamp64Milli(ts), {{starts:Array(Int64)}}) AS start \
                     FROM events WHERE project = {{project:UInt32}} AND {which} \
                       AND day >= toDate({{from_day:UInt16}}) AND day <= toDate({{to_day:UInt16}}) \
                       AND ts >= fromUnixTimestamp64Milli({{from:Int64}}, 'UTC') \
                       AND ts < fromUnixTimestamp64Milli({{to:Int64}}, 'UTC') \
                     ORDER BY actor, start"
                ),
            )
            .param("starts", starts)
            .param("from", first)
            .param("to", end)
            .param("from_day", Day::of_utc(first).as_u16())
            .param("to_day", Day::of_utc(end - 1).as_u16());
        Ok(ActorDays {
            cursor: Some(bind.apply(query).fetch()?),
            zone,
            ahead: None,
        })
    }
}

impl ActorDays {
    /// The next actor and day; `None` at the end.
    ///
    /// # Errors
    /// When ClickHouse stops within the answer, for a limit or for trouble.
    pub async fn next(&mut self) -> Result<Option<(u64, Day)>, StoreError> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        let Some(cursor) = &mut self.cursor else {
            return Ok(None);
        };
        let row = cursor.next().await?;
        Ok(row.map(|row| (row.actor, self.zone.local_day(row.start))))
    }

    /// All days of the next actor, into `days` (cleared first: reuse it), ascending. Returns the actor;
    /// `None` at the end.
    ///
    /// # Errors
    /// As [`ActorDays::next`].
    pub async fn next_person(&mut self, days: &mut Vec<Day>) -> Result<Option<u64>, StoreError> {
        days.clear();
        let Some((person, first)) = self.next().await? else {
            return Ok(None);
        };
        days.push(first);
        while let Some((actor, day)) = self.next().await? {
            if actor != person {
                self.ahead = Some((actor, day));
                break;
            }
            days.push(day);
        }
        Ok(Some(person))
    }

    /// Rows that ClickHouse read. Complete once the first row came: an ordered answer begins when everything
    /// was read.
    pub fn rows_read(&self) -> u64 {
        self.cursor.as_ref().map_or(0, read_rows)
    }
}
