//! Dead letters: rows that ClickHouse refused, kept until somebody replays or discards them.
//!
//! COMMIT puts them into the stream `dlq` of the shard and into the index `dead`, a sorted set whose members are
//! `project:ms-n`, so that a project's letters are listed, counted and paged without reading others'. A replay
//! puts the row back at the end of the shard's stream, where it becomes part of a new batch; ClickHouse may refuse
//! it again. A discard counts it as discarded. Each is one script.
//!
//! **Limit.** A shard keeps [`MOST_LETTERS`]. A batch whose dead rows find no room is not committed: its worker
//! waits and reports it, the shard stands still, nothing is lost. A replay may pass the limit on entries of the
//! stream, by as many letters as there are: it must work when the stream is full *because* the letters are.

use std::sync::Arc;

use futures_util::future::try_join_all;
use redis::streams::{StreamId, StreamRangeReply};

use super::ledger::{Notes, pend_field, replay_field};
use super::{EventStream, StreamError, codec, scripts};
use crate::event::ledger::{LedgerRow, Outcome, minute_of};
use crate::event::{Event, ProjectNumber};
use crate::fault;

mod id;
mod index;

pub use id::LetterId;
pub(super) use id::indexed;

/// Letters that a shard keeps at most. A batch has at most 1,000.
pub const MOST_LETTERS: u64 = 10_000;

/// What is kept of ClickHouse's message, in characters.
pub(super) const MOST_MESSAGE_CHARS: usize = 1_000;

/// Source of letters that name none.
const UNKNOWN_SOURCE: &str = "native";

/// A row that ClickHouse refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    pub id: LetterId,
    /// The batch that it was part of.
    pub batch: u64,
    /// ClickHouse's error code.
    pub code: u32,
    /// What ClickHouse said, cut at 1,000 characters.
    pub message: String,
    pub event: Event,
    /// Protocol and sender.
    pub source: Arc<str>,
    /// Earliest receipt of its request, UTC milliseconds: names the ledger's minute.
    pub received_at: i64,
}

/// A page of a project's letters.
#[derive(Clone, Debug, PartialEq)]
pub struct LetterPage {
    /// The latest first.
    pub letters: Vec<Letter>,
    /// Where the next page begins, if there is one.
    pub next: Option<LetterId>,
    /// Letters of the project altogether.
    pub total: u64,
}

/// What a replay looks at before it lets a row in again.
#[derive(Clone, Copy)]
pub struct Admission<'a> {
    /// Version of the tombstones that `keeps` knows. A shard that has seen a later one refuses the replay.
    pub version: i64,
    /// Whether the event may be stored; false for one that was erased.
    pub keeps: &'a (dyn Fn(&Event) -> bool + Send + Sync),
}

/// What became of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// It is in the stream (again a yes for a letter that was replayed within the last day).
    Queued,
    /// There is no such letter.
    Gone,
    /// Its event was erased meanwhile; the letter is discarded.
    Erased,
    /// The tombstones that were looked at are older than what the shard asks for: read them again.
    Behind,
}

impl EventStream {
    /// A page of the project's letters, the latest first, beginning after `before`.
    ///
    /// # Errors
    /// When Redis does not answer, or holds what is not ours.
    pub async fn letters(
        &self,
        project: ProjectNumber,
        before: Option<LetterId>,
        limit: usize,
    ) -> Result<LetterPage, StreamError> {
        let shards = (0..self.shards()).map(|shard| self.letter_ids(shard, project, before, limit + 1));
        let (mut ids, mut total) = (Vec::new(), 0);
        for (found, count) in try_join_all(shards).await? {
            ids.extend(found);
            total += count;
        }
        ids.sort_unstable_by(|a, b| b.cmp(a));
        let next = (ids.len() > limit && limit > 0).then(|| ids[limit - 1]);
        ids.truncate(limit);
        let found = try_join_all(ids.iter().map(|&id| self.letter(id))).await?;
        Ok(LetterPage {
            letters: found.into_iter().flatten().collect(),
            next,
            total,
        })
    }

    /// One letter; `None` when it is not there (any more).
    ///
    /// # Errors
    /// As [`Self::letters`].
    pub async fn letter(&self, id: LetterId) -> Result<Option<Letter>, StreamError> {
        if id.shard >= self.shards() {
            return Ok(None);
        }
        let at = id.in_stream();
        let found: StreamRangeReply = redis::cmd("XRANGE")
            .arg(self.keys().dlq(id.shard))
            .arg(&at)
            .arg(&at)
            .query_async(&mut self.back())
            .await?;
        found.ids.first().map(|entry| self.opened(id, entry)).transpose()
    }

