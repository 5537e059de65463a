//! Rows put together by person: spread over partitions as they come, and within a partition over buckets of a few
//! persons each, which are then sorted. Grouping millions of rows so costs a fraction of sorting them.
//!
//! Partition and bucket are the first bits of the owner. ClickHouse's rows come in runs that are sorted by actor, so one
//! partition is written after the other.

/// Partitions. More than threads, so that they even out; few enough that the ends of all stay in the cache.
pub(super) const PARTITIONS: usize = 256;

/// The most buckets of a partition, as a power of two.
const MAX_BITS: u32 = 18;

/// The partition of an owner.
#[inline]
pub(super) fn partition_of(owner: u64) -> usize {
    (owner >> (u64::BITS - PARTITIONS.ilog2())) as usize
}

/// A row of somebody.
pub trait Owned: Copy {
    /// What rows are in order of, within an owner.
    type Place: Ord;
    /// Whose it is: a hash, so that owners are spread evenly over all numbers.
    fn owner(&self) -> u64;
    /// Where it comes among the owner's.
    fn place(&self) -> Self::Place;
}

/// The most rows of a piece of a partition. Partitions grow by pieces, so that nothing is moved when they do.
const PIECE: usize = 1_024;

/// Rows by partition of owners.
pub struct Spread<T> {
    /// The piece that grows, of each partition.
    open: Vec<Vec<T>>,
    /// Pieces that are full.
    full: Vec<Vec<Vec<T>>>,
}

/// The rows of some owners, in no order.
pub struct Partition<T>(Vec<Vec<T>>);

/// What the sorting of a partition needs beside it, to be used for one after the other.
pub struct Scratch<T> {
    rows: Vec<T>,
    starts: Vec<u32>,
}

impl<T> Default for Scratch<T> {
    fn default() -> Scratch<T> {
        Scratch {
            rows: Vec::new(),
            starts: Vec::new(),
        }
    }
}

impl<T: Owned> Spread<T> {
    /// No rows.
    pub fn new() -> Spread<T> {
        Spread {
            open: (0..PARTITIONS).map(|_| Vec::new()).collect(),
            full: (0..PARTITIONS).map(|_| Vec::new()).collect(),
        }
    }

    /// Adds a row.
    pub fn push(&mut self, row: T) {
        let partition = partition_of(row.owner());
        let open = &mut self.open[partition];
        if open.len() == open.capacity() {
            let larger = Vec::with_capacity((4 * open.len()).clamp(16, PIECE));
            let full = std::mem::replace(open, larger);
            self.full[partition].push(full);
        }
        open.push(row);
    }

    /// The partitions with rows, each to be read on its own.
    pub fn into_partitions(self) -> Vec<Partition<T>> {
        Spread::gathered([self])
    }

    /// The same of several, which were filled side by side.
    pub fn gathered(spreads: impl IntoIterator<Item = Spread<T>>) -> Vec<Partition<T>> {
        let mut partitions: Vec<Partition<T>> = (0..PARTITIONS).map(|_| Partition(Vec::new())).collect();
        for spread in spreads {
            let rows = spread.full.into_iter().zip(spread.open);
            for (partition, (mut pieces, open)) in partitions.iter_mut().zip(rows) {
                pieces.push(open);
                pieces.retain(|rows| !rows.is_empty());
                partition.0.append(&mut pieces);
            }
        }
        partitions.retain(|partition| !partition.0.is_empty());
        partitions
    }
}

impl<T: Owned> Partition<T> {
    /// Calls `each` with every owner's rows, in order.
    pub fn by_owner(&self, scratch: &mut Scratch<T>, each: impl FnMut(&[T])) {
        let rows = self.in_order(scratch);
        rows.chunk_by(|a, b| a.owner() == b.owner()).for_each(each);
    }

    /// All rows by owner, and each owner's in order.
    pub fn into_order(self) -> Vec<T> {
        let mut scratch = Scratch::default();
        let count = self.in_order(&mut scratch).len();
        scratch.rows.truncate(count);
        scratch.rows
    }

    /// The same, kept beside.
    fn in_order<'a>(&self, scratch: &'a mut Scratch<T>) -> &'a [T] {
        let pieces = &self.0;
        let count: usize = pieces.iter().map(Vec::len).sum();
        // A few rows a bucket.
        let bits = (count / 4).max(1).ilog2().min(MAX_BITS);
        let shift = u64::BITS - PARTITIONS.ilog2() - bits;
        let bucket = |row: &T| (row.owner() >> shift) as usize & ((1 << bits) - 1);
        let Scratch { rows, starts } = scratch;
        starts.clear();
        starts.resize((1 << bits) + 1, 0);
        for row in pieces.iter().flatten() {
            starts[bucket(row) + 1] += 1;
        }
        let mut end = 0;
        for start in starts.iter_mut() {
            end += *start;
            *start = end;
        }
        if rows.len() < count {
            rows.resize(count, pieces[0][0]);
        }
        // Moves each start to the end of its bucket, which is the start of the next.
        for row in pieces.iter().flatten() {
            let start = &mut starts[bucket(row)];
            rows[*start as usize] = *row;
            *start += 1;
        }
        let mut from = 0;
        for end in &starts[..1 << bits] {
            let bucket = &mut rows[from..*end as usize];
            from = *end as usize;
            sort(bucket);
        }
        &rows[..count]
    }
}

/// Sorts by owner and place. Most buckets are a few rows that come in runs.
fn sort<T: Owned>(rows: &mut [T]) {
    let is_before = |a: &T, b: &T| (a.owner(), a.place()) < (b.owner(), b.place());
    if rows.len() > 24 {
        rows.sort_unstable_by_key(|row| (row.owner(), row.place()));
        return;
    }
    for next in 1..rows.len() {
        let row = rows[next];
        let mut at = next;
        while at > 0 && is_before(&row, &rows[at - 1]) {
            rows[at] = rows[at - 1];
            at -= 1;
        }
        rows[at] = row;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    impl Owned for (u64, u32) {
        type Place = u32;
        fn owner(&self) -> u64 {
            self.0
        }
        fn place(&self) -> u32 {
            self.1
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn every_owner_gets_all_their_rows_once_and_in_order(
            rows in prop::collection::vec((prop_oneof![0..20_u64, any::<u64>()], 0..50_u32), 0..2_000)
        ) {
            let mut expected: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
            let mut spreads = [Spread::new(), Spread::new()];
            for (n, row) in rows.iter().enumerate() {
                expected.entry(row.0).or_default().push(row.1);
                spreads[n % 2].push(*row);
            }
            expected.values_mut().for_each(|places| places.sort_unstable());
            let mut found: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
            let mut scratch = Scratch::default();
            for partition in Spread::gathered(spreads) {
                partition.by_owner(&mut scratch, |rows| {
                    let places = rows.iter().map(|row| row.1).collect();
                    assert!(found.insert(rows[0].0, places).is_none(), "an owner comes once");
                });
            }
            prop_assert_eq!(found, expected);
        }
    }
}
