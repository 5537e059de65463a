//! The state machine that carries a shard's entries into the tables, exactly once.
//!
//! ```text
//! between batches -- entries wait --> PLAN -> open -- per table: INSERT, VERIFY where in doubt --> COMMIT -> announce
//!                                       ^ a new owner enters here with the plan it finds, in doubt of every table
//! VERIFY finds a difference -> TRY (written down first) -> DELETE of older tries -> INSERT under the new try
//! ```
//!
//! Whatever is killed, the boundary of the batch and its number are in Redis before its first row is sent, so
//! whoever goes on sends the same bytes under the same token; what cannot be decided by the token (a block
//! noted but never attached, a try of an owner that was stalled) is decided by counting.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::fault;
use crate::identity::Learner;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::stream::EventStream;
use crate::stream::shard::{Commit, Entry, Lease, Plan, batch_number};

use super::batch::Batch;
use super::insert::{fresh, holding, insert, learn};
use super::memory::{Memory, Reserved};

pub use super::outcome::{DeliverError, Delivered, Step};

mod removal;

/// The encoder of rows that a plan is made with. Raise it with any change of a row's bytes, and keep the old
/// one for plans that name it.
const ENCODER: u32 = 1;

/// Sizes and times of deliveries.
#[derive(Clone, Debug)]
pub struct DeliverOptions {
    /// Rows of a batch, at most [`crate::store::batch::MAX_ROWS`].
    pub max_rows: u64,
    /// Unpacked bytes of a batch; never more than half of `memory`.
    pub max_bytes: u64,
    /// Bytes that the batches of all shards may take together. A shard waits for its part before it plans.
    pub memory: u64,
    /// How long a shard stays with a worker that fell silent.
    pub lease_ttl: Duration,
}

impl Default for DeliverOptions {
    fn default() -> DeliverOptions {
        DeliverOptions {
            max_rows: 200_000,
            max_bytes: 64 << 20,
            memory: 512 << 20,
            lease_ttl: Duration::from_secs(10),
        }
    }
}

/// Takes shards and delivers them. Cheap to clone.
#[derive(Clone)]
pub struct Deliverer {
    pub(super) stream: EventStream,
    pub(super) store: Store,
    pub(super) options: DeliverOptions,
    pub(super) owner: Arc<str>,
    learner: Learner,
    memory: Memory,
}

enum State {
    /// Nothing is planned.
    Between,
    /// A plan is written down whose rows are not in memory: the last owner's.
    Found(Plan),
    Open(Box<Batch>),
    /// Committed, but the projects' counters may not have been raised. A plan that was found comes next.
    Unannounced(Option<Plan>),
}

/// One owned shard.
pub struct Delivery {
    deliverer: Deliverer,
    lease: Lease,
    /// Last committed entry.
    done: String,
    state: State,
    /// Not before then are removals looked at again that did not succeed.
    removals_wait: Option<Instant>,
}

impl Deliverer {
    /// A deliverer with an owner's name of its own.
    pub fn new(stream: EventStream, store: Store, mut options: DeliverOptions) -> Deliverer {
        let owner = Arc::from(uuid::Uuid::new_v4().simple().to_string());
        let memory = Memory::new(options.memory);
        options.max_bytes = options.max_bytes.min(memory.most_unpacked());
        Deliverer {
            memory,
            learner: Learner::new(store.clone(), stream.clone()),
            stream,
            store,
            options,
            owner,
        }
    }

    /// Takes the shard; `None` while somebody else owns it.
    ///
    /// # Errors
    /// [`DeliverError::Stopped`] when ClickHouse knows batches that Redis does not: a Redis that went back in
    /// time would reuse their numbers, and ClickHouse would drop the new rows as duplicates.
    pub async fn own(&self, shard: u16) -> Result<Option<Delivery>, DeliverError> {
        let Some(found) = self
            .stream
            .acquire(shard, &self.owner, self.options.lease_ttl)
            .await?
        else {
            return Ok(None);
        };
        // Whoever had the shard may have taken somebody out of what was learned.
        self.learner.forget();
        let plan = found.plan.filter(|_| !fault::left_out("plan"));
        let known = plan.as_ref().map_or(found.seq, |plan| plan.seq);
        let state = match (found.announce, plan) {
            (Some(_), plan) => State::Unannounced(plan),
            (None, Some(plan)) => State::Found(plan),
            (None, None) => State::Between,
        };
        let mut delivery = Delivery {
            deliverer: self.clone(),
            lease: found.lease,
            done: found.done,
            state,
            removals_wait: None,
        };
        match delivery.check_history(known).await {
            Ok(()) => Ok(Some(delivery)),
            Err(error) => {
                delivery.release().await;
                Err(error)
            }
        }
    }

