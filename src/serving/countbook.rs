//! Events by quarter hour from memory: what the rollups count, of each project for the event names that were asked about.
//! Whoever asks again pays a look at the revision; after a commit only the days' generations and what is new are read.
//!
//! What a page holds of a UTC day is the day's latest generation and the deltas behind its cuts up to a cut of its own.
//! It is read again as a whole when the generation moved (a compaction, a rebuild, a removal); a day without a generation
//! has nothing but deltas, and all of them are read each time.
//!
//! Memory is bounded; the pages that were not used for longest go first. A quarter hour takes some 40 bytes: a busy name
//! 1.4 MB a year.

mod page;

use std::sync::{Arc, Mutex, PoisonError};

pub use page::Page;

use super::freshness::Revision;
use super::shelf::{BookError, Shelf};
use crate::event::ProjectNumber;
use crate::metrics::time::DayRange;
use crate::store::Store;
use crate::stream::EventStream;

/// UTC days that a page spans at most; beyond, it begins anew.
pub const MOST_DAYS: i32 = 1_100;

/// Counts of every project that asks. Cheap to clone.
#[derive(Clone)]
pub struct Countbook {
    store: Store,
    stream: EventStream,
    most_bytes: u64,
    shelf: Arc<Mutex<Shelf<ProjectNumber, Page>>>,
}

impl Countbook {
    /// An empty book of at most so many bytes.
    pub fn new(store: Store, stream: EventStream, most_bytes: u64) -> Countbook {
        Countbook {
            store,
            stream,
            most_bytes,
            shelf: Arc::default(),
        }
    }

    /// Reads the project's page as it is under `revision`, for these event names and the UTC days of `range` (at most
    /// [`MOST_DAYS`]), and how many rows ClickHouse read for that. `None` as revision: whatever is known is looked at
    /// again.
    ///
    /// # Errors
    /// When an engine does not answer.
    pub async fn read<T>(
        &self,
        project: ProjectNumber,
        events: &[String],
        range: DayRange,
        revision: Option<Revision>,
        tell: impl FnOnce(&Page) -> T,
    ) -> Result<(T, u64), BookError> {
        let page = self.shelf().take_out(&project);
        let mut page = page.lock().await;
        let mut rows_read = 0;
        if !page.is_current(events, range, revision) {
            // One that fails half-way must not be taken for whole.
            let mut next = std::mem::take(&mut *page);
            rows_read = next
                .refresh(
                    &self.store,
                    &self.stream,
                    project,
                    (events, range),
                    self.most_bytes,
                )
                .await?;
            next.settle(revision);
            *page = next;
        }
        let told = tell(&page);
        self.shelf().put_back(&project, page.bytes(), self.most_bytes);
        Ok((told, rows_read))
    }

    fn shelf(&self) -> std::sync::MutexGuard<'_, Shelf<ProjectNumber, Page>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
