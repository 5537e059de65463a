//! Who was active: sketches and active days against raw rows, up to given cuts.

use std::collections::{BTreeMap, BTreeSet};

use clickhouse::Row;
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64;

use super::{Cost, array};
use crate::event::{Day, ProjectNumber, Zone, flag};
use crate::metrics::sketch::UserSketch;
use crate::store::people::people_of;
use crate::store::{Store, StoreError};

/// What a comparison of sketches found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SketchBooks {
    /// Sketches that were compared.
    pub compared: u64,
    /// Local day and event name (empty: any activity) of those that are not the sketch of their raw events.
    pub wrong: Vec<(Day, String)>,
    /// Days of which nothing can be said, because their rollup holds batches behind the cuts.
    pub ahead: BTreeSet<Day>,
}

/// What a comparison of active days found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Row, Deserialize)]
pub struct ActiveBooks {
    /// Days of actors that raw events show and the table lacks.
    pub missing: u64,
    /// Days of actors that no raw event shows.
    pub foreign: u64,
}

/// Sketches by local day and event name, as hashes of their bytes.
type Sketches = BTreeMap<(Day, String), u64>;

#[derive(Row, Deserialize)]
struct Seen {
    start: i64,
    event: String,
    person: u64,
    activity: u8,
}

impl Store {
    /// Makes the sketches of these local days from raw events and compares them, bit by bit, with the rollup's.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the cost.
    pub async fn sketch_books(
        &self,
        project: ProjectNumber,
        zone: &Zone,
        days: &BTreeSet<Day>,
        cuts: &[u64],
        cost: Cost,
    ) -> Result<SketchBooks, StoreError> {
        let mut books = SketchBooks::default();
        let days: BTreeSet<Day> = days.iter().copied().filter(|day| zone.day_exists(*day)).collect();
        if days.is_empty() {
            return Ok(books);
        }
        let computed = self.sketches_of_raw(project, zone, &days, cuts, cost).await?;
        let stored = self
            .sketches_stored(project, &days, cuts, cost, &mut books.ahead)
            .await?;
        let all: BTreeSet<&(Day, String)> = computed.keys().chain(stored.keys()).collect();
        for key in all.into_iter().filter(|(day, _)| !books.ahead.contains(day)) {
            books.compared += 1;
            if computed.get(key) != stored.get(key) {
                books.wrong.push(key.clone());
            }
        }
        Ok(books)
    }

    async fn sketches_of_raw(
        &self,
        project: ProjectNumber,
        zone: &Zone,
        days: &BTreeSet<Day>,
        cuts: &[u64],
        cost: Cost,
    ) -> Result<Sketches, StoreError> {
        let starts: BTreeMap<i64, Day> = days.iter().map(|&day| (zone.day_start(day), day)).collect();
        let ends = days.iter().map(|day| zone.day_start(day.plus(1)));
        let borders: BTreeSet<i64> = starts.keys().copied().chain(ends).collect();
        let (Some(first), Some(end)) = (borders.first(), borders.last()) else {
            return Ok(Sketches::new());
        };
        let list = |instants: &mut dyn Iterator<Item = &i64>| {
            let texts: Vec<String> = instants.map(i64::to_string).collect();
            format!("CAST([{}], 'Array(Int64)')", texts.join(","))
        };
        let sql = format!(
            "SELECT start, event, person, max(bitAnd(flags, {quiet}) = 0) AS activity \
             FROM (SELECT roundDown(toUnixTimestamp64Milli(ts), {borders}) AS start, event, person, flags \
                   FROM {people} WHERE project = {project} \
                     AND day >= toDate({first_day}) AND day <= toDate({last_day}) \
                     AND ts >= fromUnixTimestamp64Milli({first}, 'UTC') \
                     AND ts < fromUnixTimestamp64Milli({end}, 'UTC') \
                     AND batch <= {upto}[shard + 1]) \
             WHERE has({starts}, start) GROUP BY start, event, person ORDER BY start, event SETTINGS {cost}",
            people = people_of(project),
            quiet = flag::NOT_ACTIVITY,
            borders = list(&mut borders.iter()),
            starts = list(&mut starts.keys()),
            first_day = Day::of_utc(*first).as_u16(),
            last_day = Day::of_utc(*end - 1).as_u16(),
            upto = array(cuts),
        );
        let mut seen = self.statement(&sql).fetch::<Seen>()?;
        let mut made = Sketches::new();
        let mut any: BTreeMap<Day, UserSketch> = BTreeMap::new();
        let mut open: Option<((Day, String), UserSketch)> = None;
        while let Some(row) = seen.next().await? {
            let Some(&day) = starts.get(&row.start) else {
                continue;
            };
            if row.activity != 0 {
                any.entry(day).or_default().insert(row.person);
            }
            let key = (day, row.event);
            match &mut open {
                Some((of, sketch)) if *of == key => sketch.insert(row.person),
                _ => {
                    let mut sketch = UserSketch::new();
                    sketch.insert(row.person);
                    if let Some((of, mut whole)) = open.replace((key, sketch)) {
                        made.insert(of, xxh3_64(&whole.encode()));
                    }
                }
            }
        }
        let any = any
            .into_iter()
            .map(|(day, sketch)| ((day, String::new()), sketch));
        for (of, mut whole) in open.into_iter().chain(any) {
            made.insert(of, xxh3_64(&whole.encode()));
        }
        Ok(made)
    }

