//! The shard of [`super::model`] as it really is: the scripts in a redis-server, and the callers with what they hold
//! in their hands.

use std::collections::{BTreeMap, HashMap};

use footfall::event::Event;
use footfall::stream::append::AppendError;
use footfall::stream::ledger::Waited;
use footfall::stream::letters::{Admission, LetterId, Replayed};
use footfall::stream::shard::{Commit, DeadRow, Lease};
use footfall::stream::{EventStream, Request, StreamError, StreamOptions};
use redis::streams::StreamRangeReply;
use uuid::Uuid;

use super::harness::*;
use super::model::{Answer, Entry, MOST_ENTRIES, Op, Plan, Row, Shard};

/// A batch in an owner's hands, read when it was planned or found.
type Batch = (u64, Vec<footfall::stream::entry::Entry>);

/// What an owner holds in its hands, however late it is.
struct Owner {
    lease: Lease,
    /// Last batch that it knows to be committed.
    committed: u64,
    batch: Option<Batch>,
}

/// The real shard, and what its callers hold.
pub struct Real {
    pub stream: EventStream,
    connection: redis::aio::MultiplexedConnection,
    prefix: String,
    owners: BTreeMap<usize, Owner>,
    /// Numbers of entries and letters by their ids, in the order in which they came.
    entries: HashMap<String, usize>,
    letters: HashMap<String, usize>,
    pub letter_ids: Vec<String>,
    /// Rows that were stored, and how often.
    pub stored: BTreeMap<Row, usize>,
}

fn sent(person: u8, ids: &[u8]) -> Vec<Event> {
    let id = |&id: &u8| event(SHOP, &person.to_string(), row_id((person, id)));
    ids.iter().map(id).collect()
}

fn row_id((person, id): Row) -> u128 {
    1 + (u128::from(person) << 8) + u128::from(id)
}

fn row_of(id: Uuid) -> Row {
    let number = id.as_u128() - 1;
    ((number >> 8) as u8, number as u8)
}

/// What a caller is told by a step that answers with yes or an error.
fn told(answer: Result<Answer, StreamError>) -> Answer {
    match answer {
        Ok(answer) => answer,
        Err(StreamError::Fenced(_)) => Answer::Fenced,
        Err(StreamError::Stale { .. }) => Answer::Stale,
        Err(StreamError::Content { .. }) => Answer::Rewound,
        Err(error) => panic!("{error}"),
    }
}

impl Real {
    pub async fn new(redis: &Redis, number: u32) -> Real {
        let prefix = format!("m{number}:");
        let options = StreamOptions {
            prefix: prefix.clone(),
            max_entries: MOST_ENTRIES as u64,
            ..redis.options()
        };
        let client = redis::Client::open(redis.url()).unwrap();
        Real {
            stream: EventStream::connect(&options).await.unwrap(),
            connection: client.get_multiplexed_async_connection().await.unwrap(),
            prefix,
            owners: BTreeMap::new(),
            entries: HashMap::new(),
            letters: HashMap::new(),
            letter_ids: Vec::new(),
            stored: BTreeMap::new(),
        }
    }

