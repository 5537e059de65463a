//! Names of events and properties: a look every few seconds at what was committed since the last one
//! ([`crate::store::schema::look`] says why it is done here and not with the batch).
//!
//! One worker looks at a time, and nobody looks while names are forgotten: a look that read the events of a person before
//! they were removed must not note them after.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::turns::{ALONE, keeping};
use super::{RollError, Rolled, Roller};
use crate::event::{Day, ProjectNumber};
use crate::stream::rebuild::Rebuild;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(10);

/// How long a day waits that was to be noted again while somebody looked.
const AGAIN_MS: i64 = 1_000;

impl Roller {
    /// Looks every ten seconds until `shutdown`.
    pub async fn look_at_names(&self, shutdown: CancellationToken) {
        loop {
            // What is cut off was not written down as noted, so the next look does it again.
            tokio::select! {
                () = shutdown.cancelled() => return,
                looked = self.note_names() => if let Err(error) = looked {
                    tracing::warn!(%error, "names of new events wait");
                },
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Notes the names of everything that is committed and was not looked at, unless somebody else does or workers are
    /// paused.
    ///
    /// # Errors
    /// When an engine is away; what was not finished is noted by the next look.
    pub async fn note_names(&self) -> Result<(), RollError> {
        let upto = self.stream.cuts().await?;
        let noted = self.store.schema_cuts().await?;
        if noted.as_ref() == Some(&upto) {
            return Ok(());
        }
        let days = match &noted {
            Some(_) => Vec::new(),
            None => self.store.event_days().await?,
        };
        // The first look may take minutes: it takes its turn anew for each day.
        for day in days {
            if !self.with_names(self.store.note_schema_day(day)).await? {
                return Ok(());
            }
        }
        let rest = async {
            if let Some(noted) = &noted {
                self.store.note_schema(noted, &upto).await?;
            }
            self.store.set_schema_cuts(&upto).await
        };
        self.with_names(rest).await.map(drop)
    }

    /// Computes a day's names anew from the events that are left; whether that is done.
    pub(super) async fn renote(
        &self,
        rebuild: Rebuild,
        now_ms: i64,
        rolled: &mut Rolled,
    ) -> Result<bool, RollError> {
        let work = self.store.renote_schema_day(rebuild.project, rebuild.day);
        if !self.with_names(work).await? {
            let due_ms = now_ms.saturating_add(AGAIN_MS);
            self.stream.queue_rebuilds(&[rebuild], due_ms).await?;
            return Ok(false);
        }
        rolled.rebuilt += 1;
        self.stream.raise_rev(&[rebuild.project]).await?;
        Ok(true)
    }

    /// Removes the names of a project, those of UTC days before the given one or all; false while somebody looks.
    pub(in crate::worker) async fn forget_names(
        &self,
        project: ProjectNumber,
        before: Option<(Day, Day)>,
    ) -> Result<bool, RollError> {
        let utc = before.map(|(utc, _)| utc);
        self.with_names(self.store.forget_schema_before(project, utc))
            .await
    }

    /// Runs `work` unless somebody else looks at names or workers are paused; whether it ran.
    async fn with_names(
        &self,
        work: impl Future<Output = Result<(), crate::store::StoreError>>,
    ) -> Result<bool, RollError> {
        let owner = self.next_name();
        let take = || self.stream.take_schema(&owner, ALONE);
        if !take().await? {
            return Ok(false);
        }
        let mut ran = false;
        let work = self.unless_paused(async {
            ran = true;
            Ok(work.await?)
        });
        let worked = keeping(ALONE, take, Box::pin(work)).await;
        self.stream.leave_schema(&owner).await?;
        worked.map(|()| ran)
    }
}