    /// The rollup's, united. One that cannot be read is equal to none.
    async fn sketches_stored(
        &self,
        project: ProjectNumber,
        days: &BTreeSet<Day>,
        cuts: &[u64],
        cost: Cost,
        ahead: &mut BTreeSet<Day>,
    ) -> Result<Sketches, StoreError> {
        let list: Vec<String> = days
            .iter()
            .map(|day| format!("toDate({})", day.as_u16()))
            .collect();
        let mut rows = self.sketches_upto(project, &list.join(","), &array(cuts), &cost.to_string())?;
        let mut stored = Sketches::new();
        let mut open: Option<((Day, String), Option<UserSketch>)> = None;
        let whole = |sketch: Option<UserSketch>| sketch.map_or(0, |mut sketch| xxh3_64(&sketch.encode()));
        while let Some(row) = rows.next().await? {
            let day = Day(row.on.into());
            if row.ahead != 0 {
                ahead.insert(day);
            }
            let key = (day, row.event);
            let sketch = UserSketch::decode(&row.sketch.0).ok();
            match &mut open {
                Some((of, union)) if *of == key => match (union.as_mut(), &sketch) {
                    (Some(union), Some(sketch)) => union.merge(sketch),
                    _ => *union = None,
                },
                _ => {
                    if let Some((of, union)) = open.replace((key, sketch)) {
                        stored.insert(of, whole(union));
                    }
                }
            }
        }
        if let Some((of, union)) = open {
            stored.insert(of, whole(union));
        }
        Ok(stored)
    }

    /// Compares the active days of actors with raw events, for local days of the zone at capture. A batch inserts
    /// its events first, so what is not committed yet is no difference.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the cost.
    pub async fn active_books(
        &self,
        project: ProjectNumber,
        days: &BTreeSet<Day>,
        cuts: &[u64],
        cost: Cost,
    ) -> Result<ActiveBooks, StoreError> {
        let (Some(first), Some(last)) = (days.first(), days.last()) else {
            return Ok(ActiveBooks::default());
        };
        let list: Vec<String> = days
            .iter()
            .map(|day| format!("toDate({})", day.as_u16()))
            .collect();
        // A local day differs from the UTC day by one at most. The table is read before the events.
        let sql = format!(
            "SELECT countIf(committed AND NOT listed) AS missing, countIf(listed AND NOT seen) AS foreign FROM ( \
               SELECT max(l) AS listed, max(s) AS seen, max(c) AS committed FROM ( \
                 SELECT actor, day AS on, 1 AS l, 0 AS s, 0 AS c FROM actor_days FINAL \
                 WHERE project = {project} AND day IN ({list}) AND deleted = 0 \
                 UNION ALL \
                 SELECT actor, local_day AS on, 0 AS l, 1 AS s, batch <= {upto}[shard + 1] AS c FROM events \
                 WHERE project = {project} AND day >= toDate({from}) AND day <= toDate({to}) \
                   AND local_day IN ({list}) AND bitAnd(flags, {quiet}) = 0 \
               ) GROUP BY actor, on \
             ) SETTINGS {cost}",
            list = list.join(","),
            upto = array(cuts),
            from = first.plus(-1).as_u16(),
            to = last.plus(1).as_u16(),
            quiet = flag::NOT_ACTIVITY,
        );
        Ok(self.statement(&sql).fetch_one().await?)
    }
}
