//! One INGEST: the parts that go into it, gathered into entries.

use redis::Cmd;

use super::codec::{CodecError, Packer};
use super::group::{Ingested, Part};
use super::keys::Keys;
use super::ledger::{MAX_NOTES, Notes, pend_field};
use super::{StreamOptions, append, scripts};
use crate::event::ProjectNumber;
use crate::event::ledger::minute_of;

/// Rows of a call, and so its ids: they bound a script's run, during which Redis does nothing else.
pub(super) const MOST_ROWS: usize = 400;
/// Entries of a call: as many projects and senders can share one.
const MOST_ENTRIES: usize = 64;
/// Bytes of a call's rows before they are compressed, beyond the first part's.
const MOST_BYTES: usize = 4 << 20;

/// What is the same for all calls of a shard.
pub(super) struct Settings {
    pub shard: u16,
    pub keys: Keys,
    pub options: StreamOptions,
}

/// Parts on their way into one entry.
struct Draft {
    project: ProjectNumber,
    minute: u32,
    rows: usize,
    notes: usize,
    parts: Vec<Part>,
}

impl Draft {
    /// Whether a part may share the entry: what the ledger files together, within an entry's limits.
    fn takes(&self, part: &Part) -> bool {
        self.project == part.project
            && self.minute == minute_of(part.received_at)
            && self.parts.first().is_none_or(|first| first.source == part.source)
            && self.rows + part.rows <= append::MOST_ROWS
            && self.notes + part.notes.len() <= MAX_NOTES
    }

    fn push(&mut self, part: Part) {
        self.rows += part.rows;
        self.notes += part.notes.len();
        self.parts.push(part);
    }
}

/// Parts that are stored by one script, all or none.
#[derive(Default)]
pub(super) struct Call {
    entries: Vec<Draft>,
    rows: usize,
    bytes: usize,
}

impl Call {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a part; one that does not fit comes back. The first always fits.
    pub fn add(&mut self, part: Part) -> Option<Part> {
        let full = self.rows + part.rows > MOST_ROWS || self.bytes + part.laid_out.len() > MOST_BYTES;
        if full && !self.is_empty() {
            return Some(part);
        }
        let place = self.entries.iter().rposition(|entry| entry.takes(&part));
        if place.is_none() && self.entries.len() == MOST_ENTRIES {
            return Some(part);
        }
        self.rows += part.rows;
        self.bytes += part.laid_out.len();
        match place.and_then(|place| self.entries.get_mut(place)) {
            Some(entry) => entry.push(part),
            None => {
                let mut entry = Draft {
                    project: part.project,
                    minute: minute_of(part.received_at),
                    rows: 0,
                    notes: 0,
                    parts: Vec::new(),
                };
                entry.push(part);
                self.entries.push(entry);
            }
        }
        None
    }

    /// The script with all its arguments: see `scripts/ingest.lua`.
    pub fn command(&self, settings: &Settings, packer: &mut Packer) -> Result<Cmd, CodecError> {
        let Settings { shard, keys, options } = settings;
        let parts = || self.entries.iter().flat_map(|entry| &entry.parts);
        let mut command = Cmd::with_capacity(16 + 2 * self.rows + 12 * self.entries.len(), 1024);
        command.arg("EVALSHA").arg(scripts::INGEST.get_hash());
        command.arg(3 + parts().filter(|part| part.key.is_some()).count());
        command
            .arg(keys.ev(*shard))
            .arg(keys.st(*shard))
            .arg(keys.pend(*shard));
        for key in parts().filter_map(|part| part.key) {
            command.arg(keys.idem(*shard, key));
        }
        let now_ms = parts().map(|part| part.now_ms).max().unwrap_or_default();
        command
            .arg(options.max_entries)
            .arg(options.request_key_ttl_s)
            .arg(now_ms);
        command
            .arg(options.dedup_window_s * 1000)
            .arg(keys.seen(*shard))
            .arg(u8::from(options.min_replicas > 0))
            .arg(parts().map(|part| part.tombstones).min().unwrap_or(i64::MAX))
            .arg(self.entries.len());
        for entry in &self.entries {
            entry.arguments(&mut command, packer, options.dedup_window_s > 0)?;
        }
        Ok(command)
    }

    /// Tells each part that it was stored; `dropped` holds for each entry the numbers of its dropped rows.
    pub fn stored(self, dropped: &[String]) {
        for (n, entry) in self.entries.into_iter().enumerate() {
            let dropped = dropped
                .get(n)
                .map(|list| append::numbers(list))
                .unwrap_or_default();
            let mut from = 0;
            for part in entry.parts {
                let rows = from..from + part.rows;
                from = rows.end;
                let own = dropped.iter().filter(|row| rows.contains(row));
                let own = own.map(|row| row - rows.start).collect();
                part.settle(Ok(Ingested::Stored(own)));
            }
        }
    }

    /// Takes the parts out whose keys have these places, from 1, among the call's.
    pub fn take_keyed(&mut self, places: &[usize]) -> Vec<Part> {
        let mut place = 0;
        self.take(|part| {
            place += usize::from(part.key.is_some());
            part.key.is_some() && places.contains(&place)
        })
    }

    /// Takes the parts out for which `which` holds; it is asked of each, in order.
    pub fn take(&mut self, mut which: impl FnMut(&Part) -> bool) -> Vec<Part> {
        let mut taken = Vec::new();
        for entry in &mut self.entries {
            taken.extend(entry.parts.extract_if(.., |part| which(part)));
            entry.rows = entry.parts.iter().map(|part| part.rows).sum();
        }
        self.entries.retain(|entry| !entry.parts.is_empty());
        taken
    }

    /// All parts.
    pub fn into_parts(self) -> impl Iterator<Item = Part> {
        self.entries.into_iter().flat_map(|entry| entry.parts)
    }
}

impl Draft {
    fn arguments(&self, command: &mut Cmd, packer: &mut Packer, window: bool) -> Result<(), CodecError> {
        let pieces: Vec<&[u8]> = self.parts.iter().map(|part| part.laid_out.as_slice()).collect();
        let packed = packer.pack(self.rows, &pieces)?;
        let source = self.parts.first().map_or("", |part| part.source.as_str());
        let received_at = self.parts.iter().map(|part| part.received_at).min();
        let notes = Notes {
            rows: self.noted(|notes| &notes.rows),
            sequences: self.noted(|notes| &notes.sequences),
        };
        command
            .arg(self.rows)
            .arg(packed.bytes.as_slice())
            .arg(packed.unpacked)
            .arg(received_at.unwrap_or_default())
            .arg(source)
            .arg(pend_field(self.project, self.minute, source))
            .arg(notes.pack_rows()?)
            .arg(notes.pack_sequences()?)
            .arg(self.parts.iter().filter(|part| part.key.is_some()).count());
        if window {
            for mark in self.parts.iter().flat_map(|part| &part.marks) {
                match mark {
                    Some((bucket, id)) => command.arg(*bucket).arg(*id),
                    None => command.arg("").arg(""),
                };
            }
        }
        Ok(())
    }

    fn noted<T: Clone>(&self, which: impl Fn(&Notes) -> &Vec<T>) -> Vec<T> {
        let all = self.parts.iter().flat_map(|part| which(&part.notes));
        all.cloned().collect()
    }
}
