//! Answers in ClickHouse's Native format: block after block, column after column, as they lie in its memory. For
//! answers of millions of rows it costs a fraction of row by row.
//!
//! A block is the number of its columns, the number of its rows, and of each column its name, its type and its values
//! (<https://clickhouse.com/docs/interfaces/formats/Native>). Only the types that we ask for are read.

mod words;

use std::ops::Range;

use super::StoreError;

/// Rows that are read at a time.
const PIECE: usize = 1_024;

/// The blocks of an answer of which pieces come one by one.
#[derive(Default)]
pub struct Blocks {
    buffer: Vec<u8>,
    at: usize,
    /// Bytes that the block at hand has at least.
    wanted: usize,
}

/// Rows of an answer.
pub struct Block<'a> {
    /// How many.
    pub rows: usize,
    columns: Vec<Column<'a>>,
}

/// A column of a block.
#[derive(Clone, Copy)]
enum Column<'a> {
    /// Numbers of so many bytes, the lowest first.
    Numbers(usize, &'a [u8]),
    /// A byte for each row that is not 0 where the text is missing; then the texts, a length before each.
    Texts(&'a [u8], &'a [u8]),
    /// The texts that occur, a length before each; and each row's place among them, in so many bytes.
    Words(usize, &'a [u8], usize, &'a [u8]),
}

impl Blocks {
    /// Adds a piece of the answer.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.at);
        self.at = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next block, if the whole of it has come.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`]: a type that is not read here.
    pub fn next_block(&mut self) -> Result<Option<Block<'_>>, StoreError> {
        if self.buffer.len() - self.at < self.wanted.max(1) {
            return Ok(None);
        }
        let mut left = Bytes {
            all: &self.buffer[self.at..],
            at: 0,
        };
        match left.block() {
            Ok(block) => {
                self.at += left.at;
                self.wanted = 0;
                Ok(Some(block))
            }
            Err(Stopped::Short(wanted)) => {
                self.wanted = wanted;
                Ok(None)
            }
            Err(Stopped::Unknown(what)) => Err(StoreError::Unreadable(what)),
        }
    }

    /// The bytes of the next block, if the whole of it has come, and its rows: for [`Block::of`] elsewhere.
    ///
    /// # Errors
    /// As [`Blocks::next_block`].
    pub fn next_bytes(&mut self) -> Result<Option<(Vec<u8>, usize)>, StoreError> {
        let from = self.at;
        let Some(rows) = self.next_block()?.map(|block| block.rows) else {
            return Ok(None);
        };
        Ok(Some((self.buffer[from..self.at].to_vec(), rows)))
    }

    /// Nothing may be left at the end.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`]: half a block is.
    pub fn finish(&self) -> Result<(), StoreError> {
        match self.buffer.len() - self.at {
            0 => Ok(()),
            left => Err(StoreError::Unreadable(format!(
                "{left} bytes of a block at the end of an answer"
            ))),
        }
    }
}

