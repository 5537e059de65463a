//! Who (persons, or the values of a property) was active on which local day, exactly, from raw events.
//!
//! `actor_days` could answer faster, but it holds days of the zone at capture: after a change of the
//! project's zone its days are others than the question's. Raw is right under every zone.

use clickhouse::Row;
use clickhouse::query::RowCursor;
use serde::Deserialize;

use super::breakdown::{bind_groups, grouped, ranked, ranking};
use super::filter::Bind;
use super::selection::{entity, selected};
use super::{Facts, Store, StoreError, read_rows};
use crate::event::{Day, ProjectNumber, Zone};
use crate::metrics::active::ActiveSpec;
use crate::metrics::trend::Group;

#[derive(Row, Deserialize)]
struct ActorStart {
    place: u16,
    entity: u64,
    start: i64,
}

/// The values of a spec's breakdown that are shown; of everything without one.
type Shown<'a> = Option<&'a [Group]>;

/// Active days, ordered by group, person and day, each once. Dropping it ends the query.
pub struct ActorDays {
    cursor: Option<RowCursor<ActorStart>>,
    zone: Zone,
    ahead: Option<(usize, u64, Day)>,
}

impl Store {
    /// The local days in `[from, to)` on which each person (or group) was active.
    ///
    /// The days are cut by the first instants that `zone` gives, not by ClickHouse's own zone tables, which
    /// may be of another year.
    ///
    /// # Errors
    /// When ClickHouse does not accept the question. Limits of time and memory show while reading.
    pub async fn actor_day_rows(
        &self,
        project: ProjectNumber,
        days: (Day, Day),
        spec: &ActiveSpec,
        zone: &Zone,
    ) -> Result<ActorDays, StoreError> {
        self.days_of(project, days, spec, None, zone).await
    }

    /// The same for each of the breakdown's values that are shown: by events that have it.
    ///
    /// # Errors
    /// As [`Store::actor_day_rows`].
    pub async fn split_actor_days(
        &self,
        project: ProjectNumber,
        days: (Day, Day),
        spec: &ActiveSpec,
        groups: &[Group],
        zone: &Zone,
    ) -> Result<ActorDays, StoreError> {
        self.days_of(project, days, spec, Some(groups), zone).await
    }

    async fn days_of(
        &self,
        project: ProjectNumber,
        (from, to): (Day, Day),
        spec: &ActiveSpec,
        shown: Shown<'_>,
        zone: &Zone,
    ) -> Result<ActorDays, StoreError> {
        let (breakdown, groups) = shown.map_or((&[][..], &[][..]), |groups| (&spec.breakdown, groups));
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
        let which = selected(&spec.selection(), &mut bind);
        let group = grouped(breakdown, &mut bind);
        let whom = entity(spec.group.as_ref(), &mut bind);
        let query = self
            .stream(
                project,
                &format!(
                    "SELECT DISTINCT toUInt16({group}) AS place, {whom} AS entity, \
                       roundDown(toUnixTimestamp64Milli(ts), {{starts:Array(Int64)}}) AS start \
                     FROM {people} WHERE project = {{project:UInt32}} AND {which} \
                       AND day >= toDate({{from_day:UInt16}}) AND day <= toDate({{to_day:UInt16}}) \
                       AND ts >= fromUnixTimestamp64Milli({{from:Int64}}, 'UTC') \
                       AND ts < fromUnixTimestamp64Milli({{to:Int64}}, 'UTC') \
                     ORDER BY place, entity, start",
                    people = self.people(),
                ),
            )
            .param("starts", starts)
            .param("from", first)
            .param("to", end)
            .param("from_day", Day::of_utc(first).as_u16())
            .param("to_day", Day::of_utc(end - 1).as_u16());
        Ok(ActorDays {
            cursor: Some(bind.apply(bind_groups(query, breakdown.len(), groups)).fetch()?),
            zone,
            ahead: None,
        })
    }
}

impl Store {
    /// The values of a breakdown that are shown: those with the most persons (or groups) in `range`, ties by text, of all activity in
    /// `[from, to)`; events that lack every property left out.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn active_groups(
        &self,
        project: ProjectNumber,
        (from, to): (Day, Day),
        spec: &ActiveSpec,
        zone: &Zone,
    ) -> Result<Facts<Vec<Group>>, StoreError> {
        let mut bind = Bind::new();
        let which = selected(&spec.selection(), &mut bind);
        let range = spec.range.instants(zone);
        let moment =
            |at: i64, bind: &mut Bind| format!("fromUnixTimestamp64Milli({}, 'UTC')", bind.integer(at));
        let (first, end) = (zone.day_start(from), zone.day_start(to));
        let from = format!(
            "project = {{project:UInt32}} AND {which} AND day >= toDate({{from_day:UInt16}}) \
               AND day <= toDate({{to_day:UInt16}}) AND ts >= {} AND ts < {}",
            moment(first, &mut bind),
            moment(end, &mut bind),
        );
        let select = format!(
            "{} AS entity, ts >= {} AND ts < {} AS inside",
            entity(spec.group.as_ref(), &mut bind),
            moment(range.from_ms, &mut bind),
            moment(range.to_ms, &mut bind),
        );
        let rank = "uniqExactIf(entity, inside)";
        let sql = ranking(&spec.breakdown, (&select, &from, rank), self.people(), &mut bind);
        let query = self
            .question(project, &sql)
            .param("from_day", Day::of_utc(first).as_u16())
            .param("to_day", Day::of_utc(end - 1).as_u16());
        ranked(bind.apply(query), spec.breakdown_limit).await
    }
}

impl ActorDays {
    /// The next value's number, person (or group) and day; `None` at the end.
    ///
    /// # Errors
    /// When ClickHouse stops within the answer, for a limit or for trouble.
    pub async fn next(&mut self) -> Result<Option<(usize, u64, Day)>, StoreError> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        let Some(cursor) = &mut self.cursor else {
            return Ok(None);
        };
        let row = cursor.next().await?;
        Ok(row.map(|row| (row.place.into(), row.entity, self.zone.local_day(row.start))))
    }

    /// All days of the next person in a group, into `days` (cleared first: reuse it), ascending. Returns the group's number
    /// and the person; `None` at the end.
    ///
    /// # Errors
    /// As [`ActorDays::next`].
    pub async fn next_person(&mut self, days: &mut Vec<Day>) -> Result<Option<(usize, u64)>, StoreError> {
        days.clear();
        let Some((group, person, first)) = self.next().await? else {
            return Ok(None);
        };
        days.push(first);
        while let Some((of_group, whose, day)) = self.next().await? {
            if (of_group, whose) != (group, person) {
                self.ahead = Some((of_group, whose, day));
                break;
            }
            days.push(day);
        }
        Ok(Some((group, person)))
    }

    /// Rows that ClickHouse read. Complete once the first row came: an ordered answer begins when everything
    /// was read.
    pub fn rows_read(&self) -> u64 {
        self.cursor.as_ref().map_or(0, read_rows)
    }
}
