//! In which buckets of a calendar people (or the values of a property) were active: how many of them in the same ones. From the days of activity that
//! batches leave behind (days of the zone at capture, so only for projects whose zone never changed) or from raw events.

use std::collections::BTreeMap;

use clickhouse::Row;
use clickhouse::query::Query;
use serde::Deserialize;

use super::filter::Bind;
use super::people::{PEOPLE, PEOPLE_DAYS};
use super::selection::{entity, selected};
use super::{Facts, Store, StoreError, facts};
use crate::event::{Day, ProjectNumber, Zone};
use crate::metrics::active::{ActiveBuckets, BucketSet};
use crate::metrics::filter::Property;
use crate::metrics::selection::Selection;
use crate::metrics::time::{Bucket, TimeRange, bucket_of};

/// Threads of such a query.
const THREADS: &str = "4";

/// Which activity is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Activity<'a> {
    /// The events that are activity.
    pub events: &'a Selection,
    /// The property whose values are counted instead of persons; only events that have one are activity.
    pub group: Option<&'a Property>,
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
struct WordsRow {
    words: Vec<u64>,
    persons: u64,
}

/// In how many buckets so many people were.
#[derive(Row, Deserialize)]
struct CountRow {
    buckets: u64,
    persons: u64,
}

/// From an instant on, the bits that activity sets.
type Pieces = BTreeMap<i64, Vec<usize>>;

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

    /// Whether all activity that counts lies in the range.
    fn is_whole(&self) -> bool {
        self.range.to_ms >= self.end()
    }

    /// The bit of activity before all that counts. Below it are those of the buckets, and unless the range covers them
    /// all as many again for what lies in the range.
    fn bit_of_before(&self) -> usize {
        self.buckets.len() * if self.is_whole() { 1 } else { 2 }
    }

    /// Where bits change: at the buckets and at the ends of the range.
    fn pieces(&self) -> Pieces {
        let (start, end) = (self.start(), self.end());
        let cuts = self.buckets.iter().map(|bucket| bucket.start);
        let cuts = cuts.chain([start, self.range.to_ms]);
        let bits = |cut: i64| {
            let place = bucket_of(self.buckets, cut);
            let inside = self.range.contains(cut) && !self.is_whole();
            let entered = place.filter(|_| inside).map(|place| place + self.buckets.len());
            place.into_iter().chain(entered).collect()
        };
        cuts.filter(|cut| (start..end).contains(cut))
            .map(|cut| (cut, bits(cut)))
            .collect()
    }

    /// The same for those who ask only for buckets within the range.
    fn pieces_of_range(&self) -> Pieces {
        let mut pieces = self.pieces();
        for (at, bits) in &mut pieces {
            bits.truncate(usize::from(self.range.contains(*at)));
        }
        pieces
    }

    /// What the bits say.
    fn people(&self, words: Vec<u64>) -> ActiveBuckets {
        let bits = BucketSet::of_words(words);
        let (buckets, before) = (self.buckets.len(), self.bit_of_before());
        let active: BucketSet = bits.iter().take_while(|bit| *bit < buckets).collect();
        ActiveBuckets {
            entered: match self.is_whole() {
                true => active.clone(),
                false => {
                    let entered = bits.iter().skip_while(|bit| *bit < buckets);
                    entered
                        .take_while(|bit| *bit < before)
                        .map(|bit| bit - buckets)
                        .collect()
                }
            },
            active,
            before: bits.contains(before),
        }
    }
}

impl Store {
    /// How many people were active in the same buckets; only of those who were in the range.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn active_buckets(
        &self,
        project: ProjectNumber,
        zone: &Zone,
        wanted: Activity<'_>,
    ) -> Result<Facts<Vec<(ActiveBuckets, u64)>>, StoreError> {
        let words = wanted.bit_of_before() / 64 + 1;
        let masks: Vec<String> = (0..words).map(mask).collect();
        let select = |rows: &str| {
            format!(
                "SELECT words, count() AS persons FROM ( \
                   SELECT [{}] AS words FROM ({rows}) GROUP BY entity \
                 ) GROUP BY words",
                masks.join(", ")
            )
        };
        let query = self.of_places(project, zone, &wanted, (wanted.pieces(), words), select);
        let found: Facts<Vec<WordsRow>> = facts(query).await?;
        let people = found
            .rows
            .into_iter()
            .map(|row| (wanted.people(row.words), row.persons))
            .filter(|(people, _)| people.entered.iter().next().is_some());
        Ok(Facts {
            rows: people.collect(),
            rows_read: found.rows_read,
        })
    }

    /// In how many of the buckets people were active within the range, as `(buckets, people)`.
    ///
    /// # Errors
    /// As [`Store::active_buckets`].
    pub async fn active_counts(
        &self,
        project: ProjectNumber,
        zone: &Zone,
        wanted: Activity<'_>,
    ) -> Result<Facts<Vec<(u64, u64)>>, StoreError> {
        let words = wanted.buckets.len() / 64 + 1;
        let counts: Vec<String> = (0..words).map(|n| format!("bitCount({})", mask(n))).collect();
        let select = |rows: &str| {
            format!(
                "SELECT toUInt64(buckets) AS buckets, count() AS persons FROM ( \
                   SELECT {} AS buckets FROM ({rows}) GROUP BY entity HAVING buckets > 0 \
                 ) GROUP BY buckets",
                counts.join(" + ")
            )
        };
        let query = self.of_places(project, zone, &wanted, (wanted.pieces_of_range(), words), select);
        let found: Facts<Vec<CountRow>> = facts(query).await?;
        let counts = found.rows.into_iter().map(|row| (row.buckets, row.persons));
        Ok(Facts {
            rows: counts.collect(),
            rows_read: found.rows_read,
        })
    }

    /// A statement over the rows `(entity, piece)` of what is wanted; the bits of each piece are bound.
    fn of_places(
        &self,
        project: ProjectNumber,
        zone: &Zone,
        wanted: &Activity<'_>,
        (mut pieces, words): (Pieces, usize),
        select: impl FnOnce(&str) -> String,
    ) -> Query {
        let mut bind = Bind::new();
        let sql = match wanted.by_days {
            true => select(&pieces_of_days(wanted)),
            false => select(&pieces_of_events(wanted, &mut bind)),
        };
        let query = self.question(project, &sql).with_setting("max_threads", THREADS);
        let (query, bits) = match wanted.by_days {
            true => bind_days(query, zone, wanted, &pieces),
            false => {
                if wanted.history {
                    // Before anything that counts; nothing happened before 1970.
                    pieces.insert(BEGINNING, vec![wanted.bit_of_before()]);
                }
                let starts: Vec<i64> = pieces.keys().copied().collect();
                (
                    bind.apply(bind_events(query, wanted, &starts)),
                    pieces.into_values().collect(),
                )
            }
        };
        (0..words).fold(query, |query, word| {
            query.param(&format!("w{word}"), word_of(&bits, word))
        })
    }
}

