//! A `LowCardinality(String)` column in `Native` format: every different value once, then its number for each row.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::events::text;

/// The layout of dictionary and numbers that is written: ClickHouse knows only this one.
const LAYOUT: u64 = 1;
/// The dictionary comes with the block, and the part's own is made from it.
const OWN_DICTIONARY: u64 = 1 << 9 | 1 << 10;
/// Values that are found without hashing; a power of two.
const RECENT: usize = 64;

/// Values in order, each by its number.
#[derive(Debug)]
pub(super) struct Names {
    values: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
    /// Numbers of values seen lately, by their length and ends.
    recent: [u32; RECENT],
    rows: Vec<u32>,
}

impl Default for Names {
    fn default() -> Names {
        Names {
            values: Vec::new(),
            numbers: HashMap::new(),
            recent: [0; RECENT],
            rows: Vec::new(),
        }
    }
}

impl Names {
    /// The next row's value.
    pub fn push(&mut self, value: &str) {
        let number = self.number(value);
        self.rows.push(number);
    }

    /// Another's rows behind these.
    pub fn append(&mut self, other: &Names) {
        let numbers: Vec<u32> = other.values.iter().map(|value| self.number(value)).collect();
        self.rows
            .extend(other.rows.iter().map(|row| numbers[*row as usize]));
    }

    fn number(&mut self, value: &str) -> u32 {
        let bytes = value.as_bytes();
        let ends = bytes
            .first()
            .zip(bytes.last())
            .map_or(0, |(a, b)| usize::from(*a) * 5 + usize::from(*b));
        let place = (bytes.len() * 7 + ends) % RECENT;
        let recent = self.recent[place];
        if self
            .values
            .get(recent as usize)
            .is_some_and(|known| **known == *value)
        {
            return recent;
        }
        let number = match self.numbers.get(value) {
            Some(number) => *number,
            None => {
                let (number, value) = (self.values.len() as u32, Arc::<str>::from(value));
                self.values.push(Arc::clone(&value));
                self.numbers.insert(value, number);
                number
            }
        };
        self.recent[place] = number;
        number
    }

    /// The column's bytes.
    pub fn encode(self) -> Bytes {
        let largest = self.values.len().saturating_sub(1);
        // 0, 1 and 2 stand for numbers of 1, 2 and 4 bytes.
        let width: u64 = match largest {
            0..=0xff => 0,
            0x100..=0xffff => 1,
            _ => 2,
        };
        let mut bytes = Vec::with_capacity(64 + (self.rows.len() << width));
        for value in [LAYOUT, OWN_DICTIONARY | width, self.values.len() as u64] {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        for value in &self.values {
            text(&mut bytes, value);
        }
        bytes.extend_from_slice(&(self.rows.len() as u64).to_le_bytes());
        match width {
            0 => bytes.extend(self.rows.iter().map(|row| *row as u8)),
            1 => bytes.extend(self.rows.iter().flat_map(|row| (*row as u16).to_le_bytes())),
            _ => bytes.extend(self.rows.iter().flat_map(|row| row.to_le_bytes())),
        }
        Bytes::from(bytes)
    }
}
