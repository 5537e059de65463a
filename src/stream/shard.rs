//! One shard from the worker's side: lease, plan, read, try, commit, announce.
//!
//! Every step carries the owner's epoch; acquiring a shard raises it, so whoever lost the shard without
//! noticing is answered [`StreamError::Fenced`] and changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::ledger::Waited;
use super::letters::{MOST_LETTERS, MOST_MESSAGE_CHARS, indexed};
use super::{EventStream, StreamError, codec, scripts};
use crate::event::{Event, ProjectNumber};
use crate::fault;

pub use super::entry::Entry;

/// Batch numbers of an incarnation: `batch = incarnation * 2^40 + seq`.
const SEQS: u64 = 1 << 40;

/// The number under which ClickHouse knows a shard's batch.
pub fn batch_number(incarnation: u64, seq: u64) -> u64 {
    incarnation * SEQS + seq
}

/// The incarnation that a batch's number names.
pub fn incarnation_of(batch: u64) -> u64 {
    batch / SEQS
}

/// The right to plan and commit a shard's batches.
#[derive(Clone, Debug)]
pub struct Lease {
    pub shard: u16,
    pub owner: Arc<str>,
    /// Raised by every acquisition.
    pub epoch: u64,
    /// Which life of this Redis it is; see [`batch_number`].
    pub incarnation: u64,
    /// How long the lease holds without being renewed.
    pub ttl: Duration,
    /// When the last renewal was *sent*, by the monotonic clock.
    pub renewed: Instant,
    /// Number of the last batch that this owner knows to be committed; clones know the same.
    committed: Arc<AtomicU64>,
}

impl Lease {
    /// Whether enough of the lease is left to begin an insert: less than 70 % of it is used.
    pub fn is_fresh(&self) -> bool {
        self.renewed.elapsed() < self.ttl.mul_f32(0.7)
    }
}

/// A batch's boundary as it is written down: everything after the last commit up to `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub seq: u64,
    /// Last entry, included.
    pub to: String,
    /// Rows of its entries, with those that were dropped as re-sent.
    pub rows: u64,
    /// Encoder of the rows.
    pub version: u32,
    /// Target among several ClickHouse shards.
    pub target: u32,
    /// Attempt under which rows are inserted; raised before a repair deletes earlier ones.
    pub attempt: u8,
    /// Whether ClickHouse refused the batch whole, so that it is inserted in pieces.
    pub split: bool,
}

/// What a new owner finds.
#[derive(Clone, Debug)]
pub struct Acquired {
    pub lease: Lease,
    /// Number of the last committed batch, 0 before the first.
    pub seq: u64,
    /// Last committed entry, `0-0` before the first.
    pub done: String,
    /// A batch that the last owner left; finish it first.
    pub plan: Option<Plan>,
    /// Projects of the last commit whose counters may not have been raised.
    pub announce: Option<String>,
}

/// A row that ClickHouse refuses.
#[derive(Clone, Debug)]
pub struct DeadRow {
    pub event: Event,
    pub code: u32,
    pub message: String,
    /// Source of its entry, empty where that names none.
    pub source: Arc<str>,
    /// Receipt of its entry, UTC milliseconds: names the ledger's minute.
    pub received_at: i64,
}

/// What a commit ends.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    pub seq: u64,
    /// Rows in the tables: without re-sent and dead ones.
    pub rows_stored: u64,
    /// Rows that become dead letters.
    pub dead: &'a [DeadRow],
    /// Whose answers changed, for [`EventStream::announce`].
    pub projects: &'a [ProjectNumber],
    /// What no longer waits: the kept rows of the batch's entries, dead ones included.
    pub waited: &'a [Waited],
}

/// Values of a script's answer; a field that is not there is `None`.
type Fields = Vec<Option<String>>;

fn parsed<T: std::str::FromStr>(fields: &Fields, n: usize) -> Option<T> {
    fields.get(n)?.as_ref()?.parse().ok()
}

/// The plan whose fields begin at `at`; `None` when nothing is planned.
fn plan_of(fields: &Fields, at: usize) -> Option<Plan> {
    Some(Plan {
        seq: parsed(fields, at)?,
        to: parsed(fields, at + 1)?,
        rows: parsed(fields, at + 2)?,
        version: parsed(fields, at + 3)?,
        target: parsed(fields, at + 4)?,
        attempt: parsed(fields, at + 5)?,
        split: fields.get(at + 6)?.is_some(),
    })
}

