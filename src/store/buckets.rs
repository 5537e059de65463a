//! In which buckets of a calendar people were active: how many of them in the same ones. From the days of activity that
//! batches leave behind (days of the zone at capture, so only for projects whose zone never changed) or from raw events.

use clickhouse::Row;
use clickhouse::query::Query;
use serde::Deserialize;

use super::filter::Bind;
use super::selection::selected;
use super::{Facts, Store, StoreError, facts};
use crate::event::{Day, ProjectNumber, Zone};
use crate::metrics::active::{ActiveBuckets, BucketSet};
use crate::metrics::selection::Selection;
use crate::metrics::time::{Bucket, TimeRange, bucket_of};

/// Threads of such a query.
const THREADS: &str = "4";

/// The place of what lies before the first bucket.
const BEFORE: u16 = u16::MAX;

/// Which activity is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Activity<'a> {
    /// The events that are activity.
    pub events: &'a Selection,
    /// The buckets, in order and without gaps.
    pub buckets: &'a [Bucket],
    /// Activity in this range is what people enter by; they have to.
    pub range: TimeRange,
    /// Whether it matters who was active before the first bucket, or before the range if that begins later.
    pub history: bool,
    /// Whether the days of activity may answer: any activity counts, they are days of the project's zone, and `range`
    /// is made of days.
    pub by_days: bool,
}

#[derive(Row, Deserialize)]
struct MaskRow {
    entered: Vec<u64>,
    active: Vec<u64>,
    before: u8,
    persons: u64,
}

impl Activity<'_> {
    /// Where activity counts: from the first bucket, or from the start of the range if that is later.
    fn start(&self) -> i64 {
        let first = self
            .buckets
            .first()
            .map_or(self.range.from_ms, |bucket| bucket.start);
        first.max(self.range.from_ms)
    }

    fn end(&self) -> i64 {
        self.buckets.last().map_or(self.range.to_ms, |bucket| bucket.end)
    }
}

impl Store {
    /// How many people were active in the same buckets.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn active_buckets(
        &self,
        project: ProjectNumber,
        zone: &Zone,
        wanted: Activity<'_>,
    ) -> Result<Facts<Vec<(ActiveBuckets, u64)>>, StoreError> {
        let words = wanted.buckets.len().div_ceil(64).max(1);
        let mask = |which: &str| {
            let word = |n: usize| format!("groupBitOr(if({which}intDiv(place, 64) = {n}, bit, 0))");
            let words: Vec<String> = (0..words).map(word).collect();
            words.join(", ")
        };
        let mut bind = Bind::new();
        let rows = match wanted.by_days {
            true => places_of_days(&wanted),
            false => places_of_events(&wanted, &mut bind),
        };
        let sql = format!(
            "SELECT entered, active, before, count() AS persons FROM ( \
               SELECT [{entered}] AS entered, [{active}] AS active, max(place = {BEFORE}) AS before FROM ( \
                 SELECT actor, inside, place, if(place = {BEFORE}, 0, bitShiftLeft(toUInt64(1), place % 64)) AS bit \
                 FROM ({rows}) \
               ) GROUP BY actor HAVING max(inside) = 1 \
             ) GROUP BY entered, active, before",
            entered = mask("inside = 1 AND "),
            active = mask(""),
        );
        let query = self.question(project, &sql).with_setting("max_threads", THREADS);
        let query = match wanted.by_days {
            true => bind_days(query, zone, &wanted),
            false => bind.apply(bind_events(query, &wanted)),
        };
        let found: Facts<Vec<MaskRow>> = facts(query).await?;
        let people = found.rows.into_iter().map(|row| {
            let people = ActiveBuckets {
                entered: BucketSet::of_words(row.entered),
                active: BucketSet::of_words(row.active),
                before: row.before == 1,
            };
            (people, row.persons)
        });
        Ok(Facts {
            rows: people.collect(),
            rows_read: found.rows_read,
        })
    }
}

/// How many people were active in how many buckets.
#[derive(Row, Deserialize)]
struct CountRow {
    buckets: u64,
    persons: u64,
}

