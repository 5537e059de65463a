//! The removal gate: how an erasure, retention or the end of a project takes events out of everything, while the
//! sums of the audit go on to hold.
//!
//! ```text
//! requested  -- the tombstone stands; every affected shard's gate is raised to it ---------------> waiting
//! waiting    -- each shard has delivered what it took before; everything is counted -------------> removing
//! removing   -- each shard's owner deleted its rows; dead letters, samples, days of activity
//!               and rollups that have nothing left are gone; the affected days are queued --------> rebuilding
//! rebuilding -- every affected day is counted again -------------------------------------------> verifying
//! verifying  -- masked rows are off the disk; everything is counted once more: zero --------------> done
//! ```
//!
//! Every state is written down in the control database before the next begins, and everything that a state does may
//! be done twice. So whoever goes on after a crash begins with the state that is written down.

mod days;
mod ids;
mod turn;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::profiles::{FillError, fill};
use super::roll::{RollError, Roller};
use crate::clock::Clock;
use crate::event::{Day, Which};
use crate::fault::{self, Fault};
use crate::identity::{LearnError, Learner};
use crate::meta::{
    Certificate, ErasureKind, ErasureState, Meta, MetaError, Moment, Open, Progress, RemovedCounts,
};
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::profiles::Scope;
use crate::stream::removal::Removal;
use crate::stream::{EventStream, StreamError};
use days::{bounds, local_days, note_days, rebuilds};

pub use ids::control;

/// Between two looks at the erasures under way.
const EVERY: Duration = Duration::from_secs(1);

/// Looks between two sweeps of retention: ten minutes.
const LOOKS_A_SWEEP: u32 = 600;

/// How long the turn stays with a worker that fell silent. One that works prolongs it.
const TURN: Duration = Duration::from_secs(60);

/// Rebuilds are announced this long before they would run by themselves: longer than rows take to be deleted.
const NOTICE_MS: i64 = 3_600_000;

/// Erasures that one look moves on.
const MOST_OPEN: u32 = 100;

/// Times that the whole is done again because something was found at the end.
const MOST_REPEATS: u32 = 10;

/// Moves erasures on. Cheap to clone.
#[derive(Clone)]
pub struct Remover {
    meta: Meta,
    stream: EventStream,
    store: Store,
    roller: Roller,
    learner: Learner,
    owner: Arc<str>,
}

