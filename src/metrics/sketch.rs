//! The unique-user sketch: HyperLogLog++ of precision 14 over actors, in an envelope of our own.
//!
//! The crate's private layout is our stored format (its version is pinned in Cargo.toml). Its bytes carry no
//! integrity, depend on insertion order until a `count()`, and may panic when decoded from garbage; so the
//! envelope has a checksum, [`UserSketch::encode`] counts first, and [`UserSketch::decode`] checks the
//! structure before the crate sees it.
//!
//! ```text
//! "FFUS" | version 1 | hash id 1 (xxh3 64) | precision 14 | postcard payload | crc32 of all before, LE
//! ```

use std::hash::{BuildHasher, Hasher};

use hyperloglogplus::{HyperLogLog, HyperLogLogPlus};
use serde::{Deserialize, Serialize};

mod bulk;
mod expanded;

pub use expanded::Expanded;

/// Relative standard error of [`UserSketch::count`] at precision 14: 1.04 / sqrt(2^14). Below some thousands
/// distinct actors the sketch is sparse and near exact.
pub const STANDARD_ERROR: f64 = 0.0081;

/// No sketch of precision 14 is longer: 3,277 register words of at most 5 bytes, or 13,108 sparse bytes.
pub const MAX_ENCODED_BYTES: usize = 20 * 1024;

const PRECISION: u8 = 14;
const MAGIC: &[u8; 4] = b"FFUS";
const VERSION: u8 = 1;
/// xxh3 with 64 bits and no seed, of the distinct id's bytes (`event::actor_of`).
const HASH_ID: u8 = 1;
const HEADER: [u8; 7] = [
    MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3], VERSION, HASH_ID, PRECISION,
];
const CRC_BYTES: usize = 4;

const REGISTERS: usize = 1 << PRECISION;
const REGISTER_BITS: usize = 6;
const REGISTERS_PER_WORD: usize = 32 / REGISTER_BITS;
const WORDS: usize = REGISTERS.div_ceil(REGISTERS_PER_WORD);
/// (registers, sparse slots, bytes at which a sparse sketch turns dense), as the crate derives them.
const COUNTS: (usize, usize, usize) = (REGISTERS, 1 << 24, 4 * REGISTERS / REGISTERS_PER_WORD);

/// A set of actors that only knows about how many there are.
#[derive(Clone, Debug)]
pub struct UserSketch {
    registers: HyperLogLogPlus<u64, Hashed>,
}

/// Why bytes are not a sketch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SketchError {
    /// Longer than [`MAX_ENCODED_BYTES`], or too short to be one.
    #[error("{0} bytes cannot be a sketch")]
    Length(usize),
    /// Another kind of data, a later version, another hash function or precision.
    #[error("not a sketch of version {VERSION}, hash {HASH_ID}, precision {PRECISION}")]
    Header,
    /// The bytes were damaged.
    #[error("the sketch's checksum does not match")]
    Checksum,
    /// The checksum is right, but no sketch of ours looks like that.
    #[error("the sketch's content is impossible")]
    Content,
}

impl Default for UserSketch {
    fn default() -> Self {
        Self::new()
    }
}

impl UserSketch {
    /// The empty set.
    pub fn new() -> Self {
        Self {
            registers: HyperLogLogPlus::new(PRECISION, Hashed).expect("14 is a precision the crate allows"),
        }
    }

    /// Adds an actor: a 64-bit xxh3, taken as it is. Adding one again changes nothing, but is not free while
    /// the sketch is sparse.
    pub fn insert(&mut self, actor: u64) {
        self.registers.insert(&actor);
    }

    /// Adds all of the other's actors.
    pub fn merge(&mut self, other: &UserSketch) {
        self.registers
            .merge(&other.registers)
            .expect("every sketch has the same precision");
    }

    /// The estimated number of distinct actors. Takes `&mut` because it first puts the crate's buffer in order.
    pub fn count(&mut self) -> u64 {
        self.registers.count().round() as u64
    }

