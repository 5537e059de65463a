//! How rows are packed into a stream entry: a version byte, then zstd of postcard. Packed rows cost 72 bytes
//! an event where single unpacked entries cost 344, and drain twenty times as fast.

use crate::event::Event;

/// Today's layout: zstd over postcard of `Vec<Event>`. A changed [`Event`] needs a new number, and
/// this one stays readable: entries of the old layout may be waiting when a new binary starts.
const V1: u8 = 1;

/// Levels 1 to 3 differ by a tenth in size, 1 takes half the time; any of them can be read.
const LEVEL: i32 = 1;

/// No entry unpacks to more: 200 rows of at most 32 KB each stay far below.
const MOST_UNPACKED: u64 = 64 << 20;

/// Rows as they lie in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Version byte and compressed rows.
    pub bytes: Vec<u8>,
    /// Size before compression.
    pub unpacked: usize,
}

/// Bytes that are not packed rows.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Written by a newer binary, or not by us.
    #[error("rows of layout {0:?}: this binary knows only layout {V1}")]
    Layout(Option<u8>),
    /// The frame is damaged or larger than anything we pack.
    #[error("packed rows cannot be decompressed: {0}")]
    Frame(String),
    /// More notes than an entry may carry.
    #[error("{0} notes in one entry, at most {max} may be", max = super::ledger::MAX_NOTES)]
    Notes(usize),
    /// The decompressed bytes are no rows.
    #[error("packed rows cannot be decoded: {0}")]
    Rows(#[from] postcard::Error),
}

/// Packs rows. The same rows give the same bytes.
pub fn pack(rows: &[Event]) -> Result<Packed, CodecError> {
    Packer::new()?.pack(rows.len(), &[&lay_out(rows)?])
}

/// Rows one after the other, uncompressed: what a [`Packer`] puts together.
pub fn lay_out(rows: &[Event]) -> Result<Vec<u8>, CodecError> {
    let mut plain = Vec::with_capacity(rows.len() * 256);
    for row in rows {
        plain = postcard::to_extend(row, plain)?;
    }
    Ok(plain)
}

