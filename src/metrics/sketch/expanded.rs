//! A sketch laid out for fast unions: registers as bytes, or sparse codes as a sorted list. A union of registers costs
//! less than a microsecond (the crate's packed ones: a hundred times that), so windows of any length are cheap.
//!
//! Counts are the crate's own: the union is handed back to it. Property tests hold both ways to the same numbers.

use super::bulk::{packed, varint_bytes};
use super::{
    COUNTS, Dense, Layout, PRECISION, REGISTER_BITS, REGISTERS, REGISTERS_PER_WORD, SketchError, Sparse,
    UserSketch,
};

/// Bits of an actor that a sparse code keeps, as in the crate.
const SPARSE_PRECISION: u32 = 25;

/// A set of actors, like a [`UserSketch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expanded {
    /// Codes in ascending order.
    Sparse(Vec<u32>),
    /// A byte for each register.
    Dense(Box<[u8]>),
}

impl Default for Expanded {
    fn default() -> Self {
        Expanded::Sparse(Vec::new())
    }
}

impl Expanded {
    /// The sketch that [`UserSketch::encode`] wrote.
    ///
    /// # Errors
    /// As [`UserSketch::decode`].
    pub fn decode(bytes: &[u8]) -> Result<Expanded, SketchError> {
        let layout = Layout::read(bytes)?;
        Ok(match layout.dense {
            Some(dense) => Expanded::Dense(dense.registers()),
            None => Expanded::Sparse(layout.sparse.codes()),
        })
    }

    /// Adds all of the other's actors.
    pub fn absorb(&mut self, other: &Expanded) {
        match (&mut *self, other) {
            (Expanded::Dense(mine), Expanded::Dense(theirs)) => {
                for (mine, theirs) in mine.iter_mut().zip(theirs.iter()) {
                    *mine = (*mine).max(*theirs);
                }
            }
            (Expanded::Dense(mine), Expanded::Sparse(codes)) => raise(mine, codes),
            (Expanded::Sparse(codes), Expanded::Dense(theirs)) => {
                let mut registers = theirs.clone();
                raise(&mut registers, codes);
                *self = Expanded::Dense(registers);
            }
            (Expanded::Sparse(mine), Expanded::Sparse(theirs)) => {
                let united = united(mine, theirs);
                *self = if sparse_bytes(&united) > COUNTS.2 {
                    let mut registers = vec![0; REGISTERS].into_boxed_slice();
                    raise(&mut registers, &united);
                    Expanded::Dense(registers)
                } else {
                    Expanded::Sparse(united)
                };
            }
        }
    }

    /// The estimated number of distinct actors: what [`UserSketch::count`] says of the same set.
    pub fn count(&self) -> u64 {
        let (sparse, dense) = match self {
            Expanded::Sparse(codes) => (Sparse::of_codes(codes), None),
            Expanded::Dense(registers) => (Sparse::default(), Some(packed(registers))),
        };
        let layout = Layout {
            precision: PRECISION,
            counts: COUNTS,
            buffered: Vec::new(),
            sparse,
            dense,
        };
        UserSketch::of(&layout).map_or(0, |mut sketch| sketch.count())
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        let content = match self {
            Expanded::Sparse(codes) => codes.capacity() * size_of::<u32>(),
            Expanded::Dense(registers) => registers.len(),
        };
        content + size_of::<Self>()
    }
}

/// Sets registers to what sparse codes say, where that is more.
fn raise(registers: &mut [u8], codes: &[u32]) {
    for &code in codes {
        let (register, zeros) = if code & 1 == 1 {
            let beyond = SPARSE_PRECISION - u32::from(PRECISION);
            (code >> (32 - u32::from(PRECISION)), (code >> 1 & 0x3f) + beyond)
        } else {
            let index = code >> (SPARSE_PRECISION + 1 - u32::from(PRECISION));
            let rest = code << (32 - SPARSE_PRECISION + u32::from(PRECISION) - 1);
            (index & (REGISTERS as u32 - 1), rest.leading_zeros() + 1)
        };
        let register = &mut registers[register as usize];
        *register = (*register).max(zeros as u8);
    }
}