    /// Puts a letter of the project back into the stream. Asked again it stays one row.
    ///
    /// # Errors
    /// As [`Self::letters`]; then it may or may not have happened.
    pub async fn replay(
        &self,
        project: ProjectNumber,
        id: LetterId,
        admission: &Admission<'_>,
    ) -> Result<Replayed, StreamError> {
        let idem = self.keys().idem_letter(id.shard, &id.member(project));
        let found = self.letter(id).await?;
        let Some(letter) = found.filter(|letter| letter.event.project == project) else {
            let replayed: bool = redis::cmd("EXISTS")
                .arg(&idem)
                .query_async(&mut self.back())
                .await?;
            return Ok(if replayed {
                Replayed::Queued
            } else {
                Replayed::Gone
            });
        };
        if !(admission.keeps)(&letter.event) {
            self.discard(project, id).await?;
            return Ok(Replayed::Erased);
        }
        let shard = id.shard;
        let packed = codec::pack(std::slice::from_ref(&letter.event)).map_err(|e| self.damaged(id, e))?;
        let mut call = scripts::REPLAY.prepare_invoke();
        call.key(self.keys().st(shard))
            .key(self.keys().ev(shard))
            .key(self.keys().dlq(shard))
            .key(self.keys().dead(shard))
            .key(self.keys().pend(shard))
            .key(idem);
        let field = pend_field(project, minute_of(letter.received_at), &letter.source);
        call.arg(id.in_stream())
            .arg(id.member(project))
            .arg(self.inner.options.request_key_ttl_s.max(1))
            .arg(packed.unpacked)
            .arg(letter.received_at)
            .arg(&*letter.source)
            .arg(replay_field(&field))
            .arg(admission.version);
        fault::point("letters.before_replay").await?;
        let word: String = call.invoke_async(&mut self.back()).await?;
        fault::point("letters.after_replay").await?;
        Ok(match word.as_str() {
            "OK" => Replayed::Queued,
            "BEHIND" => Replayed::Behind,
            _ => Replayed::Gone,
        })
    }

    /// Gives a letter of the project up; false when there is none.
    ///
    /// # Errors
    /// As [`Self::replay`].
    pub async fn discard(&self, project: ProjectNumber, id: LetterId) -> Result<bool, StreamError> {
        let found = self.letter(id).await?;
        let Some(letter) = found.filter(|letter| letter.event.project == project) else {
            return Ok(false);
        };
        let moved = |outcome, count| LedgerRow {
            project,
            minute: minute_of(letter.received_at),
            source: letter.source.to_string(),
            outcome,
            reason: String::new(),
            count,
        };
        let notes = Notes {
            rows: vec![moved(Outcome::Quarantined, -1), moved(Outcome::Discarded, 1)],
            sequences: Vec::new(),
        };
        let notes = notes.pack_rows().map_err(|e| self.damaged(id, e))?;
        let none = codec::pack(&[]).map_err(|e| self.damaged(id, e))?;
        let shard = id.shard;
        let mut call = scripts::DISCARD.prepare_invoke();
        call.key(self.keys().st(shard))
            .key(self.keys().ev(shard))
            .key(self.keys().dlq(shard))
            .key(self.keys().dead(shard));
        call.arg(id.in_stream())
            .arg(id.member(project))
            .arg(none.bytes)
            .arg(none.unpacked)
            .arg(letter.received_at)
            .arg(&*letter.source)
            .arg(notes);
        let word: String = call.invoke_async(&mut self.back()).await?;
        fault::point("letters.after_discard").await?;
        Ok(word == "OK")
    }

    fn opened(&self, id: LetterId, entry: &StreamId) -> Result<Letter, StreamError> {
        let packed: Vec<u8> = entry.get("p").unwrap_or_default();
        let mut rows = codec::unpack(&packed).map_err(|e| self.damaged(id, e))?;
        let (Some(event), true) = (rows.pop(), rows.is_empty()) else {
            return Err(self.damaged(id, "not one row"));
        };
        Ok(Letter {
            id,
            batch: entry.get("batch").unwrap_or(0),
            code: entry.get("code").unwrap_or(0),
            message: entry.get("message").unwrap_or_default(),
            source: entry
                .get::<String>("s")
                .map_or_else(|| Arc::from(UNKNOWN_SOURCE), Arc::from),
            received_at: entry.get("t").unwrap_or(event.received_at),
            event,
        })
    }

    fn damaged(&self, id: LetterId, why: impl std::fmt::Display) -> StreamError {
        StreamError::Content {
            key: self.keys().dlq(id.shard),
            detail: format!("dead letter {id}: {why}"),
        }
    }
}