/// Before every event.
const BEGINNING: i64 = -1;

/// The bits of a word that a person's rows set.
fn mask(word: usize) -> String {
    format!("groupBitOr({{w{word}:Array(UInt64)}}[piece])")
}

/// One word of each piece's bits.
fn word_of(bits: &[Vec<usize>], word: usize) -> Vec<u64> {
    let of_piece = |bits: &Vec<usize>| {
        let within = bits.iter().filter(|bit| **bit / 64 == word);
        within.fold(0, |mask, bit| mask | 1 << (bit % 64))
    };
    bits.iter().map(of_piece).collect()
}

/// A day that stands twice sets the same bits, so the table needs no merging; days are taken away by deleting their
/// rows.
fn pieces_of_days(wanted: &Activity<'_>) -> String {
    let (piece, since) = match wanted.history {
        true => (
            "if(day < toDate({start:UInt16}), 1, day - toDate({start:UInt16}) + 2)",
            "",
        ),
        false => (
            "day - toDate({start:UInt16}) + 1",
            "AND day >= toDate({start:UInt16})",
        ),
    };
    format!(
        "SELECT person AS entity, toUInt16({piece}) AS piece FROM {PEOPLE_DAYS} \
         WHERE project = {{project:UInt32}} AND deleted = 0 AND day < toDate({{end:UInt16}}) {since}"
    )
}

/// Binds the days, and says which bits each sets: those of the piece that it begins in.
fn bind_days(query: Query, zone: &Zone, wanted: &Activity<'_>, pieces: &Pieces) -> (Query, Vec<Vec<usize>>) {
    let day = |ts| zone.local_day(ts);
    // ClickHouse's days begin in 1970; there are no others.
    let (start, end) = (day(wanted.start()).max(Day(0)), day(wanted.end()));
    let before = wanted.history.then(|| vec![wanted.bit_of_before()]);
    let bits_of = |n: i32| {
        let piece = pieces.range(..=zone.day_start(Day(n))).next_back();
        piece.map_or(Vec::new(), |(_, bits)| bits.clone())
    };
    let bits = before.into_iter().chain((start.0..end.0).map(bits_of));
    let query = query.param("start", start.as_u16()).param("end", end.as_u16());
    (query, bits.collect())
}

/// The buckets begin where `zone` says, not ClickHouse's own zone tables, which may be of another year.
fn pieces_of_events(wanted: &Activity<'_>, bind: &mut Bind) -> String {
    let since = match wanted.history {
        true => "",
        false => {
            "AND day >= toDate({start_day:UInt16}) AND ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC')"
        }
    };
    let which = selected(wanted.events, bind);
    let whom = entity(wanted.group, bind);
    format!(
        "SELECT {whom} AS entity, transform(roundDown(toUnixTimestamp64Milli(ts), {{starts:Array(Int64)}}), \
           {{starts:Array(Int64)}}, {{pieces:Array(UInt16)}}, toUInt16(0)) AS piece \
         FROM {PEOPLE} WHERE project = {{project:UInt32}} AND {which} AND day <= toDate({{end_day:UInt16}}) \
           AND ts < fromUnixTimestamp64Milli({{end:Int64}}, 'UTC') {since}"
    )
}

fn bind_events(query: Query, wanted: &Activity<'_>, starts: &[i64]) -> Query {
    let (start, end) = (wanted.start(), wanted.end());
    let pieces: Vec<u16> = (1..=starts.len() as u16).collect();
    query
        .param("start", start)
        .param("end", end)
        .param("start_day", Day::of_utc(start).as_u16())
        .param("end_day", Day::of_utc(end - 1).as_u16())
        .param("starts", starts)
        .param("pieces", pieces)
}
