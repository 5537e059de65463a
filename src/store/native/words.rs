//! Columns of few different texts: the texts, and each row's place among them.

use super::{Block, Bytes, Column, Stopped, missing, pieces};
use crate::store::StoreError;

impl<'a> Block<'a> {
    /// The texts that occur in a `LowCardinality(String)` column, each once or seldom more often.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`]: there is no such column.
    pub fn words(&self, column: usize) -> Result<impl Iterator<Item = &'a str> + use<'a>, StoreError> {
        let Some(Column::Words(count, bytes, ..)) = self.columns.get(column).copied() else {
            return Err(missing(column));
        };
        let mut left = Bytes { all: bytes, at: 0 };
        Ok((0..count)
            .map(move |_| std::str::from_utf8(left.text().unwrap_or_default()).unwrap_or("\u{fffd}")))
    }

    /// Each row's place among the texts of [`Block::words`].
    ///
    /// # Errors
    /// [`StoreError::Unreadable`]: there is no such column.
    pub fn places(&self, column: usize, into: &mut Vec<u32>) -> Result<(), StoreError> {
        into.clear();
        let Some(Column::Words(_, _, width, bytes)) = self.columns.get(column) else {
            return Err(missing(column));
        };
        match width {
            1 => into.extend(bytes.iter().map(|byte| u32::from(*byte))),
            2 => into.extend(pieces(bytes).map(|piece| u32::from(u16::from_le_bytes(piece)))),
            4 => into.extend(pieces(bytes).map(u32::from_le_bytes)),
            _ => return Err(missing(column)),
        }
        Ok(())
    }
}

impl<'a> Bytes<'a> {
    /// A version, how wide the places are (with the bit that says that the texts stand here), how many texts, the texts, how
    /// many rows, the places. A block without rows has nothing.
    pub(super) fn words(&mut self, rows: usize) -> Result<Column<'a>, Stopped> {
        const TEXTS_STAND_HERE: u64 = 1 << 9;
        const WIDTH: u64 = 0xff;
        if rows == 0 {
            return Ok(Column::Words(0, &[], 1, &[]));
        }
        let (version, kind) = (self.eight()?, self.eight()?);
        let wide = kind & WIDTH;
        if version != 1 || kind & TEXTS_STAND_HERE == 0 || kind & (1 << 8) != 0 || wide > 2 {
            return Err(Stopped::Unknown(format!(
                "words of version {version}, kind {kind}"
            )));
        }
        let count = self.eight()? as usize;
        let from = self.at;
        for _ in 0..count {
            self.text()?;
        }
        let texts = &self.all[from..self.at];
        if self.eight()? != rows as u64 {
            return Err(Stopped::Unknown("fewer places than rows".to_owned()));
        }
        let width = 1 << wide;
        Ok(Column::Words(count, texts, width, self.take(rows * width)?))
    }

    fn eight(&mut self) -> Result<u64, Stopped> {
        let bytes = self.take(8)?.try_into().unwrap_or_default();
        Ok(u64::from_le_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Blocks;

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

    #[test]
    fn words_are_texts_and_places() {
        let eight = |number: u64| number.to_le_bytes().to_vec();
        let words = [
            eight(1),
            eight(1 << 9 | 1 << 10 | 1),
            eight(2),
            text("a"),
            text("bc"),
            eight(3),
            vec![1, 0, 0, 0, 1, 0],
        ];
        let all = [
            vec![1, 3],
            column("a", "LowCardinality(String)", &words.concat()),
            vec![1, 0],
            column("a", "LowCardinality(String)", &[]),
        ];
        let mut blocks = Blocks::default();
        blocks.push(&all.concat());
        let mut places = Vec::new();
        let block = blocks.next_block().unwrap().unwrap();
        assert_eq!(block.words(0).unwrap().collect::<Vec<_>>(), ["a", "bc"]);
        block.places(0, &mut places).unwrap();
        assert_eq!(places, [1, 0, 1]);
        let block = blocks.next_block().unwrap().unwrap();
        assert_eq!((block.rows, block.words(0).unwrap().count()), (0, 0));
        blocks.finish().unwrap();
    }
}
