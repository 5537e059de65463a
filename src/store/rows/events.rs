//! A batch's events as they are sent: `RowBinary`, written by hand straight from the stream's entries, because
//! two thirds of a worker's time went into values between the two. The layout of a row is [`EVENT_COLUMNS`];
//! it is compared with the table before the first row is sent.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::event::Event;
use crate::store::batch::BatchName;

/// Columns of `events` in the order of a row, with their types as ClickHouse names them.
pub(crate) const EVENT_COLUMNS: [(&str, &str); 33] = [
    ("project", "UInt32"),
    ("event", "LowCardinality(String)"),
    ("day", "Date"),
    ("actor", "UInt64"),
    ("ts", "DateTime64(3, 'UTC')"),
    ("seq", "UInt32"),
    ("id", "UUID"),
    ("received_at", "DateTime64(3, 'UTC')"),
    ("distinct_id", "String"),
    ("device_id", "String"),
    ("user_id", "String"),
    ("session", "UInt64"),
    ("path", "String"),
    ("host", "LowCardinality(String)"),
    ("referrer_host", "LowCardinality(String)"),
    ("utm_source", "LowCardinality(String)"),
    ("utm_medium", "LowCardinality(String)"),
    ("utm_campaign", "LowCardinality(String)"),
    ("country", "LowCardinality(String)"),
    ("region", "LowCardinality(String)"),
    ("city", "LowCardinality(String)"),
    ("browser", "LowCardinality(String)"),
    ("os", "LowCardinality(String)"),
    ("device", "LowCardinality(String)"),
    ("lib", "LowCardinality(String)"),
    ("amount", "Float64"),
    ("currency", "LowCardinality(String)"),
    ("props", "String"),
    ("flags", "UInt16"),
    ("local_day", "Date"),
    ("shard", "UInt16"),
    ("batch", "UInt64"),
    ("try", "UInt8"),
];

/// A chunk is closed when it is longer. Chunks go to the socket one by one, without a copy.
const CHUNK: usize = 1 << 20;

/// Room for the row that makes a chunk longer than [`CHUNK`]; few need more, and those move the chunk.
const LAST_ROW: usize = 4 << 10;

/// A batch's events as they are sent: their bytes, and 4 bytes a row.
#[derive(Clone, Debug)]
pub struct EventRows {
    name: BatchName,
    rows: usize,
    chunks: Vec<Chunk>,
    /// The chunk that is being written, and where its rows end.
    open: Vec<u8>,
    open_ends: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Chunk {
    bytes: Bytes,
    /// Where each row ends.
    ends: Vec<u32>,
}

impl EventRows {
    /// No rows yet, of the batch `name`.
    pub fn new(name: BatchName) -> EventRows {
        EventRows {
            name,
            rows: 0,
            chunks: Vec::new(),
            open: Vec::new(),
            open_ends: Vec::new(),
        }
    }

    /// The rows of `events`.
    pub fn of<'a>(name: BatchName, events: impl IntoIterator<Item = &'a Event>) -> EventRows {
        let mut rows = EventRows::new(name);
        for event in events {
            rows.push(event);
        }
        rows
    }

    /// Adds a row behind the others.
    pub fn push<T: AsRef<str>>(&mut self, event: &Event<T>) {
        write_row(&mut self.open, &self.name, event);
        self.open_ends.push(self.open.len() as u32);
        self.rows += 1;
        if self.open.len() > CHUNK {
            self.close();
            self.open.reserve_exact(CHUNK + LAST_ROW);
        }
    }

    /// Adds another's rows behind these.
    pub fn append(&mut self, mut other: EventRows) {
        self.close();
        other.close();
        self.rows += other.rows;
        self.chunks.append(&mut other.chunks);
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The insert whose name the rows carry.
    pub fn name(&self) -> &BatchName {
        &self.name
    }

    /// From now on the rows carry another try's number.
    pub fn rename(&mut self, attempt: u8) {
        if self.name.attempt == attempt {
            return;
        }
        self.name.attempt = attempt;
        self.close();
        for chunk in &mut self.chunks {
            // In place, unless an insert that was given up still holds the bytes.
            let bytes = std::mem::take(&mut chunk.bytes).try_into_mut();
            let mut bytes = bytes.unwrap_or_else(|held| BytesMut::from(&held[..]));
            for end in &chunk.ends {
                // The try is a row's last byte.
                bytes[*end as usize - 1] = attempt;
            }
            chunk.bytes = bytes.freeze();
        }
    }

    /// The bytes of these rows, in order. Shared, not copied.
    pub(crate) fn slices(&mut self, range: Range<usize>) -> Vec<Bytes> {
        self.close();
        let mut slices = Vec::with_capacity(self.chunks.len());
        let mut first = 0;
        for chunk in &self.chunks {
            let rows = chunk.ends.len();
            let from = range.start.max(first) - first;
            let to = range.end.min(first + rows).saturating_sub(first);
            if from < to {
                let start = from
                    .checked_sub(1)
                    .map_or(0, |before| chunk.ends[before] as usize);
                slices.push(chunk.bytes.slice(start..chunk.ends[to - 1] as usize));
            }
            first += rows;
        }
        slices
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.chunks.push(Chunk {
                bytes: Bytes::from(std::mem::take(&mut self.open)),
                ends: std::mem::take(&mut self.open_ends),
            });
        }
    }
}

/// The fields of [`EVENT_COLUMNS`], in their order.
fn write_row<T: AsRef<str>>(row: &mut Vec<u8>, name: &BatchName, event: &Event<T>) {
    row.extend_from_slice(&event.project.0.to_le_bytes());
    text(row, &event.event);
    row.extend_from_slice(&event.day().as_u16().to_le_bytes());
    row.extend_from_slice(&event.actor().to_le_bytes());
    row.extend_from_slice(&event.ts.to_le_bytes());
    row.extend_from_slice(&event.seq.to_le_bytes());
    let (high, low) = event.id.as_u64_pair();
    row.extend_from_slice(&high.to_le_bytes());
    row.extend_from_slice(&low.to_le_bytes());
    row.extend_from_slice(&event.received_at.to_le_bytes());
    text(row, &event.distinct_id);
    text(row, &event.device_id);
    text(row, &event.user_id);
    row.extend_from_slice(&event.session.to_le_bytes());
    text(row, &event.path);
    text(row, &event.host);
    text(row, &event.referrer_host);
    text(row, &event.utm_source);
    text(row, &event.utm_medium);
    text(row, &event.utm_campaign);
    text(row, &event.country);
    text(row, &event.region);
    text(row, &event.city);
    text(row, &event.browser);
    text(row, &event.os);
    text(row, &event.device);
    text(row, &event.lib);
    row.extend_from_slice(&event.amount.to_le_bytes());
    text(row, &event.currency);
    text(row, &event.props);
    row.extend_from_slice(&event.flags.to_le_bytes());
    row.extend_from_slice(&event.local_day.as_u16().to_le_bytes());
    row.extend_from_slice(&name.shard.to_le_bytes());
    row.extend_from_slice(&name.batch.to_le_bytes());
    row.push(name.attempt);
}

/// A `String`: its length as a variable-length number, then its bytes.
fn text<T: AsRef<str>>(row: &mut Vec<u8>, text: &T) {
    let text = text.as_ref();
    let mut length = text.len();
    while length >= 0x80 {
        row.push(length as u8 | 0x80);
        length >>= 7;
    }
    row.push(length as u8);
    row.extend_from_slice(text.as_bytes());
}
