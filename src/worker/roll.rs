//! The roller: gathers the deltas of a day into one generation, computes days anew from raw events where that
//! was asked for, and removes what lies behind.
//!
//! A generation's number is drawn before anything is read, and the store switches to it by compare-and-set; so
//! two rollers at once, a late one and one that dies half-way are harmless. The lease of a project only saves
//! double work.

mod schema;
mod turns;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::event::{Day, ProjectNumber, Zone};
use crate::fault::{self, Fault};
use crate::store::Store;
use crate::store::compact::{Candidate, Kind, Outcome};
use crate::store::error::StoreError;
use crate::stream::rebuild::{Rebuild, RollupKind};
use crate::stream::{EventStream, StreamError};

/// Between two looks at what is due.
const EVERY: Duration = Duration::from_secs(10);

/// Looks between two clean-ups.
const LOOKS_A_CLEANUP: u32 = 30;

/// Days of one kind, and rebuilds, that one look works on.
const MOST_DAYS: u32 = 64;

/// Times a rebuild that another roller overtook is tried again at once.
const TRIES: u32 = 3;

/// When days are compacted and cleaned up.
#[derive(Clone, Debug)]
pub struct RollOptions {
    /// A day with more deltas than this is compacted.
    pub more_than: u64,
    /// A day whose oldest delta was received longer ago than this is compacted, however few there are.
    pub quiet_after: Duration,
    /// What a switch made superfluous stays this long, for questions that began before.
    pub grace: Duration,
}

impl Default for RollOptions {
    fn default() -> RollOptions {
        RollOptions {
            more_than: 256,
            quiet_after: Duration::from_secs(6 * 3600),
            grace: Duration::from_secs(600),
        }
    }
}

/// What a worker knows of a project's time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneKnown {
    /// The project's zone.
    Is(Zone),
    /// The project is deleted: its days need not be computed any more.
    Deleted,
    /// Not heard of: the project may be new, or the control database away.
    NotYet,
}

/// The time zone of a project, as far as it is known.
pub type ZoneOf = Arc<dyn Fn(ProjectNumber) -> ZoneKnown + Send + Sync>;

/// Compacts and rebuilds. Cheap to clone.
#[derive(Clone)]
pub struct Roller {
    stream: EventStream,
    store: Store,
    zone_of: ZoneOf,
    options: RollOptions,
    owner: Arc<str>,
    /// Numbers the times that it, or a clone, wrote.
    turns: Arc<AtomicU64>,
}

/// What one look did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rolled {
    /// Days whose deltas became a generation.
    pub compacted: u64,
    /// Days computed anew from raw events.
    pub rebuilt: u64,
    /// Days that another roller was faster with.
    pub overtaken: u64,
}

/// An engine is away or refuses. What was not finished is due again later.
#[derive(Debug, thiserror::Error)]
pub enum RollError {
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Fault> for RollError {
    fn from(fault: Fault) -> RollError {
        RollError::Store(fault.into())
    }
}

impl Roller {
    /// A roller with an owner's name of its own.
    pub fn new(stream: EventStream, store: Store, zone_of: ZoneOf, options: RollOptions) -> Roller {
        let owner = Arc::from(uuid::Uuid::new_v4().simple().to_string());
        Roller {
            stream,
            store,
            zone_of,
            options,
            owner,
            turns: Arc::default(),
        }
    }

    /// Looks every ten seconds until `shutdown`.
    pub async fn run(&self, clock: &Clock, shutdown: CancellationToken) {
        let mut looks: u32 = 0;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            // A compaction that is cut off means nothing to readers, so shutdown need not wait for it.
            let look = async {
                if looks == 0 {
                    self.settle_generations().await?;
                }
                self.roll_once(clock.now_ms()).await?;
                if looks % LOOKS_A_CLEANUP == LOOKS_A_CLEANUP - 1 {
                    self.clean_up(clock.now_ms()).await?;
                }
                Ok::<(), RollError>(fault::point("roll.after_look").await?)
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                looked = look => match looked {
                    Ok(()) => looks += 1,
                    Err(error) => tracing::warn!(%error, "rollups wait"),
                },
            }
        }
    }