/// Packs what was laid out, with one compressor for all its life: for a few rows, setting one up costs more
/// than compressing.
pub struct Packer(zstd::bulk::Compressor<'static>);

impl Packer {
    /// A new one.
    ///
    /// # Errors
    /// Where there is no memory for it.
    pub fn new() -> Result<Packer, CodecError> {
        let compressor = zstd::bulk::Compressor::new(LEVEL);
        Ok(Packer(compressor.map_err(|e| CodecError::Frame(e.to_string()))?))
    }

    /// Packs `rows` rows that [`lay_out`] laid out in these pieces. The same rows give the same bytes, in
    /// however many pieces.
    pub fn pack(&mut self, rows: usize, pieces: &[&[u8]]) -> Result<Packed, CodecError> {
        let size = pieces.iter().map(|piece| piece.len()).sum::<usize>();
        // A list is its length and its items.
        let mut plain = postcard::to_extend(&rows, Vec::with_capacity(size + 4))?;
        for piece in pieces {
            plain.extend_from_slice(piece);
        }
        let mut bytes = vec![V1; 1 + zstd::zstd_safe::compress_bound(plain.len())];
        let written = self
            .0
            .compress_to_buffer(&plain, &mut bytes[1..])
            .map_err(|e| CodecError::Frame(e.to_string()))?;
        bytes.truncate(1 + written);
        Ok(Packed {
            bytes,
            unpacked: plain.len(),
        })
    }
}

/// Unpacks rows, never to more than 64 MB.
pub fn unpack(bytes: &[u8]) -> Result<Vec<Event>, CodecError> {
    let mut unpacker = Unpacker::new()?;
    Ok(postcard::from_bytes(unpacker.plain(bytes)?)?)
}

/// Unpacks many entries, one after the other, without a text of its own for each field of each row.
pub struct Unpacker {
    decompressor: zstd::bulk::Decompressor<'static>,
    plain: Vec<u8>,
}

impl Unpacker {
    /// With its memory, which grows to the largest entry.
    pub fn new() -> Result<Unpacker, CodecError> {
        Ok(Unpacker {
            decompressor: zstd::bulk::Decompressor::new().map_err(|e| CodecError::Frame(e.to_string()))?,
            plain: Vec::new(),
        })
    }

    /// The rows of an entry; they last until the next one. As [`unpack`], never more than 64 MB.
    pub fn rows<'a>(&'a mut self, bytes: &[u8]) -> Result<Vec<Event<&'a str>>, CodecError> {
        Ok(postcard::from_bytes(self.plain(bytes)?)?)
    }

    fn plain(&mut self, bytes: &[u8]) -> Result<&[u8], CodecError> {
        let Some((&V1, frame)) = bytes.split_first() else {
            return Err(CodecError::Layout(bytes.first().copied()));
        };
        let size = match zstd::zstd_safe::get_frame_content_size(frame) {
            Ok(Some(size)) if size <= MOST_UNPACKED => size as usize,
            Ok(size) => return Err(CodecError::Frame(format!("content size {size:?}"))),
            Err(_) => return Err(CodecError::Frame("no frame".to_owned())),
        };
        self.plain.clear();
        self.plain.reserve(size);
        self.decompressor
            .decompress_to_buffer(frame, &mut self.plain)
            .map_err(|e| CodecError::Frame(e.to_string()))?;
        Ok(&self.plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Day, ProjectNumber};

    fn event(n: u32) -> Event {
        Event {
            project: ProjectNumber(7),
            event: "purchase".into(),
            ts: 1_795_000_000_000 + i64::from(n),
            seq: n,
            id: uuid::Uuid::from_u128(u128::from(n)),
            received_at: 1_795_000_000_100,
            distinct_id: format!("person-{n}"),
            device_id: String::new(),
            user_id: String::new(),
            session: u64::MAX,
            path: "/é".into(),
            host: String::new(),
            referrer_host: String::new(),
            utm_source: String::new(),
            utm_medium: String::new(),
            utm_campaign: String::new(),
            country: String::new(),
            region: String::new(),
            city: String::new(),
            browser: String::new(),
            os: String::new(),
            device: String::new(),
            lib: String::new(),
            amount: 12.5,
            currency: "EUR".into(),
            props: r#"{"a":1}"#.into(),
            flags: 1,
            local_day: Day(-3),
        }
    }

    #[test]
    fn rows_come_back_as_they_went_in_and_pack_to_the_same_bytes() {
        let rows: Vec<Event> = (0..200).map(event).collect();
        let packed = pack(&rows).unwrap();
        assert_eq!(unpack(&packed.bytes).unwrap(), rows);
        let mut unpacker = Unpacker::new().unwrap();
        for _ in 0..2 {
            let borrowed = unpacker.rows(&packed.bytes).unwrap();
            assert_eq!(
                format!("{borrowed:?}"),
                format!("{rows:?}"),
                "the same fields in the same order"
            );
        }
        assert_eq!(pack(&rows).unwrap(), packed);
        assert!(packed.bytes.len() < packed.unpacked / 3);
    }

    #[test]
    fn rows_in_pieces_pack_to_the_same_bytes_again_and_again() {
        let rows: Vec<Event> = (0..200).map(event).collect();
        let mut packer = Packer::new().unwrap();
        for _ in 0..2 {
            let pieces: Vec<Vec<u8>> = rows.chunks(7).map(|some| lay_out(some).unwrap()).collect();
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            assert_eq!(packer.pack(200, &pieces).unwrap(), pack(&rows).unwrap());
            assert_eq!(packer.pack(0, &[]).unwrap(), pack(&[]).unwrap());
        }
    }

    #[test]
    fn foreign_cut_and_inflating_bytes_are_refused_not_read() {
        let packed = pack(&[event(1)]).unwrap().bytes;
        assert!(matches!(unpack(&[]), Err(CodecError::Layout(None))));
        assert!(matches!(unpack(&[9, 1, 2]), Err(CodecError::Layout(Some(9)))));
        assert!(matches!(
            unpack(&packed[..packed.len() - 3]),
            Err(CodecError::Frame(_))
        ));
        let bomb = zstd::bulk::compress(&vec![0; 65 << 20], 1).unwrap();
        assert!(matches!(
            unpack(&[&[V1], &bomb[..]].concat()),
            Err(CodecError::Frame(_))
        ));
    }
}
