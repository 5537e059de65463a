//! The events that tell of sessions: whose, when, on which device and under which id, and the texts that a question asks
//! for as places in dictionaries, of which each block brings its own.
//!
//! All events count, whatever their names, because every one of them may begin, continue or end a session.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::filter::{Bind, condition};
use super::funnels::spread::{Owned, Partition, Scratch, Spread};
use super::funnels::sql::within;
use super::maps::Maps;
use super::native::{Block, Blocks};
use super::people::{PERSONS_A_PARAMETER, maybe_of};
use super::{Store, StoreError};
use crate::event::{ProjectNumber, actor_of};
use crate::metrics::identity::{Overrides, Runs};
use crate::metrics::session::key;
use crate::metrics::visit::{
    Chunk, Column, ColumnPart, Columns, Fold, PAGE_VIEWS, Texts, VisitEvent, VisitSpec, flag,
};

/// The most events that one question reads, those of the two days before its range included: one takes 32 bytes, and 4
/// for each text that is asked for.
pub const MAX_EVENTS: usize = 20_000_000;

/// The most persons whose events are asked for again.
pub const MAX_AGAIN: usize = 32_000;

/// The most persons in one statement.
pub const MAX_NAMED: usize = 8_000;

/// The most different texts of one question.
pub const MAX_TEXTS: usize = 2_000_000;

/// Threads that read what comes.
const THREADS: usize = 3;

/// Columns before the texts.
const FIXED: usize = 6;

/// The longest range whose milliseconds are numbers of four bytes.
const SHORT_MS: i64 = u32::MAX as i64;