    pub async fn apply(&mut self, op: &Op) -> Answer {
        match op {
            Op::Ingest {
                request,
                person,
                ids,
                source,
            } => {
                let (request, source) = (request.map(|r| r.to_string()), source.to_string());
                let request = Request {
                    source: &source,
                    ..Request::new(SHOP, request.as_deref())
                };
                match self.stream.append(&request, sent(*person, ids), NOW).await {
                    Ok(appended) if appended.replayed => Answer::Replayed,
                    Ok(appended) => {
                        Answer::Taken(appended.duplicates.iter().map(|&id| row_of(id).1).collect())
                    }
                    Err(AppendError::Full) => Answer::Full,
                    Err(error) => panic!("{error}"),
                }
            }
            Op::Acquire(number) => {
                let Some(found) = self.stream.acquire(0, &name(*number), TTL).await.unwrap() else {
                    return Answer::Held;
                };
                let batch = match &found.plan {
                    Some(plan) => Some((plan.seq, self.up_to(&plan.to).await)),
                    None => None,
                };
                let (epoch, seq) = (found.lease.epoch, found.seq);
                let owner = Owner {
                    lease: found.lease,
                    committed: seq,
                    batch,
                };
                self.owners.insert(*number, owner);
                let plan = found.plan.as_ref().map(|plan| self.plan(plan));
                Answer::Owned { epoch, seq, plan }
            }
            Op::Expire => {
                let key = format!("{}lease:{{s0}}", self.prefix);
                let () = redis::cmd("DEL")
                    .arg(key)
                    .query_async(&mut self.connection)
                    .await
                    .unwrap();
                Answer::Nothing
            }
            Op::Replay(letter) => match self.letter_ids.get(*letter).cloned() {
                None => Answer::Nothing,
                Some(id) => {
                    let admission = Admission {
                        version: 0,
                        keeps: &|_| true,
                    };
                    match self
                        .stream
                        .replay(SHOP, letter_id(&id), &admission)
                        .await
                        .unwrap()
                    {
                        Replayed::Queued => Answer::Ok,
                        other => gone(other == Replayed::Gone),
                    }
                }
            },
            Op::Discard(letter) => match self.letter_ids.get(*letter).cloned() {
                None => Answer::Nothing,
                Some(id) => match self.stream.discard(SHOP, letter_id(&id)).await.unwrap() {
                    true => Answer::Ok,
                    false => Answer::Gone,
                },
            },
            Op::Renew(owner)
            | Op::Release(owner)
            | Op::Plan(owner, _)
            | Op::Try(owner)
            | Op::Split(owner)
            | Op::Commit(owner, _)
            | Op::Announce(owner) => match self.owners.remove(owner) {
                None => Answer::Nothing,
                Some(mut caller) => {
                    let answer = self.as_owner(op, &mut caller).await;
                    self.owners.insert(*owner, caller);
                    told(answer)
                }
            },
        }
    }

    async fn as_owner(&mut self, op: &Op, caller: &mut Owner) -> Result<Answer, StreamError> {
        let seq = caller
            .batch
            .as_ref()
            .map_or(caller.committed + 1, |(seq, _)| *seq);
        let lease = &mut caller.lease;
        let stream = self.stream.clone();
        match op {
            Op::Renew(_) => stream.renew(lease).await?,
            Op::Release(_) => stream.release(lease).await?,
            Op::Announce(_) => stream.announce(lease).await?,
            Op::Split(_) => stream.mark_split(lease, seq).await?,
            Op::Try(_) => {
                let attempt = stream.try_again(lease, seq).await?;
                return Ok(Answer::Attempt(attempt.into()));
            }
            Op::Plan(_, entries) => {
                let mut waiting = stream.read_range(0, "0-0", None, u64::MAX, u64::MAX).await?;
                waiting.truncate(*entries);
                let Some(last) = waiting.last() else {
                    return Ok(Answer::Nothing);
                };
                let rows = waiting.iter().map(|entry| entry.rows).sum();
                let plan = stream
                    .plan(lease, &last.id, rows, 1, 0)
                    .await?
                    .expect("not paused");
                caller.batch = Some((plan.seq, self.up_to(&plan.to).await));
                return Ok(Answer::Planned(self.plan(&plan)));
            }
            Op::Commit(_, dead) => {
                self.commit(lease, seq, &caller.batch, *dead).await?;
                caller.committed = seq;
            }
            _ => unreachable!("not an owner's call"),
        }
        Ok(Answer::Ok)
    }

    async fn commit(
        &mut self,
        lease: &Lease,
        seq: u64,
        batch: &Option<Batch>,
        dead: usize,
    ) -> Result<(), StreamError> {
        let entries = batch.as_ref().map_or(&[][..], |(_, entries)| entries);
        let waited: Vec<Waited> = entries
            .iter()
            .filter_map(|entry| entry.waited().unwrap())
            .collect();
        let mut rows = Vec::new();
        for entry in entries {
            let source = entry.source.clone().expect("a source");
            rows.extend(
                entry
                    .kept()
                    .unwrap()
                    .into_iter()
                    .map(|event| (event, source.clone())),
            );
        }
        let alive = rows.split_off(dead.min(rows.len()));
        let dead: Vec<DeadRow> = rows
            .into_iter()
            .map(|(event, source)| DeadRow {
                event,
                code: 33,
                message: "refused".into(),
                source,
                received_at: NOW,
            })
            .collect();
        let commit = Commit {
            waited: &waited,
            ..committed(seq, alive.len() as u64, &dead)
        };
        self.stream.commit(lease, commit).await?;
        for (event, _) in &alive {
            *self.stored.entry(row_of(event.id)).or_default() += 1;
        }
        Ok(())
    }

