//! A batch's events as ClickHouse takes them fastest: one block of columns in its `Native` format, written straight
//! from the stream's entries. Row by row (`RowBinary`) an insert costs ClickHouse three times the CPU, two thirds of
//! it for looking up the values of `LowCardinality` columns, which are numbered here instead.
//!
//! `Native` names its columns, and a column that the table does not have would be dropped without a word; so the
//! table is compared with [`EVENT_COLUMNS`] before the first insert.

use bytes::Bytes;

use super::names::Names;
use crate::event::Event;
use crate::store::batch::BatchName;

/// Columns of an event, in the order of a block, with their types as ClickHouse names them.
pub(crate) const EVENT_COLUMNS: [(&str, &str); 30] = [
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
];

/// Columns that say which insert brought a row: the same in all rows.
pub(crate) const INSERT_COLUMNS: [(&str, &str); 3] =
    [("shard", "UInt16"), ("batch", "UInt64"), ("try", "UInt8")];

/// Bytes that go to the socket at once.
const CHUNK: usize = 1 << 20;

/// Events by columns, growing row by row.
#[derive(Debug)]
pub struct EventColumns {
    rows: usize,
    columns: Vec<Column>,
}

#[derive(Debug)]
enum Column {
    /// Values one after the other; in pieces, so that columns are put together without a copy.
    Plain {
        open: Vec<u8>,
        closed: Vec<Bytes>,
    },
    Names(Box<Names>),
}

/// Events by columns, ready to be sent, however often and under whatever name.
#[derive(Clone, Debug)]
pub struct EventBlock {
    rows: usize,
    columns: Vec<Vec<Bytes>>,
}

impl Default for EventColumns {
    fn default() -> EventColumns {
        let column = |(_, kind): &(&str, &str)| match *kind {
            "LowCardinality(String)" => Column::Names(Box::default()),
            _ => Column::Plain {
                open: Vec::new(),
                closed: Vec::new(),
            },
        };
        EventColumns {
            rows: 0,
            columns: EVENT_COLUMNS.iter().map(column).collect(),
        }
    }
}

impl EventColumns {
    /// Adds a row behind the others.
    pub fn push<T: AsRef<str>>(&mut self, event: &Event<T>) {
        let mut row = Row(self.columns.iter_mut());
        row.bytes(&event.project.0.to_le_bytes());
        row.text(&event.event);
        row.bytes(&event.day().as_u16().to_le_bytes());
        row.bytes(&event.actor().to_le_bytes());
        row.bytes(&event.ts.to_le_bytes());
        row.bytes(&event.seq.to_le_bytes());
        let (high, low) = event.id.as_u64_pair();
        row.bytes(&(u128::from(low) << 64 | u128::from(high)).to_le_bytes());
        row.bytes(&event.received_at.to_le_bytes());
        row.text(&event.distinct_id);
        row.text(&event.device_id);
        row.text(&event.user_id);
        row.bytes(&event.session.to_le_bytes());
        row.text(&event.path);
        row.text(&event.host);
        row.text(&event.referrer_host);
        row.text(&event.utm_source);
        row.text(&event.utm_medium);
        row.text(&event.utm_campaign);
        row.text(&event.country);
        row.text(&event.region);
        row.text(&event.city);
        row.text(&event.browser);
        row.text(&event.os);
        row.text(&event.device);
        row.text(&event.lib);
        row.bytes(&event.amount.to_le_bytes());
        row.text(&event.currency);
        row.text(&event.props);
        row.bytes(&event.flags.to_le_bytes());
        row.bytes(&event.local_day.as_u16().to_le_bytes());
        self.rows += 1;
    }

    /// Adds another's rows behind these.
    pub fn append(&mut self, other: EventColumns) {
        self.rows += other.rows;
        for (ours, theirs) in self.columns.iter_mut().zip(other.columns) {
            match (ours, theirs) {
                (
                    Column::Plain { open, closed },
                    Column::Plain {
                        open: more,
                        closed: before,
                    },
                ) => {
                    close(open, closed);
                    closed.extend(before);
                    *open = more;
                }
                (Column::Names(ours), Column::Names(theirs)) => ours.append(&theirs),
                _ => unreachable!("both have the columns of EVENT_COLUMNS"),
            }
        }
    }

    /// Nothing more comes.
    pub fn finish(self) -> EventBlock {
        let finish = |column| match column {
            Column::Plain { mut open, mut closed } => {
                close(&mut open, &mut closed);
                closed
            }
            Column::Names(names) => vec![names.encode()],
        };
        EventBlock {
            rows: self.rows,
            columns: self.columns.into_iter().map(finish).collect(),
        }
    }
}

fn close(open: &mut Vec<u8>, closed: &mut Vec<Bytes>) {
    if !open.is_empty() {
        closed.push(Bytes::from(std::mem::take(open)));
    }
}

impl EventBlock {
    /// The block of these events.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> EventBlock {
        let mut columns = EventColumns::default();
        for event in events {
            columns.push(event);
        }
        columns.finish()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The body of an insert under `name`, in pieces. The events' bytes are shared, not copied.
    pub(crate) fn body(&self, name: &BatchName) -> Vec<Bytes> {
        let mut body = Vec::new();
        let mut head = Vec::new();
        number(&mut head, EVENT_COLUMNS.len() + INSERT_COLUMNS.len());
        number(&mut head, self.rows);
        for ((column, kind), values) in EVENT_COLUMNS.iter().zip(&self.columns) {
            text(&mut head, column);
            text(&mut head, kind);
            body.push(Bytes::from(std::mem::take(&mut head)));
            for piece in values {
                let chunks = (0..piece.len()).step_by(CHUNK);
                body.extend(chunks.map(|from| piece.slice(from..piece.len().min(from + CHUNK))));
            }
        }
        let values: [&[u8]; INSERT_COLUMNS.len()] = [
            &name.shard.to_le_bytes(),
            &name.batch.to_le_bytes(),
            &name.attempt.to_le_bytes(),
        ];
        for ((column, kind), value) in INSERT_COLUMNS.iter().zip(values) {
            text(&mut head, column);
            text(&mut head, kind);
            head.extend(value.repeat(self.rows));
        }
        body.push(Bytes::from(head));
        body
    }
}

/// The columns that the next values of a row belong to.
struct Row<'a>(std::slice::IterMut<'a, Column>);

impl Row<'_> {
    fn bytes(&mut self, value: &[u8]) {
        if let Some(Column::Plain { open, .. }) = self.0.next() {
            open.extend_from_slice(value);
        }
    }

    fn text<T: AsRef<str>>(&mut self, value: &T) {
        match self.0.next() {
            Some(Column::Plain { open, .. }) => text(open, value.as_ref()),
            Some(Column::Names(names)) => names.push(value.as_ref()),
            None => {}
        }
    }
}

/// A `String`: its length, then its bytes.
pub(super) fn text(into: &mut Vec<u8>, value: &str) {
    number(into, value.len());
    into.extend_from_slice(value.as_bytes());
}

/// A number of variable length.
fn number(into: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}
