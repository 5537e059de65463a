//! Rows of a funnel out of RowBinary, a piece of the answer at a time.

use crate::store::StoreError;

/// Bytes of the columns that every row has.
const NARROW: usize = 8 + 8 + 4 + 4 + 16;

/// A row as ClickHouse sends it.
pub struct Row {
    pub actor: u64,
    pub ts: i64,
    pub seq: u32,
    pub marks: u32,
    /// The higher half first.
    pub id: [u64; 2],
    pub session: u64,
    pub device: u64,
    pub texts: Vec<Option<String>>,
}

/// Rows of what has come so far.
pub struct Reader {
    wide: bool,
    buffer: Vec<u8>,
    at: usize,
}

impl Reader {
    /// Of narrow rows, or of wide ones (session, device and texts besides).
    pub fn new(wide: bool) -> Reader {
        Reader {
            wide,
            buffer: Vec::new(),
            at: 0,
        }
    }

    /// Adds a piece of the answer.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.at);
        self.at = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next row, if the whole of it has come.
    pub fn next_row(&mut self) -> Result<Option<Row>, StoreError> {
        let mut left = Bytes(&self.buffer[self.at..]);
        let before = left.0.len();
        let row = if before < NARROW {
            None
        } else {
            left.row(self.wide)?
        };
        if row.is_some() {
            self.at += before - left.0.len();
        }
        Ok(row)
    }

    /// Nothing may be left at the end.
    pub fn finish(&self) -> Result<(), StoreError> {
        match self.buffer.len() - self.at {
            0 => Ok(()),
            left => Err(StoreError::Unreadable(format!(
                "{left} bytes of a row at the end of a funnel's events"
            ))),
        }
    }
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn row(&mut self, wide: bool) -> Result<Option<Row>, StoreError> {
        let read = |bytes: &mut Self| {
            Some(Row {
                actor: bytes.u64()?,
                ts: bytes.u64()?.cast_signed(),
                seq: bytes.u32()?,
                marks: bytes.u32()?,
                id: [bytes.u64()?, bytes.u64()?],
                session: if wide { bytes.u64()? } else { 0 },
                device: if wide { bytes.u64()? } else { 0 },
                texts: Vec::new(),
            })
        };
        let Some(mut row) = read(self) else {
            return Ok(None);
        };
        if !wide {
            return Ok(Some(row));
        }
        let Some(n) = self.length() else {
            return Ok(None);
        };
        for _ in 0..n {
            match self.text()? {
                Some(text) => row.texts.push(text),
                None => return Ok(None),
            }
        }
        Ok(Some(row))
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn length(&mut self) -> Option<usize> {
        let mut length = 0;
        for shift in (0..63).step_by(7) {
            let [byte] = self.take()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(length);
            }
        }
        None
    }

    /// A text that may be missing; `None`: it has not come whole.
    fn text(&mut self) -> Result<Option<Option<String>>, StoreError> {
        let Some([missing]) = self.take() else {
            return Ok(None);
        };
        if missing != 0 {
            return Ok(Some(None));
        }
        let Some(length) = self.length() else {
            return Ok(None);
        };
        let Some((text, rest)) = self.0.split_at_checked(length) else {
            return Ok(None);
        };
        self.0 = rest;
        let text = String::from_utf8_lossy(text).into_owned();
        Ok(Some(Some(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrow(actor: u64) -> Vec<u8> {
        let mut row = actor.to_le_bytes().to_vec();
        row.extend((-5_i64).to_le_bytes());
        row.extend(2_u32.to_le_bytes());
        row.extend(3_u32.to_le_bytes());
        row.extend(7_u64.to_le_bytes());
        row.extend(8_u64.to_le_bytes());
        row
    }

    #[test]
    fn rows_are_read_from_pieces_of_any_size() {
        let mut wide = narrow(1);
        wide.extend(9_u64.to_le_bytes());
        wide.extend(10_u64.to_le_bytes());
        let long = "x".repeat(200);
        wide.extend([2, 1, 0, 200, 1]);
        wide.extend(long.as_bytes());
        let all = [wide.clone(), wide].concat();
        for size in [1, 7, 64, 1_000] {
            let mut reader = Reader::new(true);
            let mut found = Vec::new();
            for piece in all.chunks(size) {
                reader.push(piece);
                while let Some(row) = reader.next_row().unwrap() {
                    found.push((row.ts, row.id, row.device, row.texts));
                }
            }
            reader.finish().unwrap();
            let row = (-5, [7, 8], 10, vec![None, Some(long.clone())]);
            assert_eq!(found, [row.clone(), row]);
        }
    }

    #[test]
    fn half_a_row_at_the_end_is_an_error() {
        let mut reader = Reader::new(false);
        reader.push(&narrow(1)[..30]);
        assert!(reader.next_row().unwrap().is_none());
        assert!(reader.finish().is_err());
    }
}