    async fn up_to(&self, to: &str) -> Vec<footfall::stream::entry::Entry> {
        let read = self.stream.read_range(0, "0-0", Some(to), u64::MAX, u64::MAX);
        read.await.unwrap()
    }

    fn plan(&self, plan: &footfall::stream::shard::Plan) -> Plan {
        Plan {
            seq: plan.seq,
            to: self.entries[&plan.to],
            rows: plan.rows,
            attempt: plan.attempt.into(),
            split: plan.split,
        }
    }

    /// The shard as it lies in Redis. Whatever is new gets the next number.
    pub async fn shard(&mut self) -> Shard {
        let key = |kind: &str| format!("{}{kind}:{{s0}}", self.prefix);
        let mut calls = redis::pipe();
        calls.hgetall(key("st")).get(key("lease")).hgetall(key("pend"));
        calls.cmd("XRANGE").arg(key("dlq")).arg("-").arg("+");
        calls.get(format!("{}rev:{{p{SHOP}}}", self.prefix));
        type Seen = (
            HashMap<String, String>,
            Option<String>,
            HashMap<String, u64>,
            StreamRangeReply,
            Option<u64>,
        );
        let (st, lease, pend, dlq, rev): Seen = calls.query_async(&mut self.connection).await.unwrap();
        let waiting = self
            .stream
            .read_range(0, "0-0", None, u64::MAX, u64::MAX)
            .await
            .unwrap();
        for entry in &waiting {
            let number = self.entries.len();
            self.entries.entry(entry.id.clone()).or_insert(number);
        }
        for letter in &dlq.ids {
            if !self.letters.contains_key(&letter.id) {
                self.letters.insert(letter.id.clone(), self.letter_ids.len());
                self.letter_ids.push(letter.id.clone());
            }
        }
        let number = |field: &str| st.get(field).map_or(0, |text| text.parse().unwrap());
        let entry = |field: &str| st.get(field).map(|id| self.entries[id]);
        Shard {
            epoch: number("epoch"),
            lease: lease.map(|lease| {
                let (owner, epoch) = lease.split_once(':').unwrap();
                (owner[1..].parse().unwrap(), epoch.parse().unwrap())
            }),
            seq: number("seq"),
            done: entry("done"),
            plan: entry("p_to").map(|to| Plan {
                seq: number("p_seq"),
                to,
                rows: number("p_n"),
                attempt: number("p_try"),
                split: st.contains_key("split"),
            }),
            announce: st.contains_key("announce"),
            rows_in: number("rows_in"),
            rows_out: number("rows_out"),
            rows_dead: number("rows_dead"),
            rows_dup: number("rows_dup"),
            rows_discarded: number("rows_discarded"),
            pend: pend
                .into_iter()
                .map(|(field, rows)| {
                    let source = field.rsplit(':').next().unwrap().parse().unwrap();
                    ((field.starts_with('z'), source), rows)
                })
                .collect(),
            entries: waiting
                .iter()
                .map(|entry| Entry {
                    number: self.entries[&entry.id],
                    sent: entry.rows,
                    kept: entry
                        .kept()
                        .unwrap()
                        .iter()
                        .map(|event| row_of(event.id))
                        .collect(),
                    source: entry.source.as_ref().unwrap().parse().unwrap(),
                    replayed: entry.replayed,
                })
                .collect(),
            letters: dlq.ids.iter().map(|letter| self.letters[&letter.id]).collect(),
            rev: rev.unwrap_or(0),
        }
    }
}

fn name(number: usize) -> std::sync::Arc<str> {
    owner(&format!("o{number}"))
}

fn gone(gone: bool) -> Answer {
    assert!(gone, "neither erased nor behind");
    Answer::Gone
}

fn letter_id(id: &str) -> LetterId {
    format!("0-{id}").parse().expect("a letter's id")
}