impl<'a> Block<'a> {
    /// The block of [`Blocks::next_bytes`].
    ///
    /// # Errors
    /// [`StoreError::Unreadable`]: it is none.
    pub fn of(bytes: &'a [u8]) -> Result<Block<'a>, StoreError> {
        let mut left = Bytes { all: bytes, at: 0 };
        let unreadable = |_| StoreError::Unreadable("half a block".to_owned());
        left.block().map_err(unreadable)
    }

    /// The rows in pieces of a thousand or so.
    pub fn pieces(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let rows = self.rows;
        let starts = (0..rows).step_by(PIECE);
        starts.map(move |start| start..(start + PIECE).min(rows))
    }

    /// Reads some rows of a column of unsigned integers (or of signed ones that are not negative) of 1, 2, 4 or 8
    /// bytes. A thousand rows at a time stay in the nearest cache.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`]: there is no such column, or no such rows.
    pub fn numbers(&self, column: usize, rows: Range<usize>, into: &mut Vec<u64>) -> Result<(), StoreError> {
        into.clear();
        let Some(Column::Numbers(width, bytes)) = self.columns.get(column) else {
            return Err(missing(column));
        };
        let within = rows.start * width..rows.end * width;
        let bytes = bytes.get(within).ok_or_else(|| missing(column))?;
        match width {
            1 => into.extend(bytes.iter().map(|byte| u64::from(*byte))),
            2 => into.extend(pieces(bytes).map(|piece| u64::from(u16::from_le_bytes(piece)))),
            4 => into.extend(pieces(bytes).map(|piece| u64::from(u32::from_le_bytes(piece)))),
            8 => into.extend(pieces(bytes).map(u64::from_le_bytes)),
            _ => return Err(missing(column)),
        }
        Ok(())
    }

    /// Reads some rows of a column of UUIDs, each as two numbers, the higher half first.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`]: there is no such column, or no such rows.
    pub fn ids(&self, column: usize, rows: Range<usize>, into: &mut Vec<u128>) -> Result<(), StoreError> {
        into.clear();
        let Some(Column::Numbers(16, bytes)) = self.columns.get(column) else {
            return Err(missing(column));
        };
        let bytes = bytes.get(rows.start * 16..rows.end * 16);
        let bytes = bytes.ok_or_else(|| missing(column))?;
        into.extend(pieces(bytes).map(|piece| u128::from_le_bytes(piece).rotate_left(64)));
        Ok(())
    }

    /// The texts of a column; `None`: missing.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`]: there is no such column.
    pub fn texts(
        &self,
        column: usize,
    ) -> Result<impl Iterator<Item = Option<&'a str>> + use<'a>, StoreError> {
        let Some(Column::Texts(absent, bytes)) = self.columns.get(column).copied() else {
            return Err(missing(column));
        };
        let mut left = Bytes { all: bytes, at: 0 };
        Ok(absent.iter().map(move |absent| {
            // A missing text has a place too, and nothing in it.
            let text = left.text().unwrap_or_default();
            (*absent == 0).then(|| std::str::from_utf8(text).unwrap_or("\u{fffd}"))
        }))
    }
}

fn missing(column: usize) -> StoreError {
    StoreError::Unreadable(format!("column {column} of a block is not what was asked for"))
}

fn pieces<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes.as_chunks::<N>().0.iter().copied()
}

/// Why a block could not be read.
enum Stopped {
    /// It has not come whole: it has at least so many bytes.
    Short(usize),
    Unknown(String),
}

