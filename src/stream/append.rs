//! Taking events in: the only way from an endpoint into the stream.
//!
//! A request becomes one entry per shard (and per 200 rows of a shard, which bounds a script's run), all sent
//! at once; it is answered only when every entry is in Redis.
//!
//! **Request key.** An entry whose request is sent again is recognised by a hash over the project, the
//! request id and what the client said in these rows: event name, place in the batch, distinct, device and
//! user id, session, properties, amount, currency, and the event id unless capture gave it
//! ([`flag::ID_GIVEN`]). Left out is everything that another receipt of the same bytes may change:
//! `received_at`, ids given at capture, what is enriched from headers, flags, and `ts` with `local_day` —
//! the time is the receipt's when the client named none, and clock correction depends on `sent_at`. So two
//! requests under one careless id that differ only in event times would be taken for one: an endpoint adds a
//! digest of the events as received to the request id.
//!
//! **Event-id window.** Ids that clients gave are marked, 63 bits each, in sets per person; rows marked
//! before are dropped and their numbers stored with the entry.

use futures_util::future::join_all;
use redis::RedisError;
use uuid::Uuid;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::ledger::{NO_NOTES, Notes, pend_field};
use super::{APPEND_TIMEOUT, EventStream, codec, person_hash, scripts};
use crate::event::ledger::minute_of;
use crate::event::{Event, ProjectNumber, flag};
use crate::fault::{self, Fault};

/// Most rows of an entry, and so most ids of a script's call.
const MOST_ROWS: usize = 200;

/// What all rows of a request have in common.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The project whose key the request carried.
    pub project: ProjectNumber,
    /// The same each time the request is sent; `None` when the client names nothing to know it by.
    pub request_id: Option<&'a str>,
    /// Protocol and sender, at most [`crate::event::ledger::MAX_SOURCE_CHARS`] characters.
    pub source: &'a str,
    /// What else the ledger is to know of the request. Stored with its first entry, so once only.
    pub notes: &'a Notes,
    /// Version of the tombstones by which the rows were judged ([`super::removal`]).
    pub tombstones: i64,
}

impl<'a> Request<'a> {
    /// A request of an unknown sender, without notes, of rows that no tombstone may concern.
    pub fn new(project: ProjectNumber, request_id: Option<&'a str>) -> Request<'a> {
        Request {
            project,
            request_id,
            source: "",
            notes: &NO_NOTES,
            tombstones: i64::MAX,
        }
    }
}

/// What became of a request's rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Appended {
    /// Ids of events that were dropped because the window knows them: stored by an earlier request.
    pub duplicates: Vec<Uuid>,
    /// The whole request was stored by an earlier sending of it; nothing was added now.
    pub replayed: bool,
    /// Whether the request's notes are stored: its first entry carries them.
    pub noted: bool,
    /// Rows that were not stored, because they were judged by tombstones that are not the latest: load those,
    /// judge these rows again, and append what is left of them.
    pub behind: Vec<Event>,
}

/// The rows may or may not be stored: the client sends the same request again later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// A shard holds as many entries as it may; workers are behind.
    #[error("the event stream is full")]
    Full,
    /// Redis is away, out of memory, loading, a replica, or slower than [`APPEND_TIMEOUT`].
    #[error("the event stream is unavailable: {0}")]
    Unavailable(String),
}

impl From<RedisError> for AppendError {
    fn from(error: RedisError) -> AppendError {
        AppendError::Unavailable(error.to_string())
    }
}

impl From<Fault> for AppendError {
    fn from(fault: Fault) -> AppendError {
        AppendError::Unavailable(fault.to_string())
    }
}

/// Answer of one INGEST.
enum Ingested {
    /// Stored, without the rows of these numbers.
    Stored(Vec<usize>),
    Replayed,
    Behind,
}

impl EventStream {
    /// Takes the accepted events of one request. `Ok` means that every row is durable (as durable as the
    /// Redis is configured) or was so before. Call it again with the same `request_id` after an error.
    /// Without rows nothing is stored, notes neither: see [`Self::append_notes`].
    pub async fn append(
        &self,
        request: &Request<'_>,
        rows: Vec<Event>,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let project = request.project;
        let mut shards: Vec<Vec<Event>> = vec![Vec::new(); usize::from(self.shards())];
        for row in rows {
            let shard = self.shard_of(project, &row.distinct_id);
            shards[usize::from(shard)].push(row);
        }
        let entries: Vec<(u16, &[Event])> = (0..)
            .zip(&shards)
            .flat_map(|(shard, rows)| rows.chunks(MOST_ROWS).map(move |chunk| (shard, chunk)))
            .collect();
        let bare = Request {
            notes: &NO_NOTES,
            ..*request
        };
        let calls = entries.iter().enumerate().map(|(n, &(shard, rows))| {
            let request = if n == 0 { *request } else { bare };
            self.ingest(request, shard, rows, now_ms)
        });
        let answers = tokio::time::timeout(APPEND_TIMEOUT, join_all(calls))
            .await
            .map_err(|_| AppendError::Unavailable(format!("no answer within {APPEND_TIMEOUT:?}")))?;

        let mut appended = Appended {
            replayed: !entries.is_empty(),
            ..Appended::default()
        };
        for (n, (answer, (_, rows))) in answers.into_iter().zip(&entries).enumerate() {
            let answer = answer?;
            appended.noted |= n == 0 && !matches!(answer, Ingested::Behind);
            match answer {
                Ingested::Replayed => {}
                Ingested::Behind => {
                    appended.replayed = false;
                    appended.behind.extend_from_slice(rows);
                }
                Ingested::Stored(dropped) => {
                    appended.replayed = false;
                    appended
                        .duplicates
                        .extend(dropped.iter().filter_map(|&row| rows.get(row)).map(|row| row.id));
                }
            }
        }
        Ok(appended)
    }

