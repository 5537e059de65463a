//! Taking events in: the only way from an endpoint into the stream.
//!
//! A request becomes a part per shard (and per 200 rows of a shard), all handed in at once, where it shares
//! entries and calls with whatever else arrives (`stream/group`); it is answered only when every part is in
//! Redis.
//!
//! **Request key.** A part that is sent again is recognised by a hash over the project, the
//! request id and what the client said in these rows: event name, place in the batch, distinct, device and
//! user id, session, properties, amount, currency, and the event id unless capture gave it
//! ([`flag::ID_GIVEN`]). Left out is everything that another receipt of the same bytes may change:
//! `received_at`, ids given at capture, what is enriched from headers, flags, and `ts` with `local_day` —
//! the time is the receipt's when the client named none, and clock correction depends on `sent_at`. So two
//! requests under one careless id that differ only in event times would be taken for one: an endpoint adds a
//! digest of the events as received to the request id.
//!
//! **Event-id window.** Ids that clients gave are marked, 63 bits each of a hash over person and id, in sets
//! that people share by their hash; rows marked before are dropped and their numbers stored with the entry.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Instant;

use redis::RedisError;
use tokio::sync::oneshot;
use uuid::Uuid;
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

use super::group::{Ingested, Part};
use super::ledger::{NO_NOTES, Notes};
use super::{APPEND_TIMEOUT, EventStream, codec, person_hash};
use crate::event::{Event, ProjectNumber, flag};
use crate::fault::Fault;

/// Buckets of a shard's event-id window. Few enough that their sets are there already: a set for each person
/// would cost ten times the ids in it. Enough that five million ids a generation need no second level.
const BUCKETS: u32 = 16_384;

/// Most rows of an entry.
pub(super) const MOST_ROWS: usize = 200;

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
    /// Rows, by their place in the batch, that a tombstone refuses. They are not stored, but the request is known by
    /// them too: it comes again with the same rows, and by then more of them may be erased.
    pub refused: &'a BTreeSet<u32>,
}

static NONE_REFUSED: BTreeSet<u32> = BTreeSet::new();

impl<'a> Request<'a> {
    /// A request of an unknown sender, without notes, of rows that no tombstone may concern.
    pub fn new(project: ProjectNumber, request_id: Option<&'a str>) -> Request<'a> {
        Request {
            project,
            request_id,
            source: "",
            notes: &NO_NOTES,
            tombstones: i64::MAX,
            refused: &NONE_REFUSED,
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
    /// judge these rows again, and append them with what is refused by then. With the refused rows that were
    /// among them.
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

impl AppendError {
    /// Who was to answer is gone.
    fn interrupted() -> AppendError {
        AppendError::Unavailable("the call was broken off".to_owned())
    }
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

impl EventStream {
    /// Takes the accepted events of one request. `Ok` means that every row that is not refused is durable (as durable as the
    /// Redis is configured) or was so before. Call it again with the same `request_id` after an error.
    /// Without rows nothing is stored, notes neither: see [`Self::append_notes`].
    pub async fn append(
        &self,
        request: &Request<'_>,
        rows: Vec<Event>,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let mut shards: Vec<Vec<Event>> = vec![Vec::new(); usize::from(self.shards())];
        for row in rows {
            let shard = self.shard_of(request.project, &row.distinct_id);
            shards[usize::from(shard)].push(row);
        }
        let mut sent = Vec::new();
        let mut notes = Some(request.notes.clone());
        let store = async {
            for (shard, rows) in (0..).zip(&shards) {
                for rows in rows.chunks(MOST_ROWS) {
                    let kept = kept(request, rows);
                    if kept.is_empty() {
                        continue;
                    }
                    let notes = notes.take().unwrap_or_default();
                    let key = request
                        .request_id
                        .map(|id| request_hash(request.project, id, rows));
                    let answer = self.hand_in(request, shard, key, &kept, notes, now_ms).await?;
                    sent.push((answer, rows, kept));
                }
            }
            let mut appended = Appended {
                replayed: !sent.is_empty(),
                ..Appended::default()
            };
            for (n, (answer, rows, kept)) in sent.into_iter().enumerate() {
                let answer = answer.await.unwrap_or_else(|_| Err(AppendError::interrupted()))?;
                appended.noted |= n == 0 && answer != Ingested::Behind;
                match answer {
                    Ingested::Replayed => {}
                    Ingested::Behind => {
                        appended.replayed = false;
                        appended.behind.extend_from_slice(rows);
                    }
                    Ingested::Stored(dropped) => {
                        appended.replayed = false;
                        let dropped = dropped.iter().filter_map(|&row| kept.get(row));
                        appended.duplicates.extend(dropped.map(|row| row.id));
                    }
                }
            }
            Ok(appended)
        };
        within_time(store).await
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
        let request = Request::new(project, Some(id));
        let shard = self.shard_of(project, "");
        within_time(async {
            let key = Some(request_hash(project, id, &[]));
            let answer = self
                .hand_in(&request, shard, key, &[], notes.clone(), now_ms)
                .await?;
            answer.await.unwrap_or_else(|_| Err(AppendError::interrupted()))
        })
        .await?;
        Ok(())
    }

    /// Hands rows of one shard in, to be stored with whatever else goes there now.
    async fn hand_in(
        &self,
        request: &Request<'_>,
        shard: u16,
        key: Option<u128>,
        rows: &[Event],
        notes: Notes,
        now_ms: i64,
    ) -> Result<oneshot::Receiver<Result<Ingested, AppendError>>, AppendError> {
        let project = request.project;
        let mark = |row: &Event| {
            let given = row.flags & flag::ID_GIVEN != 0;
            let person = person_hash(project, &row.distinct_id);
            // With the person: in a bucket an id of one must not stand for the same id of another.
            let id = xxh3_64_with_seed(row.id.as_bytes(), person) >> 1;
            (!given).then_some(((person >> 32) as u32 % BUCKETS, id))
        };
        let windowed = self.inner.options.dedup_window_s > 0;
        let (answer, answered) = oneshot::channel();
        let part = Part {
            project,
            source: request.source.to_owned(),
            laid_out: codec::lay_out(rows).map_err(|e| AppendError::Unavailable(e.to_string()))?,
            rows: rows.len(),
            received_at: rows.iter().map(|row| row.received_at).min().unwrap_or(now_ms),
            now_ms,
            key,
            notes,
            tombstones: request.tombstones,
            marks: if windowed {
                rows.iter().map(mark).collect()
            } else {
                Vec::new()
            },
            deadline: Instant::now() + APPEND_TIMEOUT / 2,
            answer,
        };
        let intake = self.inner.intakes.get(usize::from(shard));
        intake.ok_or_else(AppendError::interrupted)?.add(part).await?;
        Ok(answered)
    }
}

/// The rows that no tombstone refuses.
fn kept<'a>(request: &Request<'_>, rows: &'a [Event]) -> Cow<'a, [Event]> {
    if request.refused.is_empty() {
        return Cow::Borrowed(rows);
    }
    let kept = rows.iter().filter(|row| !request.refused.contains(&row.seq));
    Cow::Owned(kept.cloned().collect())
}

/// Its answer, or that it took longer than [`APPEND_TIMEOUT`].
async fn within_time<T>(store: impl Future<Output = Result<T, AppendError>>) -> Result<T, AppendError> {
    let late = |_| AppendError::Unavailable(format!("no answer within {APPEND_TIMEOUT:?}"));
    tokio::time::timeout(APPEND_TIMEOUT, store).await.map_err(late)?
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