    /// A counter of generations that was lost with its Redis must not give numbers that ClickHouse knows.
    pub async fn settle_generations(&self) -> Result<(), RollError> {
        Ok(self
            .stream
            .generations_above(self.store.highest_generation().await?)
            .await?)
    }

    /// Does the rebuilds that are due at `now_ms`, each once everything received before its time is in the tables.
    pub async fn rebuild_due(&self, now_ms: i64) -> Result<Rolled, RollError> {
        let mut rolled = Rolled::default();
        // What was taken before a rebuild is due may name the local days of a zone that is gone; once it is in
        // the tables the rebuild finds it among the raw events.
        let settled = self.stream.as_of(now_ms).await?.as_of;
        let due = self.stream.due_rebuilds(settled, MOST_DAYS as usize).await?;
        for all in due.into_iter().filter(|due| due.kind == RollupKind::AllSketches) {
            self.expand(all, now_ms, settled).await?;
        }
        for rebuild in self.stream.due_rebuilds(settled, MOST_DAYS as usize).await? {
            self.in_turn(rebuild.project, self.rebuild(rebuild, now_ms, &mut rolled))
                .await?;
        }
        Ok(rolled)
    }

    /// Does what is due at `now_ms`: rebuilds first, then days with many or old deltas.
    pub async fn roll_once(&self, now_ms: i64) -> Result<Rolled, RollError> {
        let mut rolled = self.rebuild_due(now_ms).await?;
        let quiet = now_ms / 1000 - self.options.quiet_after.as_secs() as i64;
        let quiet = quiet.clamp(0, i64::from(u32::MAX)) as u32;
        for kind in [Kind::Counts, Kind::Sketches] {
            for day in self
                .store
                .candidates(kind, self.options.more_than, quiet, MOST_DAYS)
                .await?
            {
                self.in_turn(day.project, self.compact(day, now_ms, &mut rolled))
                    .await?;
            }
        }
        Ok(rolled)
    }

    /// Removes generations and deltas that a switch older than the grace made superfluous, folds the ledger's
    /// old days and drops what is kept no longer.
    pub async fn clean_up(&self, now_ms: i64) -> Result<(), RollError> {
        self.unless_paused(async {
            for kind in [Kind::Counts, Kind::Sketches] {
                self.store
                    .drop_behind(kind, self.options.grace.as_secs() as u32)
                    .await?;
            }
            // While a project is removed from it, the ledger is folded at the next clean-up.
            self.with_ledger(self.fold_ledger(now_ms)).await.map(drop)
        })
        .await
    }

    async fn fold_ledger(&self, now_ms: i64) -> Result<(), RollError> {
        let second = |ms: i64| (ms / 1000).clamp(0, i64::from(u32::MAX)) as u32;
        let settled = self.stream.oldest_entry_ms().await?.unwrap_or(now_ms);
        let (folded, dropped) = self.store.fold_ledger(second(settled), second(now_ms)).await?;
        if folded + dropped > 0 {
            tracing::info!(folded, dropped, "days of the ledger were made smaller");
        }
        Ok(())
    }

    /// Removes rollups of a project ([`Store::forget_rollups`]) while nobody rolls it or folds the ledger; false
    /// when somebody does.
    pub(super) async fn forget(
        &self,
        project: ProjectNumber,
        before: Option<(Day, Day)>,
        ledger: bool,
    ) -> Result<bool, RollError> {
        let mut forgotten = false;
        let forget = async {
            let forget = async { Ok(self.store.forget_rollups(project, before, ledger).await?) };
            forgotten = if ledger {
                self.with_ledger(forget).await?
            } else {
                forget.await.map(|()| true)?
            };
            Ok(())
        };
        self.in_turn(project, forget).await?;
        Ok(forgotten)
    }

