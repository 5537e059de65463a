//! The events that tell of sessions: whose, when, on which device and under which id, and the texts that a question asks
//! for as places in dictionaries, of which each block brings its own.
//!
//! All events count, whatever their names, because every one of them may begin, continue or end a session.

use std::sync::Arc;

use super::filter::{Bind, condition};
use super::funnels::spread::{Owned, Partition, Scratch, Spread};
use super::funnels::sql::within;
use super::native::{Block, Blocks};
use super::people::maybe_of;
use super::{Store, StoreError};
use crate::event::{ProjectNumber, actor_of};
use crate::metrics::session::key;
use crate::metrics::visit::{Chunk, Column, Columns, Fold, PAGE_VIEWS, VisitEvent, VisitSpec, flag};

/// The most events that one question reads, those of the two days before its range included: one takes 32 bytes, and 4
/// for each text that is asked for.
pub const MAX_EVENTS: usize = 20_000_000;

/// The most persons whose events are asked for again.
pub const MAX_AGAIN: usize = 32_000;

/// The most persons in one statement.
pub const MAX_NAMED: usize = 8_000;

/// The most different texts of one question.
pub const MAX_TEXTS: usize = 2_000_000;

/// The longest range whose milliseconds are numbers of four bytes.
const SHORT_MS: i64 = u32::MAX as i64;

/// Persons of one parameter.
const PERSONS_A_PARAMETER: usize = 4_000;

/// Whose events are read, and how.
#[derive(Clone, Copy, Debug)]
pub enum Reading<'a> {
    /// Everybody's around the range, with ids or without.
    All {
        /// Whether ids are read too.
        with_ids: bool,
    },
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
        let statement = self.visits_statement(spec, wanted, reading);
        let query = statement.bind.apply(self.stream(project, &statement.sql));
        let mut cursor = query.with_setting("max_threads", "4").fetch_bytes("Native")?;
        let (mut blocks, mut rows) = (Blocks::default(), Rows::default());
        let mut spread = Spread::new();
        let mut count = 0;
        while let Some(bytes) = cursor.next().await? {
            blocks.push(&bytes);
            while let Some(block) = blocks.next_block()? {
                count += block.rows;
                if columns.rows() as usize + block.rows > MAX_EVENTS {
                    let detail = format!("more than {MAX_EVENTS} events in one question about sessions");
                    return Err(StoreError::TooManyRows(detail));
                }
                rows.read(&block, wanted, statement.has_ids, columns, &mut spread)?;
            }
        }
        blocks.finish()?;
        columns.settle();
        let told = cursor.summary().and_then(|summary| summary.read_rows());
        Ok(VisitFacts {
            pieces: spread.into_partitions().into_iter().map(Persons).collect(),
            since_ms: statement.since_ms,
            rows_read: told.unwrap_or(0).max(count as u64),
        })
    }

    fn visits_statement(&self, spec: &VisitSpec, wanted: &[Column], reading: Reading<'_>) -> Statement {
        let mut bind = Bind::new();
        let facts = spec.facts_range();
        let (since_ms, persons, has_ids) = match reading {
            Reading::All { with_ids } => (facts.from_ms, None, with_ids),
            Reading::Of(persons) => (0, Some(persons), true),
        };
        let width = if facts.to_ms - since_ms < SHORT_MS { 32 } else { 64 };
        let since = bind.integer(since_ms);
        let is_page = format!("event IN {}", bind.texts(&PAGE_VIEWS.map(str::to_owned)));
        let mut flags = format!("{}({is_page})", one(flag::PAGE));
        for (filter, bit) in [(&spec.filter, flag::PASSES), (&spec.first_filter, flag::PASSES_FIRST)] {
            if !filter.is_everything() {
                flags += &format!(" + {}({})", one(bit), condition(filter, &mut bind));
            }
        }
        let mut select = format!(
            "person, toUInt{width}(toUnixTimestamp64Milli(ts) - {since}), toUInt16(least(seq, 65535)), session, \
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
            let some = persons.chunks(PERSONS_A_PARAMETER).map(|some| {
                let some = bind.actors(some);
                format!("(person IN {some} AND {})", maybe_of(&some))
            });
            format!("({})", some.collect::<Vec<_>>().join(" OR "))
        }));
        Statement {
            sql: format!(
                "SELECT {select} FROM {} WHERE {}",
                self.people(),
                conditions.join(" AND ")
            ),
            bind,
            since_ms,
            has_ids,
        }
    }
}

/// A bit that a truth value is worth.
fn one(bit: u8) -> String {
    format!("{bit} * toUInt8")
}

struct Statement {
    sql: String,
    bind: Bind,
    since_ms: i64,
    has_ids: bool,
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
}

impl Rows {
    fn read(
        &mut self,
        block: &Block<'_>,
        wanted: &[Column],
        has_ids: bool,
        columns: &mut Columns,
        spread: &mut Spread<VisitEvent>,
    ) -> Result<(), StoreError> {
        let first = columns.rows();
        for (n, column) in wanted.iter().enumerate() {
            self.numbers.clear();
            for word in block.words(n + 6)? {
                self.numbers.push(columns.texts.number(word));
            }
            block.places(n + 6, &mut self.words)?;
            let numbers = &self.numbers;
            let number = |place: &u32| numbers.get(*place as usize).copied().unwrap_or(0);
            columns.extend(*column, self.words.iter().map(number));
        }
        if columns.texts.len() > MAX_TEXTS {
            let detail = format!("more than {MAX_TEXTS} different texts in one question about sessions");
            return Err(StoreError::TooManyRows(detail));
        }
        if has_ids {
            block.ids(6 + wanted.len(), 0..block.rows, &mut self.ids)?;
            columns.extend_ids(&self.ids);
        }
        for some in block.pieces() {
            let row = first + some.start as u32;
            block.numbers(0, some.clone(), &mut self.persons)?;
            block.numbers(1, some.clone(), &mut self.times)?;
            block.numbers(2, some.clone(), &mut self.places)?;
            block.numbers(3, some.clone(), &mut self.sessions)?;
            block.numbers(4, some.clone(), &mut self.devices)?;
            block.numbers(5, some, &mut self.flags)?;
            let when = self.times.iter().zip(&self.places);
            let whose = self.sessions.iter().zip(&self.devices);
            let rows = self.persons.iter().zip(when).zip(whose.zip(&self.flags));
            for (row, ((person, (time, place)), ((given, device), flags))) in (row..).zip(rows) {
                let has_id = if *given == 0 { 0 } else { flag::HAS_ID };
                spread.push(VisitEvent {
                    person: *person,
                    key: key(*device, *given),
                    at: VisitEvent::at(*time, *place),
                    row,
                    flags: *flags as u8 | has_id,
                });
            }
        }
        columns.complete(block.rows);
        Ok(())
    }
}