    /// The sketch as bytes: the same bytes for the same set, however it was put together.
    pub fn encode(&mut self) -> Vec<u8> {
        self.registers.count();
        let mut bytes =
            postcard::to_extend(&self.registers, HEADER.to_vec()).expect("writing to a vector cannot fail");
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The sketch that [`UserSketch::encode`] wrote.
    ///
    /// # Errors
    ///
    /// Whatever the bytes are, anything but a whole and undamaged sketch is refused, with the reason.
    pub fn decode(bytes: &[u8]) -> Result<UserSketch, SketchError> {
        UserSketch::of(&Layout::read(bytes)?)
    }

    /// The crate's sketch of this layout.
    fn of(layout: &Layout) -> Result<UserSketch, SketchError> {
        let payload = postcard::to_stdvec(layout).map_err(|_| SketchError::Content)?;
        let registers = postcard::from_bytes(&payload).map_err(|_| SketchError::Content)?;
        Ok(UserSketch { registers })
    }
}

impl Extend<u64> for UserSketch {
    fn extend<I: IntoIterator<Item = u64>>(&mut self, actors: I) {
        for actor in actors {
            self.insert(actor);
        }
    }
}

impl FromIterator<u64> for UserSketch {
    fn from_iter<I: IntoIterator<Item = u64>>(actors: I) -> Self {
        let mut sketch = UserSketch::new();
        sketch.extend(actors);
        sketch
    }
}

/// The crate's private layout (0.4.1), spelled out so that it can be checked, and written without the crate.
#[derive(Serialize, Deserialize)]
struct Layout {
    precision: u8,
    counts: (usize, usize, usize),
    buffered: Vec<u32>,
    sparse: Sparse,
    dense: Option<Dense>,
}

/// Strictly increasing codes as variable-length differences.
#[derive(Default, Serialize, Deserialize)]
struct Sparse {
    count: usize,
    last: u32,
    differences: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Dense {
    words: Vec<u32>,
    count: usize,
    zeros: usize,
}

impl Layout {
    /// The layout in an encoded sketch, checked.
    fn read(bytes: &[u8]) -> Result<Layout, SketchError> {
        if bytes.len() < HEADER.len() + CRC_BYTES || bytes.len() > MAX_ENCODED_BYTES {
            return Err(SketchError::Length(bytes.len()));
        }
        let (body, crc) = bytes.split_at(bytes.len() - CRC_BYTES);
        let Some(payload) = body.strip_prefix(&HEADER) else {
            return Err(SketchError::Header);
        };
        if crc32fast::hash(body).to_le_bytes() != crc {
            return Err(SketchError::Checksum);
        }
        let (layout, rest) =
            postcard::take_from_bytes::<Layout>(payload).map_err(|_| SketchError::Content)?;
        if !rest.is_empty() || !layout.is_possible() {
            return Err(SketchError::Content);
        }
        Ok(layout)
    }

    fn is_possible(&self) -> bool {
        self.precision == PRECISION
            && self.counts == COUNTS
            && self.buffered.is_empty()
            && match &self.dense {
                None => self.sparse.is_possible(),
                Some(dense) => {
                    dense.is_possible() && self.sparse.count == 0 && self.sparse.differences.is_empty()
                }
            }
    }
}

impl Sparse {
    fn is_possible(&self) -> bool {
        let (mut codes, mut code, mut difference, mut shift) = (0_usize, 0_u64, 0_u64, 0_u32);
        for byte in &self.differences {
            difference |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                code += difference;
                if codes > 0 && difference == 0 || code > u64::from(u32::MAX) {
                    return false;
                }
                codes += 1;
                (difference, shift) = (0, 0);
            } else if shift >= 35 {
                return false;
            }
        }
        shift == 0 && codes == self.count && code == u64::from(self.last) && codes < COUNTS.1
    }
}

impl Dense {
    fn is_possible(&self) -> bool {
        let zeros = self
            .words
            .iter()
            .flat_map(|word| (0..REGISTERS_PER_WORD).map(move |i| word >> (i * REGISTER_BITS) & 0x3f))
            .take(REGISTERS)
            .filter(|register| *register == 0)
            .count();
        self.words.len() == WORDS && self.count == REGISTERS && self.zeros == zeros
    }
}

/// Passes the 64 bits through: actors are hashes already.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Hashed;

impl BuildHasher for Hashed {
    type Hasher = Through;

