//! The events of a funnel with everything that any question may need of them.

use std::collections::HashSet;

use clickhouse::query::BytesCursor;

use super::spread::{Owned, Partition, Scratch, Spread};
use super::{MAX_ROWS, Piece, check_texts};
use crate::metrics::funnel::{FunnelSpec, FunnelTally, StepEvent, Values};
use crate::store::StoreError;
use crate::store::native::{Block, Blocks};

/// Some persons' events.
pub struct Rows(Partition<Row>);

/// An event and whose it is.
#[derive(Clone, Copy)]
pub struct Row {
    owner: u64,
    event: StepEvent,
}

impl Owned for Row {
    type Place = (i64, u32, u128);

    fn owner(&self) -> u64 {
        self.owner
    }

    fn place(&self) -> (i64, u32, u128) {
        (self.event.ts, self.event.seq, self.event.id)
    }
}

/// Reads what [`super::sql::rows`] asks for. The number of rows comes with it.
pub(super) async fn read(
    spec: &FunnelSpec,
    cursor: &mut BytesCursor,
    values: &mut Values,
) -> Result<(Vec<Rows>, usize), StoreError> {
    let (mut blocks, mut columns, mut spread) = (Blocks::default(), Columns::default(), Spread::new());
    let mut rows = 0;
    while let Some(bytes) = cursor.next().await? {
        blocks.push(&bytes);
        while let Some(block) = blocks.next_block()? {
            rows += block.rows;
            if rows > MAX_ROWS {
                let message = format!("more than {MAX_ROWS} events in one funnel that needs their ids");
                return Err(StoreError::TooManyRows(message));
            }
            columns.read(spec, &block, values)?;
            check_texts(spec, values)?;
            columns.spread(spec, &mut spread);
        }
    }
    blocks.finish()?;
    Ok((spread.into_partitions().into_iter().map(Rows).collect(), rows))
}

/// Columns of a block, used for one after the other.
#[derive(Default)]
struct Columns {
    persons: Vec<u64>,
    times: Vec<u64>,
    places: Vec<u64>,
    marks: Vec<u64>,
    ids: Vec<u128>,
    sessions: Vec<u64>,
    devices: Vec<u64>,
    /// Numbers of texts: of held properties and breakdown, in that order.
    texts: Vec<Vec<u32>>,
    /// Owners, where they are groups; 0: none.
    groups: Vec<u64>,
}

impl Columns {
    fn read(&mut self, spec: &FunnelSpec, block: &Block, values: &mut Values) -> Result<(), StoreError> {
        let all = || 0..block.rows;
        block.numbers(0, all(), &mut self.persons)?;
        block.numbers(1, all(), &mut self.times)?;
        block.numbers(2, all(), &mut self.places)?;
        block.numbers(3, all(), &mut self.marks)?;
        block.ids(4, all(), &mut self.ids)?;
        let mut next = 5;
        if spec.uses_sessions() {
            block.numbers(5, all(), &mut self.sessions)?;
            block.numbers(6, all(), &mut self.devices)?;
            next = 7;
        }
        self.texts.clear();
        for column in next..next + spec.texts().count() {
            let numbers = block.texts(column)?.map(|text| values.number(text));
            self.texts.push(numbers.collect());
        }
        if spec.group.is_some() {
            let numbers = self.texts.pop().unwrap_or_default();
            self.groups.clear();
            self.groups
                .extend(numbers.iter().map(|number| values.group(*number)));
        }
        Ok(())
    }

    fn spread(&self, spec: &FunnelSpec, spread: &mut Spread<Row>) {
        for (n, person) in self.persons.iter().enumerate() {
            let mut texts = self.texts.iter().map(|numbers| numbers[n]);
            let mut held = [0; 3];
            for (held, number) in held.iter_mut().zip(texts.by_ref().take(spec.hold.len())) {
                *held = number;
            }
            let value = spec.breakdown.as_ref().and_then(|_| texts.next());
            let owner = match spec.group {
                // Who has no value is in no group.
                Some(_) => match self.groups[n] {
                    0 => continue,
                    group => group,
                },
                None => *person,
            };
            spread.push(Row {
                owner,
                event: StepEvent {
                    ts: self.times[n].cast_signed(),
                    seq: self.places[n] as u32,
                    id: self.ids[n],
                    marks: self.marks[n] as u32,
                    session: self.sessions.get(n).copied().unwrap_or(0),
                    device: self.devices.get(n).copied().unwrap_or(0),
                    held,
                    value: value.unwrap_or(0),
                },
            });
        }
    }
}

impl Rows {
    /// Calls `each` with every person (or group) and all their events, in total order. A copy of an event that was
    /// delivered again is left out.
    pub fn persons(&self, scratch: &mut Scratch<Row>, mut each: impl FnMut(u64, &[StepEvent])) {
        let mut events: Vec<StepEvent> = Vec::new();
        let mut known: HashSet<u128> = HashSet::new();
        self.0.by_owner(scratch, |rows| {
            events.clear();
            for moment in rows.chunk_by(|a, b| a.event.ts == b.event.ts) {
                known.clear();
                let is_new = |row: &&Row| moment.len() == 1 || known.insert(row.event.id);
                events.extend(moment.iter().filter(is_new).map(|row| row.event));
            }
            each(rows[0].owner, &events);
        });
    }
}

impl Piece for Rows {
    type Scratch = Scratch<Row>;

    fn fold(self, tally: &mut FunnelTally, scratch: &mut Scratch<Row>) {
        self.persons(scratch, |person, events| tally.add(person, events));
    }
}
