//! The events of most funnels: who, when and what, and the breakdown's value.

use clickhouse::query::BytesCursor;

use super::spread::{Owned, Scratch, Spread, by_owner};
use super::{MAX_MARKS, Piece};
use crate::metrics::funnel::{FunnelSpec, FunnelTally, StepMark, Values};
use crate::metrics::identity::person_of;
use crate::store::StoreError;
use crate::store::native::{Block, Blocks};

/// Some persons' events.
pub struct Marks(Vec<StepMark>);

/// Columns of a block, used for one after the other.
#[derive(Default)]
struct Columns {
    actors: Vec<u64>,
    times: Vec<u64>,
    places: Vec<u64>,
    marks: Vec<u64>,
    values: Vec<u32>,
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

/// Reads what [`super::sql::marks`] asks for. The number of rows comes with it.
pub async fn read(
    spec: &FunnelSpec,
    cursor: &mut BytesCursor,
    values: &mut Values,
) -> Result<(Vec<Marks>, usize), StoreError> {
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
            columns.read(spec, &block, values)?;
            columns.spread(since, &mut spread);
        }
    }
    blocks.finish()?;
    Ok((spread.into_partitions().into_iter().map(Marks).collect(), rows))
}

impl Columns {
    fn read(&mut self, spec: &FunnelSpec, block: &Block, values: &mut Values) -> Result<(), StoreError> {
        block.numbers(0, &mut self.actors)?;
        block.numbers(1, &mut self.times)?;
        block.numbers(2, &mut self.places)?;
        block.numbers(3, &mut self.marks)?;
        self.values.clear();
        if spec.breakdown.is_some() {
            self.values
                .extend(block.texts(4)?.map(|text| values.number(text)));
        }
        Ok(())
    }

    fn spread(&self, since: u64, spread: &mut Spread<StepMark>) {
        let rows = self
            .actors
            .iter()
            .zip(&self.times)
            .zip(self.places.iter().zip(&self.marks));
        for (n, ((actor, time), (place, marks))) in rows.enumerate() {
            spread.push(StepMark::new(
                person_of(*actor),
                since + time,
                *place,
                *marks as u32,
                self.values.get(n).copied().unwrap_or(0),
            ));
        }
    }
}

impl Piece for Marks {
    type Scratch = Scratch<StepMark>;

    fn fold(self, tally: &mut FunnelTally, scratch: &mut Scratch<StepMark>) {
        by_owner(&self.0, scratch, |marks| tally.add_marks(marks));
    }
}
