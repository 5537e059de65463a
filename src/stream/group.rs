//! Group commit: what arrives at a shard while a call is under way goes into the next one, together.
//!
//! Redis fsyncs once for everything in a call, one frame compresses many rows as cheaply as a few, and the
//! worker opens one entry instead of a hundred. Nobody waits for company: the first part goes at once, and a
//! full call does not wait for the one before it.
//!
//! A call is carried out whole or not at all, and each part is judged on its own. Where some parts were stored
//! before, or were judged by tombstones that are not the latest, the script stores nothing and says so; the
//! others go again without them. So a part that is refused or known costs its neighbours a moment, never their
//! events.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redis::RedisError;
use tokio::sync::{mpsc, oneshot};

use super::append::{AppendError, numbers};
use super::call::{Call, Settings};
use super::codec::Packer;
use super::ledger::Notes;
use super::replicas::Replicated;
use super::{APPEND_TIMEOUT, scripts};
use crate::event::ProjectNumber;
use crate::fault;

/// Most calls of a shard that are under way at once. More than one only while calls are full.
const MOST_CALLS: usize = 4;

/// Between two warnings that a shard takes nothing.
const WARN_EVERY: Duration = Duration::from_secs(5);

/// Parts that may wait for a shard's next call, and as many again in the channel before it; who comes then waits to be
/// let in.
const MOST_WAITING: usize = 2_048;

/// One request's rows of a shard, at most [`super::append::MOST_ROWS`].
pub(super) struct Part {
    pub project: ProjectNumber,
    /// Protocol and sender.
    pub source: String,
    /// Its rows as [`super::codec::lay_out`] laid them out, and how many.
    pub laid_out: Vec<u8>,
    pub rows: usize,
    /// Earliest receipt of the rows.
    pub received_at: i64,
    /// By the endpoint's clock.
    pub now_ms: i64,
    /// What it is known by when it is sent again.
    pub key: Option<u128>,
    pub notes: Notes,
    /// Version of the tombstones by which its rows were judged.
    pub tombstones: i64,
    /// Bucket and id of each row for the event-id window; `None` where the client gave no id. Empty without a
    /// window.
    pub marks: Vec<Option<(u32, u64)>>,
    /// It is not sent later than this: an entry comes late by a bounded time, see [`APPEND_TIMEOUT`].
    pub deadline: Instant,
    pub answer: oneshot::Sender<Result<Ingested, AppendError>>,
}

/// What became of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ingested {
    /// Stored, without the rows of these numbers.
    Stored(Vec<usize>),
    Replayed,
    /// Not stored: judged by tombstones that are not the latest.
    Behind,
}

impl Part {
    /// Answers its request, if that still waits.
    pub fn settle(self, answer: Result<Ingested, AppendError>) {
        let _ = self.answer.send(answer);
    }
}

/// Where the parts of one shard are handed in.
pub(super) struct Intake(mpsc::Sender<Part>);

impl Intake {
    /// Starts gathering for a shard. It ends when the intake is dropped and everything is answered.
    pub fn open(settings: Settings, connection: Replicated) -> Intake {
        let (sender, parts) = mpsc::channel(MOST_WAITING);
        tokio::spawn(gather(settings, connection, parts));
        Intake(sender)
    }

    /// Hands a part in.
    pub async fn add(&self, part: Part) -> Result<(), AppendError> {
        let ended = |_| AppendError::Unavailable("this process is ending".to_owned());
        self.0.send(part).await.map_err(ended)
    }
}

/// Parts that wait for the next call.
#[derive(Default)]
pub(super) struct Waiting {
    parts: VecDeque<Part>,
    rows: usize,
}

impl Waiting {
    fn push(&mut self, part: Part) {
        self.rows += part.rows;
        self.parts.push_back(part);
    }

    /// The next call: the oldest parts that fit, without those that nobody waits for any more.
    fn call(&mut self) -> Option<Call> {
        let (mut call, mut later, mut keys) = (Call::default(), Vec::new(), HashSet::new());
        let now = Instant::now();
        while let Some(part) = self.parts.pop_front() {
            self.rows -= part.rows;
            if part.answer.is_closed() {
            } else if part.deadline < now {
                let waited = format!("not sent within {:?}", APPEND_TIMEOUT / 2);
                part.settle(Err(AppendError::Unavailable(waited)));
            } else if part.key.is_some_and(|key| !keys.insert(key)) {
                // Twice at once: the second time it finds the first one stored.
                later.push(part);
            } else if let Some(part) = call.add(part) {
                later.push(part);
                break;
            }
        }
        for part in later.into_iter().rev() {
            self.rows += part.rows;
            self.parts.push_front(part);
        }
        (!call.is_empty()).then_some(call)
    }

