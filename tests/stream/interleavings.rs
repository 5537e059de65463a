//! The real scripts against [`super::model`]: any order of calls by several owners, with leases that run out at any
//! moment and letters that come and go. After each call the answer and the whole shard are those of the model, and
//! the books balance.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use footfall::event::Event;
use footfall::stream::append::AppendError;
use footfall::stream::ledger::Waited;
use footfall::stream::letters::{Admission, LetterId, Replayed};
use footfall::stream::shard::{Commit, DeadRow, Lease};
use footfall::stream::{EventStream, Request, StreamError, StreamOptions};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use redis::streams::StreamRangeReply;
use uuid::Uuid;

use super::harness::*;
use super::model::{Answer, Entry, MOST_ENTRIES, Model, Op, Plan, Row, Shard};

const OWNERS: usize = 3;
/// Interleavings, and calls of each.
const CASES: u32 = 300;
const CALLS: usize = 40;

fn op() -> impl Strategy<Value = Op> {
    let owner = || 0..OWNERS;
    let ingest = (
        proptest::option::weighted(0.7, 0_u8..3),
        0_u8..2,
        proptest::collection::vec(0_u8..12, 1..4),
        0_u8..2,
    );
    prop_oneof![
        6 => ingest.prop_map(|(request, person, ids, source)| Op::Ingest { request, person, ids, source }),
        3 => owner().prop_map(Op::Acquire),
        1 => owner().prop_map(Op::Renew),
        1 => owner().prop_map(Op::Release),
        2 => Just(Op::Expire),
        5 => (owner(), 1_usize..4).prop_map(|(owner, entries)| Op::Plan(owner, entries)),
        1 => owner().prop_map(Op::Try),
        1 => owner().prop_map(Op::Split),
        5 => (owner(), 0_usize..3).prop_map(|(owner, dead)| Op::Commit(owner, dead)),
        2 => owner().prop_map(Op::Announce),
        1 => (0_usize..4).prop_map(Op::Replay),
        1 => (0_usize..4).prop_map(Op::Discard),
    ]
}

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
struct Real {
    stream: EventStream,
    connection: redis::aio::MultiplexedConnection,
    prefix: String,
    owners: BTreeMap<usize, Owner>,
    /// Numbers of entries and letters by their ids, in the order in which they came.
    entries: HashMap<String, usize>,
    letters: HashMap<String, usize>,
    letter_ids: Vec<String>,
    /// Rows that were stored, and how often.
    stored: BTreeMap<Row, usize>,
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
    async fn new(redis: &Redis, number: u32) -> Real {
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

    async fn apply(&mut self, op: &Op) -> Answer {
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
    async fn shard(&mut self) -> Shard {
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
                .map(|(field, rows)| (field.rsplit(':').next().unwrap().parse().unwrap(), rows))
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

/// What must hold of a shard at every moment, whatever the model says.
fn balances(shard: &Shard, real: &Real) -> Result<(), TestCaseError> {
    let waiting: u64 = shard.entries.iter().map(|entry| entry.kept.len() as u64).sum();
    let ended = shard.rows_out + shard.rows_dead + shard.rows_discarded;
    prop_assert_eq!(shard.rows_in, ended + waiting, "every row taken is somewhere");
    prop_assert_eq!(shard.pend.values().sum::<u64>(), waiting, "pend is what waits");
    prop_assert_eq!(
        shard.letters.len() as u64,
        shard.rows_dead,
        "a letter for each dead row"
    );
    let twice: Vec<_> = real.stored.iter().filter(|(_, times)| **times > 1).collect();
    prop_assert!(twice.is_empty(), "committed twice: {:?}", twice);
    prop_assert_eq!(real.stored.len() as u64, shard.rows_out, "committed is counted");
    if let Some(plan) = &shard.plan {
        let batch: Vec<&Entry> = shard
            .entries
            .iter()
            .filter(|entry| entry.number <= plan.to)
            .collect();
        prop_assert_eq!(
            batch.last().map(|entry| entry.number),
            Some(plan.to),
            "the boundary is there"
        );
        prop_assert_eq!(
            batch.iter().map(|entry| entry.sent).sum::<u64>(),
            plan.rows,
            "the plan's rows are there"
        );
        prop_assert_eq!(plan.seq, shard.seq + 1);
    }
    let done_is_gone = shard
        .done
        .is_none_or(|done| shard.entries.iter().all(|entry| entry.number > done));
    prop_assert!(done_is_gone, "a commit trims up to its boundary, and no further");
    Ok(())
}

async fn interleaved(redis: &Redis, number: u32, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut real = Real::new(redis, number).await;
    let mut model = Model::default();
    let mut acknowledged = BTreeSet::new();
    for (n, op) in ops.iter().enumerate() {
        let answer = real.apply(op).await;
        let seen = real.shard().await;
        prop_assert_eq!(&answer, &model.apply(op), "answer to call {}: {:?}", n, op);
        prop_assert_eq!(&seen, &model.shard, "after call {}: {:?}", n, op);
        balances(&seen, &real)?;
        if let (Op::Ingest { person, ids, .. }, Answer::Taken(_) | Answer::Replayed) = (op, &answer) {
            acknowledged.extend(ids.iter().map(|&id| (*person, id)));
        }
    }
    // Everything acknowledged is committed, waits, or is a letter, or was discarded: each once.
    let waiting = model
        .shard
        .entries
        .iter()
        .map(|entry| entry.kept.len() as u64)
        .sum::<u64>();
    let known = real.stored.len() as u64 + waiting + model.shard.rows_dead + model.shard.rows_discarded;
    prop_assert_eq!(acknowledged.len() as u64, known, "acknowledged and somewhere");
    prop_assert_eq!(model.letters_ever(), real.letter_ids.len());
    // The product's own books say the same.
    for books in real.stream.books().await.unwrap() {
        let ours = (
            Some(waiting),
            Some(waiting),
            Some(waiting),
            model.shard.rows_dead,
            model.shard.rows_dead,
        );
        let theirs = (
            books.rows_waiting,
            books.rows_noted,
            books.notes,
            books.letters,
            books.letters_indexed,
        );
        prop_assert_eq!(theirs, ours);
    }
    Ok(())
}

#[test]
fn any_interleaving_of_the_scripts_does_what_the_model_does() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let redis = runtime.block_on(Redis::start());
    // Nothing is killed here; without fsyncs ten times as many interleavings fit.
    redis.run("CONFIG SET appendonly no");
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let number = std::cell::Cell::new(0);
    let outcome = TestRunner::new(config).run(&proptest::collection::vec(op(), 1..CALLS), |ops| {
        number.set(number.get() + 1);
        runtime.block_on(interleaved(&redis, number.get(), &ops))
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
