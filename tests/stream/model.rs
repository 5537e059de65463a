//! What one shard of the stream is, without Redis: a small pure model that the scripts are held to.
//!
//! Entries, letters and rows have numbers here, in the order in which they came to be.

use std::collections::{BTreeMap, BTreeSet};

/// One event: person and the client's id.
pub type Row = (u8, u8);

/// One call of a script, by whoever.
#[derive(Clone, Debug)]
pub enum Op {
    /// A request of one person. The same request with the same ids is the same request sent again.
    Ingest {
        request: Option<u8>,
        person: u8,
        ids: Vec<u8>,
        source: u8,
    },
    Acquire(usize),
    Renew(usize),
    Release(usize),
    /// The lease runs out, whoever has it.
    Expire,
    /// Writes a boundary behind this many of the entries that wait.
    Plan(usize, usize),
    Try(usize),
    Split(usize),
    /// Commits the batch in the owner's hands, of which this many rows at most are dead.
    Commit(usize, usize),
    Announce(usize),
    /// Replays, or discards, this one of all letters that ever were.
    Replay(usize),
    Discard(usize),
}

/// What the caller is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The caller had nothing to call with.
    Nothing,
    /// Taken, without these rows of the request.
    Taken(Vec<u8>),
    Replayed,
    Full,
    Held,
    Owned {
        epoch: u64,
        seq: u64,
        plan: Option<Plan>,
    },
    Planned(Plan),
    Rewound,
    Attempt(u64),
    Ok,
    Fenced,
    Stale,
    Gone,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub seq: u64,
    /// Number of the last entry.
    pub to: usize,
    pub rows: u64,
    pub attempt: u64,
    pub split: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub number: usize,
    /// All rows that were sent.
    pub sent: u64,
    pub kept: Vec<Row>,
    pub source: u8,
    /// Whether it is a letter that is tried again.
    pub replayed: bool,
}

/// Everything that can be seen of the shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shard {
    pub epoch: u64,
    /// Owner and epoch.
    pub lease: Option<(usize, u64)>,
    pub seq: u64,
    /// Number of the last committed entry.
    pub done: Option<usize>,
    pub plan: Option<Plan>,
    pub announce: bool,
    pub rows_in: u64,
    pub rows_out: u64,
    pub rows_dead: u64,
    pub rows_dup: u64,
    pub rows_discarded: u64,
    /// Rows that wait, by source, apart from those of letters that are tried again (true).
    pub pend: BTreeMap<(bool, u8), u64>,
    pub entries: Vec<Entry>,
    /// Numbers of the letters that are there.
    pub letters: Vec<usize>,
    /// How often readers were told.
    pub rev: u64,
}

/// What an owner believes.
#[derive(Clone, Debug)]
pub struct View {
    epoch: u64,
    /// Last batch that it knows to be committed.
    committed: u64,
    batch: Option<(u64, Vec<Entry>)>,
}

/// A letter, there or not.
#[derive(Clone, Debug)]
struct Letter {
    row: Row,
    source: u8,
    replayed: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub shard: Shard,
    views: BTreeMap<usize, View>,
    /// Request keys: request, person, ids.
    requests: BTreeSet<(u8, u8, Vec<u8>)>,
    seen: BTreeSet<Row>,
    next_entry: usize,
    letters: Vec<Letter>,
}

/// Entries that a shard may hold.
pub const MOST_ENTRIES: usize = 8;

impl Model {
    /// Carries the call out.
    pub fn apply(&mut self, op: &Op) -> Answer {
        match op {
            Op::Ingest {
                request,
                person,
                ids,
                source,
            } => self.ingest(*request, *person, ids, *source),
            Op::Acquire(owner) => self.acquire(*owner),
            Op::Expire => {
                self.shard.lease = None;
                Answer::Nothing
            }
            Op::Replay(letter) => self.replay(*letter),
            Op::Discard(letter) => self.discard(*letter),
            Op::Renew(owner)
            | Op::Release(owner)
            | Op::Plan(owner, _)
            | Op::Try(owner)
            | Op::Split(owner)
            | Op::Commit(owner, _)
            | Op::Announce(owner) => match self.views.get(owner).cloned() {
                Some(view) => self.as_owner(op, *owner, &view),
                None => Answer::Nothing,
            },
        }
    }

    /// How many letters there ever were.
    pub fn letters_ever(&self) -> usize {
        self.letters.len()
    }

    fn add(&mut self, sent: u64, kept: Vec<Row>, source: u8, replayed: bool) {
        let number = self.next_entry;
        self.next_entry += 1;
        if !kept.is_empty() {
            *self.shard.pend.entry((replayed, source)).or_default() += kept.len() as u64;
        }
        self.shard.entries.push(Entry {
            number,
            sent,
            kept,
            source,
            replayed,
        });
    }

    fn ingest(&mut self, request: Option<u8>, person: u8, ids: &[u8], source: u8) -> Answer {
        let key = request.map(|request| (request, person, ids.to_vec()));
        if key.as_ref().is_some_and(|key| self.requests.contains(key)) {
            return Answer::Replayed;
        }
        if self.shard.entries.len() >= MOST_ENTRIES {
            return Answer::Full;
        }
        let (mut kept, mut dropped) = (Vec::new(), Vec::new());
        for &id in ids {
            match self.seen.insert((person, id)) {
                true => kept.push((person, id)),
                false => dropped.push(id),
            }
        }
        self.requests.extend(key);
        self.shard.rows_in += kept.len() as u64;
        self.shard.rows_dup += dropped.len() as u64;
        self.add(ids.len() as u64, kept, source, false);
        Answer::Taken(dropped)
    }