    /// Stores notes that belong to no entry: of requests that were refused whole, or sent again. Call it
    /// again with the same `id` after an error; they count once.
    pub async fn append_notes(
        &self,
        project: ProjectNumber,
        id: &str,
        notes: &Notes,
        now_ms: i64,
    ) -> Result<(), AppendError> {
        let request = Request {
            notes,
            ..Request::new(project, Some(id))
        };
        let shard = self.shard_of(project, "");
        tokio::time::timeout(APPEND_TIMEOUT, self.ingest(request, shard, &[], now_ms))
            .await
            .map_err(|_| AppendError::Unavailable(format!("no answer within {APPEND_TIMEOUT:?}")))??;
        Ok(())
    }

    async fn ingest(
        &self,
        request: Request<'_>,
        shard: u16,
        rows: &[Event],
        now_ms: i64,
    ) -> Result<Ingested, AppendError> {
        let Request {
            project,
            request_id,
            source,
            notes,
            tombstones,
        } = request;
        let options = &self.inner.options;
        let unpackable = |e: codec::CodecError| AppendError::Unavailable(e.to_string());
        let packed = codec::pack(rows).map_err(unpackable)?;
        let received_at = rows.iter().map(|row| row.received_at).min().unwrap_or(now_ms);
        let request = request_id.map_or(0, |id| request_hash(project, id, rows));
        let ttl = if request_id.is_some() {
            options.request_key_ttl_s
        } else {
            0
        };
        let mut call = scripts::INGEST.prepare_invoke();
        call.key(self.keys().ev(shard))
            .key(self.keys().idem(shard, request))
            .key(self.keys().st(shard))
            .key(self.keys().pend(shard));
        call.arg(options.max_entries)
            .arg(ttl)
            .arg(rows.len())
            .arg(packed.bytes.as_slice());
        call.arg(packed.unpacked).arg(received_at).arg(now_ms);
        call.arg(options.dedup_window_s * 1000)
            .arg(self.keys().seen(shard));
        call.arg(source)
            .arg(pend_field(project, minute_of(received_at), source))
            .arg(notes.pack_rows().map_err(unpackable)?)
            .arg(notes.pack_sequences().map_err(unpackable)?)
            .arg(tombstones);
        if options.dedup_window_s > 0 {
            for row in rows {
                if row.flags & flag::ID_GIVEN == 0 {
                    let bucket = format!("{:016x}", person_hash(project, &row.distinct_id));
                    call.arg(bucket)
                        .arg((xxh3_64(row.id.as_bytes()) >> 1).to_string());
                } else {
                    call.arg("").arg("");
                }
            }
        }
        fault::point("append.before_xadd").await?;
        let (answer, _, dropped): (String, String, String) = call.invoke_async(&mut self.front()).await?;
        fault::point("append.after_xadd").await?;
        match answer.as_str() {
            "ok" => Ok(Ingested::Stored(numbers(&dropped))),
            "dup" => Ok(Ingested::Replayed),
            "behind" => Ok(Ingested::Behind),
            "full" => Err(AppendError::Full),
            other => Err(AppendError::Unavailable(format!("unexpected answer {other:?}"))),
        }
    }
}

/// The numbers of a comma-separated list, as entries hold them.
pub(super) fn numbers(list: &str) -> Vec<usize> {
    list.split(',').filter_map(|n| n.parse().ok()).collect()
}

/// What the same request has in common each time it is sent: see the module's text.
fn request_hash(project: ProjectNumber, request_id: &str, rows: &[Event]) -> u128 {
    let mut hash = Xxh3::new();
    let mut text = |bytes: &[u8]| {
        // With its length, so that no text can pass into its neighbour.
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    text(&project.0.to_le_bytes());
    text(request_id.as_bytes());
    for row in rows {
        text(&row.seq.to_le_bytes());
        text(row.event.as_bytes());
        text(row.distinct_id.as_bytes());
        text(row.device_id.as_bytes());
        text(row.user_id.as_bytes());
        text(&row.session.to_le_bytes());
        text(row.props.as_bytes());
        text(&row.amount.to_bits().to_le_bytes());
        text(row.currency.as_bytes());
        let given = row.flags & flag::ID_GIVEN != 0;
        text(if given { &[] } else { row.id.as_bytes() });
    }
    hash.digest128()
}