    /// Beyond it parts stay in the channel, and behind that their senders wait.
    fn has_room(&self) -> bool {
        self.parts.len() < MOST_WAITING
    }

    fn fill_a_call(&self) -> bool {
        self.rows >= super::call::MOST_ROWS
    }
}

async fn gather(settings: Settings, connection: Replicated, mut parts: mpsc::Receiver<Part>) {
    let mut packer = None;
    let mut waiting = Waiting::default();
    let mut calls = FuturesUnordered::new();
    let mut open = true;
    let mut warned: Option<Instant> = None;
    while open || !calls.is_empty() || !waiting.parts.is_empty() {
        while waiting.has_room()
            && let Ok(part) = parts.try_recv()
        {
            waiting.push(part);
        }
        if (calls.is_empty() || (calls.len() < MOST_CALLS && waiting.fill_a_call()))
            && let Some(call) = waiting.call()
        {
            calls.extend(send(&settings, &connection, &mut packer, call));
            continue;
        }
        tokio::select! {
            Some((call, answer)) = calls.next(), if !calls.is_empty() => {
                if let Err(error) = &answer
                    && warned.is_none_or(|then| then.elapsed() > WARN_EVERY)
                {
                    warned = Some(Instant::now());
                    tracing::warn!(shard = settings.shard, %error, "events are refused: Redis does not take them");
                }
                if let Some(rest) = settle(call, answer) {
                    calls.extend(send(&settings, &connection, &mut packer, rest));
                }
            }
            part = parts.recv(), if open && waiting.has_room() => match part {
                Some(part) => waiting.push(part),
                None => open = false,
            },
        }
    }
}

type Answer = Result<Vec<String>, RedisError>;

/// Sends a call; one that cannot be packed is refused.
fn send(
    settings: &Settings,
    connection: &Replicated,
    packer: &mut Option<Packer>,
    call: Call,
) -> Option<impl Future<Output = (Call, Answer)> + use<>> {
    let command = match packer.take().map_or_else(Packer::new, Ok) {
        Ok(ready) => call.command(settings, packer.insert(ready)),
        Err(error) => Err(error),
    };
    match command {
        Ok(command) => {
            let connection = connection.clone();
            Some(async move {
                let ingest = async {
                    fault::point("append.before_xadd").await?;
                    let answer = connection.query(&scripts::INGEST, command).await;
                    fault::point("append.after_xadd").await?;
                    answer
                };
                (call, ingest.await)
            })
        }
        Err(error) => {
            refuse(call, &AppendError::Unavailable(error.to_string()));
            None
        }
    }
}

/// Tells each part what became of it. What is returned has to go again.
fn settle(mut call: Call, answer: Answer) -> Option<Call> {
    let words = match answer {
        Ok(words) => words,
        Err(error) => {
            refuse(call, &AppendError::from(error));
            return None;
        }
    };
    match words.split_first().map(|(word, rest)| (word.as_str(), rest)) {
        Some(("ok", dropped)) => call.stored(dropped),
        Some(("replayed", [list])) => {
            for part in call.take_keyed(&numbers(list)) {
                part.settle(Ok(Ingested::Replayed));
            }
            return (!call.is_empty()).then_some(call);
        }
        Some(("behind", [latest])) => {
            let latest: i64 = latest.parse().unwrap_or(i64::MAX);
            let behind = call.take(|part| part.tombstones < latest);
            if !behind.is_empty() {
                for part in behind {
                    part.settle(Ok(Ingested::Behind));
                }
                return (!call.is_empty()).then_some(call);
            }
            refuse(
                call,
                &AppendError::Unavailable(format!("unexpected answer {words:?}")),
            );
        }
        Some(("full", _)) => refuse(call, &AppendError::Full),
        _ => refuse(
            call,
            &AppendError::Unavailable(format!("unexpected answer {words:?}")),
        ),
    }
    None
}

fn refuse(call: Call, error: &AppendError) {
    for part in call.into_parts() {
        part.settle(Err(error.clone()));
    }
}
