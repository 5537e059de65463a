//! The events of most funnels: who, when and what, and the breakdown's value.

use std::ops::Range;

use clickhouse::query::BytesCursor;

use super::merged::{Merged, Together};
use super::spread::{Owned, Partition, Scratch, Spread};
use super::{MAX_MARKS, Piece, check_texts};
use crate::metrics::funnel::{FunnelSpec, FunnelTally, StepMark, Values};
use crate::store::StoreError;
use crate::store::native::{Block, Blocks};

/// Some persons' events.
pub enum Marks {
    /// Actors are persons.
    Spread(Partition<StepMark>),
    /// Some are somebody else.
    Merged(Merged),
}

/// Some rows of a block, used for one piece after the other.
#[derive(Default)]
struct Columns {
    persons: Vec<u64>,
    times: Vec<u64>,
    places: Vec<u64>,
    marks: Vec<u64>,
}

impl Owned for StepMark {
    type Place = u64;

    fn owner(&self) -> u64 {
        self.person
    }

    fn place(&self) -> u64 {
        self.at
    }
}

/// Reads what [`super::sql::marks`] asks for, of actors or persons. The number of rows comes with it.
pub(super) async fn read(
    spec: &FunnelSpec,
    cursor: &mut BytesCursor,
    values: &mut Values,
) -> Result<(Vec<Partition<StepMark>>, usize), StoreError> {
    let since = spec.facts_range().from_ms.unsigned_abs();
    let (mut blocks, mut columns, mut spread) = (Blocks::default(), Columns::default(), Spread::new());
    let mut rows = 0;
    while let Some(bytes) = cursor.next().await? {
        blocks.push(&bytes);
        while let Some(block) = blocks.next_block()? {
            rows += block.rows;
            if rows > MAX_MARKS {
                let message = format!("more than {MAX_MARKS} events in one funnel");
                return Err(StoreError::TooManyRows(message));
            }
            let texts = spec.breakdown.as_ref().map(|_| block.texts(4)).transpose()?;
            let mut numbers = texts.map(|texts| texts.map(|text| values.number(text)));
            for some in block.pieces() {
                columns.read(&block, some)?;
                columns.spread(since, numbers.as_mut(), &mut spread);
            }
            drop(numbers);
            check_texts(spec, values)?;
        }
    }
    blocks.finish()?;
    Ok((spread.into_partitions(), rows))
}

impl Columns {
    fn read(&mut self, block: &Block, rows: Range<usize>) -> Result<(), StoreError> {
        block.numbers(0, rows.clone(), &mut self.persons)?;
        block.numbers(1, rows.clone(), &mut self.times)?;
        block.numbers(2, rows.clone(), &mut self.places)?;
        block.numbers(3, rows, &mut self.marks)
    }

    fn spread(
        &self,
        since: u64,
        mut values: Option<&mut impl Iterator<Item = u32>>,
        spread: &mut Spread<StepMark>,
    ) {
        let rows = self.persons.iter().zip(&self.times);
        let rows = rows.zip(self.places.iter().zip(&self.marks));
        for ((person, time), (place, marks)) in rows {
            let value = values.as_mut().and_then(|values| values.next());
            spread.push(StepMark::new(
                *person,
                since + time,
                *place,
                *marks as u32,
                value.unwrap_or(0),
            ));
        }
    }
}

impl Piece for Marks {
    type Scratch = (Scratch<StepMark>, Together);

    fn fold(self, tally: &mut FunnelTally, (scratch, together): &mut Self::Scratch) {
        match self {
            Marks::Spread(rows) => rows.by_owner(scratch, |marks| tally.add_marks(marks)),
            Marks::Merged(rows) => rows.persons(together, |marks| tally.add_marks(marks)),
        }
    }
}