/// Two ascending lists as one, each code once.
fn united(left: &[u32], right: &[u32]) -> Vec<u32> {
    let mut all = Vec::with_capacity(left.len() + right.len());
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        let (a, b) = (left[i], right[j]);
        all.push(a.min(b));
        i += usize::from(a <= b);
        j += usize::from(b <= a);
    }
    all.extend_from_slice(&left[i..]);
    all.extend_from_slice(&right[j..]);
    all
}

/// Bytes that the codes take in a sparse sketch: beyond a limit it is dense.
fn sparse_bytes(codes: &[u32]) -> usize {
    let mut last = 0;
    let mut bytes = 0;
    for &code in codes {
        bytes += varint_bytes(code - last);
        last = code;
    }
    bytes
}

impl Sparse {
    fn codes(&self) -> Vec<u32> {
        let mut codes = Vec::with_capacity(self.count);
        let (mut code, mut difference, mut shift) = (0_u32, 0_u32, 0);
        for byte in &self.differences {
            difference |= u32::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                code = code.wrapping_add(difference);
                codes.push(code);
                (difference, shift) = (0, 0);
            }
        }
        codes
    }
}

impl Dense {
    fn registers(&self) -> Box<[u8]> {
        let mut registers = vec![0; REGISTERS].into_boxed_slice();
        for (word, five) in self.words.iter().zip(registers.chunks_mut(REGISTERS_PER_WORD)) {
            for (nth, register) in five.iter_mut().enumerate() {
                *register = (word >> (nth * REGISTER_BITS) & 0x3f) as u8;
            }
        }
        registers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn both(actors: &[u64]) -> (UserSketch, Expanded) {
        let bytes = UserSketch::encode_all(actors.iter().copied());
        (
            UserSketch::decode(&bytes).unwrap(),
            Expanded::decode(&bytes).unwrap(),
        )
    }

    fn agree(sets: &[Vec<u64>]) {
        let (mut crates, mut ours) = (UserSketch::new(), Expanded::default());
        for set in sets {
            let (sketch, expanded) = both(set);
            crates.merge(&sketch);
            ours.absorb(&expanded);
            assert_eq!(crates.clone().count(), ours.count());
        }
        let bytes = crates.encode();
        assert_eq!(Expanded::decode(&bytes).unwrap(), ours);
    }

    #[test]
    fn unions_are_the_crates_whatever_their_size() {
        let mut rng = fastrand::Rng::with_seed(3);
        let mut set = |n: usize| -> Vec<u64> { (0..n).map(|_| rng.u64(..)).collect() };
        agree(&[]);
        agree(&[vec![], vec![]]);
        for sizes in [
            [10, 200, 3_000],
            [3_000, 3_000, 3_000],
            [6_000, 5, 900],
            [20_000, 100, 20_000],
            [100, 50_000, 4_000],
        ] {
            agree(&sizes.map(&mut set));
        }
    }

    #[test]
    fn actors_full_of_zeros_are_read_as_the_crate_reads_them() {
        let odd: Vec<u64> = (0..64)
            .flat_map(|bit| [1 << bit, u64::MAX << bit, u64::MAX >> bit])
            .collect();
        let mut rng = fastrand::Rng::with_seed(4);
        let many: Vec<u64> = (0..30_000).map(|_| rng.u64(..)).collect();
        agree(&[odd.clone(), many.clone()]);
        agree(&[many, odd.clone()]);
        agree(&[odd, vec![0]]);
    }

    proptest! {
        #[test]
        fn any_unions_are_the_crates(sets in prop::collection::vec(prop::collection::vec(
            prop_oneof![any::<u64>(), any::<u64>().prop_map(|a| a >> 20), any::<u64>().prop_map(|a| a << 30)], 0..3_000), 0..5)) {
            agree(&sets);
        }
    }
}
