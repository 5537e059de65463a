//! An entry of a shard: one request's rows, packed, with what the ledger is to know of them.

use std::sync::Arc;

use redis::streams::StreamRangeReply;

use super::append::numbers;
use super::codec::Unpacker;
use super::ledger::{Notes, Waited};
use super::{EventStream, StreamError, codec};
use crate::event::Event;
use crate::event::ledger::minute_of;

/// Bytes that one read of the stream asks for, roughly.
const READ_BYTES: usize = 4 << 20;

/// One request's rows of a shard, as they lie in the stream. May have no rows and carry notes only.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: String,
    /// Packed rows, with the dropped ones.
    pub rows: u64,
    /// Numbers of the rows dropped as re-sent.
    pub dropped: Vec<usize>,
    pub packed: Vec<u8>,
    /// Bytes of the rows when unpacked.
    pub unpacked: u64,
    /// Earliest receipt of the rows, UTC milliseconds.
    pub received_at: i64,
    /// Protocol and sender; `None` in entries of versions that did not note it.
    pub source: Option<Arc<str>>,
    /// What else the ledger is to know.
    pub notes: Notes,
    /// Whether it is a dead letter that is tried again.
    pub replayed: bool,
}

impl Entry {
    /// The rows that are to be stored.
    pub fn kept(&self) -> Result<Vec<Event>, codec::CodecError> {
        let rows = codec::unpack(&self.packed)?.into_iter().enumerate();
        Ok(rows.filter(|(n, _)| self.keeps(*n)).map(|(_, row)| row).collect())
    }

    /// All rows, with those that were dropped, borrowed from the unpacker.
    pub fn rows_in<'a>(&self, unpacker: &'a mut Unpacker) -> Result<Vec<Event<&'a str>>, codec::CodecError> {
        unpacker.rows(&self.packed)
    }

    /// Whether the row of this number is to be stored.
    pub fn keeps(&self, number: usize) -> bool {
        self.dropped.is_empty() || !self.dropped.contains(&number)
    }

    /// What INGEST noted as waiting when it took the entry; `None` when that is nothing.
    pub fn waited(&self) -> Result<Option<Waited>, codec::CodecError> {
        let Some(source) = &self.source else {
            return Ok(None);
        };
        let kept = self.kept()?;
        Ok(kept.first().map(|row| Waited {
            project: row.project,
            minute: minute_of(self.received_at),
            source: Arc::clone(source),
            rows: kept.len() as u64,
            replayed: self.replayed,
        }))
    }

    /// What the entry weighs against a batch's limit of rows.
    fn weight(&self) -> u64 {
        self.rows + self.notes.len() as u64
    }
}

impl EventStream {
    /// Entries after `after` in order, until they hold `max_rows` rows and notes or `max_bytes` unpacked
    /// bytes (the entry that would pass a limit is left out, except as the first), and not beyond `to`.
    pub async fn read_range(
        &self,
        shard: u16,
        after: &str,
        to: Option<&str>,
        max_rows: u64,
        max_bytes: u64,
    ) -> Result<Vec<Entry>, StreamError> {
        let (mut entries, mut rows, mut bytes) = (Vec::<Entry>::new(), 0, 0);
        let (mut from, mut count) = (after.to_owned(), 32);
        loop {
            let mut command = redis::cmd("XRANGE");
            command
                .arg(self.keys().ev(shard))
                .arg(format!("({from}"))
                .arg(to.unwrap_or("+"));
            command.arg("COUNT").arg(count);
            let reply: StreamRangeReply = command.query_async(&mut self.back()).await?;
            let (found, mut size) = (reply.ids.len(), 0);
            for id in reply.ids {
                let entry = self.entry(shard, id)?;
                rows += entry.weight();
                bytes += entry.unpacked;
                if !entries.is_empty() && (rows > max_rows || bytes > max_bytes) {
                    return Ok(entries);
                }
                size += entry.packed.len();
                entries.push(entry);
            }
            match entries.last() {
                Some(last) if found == count => from.clone_from(&last.id),
                _ => return Ok(entries),
            }
            count = (READ_BYTES / (size / found).max(1)).clamp(8, 2_000);
        }
    }

    fn entry(&self, shard: u16, id: redis::streams::StreamId) -> Result<Entry, StreamError> {
        let unreadable = |detail: String| StreamError::Content {
            key: self.keys().ev(shard),
            detail: format!("entry {}: {detail}", id.id),
        };
        let notes = Notes::unpack(
            &id.get::<Vec<u8>>("l").unwrap_or_default(),
            &id.get::<Vec<u8>>("q").unwrap_or_default(),
        );
        Ok(Entry {
            rows: self.field(shard, &id, "n")?,
            unpacked: self.field(shard, &id, "b")?,
            dropped: numbers(&self.field::<String>(shard, &id, "d")?),
            packed: self.field(shard, &id, "p")?,
            received_at: self.field(shard, &id, "t")?,
            source: id.get::<String>("s").map(Arc::from),
            notes: notes.map_err(|e| unreadable(e.to_string()))?,
            replayed: id.contains_key("z"),
            id: id.id,
        })
    }

    fn field<T: redis::FromRedisValue>(
        &self,
        shard: u16,
        id: &redis::streams::StreamId,
        name: &str,
    ) -> Result<T, StreamError> {
        id.get(name).ok_or_else(|| StreamError::Content {
            key: self.keys().ev(shard),
            detail: format!("entry {} has no readable field {name}", id.id),
        })
    }
}
