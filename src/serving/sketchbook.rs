//! Days of activity from memory: the sketches of a project's event names, decoded, by local day, and the counts of the
//! windows that were asked for. Whoever asks again pays a look at the revision; after a commit only new deltas are
//! read, and only windows that hold a changed day are counted again.
//!
//! What a page holds of a day is the day's latest generation and the deltas behind its cuts up to a cut of its own
//! (`passed`). It is read again as a whole when the generation moved (a compaction, a rebuild, a removal); a day without
//! a generation has nothing but deltas, and all of them are read each time.
//!
//! Memory is bounded; the pages that were not used for longest go first. A day takes 16 KB at most, a year of one name
//! 6 MB.

mod page;

use std::sync::{Arc, Mutex, PoisonError};

pub use page::Page;

use super::freshness::Revision;
use super::shelf::{BookError, Shelf};
use crate::event::ProjectNumber;
use crate::metrics::time::DayRange;
use crate::store::Store;
use crate::stream::EventStream;

/// Whose page.
type Title = (ProjectNumber, String);

/// Decoded sketches of every project that asks. Cheap to clone.
#[derive(Clone)]
pub struct Sketchbook {
    store: Store,
    stream: EventStream,
    most_bytes: u64,
    shelf: Arc<Mutex<Shelf<Title, Page>>>,
}

impl Sketchbook {
    /// An empty book of at most so many bytes.
    pub fn new(store: Store, stream: EventStream, most_bytes: u64) -> Sketchbook {
        Sketchbook {
            store,
            stream,
            most_bytes,
            shelf: Arc::default(),
        }
    }

    /// Reads the page of an event name (`""`: any activity) as it is under `revision` for the days of `range`, and
    /// how many rows ClickHouse read for that. `None` as revision: whatever is known is looked at again.
    ///
    /// # Errors
    /// When an engine does not answer, or a sketch is damaged.
    pub async fn read<T>(
        &self,
        project: ProjectNumber,
        event: &str,
        range: DayRange,
        revision: Option<Revision>,
        tell: impl FnOnce(&mut Page) -> T,
    ) -> Result<(T, u64), BookError> {
        let title = (project, event.to_owned());
        let page = self.shelf().take_out(&title);
        let mut page = page.lock().await;
        let mut rows_read = 0;
        if !page.is_current(range, revision) {
            // One that fails half-way must not be taken for whole.
            let mut next = std::mem::take(&mut *page);
            rows_read = next
                .refresh(&self.store, &self.stream, project, event, range)
                .await?;
            next.settle(revision);
            *page = next;
        }
        let told = tell(&mut page);
        self.shelf().put_back(&title, page.bytes(), self.most_bytes);
        Ok((told, rows_read))
    }

    /// Bytes in use.
    pub fn bytes(&self) -> u64 {
        self.shelf().bytes()
    }

    fn shelf(&self) -> std::sync::MutexGuard<'_, Shelf<Title, Page>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
