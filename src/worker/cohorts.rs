//! Cohorts: their members are looked for again from time to time, each cohort by one worker.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::meta::{DueCohort, Meta, MetaError};
use crate::metrics::cohort::CohortSpec;
use crate::store::cohorts::{Meant, Refreshed};
use crate::store::{Store, StoreError};
use crate::stream::{EventStream, StreamError};

/// Between two looks at what is due.
const LOOK: Duration = Duration::from_secs(5);

/// How long a cohort stays with a worker that fell silent: longer than an evaluation may take.
const CLAIM_MS: i64 = 300_000;

/// Looks for members again. Cheap to clone.
#[derive(Clone)]
pub struct Refresher {
    meta: Meta,
    stream: EventStream,
    store: Store,
    every: Duration,
}

/// An engine is away. What was not done is due at the next look.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    #[error(transparent)]
    Meta(#[from] MetaError),
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refresher {
    /// A refresher that lets members be so old.
    pub fn new(meta: Meta, stream: EventStream, store: Store, every: Duration) -> Refresher {
        Refresher {
            meta,
            stream,
            store,
            every,
        }
    }

    /// Looks every five seconds until `shutdown`.
    pub async fn run(&self, clock: &Clock, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            // Whatever is cut off is due again when its claim runs out.
            tokio::select! {
                () = shutdown.cancelled() => return,
                looked = self.refresh_due(clock) => if let Err(error) = looked {
                    tracing::warn!(%error, "cohorts wait");
                },
            }
        }
    }

    /// Looks for the members of every cohort that is due, one after the other; how many these were.
    pub async fn refresh_due(&self, clock: &Clock) -> Result<u32, RefreshError> {
        let mut refreshed = 0;
        loop {
            let now_ms = clock.now_ms();
            let before = now_ms - i64::try_from(self.every.as_millis()).unwrap_or(i64::MAX);
            let due = self.meta.claim_cohort(before, now_ms, now_ms + CLAIM_MS).await?;
            let Some(due) = due else {
                return Ok(refreshed);
            };
            self.refresh(&due, now_ms).await?;
            refreshed += 1;
        }
    }

    async fn refresh(&self, due: &DueCohort, now_ms: i64) -> Result<(), RefreshError> {
        match self.evaluate(due, now_ms).await {
            Ok(found) => {
                let size = found.as_ref().map(|found| found.size);
                let told = size.map_err(String::as_str);
                if found.as_ref().is_ok_and(|found| found.changed) {
                    self.stream.raise_rev(&[due.project]).await?;
                }
                Ok(self.meta.cohort_refreshed(due.id, now_ms, told).await?)
            }
            // It costs too much: others need not wait for it, and it is tried again as if it had been done.
            Err(StoreError::TooSlow(_) | StoreError::TooMuchMemory(_) | StoreError::TooManyRows(_)) => {
                let why = "looking for its members takes more time or memory than a question may use";
                Ok(self.meta.cohort_refreshed(due.id, now_ms, Err(why)).await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The inner error: why the definition cannot be evaluated.
    async fn evaluate(&self, due: &DueCohort, now_ms: i64) -> Result<Result<Refreshed, String>, StoreError> {
        let store = &self.store;
        let generation = store.next_cohort_generation(due.project, due.id, now_ms).await?;
        // Read after the number was drawn: whoever writes newer rules draws a larger one.
        let definition = match self.meta.cohort_definition(due.id).await {
            Ok(Some(definition)) => definition,
            Ok(None) => return Ok(Err("it is deleted".to_owned())),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let spec = definition.map(|definition| CohortSpec::read(&definition, &due.zone));
        let spec = match spec.transpose() {
            Ok(spec) => spec,
            Err(why) => return Ok(Err(why)),
        };
        let meant = match &spec {
            Some(spec) => Meant::Rules(spec, &due.zone, now_ms),
            None => Meant::Listed,
        };
        let refreshed = store.refresh_cohort(due.project, due.id, meant, generation, now_ms);
        let refreshed = refreshed.await?;
        if due.after_removal {
            store
                .drop_generations_before(due.project, due.id, generation)
                .await?;
        }
        Ok(Ok(refreshed))
    }
}