impl EventStream {
    /// Takes the shard's lease; `None` while another owner holds it. `owner` must not contain `:`.
    pub async fn acquire(
        &self,
        shard: u16,
        owner: &Arc<str>,
        ttl: Duration,
    ) -> Result<Option<Acquired>, StreamError> {
        let renewed = Instant::now();
        let mut call = scripts::ACQUIRE.prepare_invoke();
        call.key(self.keys().lease(shard)).key(self.keys().st(shard));
        call.arg(&**owner).arg(ttl.as_millis() as u64);
        let fields: Fields = self.firm().invoke(&scripts::ACQUIRE, &call).await?;
        let Some(epoch) = parsed(&fields, 1) else {
            return Ok(None);
        };
        let seq = parsed(&fields, 3).unwrap_or(0);
        let incarnation = parsed(&fields, 2).unwrap_or(1);
        Ok(Some(Acquired {
            lease: Lease {
                shard,
                owner: Arc::clone(owner),
                epoch,
                incarnation,
                ttl,
                renewed,
                committed: Arc::new(AtomicU64::new(seq)),
            },
            seq,
            done: parsed(&fields, 4).unwrap_or_else(|| "0-0".to_owned()),
            announce: parsed(&fields, 5),
            plan: plan_of(&fields, 6),
        }))
    }

    /// Prolongs the lease by its whole length.
    pub async fn renew(&self, lease: &mut Lease) -> Result<(), StreamError> {
        let renewed = Instant::now();
        let mut call = scripts::RENEW.prepare_invoke();
        call.key(self.keys().lease(lease.shard))
            .key(self.keys().st(lease.shard));
        call.arg(&*lease.owner)
            .arg(lease.epoch)
            .arg(lease.ttl.as_millis() as u64);
        let word: String = call.invoke_async(&mut self.back()).await?;
        answered(&word, lease.shard, 0)?;
        lease.renewed = renewed;
        Ok(())
    }

    /// Gives the shard back; nothing happens when it is another's by now.
    pub async fn release(&self, lease: &Lease) -> Result<(), StreamError> {
        let mut call = scripts::RELEASE.prepare_invoke();
        call.key(self.keys().lease(lease.shard))
            .arg(&*lease.owner)
            .arg(lease.epoch);
        let _: String = call.invoke_async(&mut self.back()).await?;
        Ok(())
    }

    /// Writes a batch's boundary down. The plan that counts is the answer: an earlier one wins. `None` while
    /// workers are paused. A Redis whose last batch is not the one that this lease's owner committed is
    /// [`StreamError::Content`], and writes nothing.
    pub async fn plan(
        &self,
        lease: &Lease,
        to: &str,
        rows: u64,
        version: u32,
        target: u32,
    ) -> Result<Option<Plan>, StreamError> {
        if fault::left_out("plan") {
            let mut forget = redis::cmd("HDEL");
            forget.arg(self.keys().st(lease.shard)).arg("p_seq");
            forget.exec_async(&mut self.back()).await?;
        }
        let mut call = scripts::PLAN.prepare_invoke();
        call.key(self.keys().st(lease.shard))
            .key(self.keys().pause(lease.shard));
        let committed = lease.committed.load(Ordering::Relaxed);
        call.arg(lease.epoch).arg(to).arg(rows).arg(version).arg(target);
        call.arg(committed);
        let fields: Fields = self.firm().invoke(&scripts::PLAN, &call).await?;
        match parsed::<String>(&fields, 0).as_deref() {
            Some("PLANNED") => {}
            Some("PAUSED") => return Ok(None),
            Some("REWOUND") => {
                let known: u64 = parsed(&fields, 1).unwrap_or(0);
                return Err(StreamError::Content {
                    key: self.keys().st(lease.shard),
                    detail: format!(
                        "the last batch is {known}, its owner has committed {committed}: Redis went back in time"
                    ),
                });
            }
            _ => return Err(StreamError::Fenced(lease.shard)),
        }
        let plan = plan_of(&fields, 1).ok_or_else(|| StreamError::Content {
            key: self.keys().st(lease.shard),
            detail: "a plan without all its fields".to_owned(),
        })?;
        Ok(Some(plan))
    }

    /// Raises the batch's attempt and answers it. Call it before deleting what earlier attempts left.
    pub async fn try_again(&self, lease: &Lease, seq: u64) -> Result<u8, StreamError> {
        let mut call = scripts::TRY.prepare_invoke();
        call.key(self.keys().st(lease.shard)).arg(lease.epoch).arg(seq);
        let (word, attempt): (String, u64) = self.firm().invoke(&scripts::TRY, &call).await?;
        answered(&word, lease.shard, seq)?;
        u8::try_from(attempt).map_err(|_| StreamError::Content {
            key: self.keys().st(lease.shard),
            detail: format!("batch {seq} was repaired {attempt} times: something deletes its rows"),
        })
    }