/// An engine is away or refuses. What was not finished is done at the next look.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    #[error(transparent)]
    Meta(#[from] MetaError),
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Roll(#[from] RollError),
    #[error(transparent)]
    Identity(#[from] LearnError),
    #[error(transparent)]
    Fill(#[from] FillError),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("another worker moves it on, or workers are paused")]
    Overtaken,
}

/// Where a step leaves an erasure.
enum Moved {
    /// Something has to happen first; in words.
    Waits(String),
    To(ErasureState, &'static str, Progress),
    Ended(Progress, Box<Certificate>),
    Failed(Progress, String),
}

impl Remover {
    /// A remover with an owner's name of its own.
    pub fn new(meta: Meta, stream: EventStream, store: Store, roller: Roller) -> Remover {
        let learner = Learner::new(store.clone(), stream.clone()).with_control(control(meta.clone()));
        Remover {
            meta,
            stream,
            store,
            roller,
            learner,
            owner: Arc::from(uuid::Uuid::new_v4().simple().to_string()),
        }
    }

    /// Looks every second until `shutdown`; lets retention take effect every ten minutes.
    pub async fn run(&self, clock: &Clock, shutdown: CancellationToken) {
        let mut looks: u32 = 0;
        loop {
            let look = async {
                if self.stream.take_removing(&self.owner, TURN).await? {
                    if looks.is_multiple_of(LOOKS_A_SWEEP) {
                        self.meta.enforce_retention(clock.now_ms()).await?;
                        self.forget_ended().await?;
                    }
                    Box::pin(self.look(clock.now_ms())).await?;
                }
                Ok::<(), RemoveError>(())
            };
            // Whatever is cut off is done again at the next start.
            tokio::select! {
                () = shutdown.cancelled() => return,
                looked = look => match looked {
                    Ok(()) => looks = looks.wrapping_add(1),
                    Err(error) => tracing::warn!(%error, "erasures wait"),
                },
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    async fn step(&self, open: &Open, now_ms: i64) -> Result<bool, RemoveError> {
        if open.state == ErasureState::Requested && self.widen(open).await? {
            // Read again, it goes on with all ids.
            return Ok(true);
        }
        let moved = match open.state {
            ErasureState::Requested => self.raise_gates(open).await?,
            ErasureState::Waiting => self.count(open, now_ms).await?,
            ErasureState::Removing => self.remove(open, now_ms).await?,
            ErasureState::Rebuilding => self.rebuild(open, now_ms).await?,
            ErasureState::Verifying => self.verify(open, now_ms).await?,
            ErasureState::Done | ErasureState::Failed => return Ok(false),
        };
        fault::point_in("remove.before_advance", open.state.as_str()).await?;
        Ok(match moved {
            Moved::Waits(why) if why == open.detail => false,
            Moved::Waits(why) => {
                self.meta
                    .advance_erasure(open, open.state, &why, &open.progress)
                    .await?;
                false
            }
            Moved::To(state, detail, progress) => {
                tracing::info!(erasure = %open.id, state = state.as_str(), "erasure");
                self.meta.advance_erasure(open, state, detail, &progress).await?
            }
            Moved::Ended(progress, certificate) => {
                tracing::info!(erasure = %open.id, digest = certificate.digest, "erasure done");
                let ended = Ok(&*certificate);
                self.meta.finish_erasure(open, &progress, ended, now_ms).await?
            }
            Moved::Failed(progress, why) => {
                tracing::error!(erasure = %open.id, why, "erasure failed");
                let ended = Err(why.as_str());
                self.meta.finish_erasure(open, &progress, ended, now_ms).await?
            }
        })
    }

    /// The shards that may hold something of the subject.
    fn shards(&self, open: &Open) -> Vec<u16> {
        if open.kind == ErasureKind::Person {
            let project = open.subject.project;
            let ids = open.distinct_ids.iter();
            let shards: BTreeSet<u16> = ids.map(|id| self.stream.shard_of(project, id)).collect();
            return shards.into_iter().collect();
        }
        (0..self.stream.shards()).collect()
    }

    async fn raise_gates(&self, open: &Open) -> Result<Moved, RemoveError> {
        let mut progress = open.progress.clone();
        progress.boundaries.clear();
        for shard in self.shards(open) {
            let last = self.stream.gate(shard, open.version).await?;
            progress.boundaries.push((shard, last));
        }
        let detail = "what was received before the request is on its way into the tables";
        Ok(Moved::To(ErasureState::Waiting, detail, progress))
    }

    async fn count(&self, open: &Open, now_ms: i64) -> Result<Moved, RemoveError> {
        for (shard, last) in &open.progress.boundaries {
            if !self.stream.has_passed(*shard, last).await? {
                return Ok(Moved::Waits(format!(
                    "what was received before the request is on its way into the tables (shard {shard})"
                )));
            }
        }
        let mut progress = open.progress.clone();
        let found = self.store.find_subject(&open.subject).await?;
        note_days(open, &found, &mut progress);
        let counted = self.counts(open, found.events, &progress, now_ms).await?;
        progress.counts.before.get_or_insert(counted);
        // Long before they are due: answers say from now on that these days are on the move.
        let rebuilds = rebuilds(open, &progress);
        self.stream.queue_rebuilds(&rebuilds, now_ms + NOTICE_MS).await?;
        let detail = "rows are being deleted, shard by shard";
        Ok(Moved::To(ErasureState::Removing, detail, progress))
    }

    /// What is there of the subject, beside its events.
    async fn counts(
        &self,
        open: &Open,
        events: u64,
        progress: &Progress,
        now_ms: i64,
    ) -> Result<RemovedCounts, RemoveError> {
        let days = local_days(progress);
        Ok(RemovedCounts {
            events,
            actor_days: match (&open.subject.which, days) {
                // Nothing happened, so nobody was active.
                (Which::Times { .. }, None) => 0,
                (Which::Persons { .. } | Which::Until { .. }, _) => {
                    self.store.subject_actor_days(&open.subject, None).await?
                }
                (Which::Times { .. }, days) => self.store.subject_actor_days(&open.subject, days).await?,
            },
            profiles: match (&open.subject.which, progress.local_span) {
                (Which::Times { .. }, None) => 0,
                _ => self.store.subject_profiles(&open.subject).await?,
            },
            dead_letters: self.stream.dead_letters_of(&open.subject, false).await?,
            rejected_samples: self.samples(open, now_ms).await?,
            id_pairs: self.store.id_pairs(&open.subject).await?,
        })
    }

    /// Texts of rejected events that came before the request. Those that came later are of something new.
    async fn samples(&self, open: &Open, now_ms: i64) -> Result<u64, RemoveError> {
        if open.kind == ErasureKind::Retention {
            // They are kept for a week.
            return Ok(0);
        }
        let samples = self.stream.rejections(open.subject.project, now_ms).await?;
        let before = samples
            .iter()
            .filter(|sample| sample.received_at <= open.requested_at);
        Ok(before.count() as u64)
    }

    async fn remove(&self, open: &Open, now_ms: i64) -> Result<Moved, RemoveError> {
        let subject = &open.subject;
        let removal = Removal {
            id: open.id,
            subject: subject.clone(),
        };
        let shards = self.shards(open);
        for &shard in &shards {
            self.stream.hand_over(shard, &removal).await?;
        }
        for &shard in &shards {
            if self.stream.removal_done(shard, open.id).await?.is_none() {
                return Ok(Moved::Waits(format!(
                    "rows are being deleted, shard by shard (shard {shard})"
                )));
            }
        }
        self.still(open).await?;
        self.stream.dead_letters_of(subject, true).await?;
        if open.kind != ErasureKind::Retention {
            self.stream.forget_rejections(subject.project).await?;
        }
        let progress = open.progress.clone();
        if let Some(days) = bounds(subject, &progress) {
            self.store.delete_actor_days(subject, days).await?;
        }
        self.store
            .forget_cohort_members(subject, open.project_gone)
            .await?;
        match open.project_gone {
            true => self.meta.forget_cohorts(subject.project).await?,
            // Whoever is left belongs where what is left says.
            false => self.meta.cohorts_are_due(subject.project, now_ms).await?,
        }
        self.still(open).await?;
        self.forget_ids(open, now_ms).await?;
        self.still(open).await?;
        if open.kind == ErasureKind::Retention {
            self.store.forget_idle_profiles(subject.project).await?;
        } else {
            let scope = Scope::of(subject);
            self.store.delete_profiles(&scope).await?;
            fill(&self.store, &scope).await?;
        }
        self.still(open).await?;
        let forgets = open.project_gone || progress.rollups_before.is_some();
        if forgets {
            let before = progress.rollups_before.filter(|_| !open.project_gone);
            let before = before.map(|(utc, local)| (Day(utc), Day(local)));
            // What was received in the time that is kept stays on record, also where its events were erased.
            let ledger = open.project_gone || open.kind == ErasureKind::Retention;
            if !self.roller.forget(subject.project, before, ledger).await? {
                return Ok(Moved::Waits(
                    "the project's rollups or the ledger are being compacted".to_owned(),
                ));
            }
            if !self.roller.forget_names(subject.project, before).await? {
                return Ok(Moved::Waits("names of new events are being noted".to_owned()));
            }
        }
        self.stream.raise_rev(&[subject.project]).await?;
        // Due long ago, so at the next look; their generations are drawn after the rows went.
        self.stream
            .queue_rebuilds(&rebuilds(open, &open.progress), 0)
            .await?;
        let detail = "the affected days are being counted again";
        Ok(Moved::To(ErasureState::Rebuilding, detail, progress))
    }

    async fn rebuild(&self, open: &Open, now_ms: i64) -> Result<Moved, RemoveError> {
        self.still(open).await?;
        for shard in self.shards(open) {
            self.stream.forget_removal(shard, open.id).await?;
        }
        let rebuilds = rebuilds(open, &open.progress);
        if self.stream.rebuilds_left(&rebuilds).await? > 0 {
            self.roller.rebuild_due(now_ms).await?;
            let left = self.stream.rebuilds_left(&rebuilds).await?;
            if left > 0 {
                return Ok(Moved::Waits(format!(
                    "the affected days are being counted again ({left} left)"
                )));
            }
        }
        self.stream.raise_rev(&[open.subject.project]).await?;
        let detail = "deleted rows are being taken off the disk";
        Ok(Moved::To(ErasureState::Verifying, detail, open.progress.clone()))
    }

    async fn verify(&self, open: &Open, now_ms: i64) -> Result<Moved, RemoveError> {
        // What was under way while rows went may have written numbers of persons down once more.
        let (subject, gone) = (&open.subject, open.project_gone);
        self.store.forget_cohort_members(subject, gone).await?;
        if let Some(days) = bounds(subject, &open.progress) {
            self.store.forget_moves(subject, days).await?;
        }
        if !self.store.apply_masks().await? {
            return Ok(Moved::Waits(
                "deleted rows are being taken off the disk".to_owned(),
            ));
        }
        let mut progress = open.progress.clone();
        let left = self.store.find_subject(&open.subject).await?;
        let after = self.counts(open, left.events, &progress, now_ms).await?;
        progress.counts.after = Some(after);
        if !after.is_zero() {
            progress.repeats += 1;
            if progress.repeats > MOST_REPEATS {
                let why = format!("something came back {MOST_REPEATS} times: {after:?}");
                return Ok(Moved::Failed(progress, why));
            }
            tracing::warn!(erasure = %open.id, ?after, "something is left of an erasure: once more");
            let detail = "something was found at the end: everything is done once more";
            return Ok(Moved::To(ErasureState::Requested, detail, progress));
        }
        let certificate = Certificate {
            subject_hashes: open.hashes.clone(),
            counts_before: progress.counts.before.unwrap_or_default(),
            counts_after: after,
            requested_at: Moment(open.requested_at),
            finished_at: Moment(now_ms),
            shards: self.shards(open).len() as u32,
            named_in: self
                .meta
                .named_in(open.subject.project, &open.distinct_ids)
                .await?,
            log_rewritten: self.stream.rewrite_log().await,
            digest: String::new(),
        };
        Ok(Moved::Ended(progress, Box::new(certificate.sealed()?)))
    }
}