    /// Takes the shard, delivers one batch if entries wait, gives the shard back. For tests and drains.
    ///
    /// # Errors
    /// As [`Delivery::step`]; a plan that was made stays for the next call.
    pub async fn deliver_once(&self, shard: u16) -> Result<Delivered, DeliverError> {
        let Some(mut delivery) = self.own(shard).await? else {
            return Ok(Delivered::Held);
        };
        let mut committed = Delivered::Nothing;
        let delivered = loop {
            match delivery.step().await {
                Ok(Step::Idle | Step::Paused) => break Ok(committed),
                Ok(Step::Committed { seq, rows, dead }) => committed = Delivered::Batch { seq, rows, dead },
                Ok(Step::Announced) if committed != Delivered::Nothing => break Ok(committed),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
        };
        delivery.release().await;
        delivered
    }
}

impl Delivery {
    /// Drives one transition. After [`DeliverError::Waiting`] call it again; after the others drop it.
    pub async fn step(&mut self) -> Result<Step, DeliverError> {
        fresh(&self.deliverer.stream, &mut self.lease).await?;
        match &mut self.state {
            State::Between => match self.carry_out_removals().await? {
                Some(removed) => Ok(removed),
                None => self.plan().await,
            },
            State::Found(plan) => {
                let plan = plan.clone();
                let seq = plan.seq;
                self.open(plan).await?;
                Ok(Step::Planned { seq })
            }
            State::Open(batch) => match batch.due() {
                Some(table) => {
                    let with = &self.deliverer;
                    learn(&with.stream, &with.learner, &mut self.lease, batch).await?;
                    let inserted = insert(&with.stream, &with.store, &mut self.lease, batch).await;
                    match inserted {
                        Ok(()) => batch.advance(),
                        Err(_) => batch.cast_doubt(),
                    }
                    inserted.map(|()| Step::Inserted { table })
                }
                None => self.commit().await,
            },
            State::Unannounced(plan) => {
                self.deliverer.stream.announce(&self.lease).await?;
                self.state = plan.take().map_or(State::Between, State::Found);
                Ok(Step::Announced)
            }
        }
    }

    /// Whether nothing of a batch is under way, so that the shard may change hands.
    pub fn is_between_batches(&self) -> bool {
        matches!(self.state, State::Between)
    }

    /// Gives the memory of a batch that cannot go on to shards that wait for some. The plan stays; its rows are
    /// read again, in doubt of every table, as a new owner would. Whether that happened.
    pub fn put_down(&mut self) -> bool {
        let wanted = self.deliverer.memory.is_wanted();
        if let (State::Open(batch), true) = (&self.state, wanted) {
            self.state = State::Found(batch.plan.clone());
            return true;
        }
        false
    }

    /// The shard.
    pub fn shard(&self) -> u16 {
        self.lease.shard
    }

    /// Last committed entry.
    pub fn done(&self) -> &str {
        &self.done
    }

    /// Keeps the lease.
    pub async fn hold(&mut self) -> Result<(), DeliverError> {
        fresh(&self.deliverer.stream, &mut self.lease).await
    }

    /// Keeps the lease while there is nothing to deliver, and carries out removals.
    pub async fn keep(&mut self) -> Result<(), DeliverError> {
        fresh(&self.deliverer.stream, &mut self.lease).await?;
        self.carry_out_removals().await.map(drop)
    }

    /// Gives the shard back. Whatever is planned waits for the next owner.
    pub async fn release(self) {
        if let Err(error) = self.deliverer.stream.release(&self.lease).await {
            tracing::debug!(shard = self.lease.shard, %error, "lease not given back, it will run out");
        }
    }

    /// Redis and ClickHouse must tell the same history; `known` is the last planned or committed batch.
    async fn check_history(&mut self, known: u64) -> Result<(), DeliverError> {
        let Deliverer { stream, store, .. } = &self.deliverer;
        let shard = self.lease.shard;
        let incarnation = self.lease.incarnation;
        let look = async { Ok::<_, StoreError>((store.incarnation().await?, store.max_batch(shard).await?)) };
        let (recorded, largest) = holding(stream, &mut self.lease, look).await??;
        match recorded {
            None => store.record_incarnation(incarnation).await?,
            Some(recorded) if recorded == incarnation => {}
            Some(recorded) => {
                return Err(DeliverError::Stopped(format!(
                    "Redis is in incarnation {incarnation}, ClickHouse in {recorded}: one of them was replaced"
                )));
            }
        }
        let known = batch_number(incarnation, known);
        match largest {
            Some(largest) if largest > known && !fault::left_out("history") => {
                Err(DeliverError::Stopped(format!(
                    "ClickHouse holds batch {largest} of shard {shard}, Redis knows none after {known}: Redis went \
                 back in time"
                )))
            }
            _ => Ok(()),
        }
    }