impl Store {
    /// In how many of the buckets people were active, as `(buckets, people)`.
    ///
    /// # Errors
    /// As [`Store::active_buckets`].
    pub async fn active_counts(
        &self,
        project: ProjectNumber,
        zone: &Zone,
        wanted: Activity<'_>,
    ) -> Result<Facts<Vec<(u64, u64)>>, StoreError> {
        let mut bind = Bind::new();
        let rows = match wanted.by_days {
            true => places_of_days(&wanted),
            false => places_of_events(&wanted, &mut bind),
        };
        let sql = format!(
            "SELECT buckets, count() AS persons FROM ( \
               SELECT uniqExact(place) AS buckets FROM ({rows}) WHERE inside = 1 GROUP BY actor \
             ) GROUP BY buckets"
        );
        let query = self.question(project, &sql).with_setting("max_threads", THREADS);
        let query = match wanted.by_days {
            true => bind_days(query, zone, &wanted),
            false => bind.apply(bind_events(query, &wanted)),
        };
        let found: Facts<Vec<CountRow>> = facts(query).await?;
        let counts = found.rows.into_iter().map(|row| (row.buckets, row.persons));
        Ok(Facts {
            rows: counts.collect(),
            rows_read: found.rows_read,
        })
    }
}

/// A day that stands twice sets the same bit, so the table needs no merging; days are taken away by deleting their
/// rows.
fn places_of_days(wanted: &Activity<'_>) -> String {
    let (place, since) = match wanted.history {
        true => (
            format!("if(day < toDate({{start:UInt16}}), toUInt16({BEFORE}), {PLACE_OF_DAY})"),
            "",
        ),
        false => (PLACE_OF_DAY.to_owned(), "AND day >= toDate({start:UInt16})"),
    };
    format!(
        "SELECT actor, {place} AS place, day >= toDate({{from:UInt16}}) AND day < toDate({{to:UInt16}}) AS inside \
         FROM actor_days WHERE project = {{project:UInt32}} AND deleted = 0 AND day < toDate({{end:UInt16}}) {since}"
    )
}

const PLACE_OF_DAY: &str = "{places:Array(UInt16)}[toUInt16(day - toDate({start:UInt16})) + 1]";

fn bind_days(query: Query, zone: &Zone, wanted: &Activity<'_>) -> Query {
    let day = |ts| zone.local_day(ts);
    // ClickHouse's days begin in 1970; there are no others.
    let (start, end) = (day(wanted.start()).max(Day(0)), day(wanted.end()));
    let places: Vec<u16> = (start.0..end.0)
        .map(|n| bucket_of(wanted.buckets, zone.day_start(Day(n))).map_or(BEFORE, |place| place as u16))
        .collect();
    query
        .param("start", start.as_u16())
        .param("end", end.as_u16())
        .param("from", day(wanted.range.from_ms).as_u16())
        .param("to", day(wanted.range.to_ms).as_u16())
        .param("places", places)
}

fn places_of_events(wanted: &Activity<'_>, bind: &mut Bind) -> String {
    let (place, since) = match wanted.history {
        true => (
            format!("if(at < {{start:Int64}}, toUInt16({BEFORE}), {PLACE_OF_EVENT})"),
            "",
        ),
        false => (
            PLACE_OF_EVENT.to_owned(),
            "AND day >= toDate({start_day:UInt16}) AND ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC')",
        ),
    };
    let which = selected(wanted.events, bind);
    format!(
        "SELECT actor, toUnixTimestamp64Milli(ts) AS at, {place} AS place, \
           at >= {{from:Int64}} AND at < {{to:Int64}} AS inside \
         FROM events WHERE project = {{project:UInt32}} AND {which} AND day <= toDate({{end_day:UInt16}}) \
           AND ts < fromUnixTimestamp64Milli({{end:Int64}}, 'UTC') {since}"
    )
}

/// The buckets begin where `zone` says, not ClickHouse's own zone tables, which may be of another year.
const PLACE_OF_EVENT: &str = "CAST(transform(roundDown(at, {starts:Array(Int64)}), {starts:Array(Int64)}, {places:Array(UInt16)}, 0), 'UInt16')";

fn bind_events(query: Query, wanted: &Activity<'_>) -> Query {
    let (start, end) = (wanted.start(), wanted.end());
    let starts: Vec<i64> = wanted.buckets.iter().map(|bucket| bucket.start).collect();
    let places: Vec<u16> = (0..starts.len() as u16).collect();
    query
        .param("start", start)
        .param("end", end)
        .param("start_day", Day::of_utc(start).as_u16())
        .param("end_day", Day::of_utc(end - 1).as_u16())
        .param("from", wanted.range.from_ms)
        .param("to", wanted.range.to_ms)
        .param("starts", starts)
        .param("places", places)
}