    /// Marks the batch as one that is inserted in pieces.
    pub async fn mark_split(&self, lease: &Lease, seq: u64) -> Result<(), StreamError> {
        let mut call = scripts::SPLIT.prepare_invoke();
        call.key(self.keys().st(lease.shard)).arg(lease.epoch).arg(seq);
        let word: String = call.invoke_async(&mut self.back()).await?;
        answered(&word, lease.shard, seq)
    }

    /// Ends the batch in one atomic step: its entries leave the stream, dead rows become dead letters, the
    /// projects are noted for [`Self::announce`].
    ///
    /// # Errors
    /// [`StreamError::LettersFull`] while there is no room for the dead rows: nothing of it has happened then.
    pub async fn commit(&self, lease: &Lease, commit: Commit<'_>) -> Result<(), StreamError> {
        let (shard, seq) = (lease.shard, commit.seq);
        let mut call = scripts::COMMIT.prepare_invoke();
        call.key(self.keys().st(shard))
            .key(self.keys().ev(shard))
            .key(self.keys().dlq(shard))
            .key(self.keys().pend(shard))
            .key(self.keys().dead(shard));
        call.arg(lease.epoch)
            .arg(seq)
            .arg(commit.rows_stored)
            .arg(list(commit.projects))
            .arg(MOST_LETTERS)
            .arg(commit.dead.len());
        let batch = batch_number(lease.incarnation, seq);
        for row in commit.dead {
            let packed = codec::pack(std::slice::from_ref(&row.event)).map_err(|e| StreamError::Content {
                key: self.keys().dlq(shard),
                detail: e.to_string(),
            })?;
            let message: String = row.message.chars().take(MOST_MESSAGE_CHARS).collect();
            call.arg(batch).arg(row.code).arg(message).arg(packed.bytes);
            call.arg(&*row.source)
                .arg(row.received_at)
                .arg(indexed(row.event.project));
        }
        for waited in commit.waited {
            call.arg(waited.field()).arg(waited.rows);
        }
        let word: String = self.firm().invoke(&scripts::COMMIT, &call).await?;
        if word == "FULL" {
            return Err(StreamError::LettersFull(shard));
        }
        answered(&word, shard, seq)?;
        lease.committed.store(seq, Ordering::Relaxed);
        Ok(())
    }

    /// Raises the counters of the projects of the last commit, and clears the list. Also a new owner's first
    /// deed with what [`Acquired::announce`] holds. Raised twice at worst, never not at all.
    pub async fn announce(&self, lease: &Lease) -> Result<(), StreamError> {
        let noted: Option<String> = redis::cmd("HGET")
            .arg(self.keys().st(lease.shard))
            .arg("announce")
            .query_async(&mut self.back())
            .await?;
        let Some(noted) = noted else { return Ok(()) };
        let mut projects: Vec<ProjectNumber> = noted
            .split(',')
            .filter_map(|n| n.parse().ok())
            .map(ProjectNumber)
            .collect();
        projects.sort_unstable();
        projects.dedup();
        self.raise_rev(&projects).await?;
        fault::point("announce.after_raise").await?;
        let mut call = scripts::ANNOUNCED.prepare_invoke();
        call.key(self.keys().st(lease.shard)).arg(lease.epoch).arg(noted);
        let word: String = call.invoke_async(&mut self.back()).await?;
        answered(&word, lease.shard, 0)
    }

    /// For each shard the number of its last committed batch: everything up to it is whole in the tables.
    pub async fn cuts(&self) -> Result<Vec<u64>, StreamError> {
        let mut cuts = Vec::with_capacity(usize::from(self.shards()));
        for shard in 0..self.shards() {
            let mut command = redis::cmd("HMGET");
            command.arg(self.keys().st(shard)).arg("incarnation").arg("seq");
            let (incarnation, seq): (Option<u64>, Option<u64>) =
                command.query_async(&mut self.back()).await?;
            cuts.push(seq.map_or(0, |seq| batch_number(incarnation.unwrap_or(1), seq)));
        }
        Ok(cuts)
    }
}

fn list(projects: &[ProjectNumber]) -> String {
    let numbers: Vec<String> = projects.iter().map(ProjectNumber::to_string).collect();
    numbers.join(",")
}

pub(super) fn answered(word: &str, shard: u16, seq: u64) -> Result<(), StreamError> {
    match word {
        "OK" => Ok(()),
        "STALE" => Err(StreamError::Stale { shard, seq }),
        _ => Err(StreamError::Fenced(shard)),
    }
}
