//! The events of paths, gathered person by person: all events of those who may have a path, since sessions are derived
//! from all of them.
//!
//! As with funnels ClickHouse selects, rows come in no order and are spread over partitions by person as they arrive, and
//! each partition is put into total order when it is folded. Names and paths of pages come as texts and are numbered; what
//! a page is called is found once for each path, not for each event.

mod sql;

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use clickhouse::query::BytesCursor;

use super::funnels::spread::{Owned, Partition, Scratch, Spread};
use super::funnels::{Whose, rows_read};
use super::native::{Block, Blocks};
use super::{Store, StoreError};
use crate::event::ProjectNumber;
use crate::metrics::funnel::Values;
use crate::metrics::path::linked::Stretch;
use crate::metrics::path::{PathEvent, PathSpec, PathTally};

/// The most events of one question about paths: one takes 80 bytes, so these are 1.6 GB, and the paths themselves 32
/// bytes and 8 a node.
pub const MAX_EVENTS: usize = 20_000_000;

/// The most names of events, and the most paths of pages, in the data.
pub const MAX_TEXTS: usize = 500_000;

/// Texts that events come with, numbered.
#[derive(Default)]
pub struct PathTexts {
    /// Names of events.
    pub names: Values,
    /// Paths of pages, as they were sent.
    pub pages: Values,
}

/// The events of paths.
pub struct PathFacts {
    /// To be folded each on its own.
    pub pieces: Vec<PathPiece>,
    /// Rows that ClickHouse read, as far as it told, at least those that came.
    pub rows_read: u64,
}

/// Some persons' events.
pub struct PathPiece(Partition<Row>);

/// What folding needs besides, to be used for one piece after the other.
pub type PathScratch = Scratch<Row>;

/// An event and whose it is.
#[derive(Clone, Copy)]
pub struct Row {
    person: u64,
    event: PathEvent,
}

impl Owned for Row {
    type Place = (i64, u32, u128);

    fn owner(&self) -> u64 {
        self.person
    }

    fn place(&self) -> (i64, u32, u128) {
        (self.event.ts, self.event.seq, self.event.id)
    }
}

impl Store {
    /// The project's events that matter to paths: of everybody who may have one, or of those named (at most
    /// [`MAX_NAMED`](super::funnels::MAX_NAMED)). Between the steps of a funnel only those of persons with stretches are
    /// kept. Texts are numbered on in `texts`.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits, or there are more than [`MAX_EVENTS`] or [`MAX_TEXTS`].
    pub async fn path_events<H: BuildHasher + Sync>(
        &self,
        project: ProjectNumber,
        spec: &PathSpec,
        whose: Whose<'_>,
        stretches: &HashMap<u64, Vec<Stretch>, H>,
        texts: &mut PathTexts,
    ) -> Result<PathFacts, StoreError> {
        let (sql, bind) = sql::events(spec, whose);
        let query = bind.apply(self.stream(project, &sql));
        let mut cursor = query.with_setting("max_threads", "4").fetch_bytes("Native")?;
        let is_meant = |person: u64| spec.funnel.is_none() || stretches.contains_key(&person);
        let (pieces, rows) = read(spec, &mut cursor, is_meant, texts).await?;
        Ok(PathFacts {
            pieces,
            rows_read: rows_read(&cursor, rows),
        })
    }
}

/// Reads what [`sql::events`] asks for. The number of rows comes with it.
async fn read(
    spec: &PathSpec,
    cursor: &mut BytesCursor,
    is_meant: impl Fn(u64) -> bool,
    texts: &mut PathTexts,
) -> Result<(Vec<PathPiece>, usize), StoreError> {
    let (mut blocks, mut columns, mut spread) = (Blocks::default(), Columns::default(), Spread::new());
    let (mut rows, mut kept) = (0, 0);
    while let Some(bytes) = cursor.next().await? {
        blocks.push(&bytes);
        while let Some(block) = blocks.next_block()? {
            rows += block.rows;
            columns.read(spec, &block, texts)?;
            kept += columns.spread(&is_meant, &mut spread);
            if kept > MAX_EVENTS {
                let message = format!("more than {MAX_EVENTS} events in one question about paths");
                return Err(StoreError::TooManyRows(message));
            }
            if texts.names.len().max(texts.pages.len()) > MAX_TEXTS {
                let message = format!("more than {MAX_TEXTS} names or pages in one question about paths");
                return Err(StoreError::TooManyRows(message));
            }
        }
    }
    blocks.finish()?;
    let pieces = spread.into_partitions().into_iter().map(PathPiece);
    Ok((pieces.collect(), rows))
}

/// Columns of a block, used for one after the other.
#[derive(Default)]
struct Columns {
    persons: Vec<u64>,
    times: Vec<u64>,
    places: Vec<u64>,
    ids: Vec<u128>,
    passes: Vec<u64>,
    sessions: Vec<u64>,
    devices: Vec<u64>,
    names: Vec<u32>,
    pages: Vec<u32>,
}

impl Columns {
    fn read(&mut self, spec: &PathSpec, block: &Block, texts: &mut PathTexts) -> Result<(), StoreError> {
        let all = || 0..block.rows;
        block.numbers(0, all(), &mut self.persons)?;
        block.numbers(1, all(), &mut self.times)?;
        block.numbers(2, all(), &mut self.places)?;
        block.ids(3, all(), &mut self.ids)?;
        block.numbers(4, all(), &mut self.passes)?;
        let mut next = 5;
        if spec.funnel.is_none() {
            block.numbers(5, all(), &mut self.sessions)?;
            block.numbers(6, all(), &mut self.devices)?;
            next = 7;
        }
        for (is_there, numbers, values) in [
            (spec.needs_names(), &mut self.names, &mut texts.names),
            (spec.needs_pages(), &mut self.pages, &mut texts.pages),
        ] {
            if is_there {
                numbers.clear();
                numbers.extend(block.texts(next)?.map(|text| values.number(text)));
                next += 1;
            }
        }
        Ok(())
    }

    /// How many were meant.
    fn spread(&self, is_meant: impl Fn(u64) -> bool, spread: &mut Spread<Row>) -> usize {
        let mut meant = 0;
        for (n, person) in self.persons.iter().copied().enumerate() {
            if !is_meant(person) {
                continue;
            }
            meant += 1;
            spread.push(Row {
                person,
                event: PathEvent {
                    ts: self.times[n].cast_signed(),
                    seq: self.places[n] as u32,
                    id: self.ids[n],
                    session: self.sessions.get(n).copied().unwrap_or(0),
                    device: self.devices.get(n).copied().unwrap_or(0),
                    name: self.names.get(n).copied().unwrap_or(0),
                    page: self.pages.get(n).copied().unwrap_or(0),
                    passes: self.passes[n] != 0,
                },
            });
        }
        meant
    }
}

impl PathPiece {
    /// Adds the persons to the tally, each with all their events in total order. A copy of an event that was delivered
    /// again is left out.
    pub fn fold(self, tally: &mut PathTally, scratch: &mut PathScratch) {
        let mut events: Vec<PathEvent> = Vec::new();
        let mut known: HashSet<u128> = HashSet::new();
        self.0.by_owner(scratch, |rows| {
            events.clear();
            for moment in rows.chunk_by(|a, b| a.event.ts == b.event.ts) {
                known.clear();
                let is_new = |row: &&Row| moment.len() == 1 || known.insert(row.event.id);
                events.extend(moment.iter().filter(is_new).map(|row| row.event));
            }
            tally.add(rows[0].person, &events);
        });
    }
}