    fn acquire(&mut self, owner: usize) -> Answer {
        if self.shard.lease.is_some_and(|(holder, _)| holder != owner) {
            return Answer::Held;
        }
        let shard = &mut self.shard;
        shard.epoch += 1;
        shard.lease = Some((owner, shard.epoch));
        let (epoch, seq, plan) = (shard.epoch, shard.seq, shard.plan.clone());
        let batch = plan.as_ref().map(|plan| (plan.seq, self.up_to(plan.to)));
        self.views.insert(
            owner,
            View {
                epoch,
                committed: seq,
                batch,
            },
        );
        Answer::Owned { epoch, seq, plan }
    }

    fn up_to(&self, to: usize) -> Vec<Entry> {
        let entries = self.shard.entries.iter();
        entries.filter(|entry| entry.number <= to).cloned().collect()
    }

    /// A call that carries the owner's epoch.
    fn as_owner(&mut self, op: &Op, owner: usize, view: &View) -> Answer {
        let fenced = view.epoch != self.shard.epoch;
        // A call about a batch names the one in the owner's hands, else the next one.
        let seq = view.batch.as_ref().map_or(view.committed + 1, |(seq, _)| *seq);
        let planned = self.shard.plan.as_mut().filter(|plan| plan.seq == seq);
        match op {
            Op::Release(_) => {
                if self.shard.lease == Some((owner, view.epoch)) {
                    self.shard.lease = None;
                }
                Answer::Ok
            }
            Op::Announce(_) if !self.shard.announce => Answer::Ok,
            Op::Announce(_) => {
                self.shard.rev += 1;
                self.shard.announce = fenced;
                if fenced { Answer::Fenced } else { Answer::Ok }
            }
            Op::Plan(_, entries) => self.plan(owner, view, *entries),
            _ if fenced => Answer::Fenced,
            Op::Renew(_) => {
                self.shard.lease = Some((owner, view.epoch));
                Answer::Ok
            }
            Op::Try(_) => planned.map_or(Answer::Stale, |plan| {
                plan.attempt += 1;
                Answer::Attempt(plan.attempt)
            }),
            Op::Split(_) => planned.map_or(Answer::Stale, |plan| {
                plan.split = true;
                Answer::Ok
            }),
            Op::Commit(_, dead) if planned.is_some() => self.commit(owner, view, *dead),
            _ => Answer::Stale,
        }
    }

    fn plan(&mut self, owner: usize, view: &View, entries: usize) -> Answer {
        let boundary: Vec<&Entry> = self.shard.entries.iter().take(entries).collect();
        let Some(last) = boundary.last() else {
            return Answer::Nothing;
        };
        if view.epoch != self.shard.epoch {
            return Answer::Fenced;
        }
        if view.committed != self.shard.seq {
            return Answer::Rewound;
        }
        let plan = self.shard.plan.clone().unwrap_or(Plan {
            seq: self.shard.seq + 1,
            to: last.number,
            rows: boundary.iter().map(|entry| entry.sent).sum(),
            attempt: 0,
            split: false,
        });
        self.shard.plan = Some(plan.clone());
        let batch = Some((plan.seq, self.up_to(plan.to)));
        self.views.insert(
            owner,
            View {
                batch,
                ..view.clone()
            },
        );
        Answer::Planned(plan)
    }

    fn commit(&mut self, owner: usize, view: &View, dead: usize) -> Answer {
        let (Some(plan), Some((_, batch))) = (self.shard.plan.take(), &view.batch) else {
            return Answer::Stale;
        };
        let rows: Vec<(Row, (bool, u8))> = batch
            .iter()
            .flat_map(|entry| {
                entry
                    .kept
                    .iter()
                    .map(|&row| (row, (entry.replayed, entry.source)))
            })
            .collect();
        let dead = dead.min(rows.len());
        for &(row, (_, source)) in &rows[..dead] {
            self.shard.letters.push(self.letters.len());
            self.letters.push(Letter {
                row,
                source,
                replayed: false,
            });
        }
        for (_, waited) in &rows {
            let left = self.shard.pend.entry(*waited).or_default();
            *left -= 1;
        }
        let shard = &mut self.shard;
        shard.pend.retain(|_, rows| *rows > 0);
        shard.entries.retain(|entry| entry.number > plan.to);
        shard.seq = plan.seq;
        shard.done = Some(plan.to);
        shard.rows_dead += dead as u64;
        shard.rows_out += (rows.len() - dead) as u64;
        shard.announce = true;
        self.views.insert(
            owner,
            View {
                committed: plan.seq,
                ..view.clone()
            },
        );
        Answer::Ok
    }

    fn replay(&mut self, number: usize) -> Answer {
        let Some(letter) = self.letters.get_mut(number) else {
            return Answer::Nothing;
        };
        let Some(at) = self.shard.letters.iter().position(|&there| there == number) else {
            return if letter.replayed { Answer::Ok } else { Answer::Gone };
        };
        letter.replayed = true;
        let (row, source) = (letter.row, letter.source);
        self.shard.letters.remove(at);
        self.shard.rows_dead -= 1;
        self.add(1, vec![row], source, true);
        Answer::Ok
    }

    fn discard(&mut self, number: usize) -> Answer {
        let Some(letter) = self.letters.get(number) else {
            return Answer::Nothing;
        };
        let source = letter.source;
        let Some(at) = self.shard.letters.iter().position(|&there| there == number) else {
            return Answer::Gone;
        };
        self.shard.letters.remove(at);
        self.shard.rows_dead -= 1;
        self.shard.rows_discarded += 1;
        self.add(0, Vec::new(), source, false);
        Answer::Ok
    }
}