/// What is left to read.
struct Bytes<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    fn block(&mut self) -> Result<Block<'a>, Stopped> {
        let count = self.length()?;
        let rows = self.length()?;
        let mut columns = Vec::new();
        for _ in 0..count {
            self.text()?;
            let kind = self.text()?;
            let width = match kind {
                b"UInt8" => 1,
                b"UInt16" => 2,
                b"UInt32" => 4,
                b"UInt64" | b"Int64" => 8,
                b"UUID" => 16,
                b"Nullable(String)" => {
                    columns.push(self.texts(rows)?);
                    continue;
                }
                b"LowCardinality(String)" => {
                    columns.push(self.words(rows)?);
                    continue;
                }
                other => {
                    let other = String::from_utf8_lossy(other);
                    return Err(Stopped::Unknown(format!("a column of type {other}")));
                }
            };
            columns.push(Column::Numbers(width, self.take(rows * width)?));
        }
        Ok(Block { rows, columns })
    }

    fn texts(&mut self, rows: usize) -> Result<Column<'a>, Stopped> {
        let absent = self.take(rows)?;
        let from = self.at;
        for _ in 0..rows {
            self.text()?;
        }
        Ok(Column::Texts(absent, &self.all[from..self.at]))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Stopped> {
        let end = self.at.saturating_add(length);
        let taken = self.all.get(self.at..end).ok_or(Stopped::Short(end))?;
        self.at = end;
        Ok(taken)
    }

    /// A number of any size, seven bits a byte.
    fn length(&mut self) -> Result<usize, Stopped> {
        let mut length = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.take(1)?[0];
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(length);
            }
        }
        Err(Stopped::Unknown("a length without end".to_owned()))
    }

    fn text(&mut self) -> Result<&'a [u8], Stopped> {
        let length = self.length()?;
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<u8> {
        let mut bytes = vec![u8::try_from(text.len() & 0x7f).unwrap()];
        if text.len() > 0x7f {
            bytes[0] |= 0x80;
            bytes.push(u8::try_from(text.len() >> 7).unwrap());
        }
        bytes.extend(text.as_bytes());
        bytes
    }

    fn column(name: &str, kind: &str, values: &[u8]) -> Vec<u8> {
        [text(name), text(kind), values.to_vec()].concat()
    }

    /// Two rows: numbers of every width, an id, and a long text beside a missing one.
    fn block() -> Vec<u8> {
        [
            vec![5, 2],
            column(
                "a",
                "UInt64",
                &[1, 0, 0, 0, 0, 0, 0, 0x80, 2, 0, 0, 0, 0, 0, 0, 0],
            ),
            column("b", "UInt16", &[0, 1, 3, 0]),
            column("c", "UInt8", &[7, 8]),
            column("d", "UUID", &[[1; 8], [2; 8], [3; 8], [4; 8]].concat()),
            column(
                "e",
                "Nullable(String)",
                &[vec![0, 1], text(&"x".repeat(200)), text("")].concat(),
            ),
        ]
        .concat()
    }

    #[test]
    fn blocks_are_read_from_pieces_of_any_size() {
        let all = [block(), block()].concat();
        for size in [1, 7, 64, 1_000] {
            let (mut blocks, mut found) = (Blocks::default(), 0);
            for piece in all.chunks(size) {
                blocks.push(piece);
                while let Some(block) = blocks.next_block().unwrap() {
                    found += 1;
                    let (mut numbers, mut ids) = (Vec::new(), Vec::new());
                    block.numbers(0, 0..2, &mut numbers).unwrap();
                    assert_eq!((block.rows, &numbers[..]), (2, &[1 + (0x80 << 56), 2][..]));
                    block.numbers(1, 1..2, &mut numbers).unwrap();
                    assert_eq!(numbers, [3]);
                    block.numbers(2, 0..2, &mut numbers).unwrap();
                    assert_eq!(numbers, [7, 8]);
                    block.ids(3, 0..2, &mut ids).unwrap();
                    let half = |byte: u8| u128::from(u64::from_le_bytes([byte; 8]));
                    assert_eq!(ids, [half(1) << 64 | half(2), half(3) << 64 | half(4)]);
                    let texts: Vec<_> = block.texts(4).unwrap().collect();
                    assert_eq!(texts, [Some(&"x".repeat(200)[..]), None]);
                    assert!(block.numbers(0, 0..3, &mut numbers).is_err());
                    assert!(block.texts(0).is_err() && block.ids(0, 0..2, &mut ids).is_err());
                }
            }
            blocks.finish().unwrap();
            assert_eq!(found, 2, "pieces of {size}");
            let mut copied = Blocks::default();
            copied.push(&all);
            let (bytes, rows) = copied.next_bytes().unwrap().unwrap();
            assert_eq!((&bytes, rows), (&block(), 2));
            assert_eq!(Block::of(&bytes).unwrap().rows, 2);
        }
    }

    #[test]
    fn half_a_block_at_the_end_is_an_error() {
        let mut blocks = Blocks::default();
        blocks.push(&block()[..30]);
        assert!(blocks.next_block().unwrap().is_none());
        assert!(blocks.finish().is_err());
    }

    #[test]
    fn a_type_that_nobody_asked_for_is_an_error() {
        let mut blocks = Blocks::default();
        blocks.push(&[vec![1, 1], column("a", "Float64", &[0; 8])].concat());
        assert!(blocks.next_block().is_err());
    }
}