    async fn compact(&self, day: Candidate, now_ms: i64, rolled: &mut Rolled) -> Result<(), RollError> {
        let Candidate {
            project, kind, day, ..
        } = day;
        let generation = self.stream.next_generation().await?;
        fault::point_in("compact.after_generation", kind.name()).await?;
        let cuts = self.stream.cuts().await?;
        let outcome = match kind {
            Kind::Counts => self.store.compact_counts(project, day, generation, &cuts).await,
            Kind::Sketches => self.store.compact_sketches(project, day, generation, &cuts).await,
        };
        match outcome {
            Ok(Outcome::Switched { .. }) => {
                rolled.compacted += 1;
                self.stream.raise_rev(&[project]).await?;
            }
            Ok(Outcome::Overtaken) => rolled.overtaken += 1,
            Err(error @ StoreError::DamagedSketch { .. }) => {
                tracing::error!(%error, "rebuilding the day from raw events");
                let rebuild = Rebuild {
                    project,
                    kind: RollupKind::Sketches,
                    day,
                };
                self.stream.queue_rebuilds(&[rebuild], now_ms).await?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Replaces the rebuild of all days by one of each, due at `due_ms`. The days are queued before it goes, so
    /// that something of the project is pending all the while.
    async fn expand(&self, all: Rebuild, now_ms: i64, due_ms: i64) -> Result<(), RollError> {
        self.claimed(all, now_ms, self.queue_days(all.project, due_ms))
            .await
    }

    async fn queue_days(&self, project: ProjectNumber, due_ms: i64) -> Result<bool, RollError> {
        if let Some((first, last)) = self.store.data_days(project).await? {
            // In another zone an event may fall on the day before or after.
            let days: Vec<Rebuild> = (first.0 - 1..=last.0 + 1)
                .map(|day| Rebuild {
                    project,
                    kind: RollupKind::Sketches,
                    day: Day(day),
                })
                .collect();
            self.stream.queue_rebuilds(&days, due_ms).await?;
        }
        Ok(true)
    }

    async fn rebuild(&self, rebuild: Rebuild, now_ms: i64, rolled: &mut Rolled) -> Result<(), RollError> {
        self.claimed(rebuild, now_ms, self.compute(rebuild, now_ms, rolled))
            .await
    }

    /// Computes a claimed day anew; whether that is done.
    async fn compute(&self, rebuild: Rebuild, now_ms: i64, rolled: &mut Rolled) -> Result<bool, RollError> {
        let Rebuild { project, kind, day } = rebuild;
        let zone = match (self.zone_of)(project) {
            ZoneKnown::Is(zone) => zone,
            ZoneKnown::Deleted => return Ok(true),
            // Claimed it stays, and so is due again in half a minute: taken off the queue it would be lost.
            ZoneKnown::NotYet => {
                tracing::warn!(%project, "a rebuild waits until its project's zone is known");
                return Ok(false);
            }
        };
        for _ in 0..TRIES {
            let generation = self.stream.next_generation().await?;
            fault::point_in("rebuild.after_generation", kind.as_str()).await?;
            let cuts = self.stream.cuts().await?;
            let outcome = match kind {
                RollupKind::Counts => self.store.rebuild_counts(project, day, generation, &cuts).await?,
                RollupKind::Sketches => {
                    self.store
                        .rebuild_sketches(project, day, &zone, generation, &cuts)
                        .await?
                }
                // Another roller queued it a moment ago: it becomes its days now.
                RollupKind::AllSketches => return self.queue_days(project, now_ms).await,
                RollupKind::Schema => return self.renote(rebuild, now_ms, rolled).await,
            };
            if let Outcome::Switched { .. } = outcome {
                rolled.rebuilt += 1;
                self.stream.raise_rev(&[project]).await?;
                fault::point_in("rebuild.before_finish", kind.as_str()).await?;
                return Ok(true);
            }
        }
        // Claimed it stays, and so is due again in half a minute.
        rolled.overtaken += 1;
        Ok(false)
    }
}