    fn build_hasher(&self) -> Through {
        Through(0)
    }
}

struct Through(u64);

impl Hasher for Through {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a sketch is only fed with u64");
    }
}

#[cfg(test)]
mod error;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::actor_of;
    use proptest::prelude::*;

    fn actors(from: usize, to: usize) -> impl Iterator<Item = u64> {
        (from..to).map(|n| actor_of(&format!("person-{n}")))
    }

    #[test]
    fn the_empty_sketch_counts_nothing_and_survives_a_round_trip() {
        let mut empty = UserSketch::new();
        assert_eq!(empty.count(), 0);
        assert_eq!(UserSketch::decode(&empty.encode()).unwrap().count(), 0);
        let mut one: UserSketch = actors(0, 1).collect();
        one.merge(&empty);
        assert_eq!(one.count(), 1);
    }

    #[test]
    fn a_union_is_the_sketch_of_the_union_to_the_byte() {
        for (split, end) in [(1, 2), (40, 90), (900, 2_000), (300, 30_000), (20_000, 50_000)] {
            let mut direct: UserSketch = actors(0, end).collect();
            let mut left: UserSketch = actors(0, split + split / 2).collect();
            let right: UserSketch = actors(split, end).collect();
            left.merge(&right);
            assert_eq!(left.count(), direct.count());
            assert_eq!(left.encode(), direct.encode(), "{split} of {end}");
            let mut backwards: UserSketch = actors(0, end).collect::<Vec<_>>().into_iter().rev().collect();
            assert_eq!(backwards.encode(), direct.encode());
        }
    }

    #[test]
    fn the_error_stays_within_four_standard_errors() {
        for n in [10, 100, 999, 3_000, 10_000, 30_000, 100_000, 300_000] {
            let mut sketch: UserSketch = actors(0, n).collect();
            let off = (sketch.count() as f64 - n as f64).abs() / n as f64;
            assert!(off <= 4.0 * STANDARD_ERROR, "{n}: off by {off}");
            if n < 1_000 {
                assert_eq!(sketch.count(), n as u64);
            }
            let bytes = sketch.encode();
            assert!(bytes.len() <= MAX_ENCODED_BYTES);
            assert_eq!(UserSketch::decode(&bytes).unwrap().count(), sketch.count());
        }
    }

    #[test]
    fn every_single_bit_flip_and_every_truncation_is_refused() {
        for n in [0, 5, 300, 20_000] {
            let mut bytes = actors(0, n).collect::<UserSketch>().encode();
            for cut in 0..bytes.len().min(300) {
                assert!(UserSketch::decode(&bytes[..cut]).is_err());
            }
            for bit in 0..bytes.len() * 8 {
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert!(UserSketch::decode(&bytes).is_err(), "bit {bit} of {n}");
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
        assert_eq!(
            UserSketch::decode(&vec![0; MAX_ENCODED_BYTES + 1]).unwrap_err(),
            SketchError::Length(MAX_ENCODED_BYTES + 1)
        );
    }

    proptest! {
        /// Even with a right header and checksum, changed content is refused or harmless, never a panic.
        #[test]
        fn forged_content_never_panics(
            n in prop_oneof![0..200_usize, Just(9_000)],
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            garbage in prop::collection::vec(any::<u8>(), 0..200),
            use_garbage in any::<bool>(),
        ) {
            let mut bytes = if use_garbage {
                [HEADER.to_vec(), garbage].concat()
            } else {
                let mut bytes = actors(0, n).collect::<UserSketch>().encode();
                bytes.truncate(bytes.len() - CRC_BYTES);
                for (index, value) in edits {
                    let at = HEADER.len() + index.index(bytes.len() - HEADER.len());
                    bytes[at] = value;
                }
                bytes
            };
            bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
            if let Ok(mut sketch) = UserSketch::decode(&bytes) {
                sketch.extend(actors(0, 300));
                sketch.merge(&actors(200, 400).collect());
                sketch.count();
                sketch.encode();
            }
        }
    }
}
