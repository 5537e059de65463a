//! The sketch of a whole set at once: the bytes of [`UserSketch::encode`] without the crate's detours.
//!
//! Inserting actors one by one makes the crate merge its buffer into the sparse list every 131 actors, which
//! costs more than everything else that a batch's rollups need. Here the codes are sorted once, or the
//! registers filled directly. A property test holds the bytes to the crate's.

use super::{
    COUNTS, Dense, HEADER, Layout, PRECISION, REGISTER_BITS, REGISTERS, REGISTERS_PER_WORD, Sparse,
    UserSketch, WORDS,
};

/// Precision of the codes of a sparse sketch, as in the crate.
const SPARSE_PRECISION: u32 = 25;

impl UserSketch {
    /// The encoded sketch of these actors, in whatever order and however often each.
    pub fn encode_all(actors: impl IntoIterator<Item = u64>) -> Vec<u8> {
        let actors: Vec<u64> = actors.into_iter().collect();
        let dense = Dense::of(&actors);
        // Every register that is not zero has a code of its own, and that has at least one byte.
        let sparse = (REGISTERS - dense.zeros <= COUNTS.2)
            .then(|| Sparse::of(&actors))
            .flatten();
        let (sparse, dense) = match sparse {
            Some(sparse) => (sparse, None),
            None => (Sparse::default(), Some(dense)),
        };
        let layout = Layout {
            precision: PRECISION,
            counts: COUNTS,
            buffered: Vec::new(),
            sparse,
            dense,
        };
        let mut bytes =
            postcard::to_extend(&layout, HEADER.to_vec()).expect("writing to a vector cannot fail");
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }
}

/// Bytes of a difference in a sparse list.
pub(super) fn varint_bytes(difference: u32) -> usize {
    (32 - (difference | 1).leading_zeros()).div_ceil(7) as usize
}

/// Registers in the crate's words.
pub(super) fn packed(registers: &[u8]) -> Dense {
    let mut words = vec![0_u32; WORDS];
    for (word, five) in words.iter_mut().zip(registers.chunks(REGISTERS_PER_WORD)) {
        for (nth, register) in five.iter().enumerate() {
            *word |= u32::from(*register) << (nth * REGISTER_BITS);
        }
    }
    Dense {
        words,
        count: REGISTERS,
        zeros: registers.iter().filter(|register| **register == 0).count(),
    }
}

impl Sparse {
    /// The list of these codes, in ascending order, each once.
    pub(super) fn of_codes(codes: &[u32]) -> Sparse {
        let mut sparse = Sparse {
            count: codes.len(),
            last: 0,
            differences: Vec::with_capacity(2 * codes.len()),
        };
        for &code in codes {
            let mut difference = code - sparse.last;
            while difference >= 0x80 {
                sparse.differences.push(difference as u8 | 0x80);
                difference >>= 7;
            }
            sparse.differences.push(difference as u8);
            sparse.last = code;
        }
        sparse
    }

    /// The list of these actors; `None` when it is so long that a sketch is dense.
    fn of(actors: &[u64]) -> Option<Sparse> {
        let mut codes: Vec<u32> = actors.iter().map(|&actor| code(actor)).collect();
        codes.sort_unstable();
        codes.dedup();
        let sparse = Sparse::of_codes(&codes);
        (sparse.differences.len() <= COUNTS.2).then_some(sparse)
    }
}

impl Dense {
    fn of(actors: &[u64]) -> Dense {
        let mut registers = vec![0_u8; REGISTERS];
        for actor in actors {
            let register = &mut registers[(actor >> (64 - PRECISION)) as usize];
            let rest = actor << PRECISION | 1 << (PRECISION - 1);
            *register = (*register).max(1 + rest.leading_zeros() as u8);
        }
        packed(&registers)
    }
}

/// An actor in a sparse list: its first 25 bits, and how many zeros follow where the register's share of them
/// is zero.
fn code(actor: u64) -> u32 {
    let index = (actor >> (64 - SPARSE_PRECISION)) as u32;
    let within_register = index & ((1 << (SPARSE_PRECISION - u32::from(PRECISION))) - 1);
    if within_register == 0 {
        let rest = actor << SPARSE_PRECISION | 1 << (SPARSE_PRECISION - 1);
        return index << 7 | (1 + rest.leading_zeros()) << 1 | 1;
    }
    index << 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one_by_one(actors: &[u64]) -> Vec<u8> {
        actors.iter().copied().collect::<UserSketch>().encode()
    }

    #[test]
    fn the_bytes_are_those_of_inserting_one_by_one() {
        let mut rng = fastrand::Rng::with_seed(7);
        for n in [
            0, 1, 2, 131, 132, 1_000, 4_000, 5_000, 6_000, 6_500, 7_000, 9_000, 40_000, 200_000,
        ] {
            let actors: Vec<u64> = (0..n).map(|_| rng.u64(..)).collect();
            assert_eq!(
                UserSketch::encode_all(actors.iter().copied()),
                one_by_one(&actors),
                "{n}"
            );
        }
    }

    #[test]
    fn actors_full_of_zeros_are_coded_as_the_crate_codes_them() {
        let mut actors: Vec<u64> = (0..64).map(|bit| 1 << bit).collect();
        actors.extend((0..64).map(|bit| u64::MAX << bit));
        actors.push(0);
        assert_eq!(
            UserSketch::encode_all(actors.iter().copied()),
            one_by_one(&actors)
        );
        for actor in actors {
            assert_eq!(UserSketch::encode_all([actor]), one_by_one(&[actor]), "{actor:x}");
        }
    }

    proptest! {
        #[test]
        fn any_set_gives_the_crates_bytes(
            actors in prop::collection::vec(prop_oneof![any::<u64>(), any::<u64>().prop_map(|a| a >> 20), any::<u64>().prop_map(|a| a << 30)], 0..2_000),
        ) {
            prop_assert_eq!(UserSketch::encode_all(actors.iter().copied()), one_by_one(&actors));
        }
    }
}