/// Whose events are read, and how.
#[derive(Clone, Copy, Debug)]
pub enum Reading<'a> {
    /// Everybody's around the range, with ids or without.
    All {
        /// Whether ids are read too.
        with_ids: bool,
    },
    /// Those of these persons around the range, with ids.
    Around(&'a [u64]),
    /// Those of these persons from the very first on, with ids.
    Of(&'a [u64]),
}

/// Events that were read.
pub struct VisitFacts {
    /// To be folded each on its own.
    pub pieces: Vec<Persons>,
    /// From when on they were read.
    pub since_ms: i64,
    /// Rows that ClickHouse read, as far as it told, at least those that came.
    pub rows_read: u64,
}

/// The events of some persons.
pub struct Persons(Partition<VisitEvent>);

impl Owned for VisitEvent {
    type Place = (u64, u64);

    fn owner(&self) -> u64 {
        self.person
    }

    fn place(&self) -> (u64, u64) {
        (self.key, self.at)
    }
}

impl Persons {
    /// Adds their sessions.
    pub fn fold(&self, fold: &Fold<'_>, chunk: &mut Chunk, scratch: &mut Scratch<VisitEvent>) {
        self.0.by_owner(scratch, |events| fold.person(events, chunk));
    }
}

impl Store {
    /// The events that tell of a question's sessions. Their texts are added to `columns`, of which `wanted` are read.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits, or the events are more than [`MAX_EVENTS`].
    pub async fn visit_events(
        &self,
        project: ProjectNumber,
        spec: &VisitSpec,
        wanted: &[Column],
        reading: Reading<'_>,
        columns: &mut Arc<Columns>,
    ) -> Result<VisitFacts, StoreError> {
        let columns = Arc::make_mut(columns);
        let (statement, bind) = self.visits_statement(spec, wanted, reading);
        let maps = match statement.of_actors {
            true => self.override_maps(&[project]).await?,
            false => Maps::default(),
        };
        let query = bind.apply(self.stream(project, &statement.sql));
        let mut cursor = query.with_setting("max_threads", "4").fetch_bytes("Native")?;
        let threads = match reading {
            Reading::All { .. } => THREADS,
            Reading::Around(_) | Reading::Of(_) => 1,
        };
        let (sender, receiver) = mpsc::channel::<Vec<u8>>(2 * threads);
        let receiver = Arc::new(Mutex::new(receiver));
        let texts = Arc::new(Mutex::new(std::mem::take(&mut columns.texts)));
        let mut running = Vec::new();
        for thread in 0..threads {
            let (receiver, texts) = (receiver.clone(), texts.clone());
            let mut reader = Reader::new(columns.parts() + thread, wanted, &statement);
            let maps = maps.clone();
            running.push(tokio::task::spawn_blocking(move || {
                let next = || {
                    receiver
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .blocking_recv()
                };
                let map = maps.of(project).filter(|map| !map.is_empty());
                while let Some(bytes) = next() {
                    reader.read(&Block::of(&bytes)?, map, &texts)?;
                }
                Ok(reader)
            }));
        }
        // Whoever reads holds it; when nobody does any more, sending ends.
        drop(receiver);
        let (mut blocks, mut count, before) = (Blocks::default(), 0, columns.rows());
        while let Some(bytes) = cursor.next().await? {
            blocks.push(&bytes);
            while let Some((block, rows)) = blocks.next_bytes()? {
                count += rows;
                if before + count > MAX_EVENTS {
                    let detail = format!("more than {MAX_EVENTS} events in one question about sessions");
                    return Err(StoreError::TooManyRows(detail));
                }
                if sender.send(block).await.is_err() {
                    // All readers have stopped; one of them says why.
                    break;
                }
            }
        }
        blocks.finish()?;
        drop(sender);
        let mut spreads = Vec::new();
        for thread in running {
            let read: Result<Reader, StoreError> = thread
                .await
                .map_err(|error| StoreError::Unreadable(error.to_string()))?;
            let reader = read?;
            columns.add(reader.part);
            spreads.push(reader.spread);
        }
        columns.texts = std::mem::take(&mut *texts.lock().unwrap_or_else(PoisonError::into_inner));
        columns.settle();
        let told = cursor.summary().and_then(|summary| summary.read_rows());
        Ok(VisitFacts {
            pieces: Spread::gathered(spreads).into_iter().map(Persons).collect(),
            since_ms: statement.since_ms,
            rows_read: told.unwrap_or(0).max(count as u64),
        })
    }

    fn visits_statement(
        &self,
        spec: &VisitSpec,
        wanted: &[Column],
        reading: Reading<'_>,
    ) -> (Statement, Bind) {
        let mut bind = Bind::new();
        let facts = spec.facts_range();
        let (since_ms, persons, has_ids) = match reading {
            Reading::All { with_ids } => (facts.from_ms, None, with_ids),
            Reading::Around(persons) => (facts.from_ms, Some(persons), true),
            Reading::Of(persons) => (0, Some(persons), true),
        };
        let width = if facts.to_ms - since_ms < SHORT_MS { 32 } else { 64 };
        let since = bind.integer(since_ms);
        let is_page = format!("event IN {}", bind.texts(&PAGE_VIEWS.map(str::to_owned)));
        let mut flags = format!("{}({is_page})", one(flag::PAGE));
        for (filter, bit) in [
            (&spec.filter, flag::PASSES),
            (&spec.first_filter, flag::PASSES_FIRST),
        ] {
            if !filter.is_everything() {
                flags += &format!(" + {}({})", one(bit), condition(filter, &mut bind));
            }
        }
        let mut select = format!(
            "toUInt{width}(toUnixTimestamp64Milli(ts) - {since}), toUInt16(least(seq, 65535)), session, \
             if(device_id = '', {nobody}, xxh3(device_id)), CAST({flags}, 'UInt8')",
            nobody = actor_of("")
        );
        for column in wanted {
            let name = column.name();
            select += &match column {
                // Of other events nobody asks, and they would be most of the dictionary.
                Column::Path => format!(", toLowCardinality(if({is_page}, path, '')) AS page"),
                _ => format!(", {name}"),
            };
        }
        if has_ids {
            select += ", id";
        }
        let mut conditions = vec![
            "project = {project:UInt32}".to_owned(),
            within(since_ms, facts.to_ms, &mut bind),
        ];
        conditions.extend(persons.map(|persons| {
            // Whose an event really is, the readers look at.
            let some = persons.chunks(PERSONS_A_PARAMETER);
            let some = some.map(|some| maybe_of(&bind.actors(some)));
            format!("({})", some.collect::<Vec<_>>().join(" OR "))
        }));
        let conditions = conditions.join(" AND ");
        // Filters of persons ask for persons; what people wrote hides behind placeholders. For all others the map in memory
        // costs less than ClickHouse's join.
        let of_actors = !select.contains("person");
        let (whose, source) = match of_actors {
            true => ("actor", "events"),
            false => ("person", self.people()),
        };
        let statement = Statement {
            sql: format!("SELECT {whose}, {select} FROM {source} WHERE {conditions}"),
            since_ms,
            has_ids,
            of_actors,
            only: persons.map(|persons| Arc::new(persons.iter().copied().collect())),
        };
        (statement, bind)
    }
}

/// A bit that a truth value is worth.
fn one(bit: u8) -> String {
    format!("{bit} * toUInt8")
}

struct Statement {
    sql: String,
    since_ms: i64,
    has_ids: bool,
    /// Whether it tells actors, whose persons the readers have to find.
    of_actors: bool,
    /// Of all that come, only the events of these persons are asked for.
    only: Option<Arc<HashSet<u64>>>,
}

/// What one thread reads of the blocks.
struct Reader {
    number: usize,
    wanted: Vec<Column>,
    has_ids: bool,
    since_ms: i64,
    only: Option<Arc<HashSet<u64>>>,
    part: ColumnPart,
    spread: Spread<VisitEvent>,
    scratch: Rows,
}

/// Columns of a block, used for one after the other.
#[derive(Default)]
struct Rows {
    persons: Vec<u64>,
    times: Vec<u64>,
    places: Vec<u64>,
    sessions: Vec<u64>,
    devices: Vec<u64>,
    flags: Vec<u64>,
    ids: Vec<u128>,
    words: Vec<u32>,
    numbers: Vec<u32>,
    runs: Runs,
}

impl Reader {
    fn new(number: usize, wanted: &[Column], statement: &Statement) -> Reader {
        Reader {
            number,
            wanted: wanted.to_vec(),
            has_ids: statement.has_ids,
            since_ms: statement.since_ms,
            only: statement.only.clone(),
            part: ColumnPart::default(),
            spread: Spread::new(),
            scratch: Rows::default(),
        }
    }

    fn read(
        &mut self,
        block: &Block<'_>,
        map: Option<&Overrides>,
        texts: &Mutex<Texts>,
    ) -> Result<(), StoreError> {
        self.texts(block, texts)?;
        let scratch = &mut self.scratch;
        if self.has_ids {
            block.ids(FIXED + self.wanted.len(), 0..block.rows, &mut scratch.ids)?;
            self.part.extend_ids(&scratch.ids);
        }
        for some in block.pieces() {
            let first = Columns::row(self.number, self.part.rows() + some.start);
            block.numbers(0, some.clone(), &mut scratch.persons)?;
            block.numbers(1, some.clone(), &mut scratch.times)?;
            block.numbers(2, some.clone(), &mut scratch.places)?;
            block.numbers(3, some.clone(), &mut scratch.sessions)?;
            block.numbers(4, some.clone(), &mut scratch.devices)?;
            block.numbers(5, some, &mut scratch.flags)?;
            if let Some(map) = map {
                let Rows {
                    persons, times, runs, ..
                } = &mut *scratch;
                map.resolve(persons, |n| self.since_ms + times[n].cast_signed(), runs);
            }
            let when = scratch.times.iter().zip(&scratch.places);
            let whose = scratch.sessions.iter().zip(&scratch.devices);
            let rows = scratch.persons.iter().zip(when).zip(whose.zip(&scratch.flags));
            for (row, ((person, (time, place)), ((given, device), flags))) in (first..).zip(rows) {
                if self.only.as_ref().is_some_and(|only| !only.contains(person)) {
                    continue;
                }
                let has_id = if *given == 0 { 0 } else { flag::HAS_ID };
                self.spread.push(VisitEvent {
                    person: *person,
                    key: key(*device, *given),
                    at: VisitEvent::at(*time, *place),
                    row,
                    flags: *flags as u8 | has_id,
                });
            }
        }
        self.part.complete(block.rows);
        Ok(())
    }

    /// The numbers of the texts of a block. All threads know the same ones: each asks once a block for what occurs in it.
    fn texts(&mut self, block: &Block<'_>, texts: &Mutex<Texts>) -> Result<(), StoreError> {
        let Rows { numbers, words, .. } = &mut self.scratch;
        for (n, column) in self.wanted.iter().enumerate() {
            numbers.clear();
            {
                let mut texts = texts.lock().unwrap_or_else(PoisonError::into_inner);
                numbers.extend(block.words(FIXED + n)?.map(|word| texts.number(word)));
                if texts.len() > MAX_TEXTS {
                    let detail =
                        format!("more than {MAX_TEXTS} different texts in one question about sessions");
                    return Err(StoreError::TooManyRows(detail));
                }
            }
            block.places(FIXED + n, words)?;
            let number = |place: &u32| numbers.get(*place as usize).copied().unwrap_or(0);
            self.part.extend(*column, words.iter().map(number));
        }
        Ok(())
    }
}