    async fn plan(&mut self) -> Result<Step, DeliverError> {
        let (stream, options) = (&self.deliverer.stream, &self.deliverer.options);
        let reserved = self.deliverer.memory.reserve(options.max_bytes);
        let reserved = holding(stream, &mut self.lease, reserved).await?;
        let read = stream.read_range(
            self.lease.shard,
            &self.done,
            None,
            options.max_rows,
            options.max_bytes,
        );
        let entries = holding(stream, &mut self.lease, read).await??;
        let Some(last) = entries.last() else {
            return Ok(Step::Idle);
        };
        let rows = entries.iter().map(|entry| entry.rows).sum();
        fault::point("deliver.before_plan").await?;
        let Some(plan) = stream.plan(&self.lease, &last.id, rows, ENCODER, 0).await? else {
            return Ok(Step::Paused);
        };
        fault::point("deliver.after_plan").await?;
        let seq = plan.seq;
        if plan.to == last.id {
            self.state = State::Found(plan.clone());
            self.load(plan, entries, reserved, false).await?;
        } else {
            // The answer to our own earlier PLAN was lost; it was made when fewer entries waited.
            self.state = State::Found(plan);
        }
        Ok(Step::Planned { seq })
    }

    /// Reads exactly the rows of a plan that was found, once there is memory for them.
    async fn open(&mut self, plan: Plan) -> Result<(), DeliverError> {
        let Deliverer {
            stream,
            options,
            memory,
            ..
        } = &self.deliverer;
        let mut unpacked = options.max_bytes;
        loop {
            let reserved = holding(stream, &mut self.lease, memory.reserve(unpacked)).await?;
            let read = stream.read_range(self.lease.shard, &self.done, Some(&plan.to), u64::MAX, u64::MAX);
            let entries = holding(stream, &mut self.lease, read).await??;
            unpacked = size(&entries);
            // Planned by a worker with larger batches: reserved anew, because who holds memory may not wait for more.
            if memory.covers(&reserved, unpacked) {
                return self.load(plan, entries, reserved, true).await;
            }
        }
    }

    /// Makes a batch of the plan's entries.
    async fn load(
        &mut self,
        plan: Plan,
        entries: Vec<Entry>,
        mut reserved: Reserved,
        taken_over: bool,
    ) -> Result<(), DeliverError> {
        let Deliverer { stream, memory, .. } = &self.deliverer;
        let shard = self.lease.shard;
        memory.shrink(&mut reserved, size(&entries));
        if plan.version != ENCODER {
            return Err(DeliverError::Stopped(format!(
                "batch {} of shard {shard} was planned with encoder {}, this version has {ENCODER}",
                plan.seq, plan.version
            )));
        }
        let rows: u64 = entries.iter().map(|entry| entry.rows).sum();
        if rows != plan.rows {
            return Err(DeliverError::Stopped(format!(
                "batch {} of shard {shard} was planned with {} rows, the stream holds {rows}",
                plan.seq, plan.rows
            )));
        }
        let lease = self.lease.clone();
        let load =
            tokio::task::spawn_blocking(move || Batch::load(&lease, plan, entries, reserved, taken_over));
        let batch = holding(stream, &mut self.lease, load).await?;
        let batch = batch.map_err(|e| DeliverError::Waiting(e.to_string()))?;
        let batch = batch.map_err(|e| DeliverError::Stopped(format!("shard {shard}: {e}")))?;
        self.state = State::Open(Box::new(batch));
        Ok(())
    }

    async fn commit(&mut self) -> Result<Step, DeliverError> {
        let State::Open(batch) = &self.state else {
            return Ok(Step::Idle);
        };
        let (seq, rows, dead) = (batch.plan.seq, batch.rows_stored(), batch.dead_rows());
        let stream = &self.deliverer.stream;
        let commit = Commit {
            seq,
            rows_stored: rows,
            dead: &dead,
            projects: &batch.projects(),
            waited: &batch.waited(),
        };
        fault::point("deliver.before_commit").await?;
        stream.commit(&self.lease, commit).await?;
        fault::point("deliver.after_commit").await?;
        if !dead.is_empty() {
            tracing::warn!(
                shard = self.lease.shard,
                seq,
                rows = dead.len(),
                "rows became dead letters"
            );
        }
        self.done = batch.plan.to.clone();
        self.state = State::Unannounced(None);
        Ok(Step::Committed {
            seq,
            rows,
            dead: dead.len() as u64,
        })
    }
}

/// Unpacked bytes of the entries.
fn size(entries: &[Entry]) -> u64 {
    entries.iter().map(|entry| entry.unpacked).sum()
}
