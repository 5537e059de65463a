//! Days of activity from memory: the sketches of a project's event names, decoded, by local day, and the counts of the
//! windows that were asked for. Whoever asks again pays a look at the revision; after a commit only new deltas are
//! read, and only windows that hold a changed day are counted again.
//!
//! What a page holds of a day is the day's latest generation and the deltas behind its cuts up to a cut of its own
//! (`passed`). It is read again as a whole when the generation moved (a compaction, a rebuild, a removal), and each
//! time while the day has no generation.
//!
//! Memory is bounded; the pages that were not used for longest go first. A day takes 16 KB at most, a year of one name
//! 6 MB.

mod page;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Mutex as AsyncMutex;

pub use page::Page;

use super::freshness::Revision;
use crate::event::ProjectNumber;
use crate::metrics::sketch::SketchError;
use crate::metrics::time::DayRange;
use crate::store::{Store, StoreError};
use crate::stream::{EventStream, StreamError};

/// Why a page could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum SketchbookError {
    /// ClickHouse does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Redis does not answer.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// A stored sketch is damaged: the roller finds it too and rebuilds the day.
    #[error("a stored sketch is damaged: {0}")]
    Damaged(#[from] SketchError),
}

/// Whose page.
type Title = (ProjectNumber, String);

/// Decoded sketches of every project that asks. Cheap to clone.
#[derive(Clone)]
pub struct Sketchbook {
    store: Store,
    stream: EventStream,
    most_bytes: u64,
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Default)]
struct Shelf {
    places: HashMap<Title, Place>,
    /// Counts uses, so that the least recent one is known.
    uses: u64,
    bytes: u64,
}

struct Place {
    page: Arc<AsyncMutex<Page>>,
    bytes: u64,
    used: u64,
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
    ) -> Result<(T, u64), SketchbookError> {
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
        self.shelf().bytes
    }

    fn shelf(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn take_out(&mut self, title: &Title) -> Arc<AsyncMutex<Page>> {
        self.uses += 1;
        let place = self.places.entry(title.clone()).or_insert_with(|| Place {
            page: Arc::default(),
            bytes: 0,
            used: 0,
        });
        place.used = self.uses;
        place.page.clone()
    }

    /// Notes how large a page is by now, and lets others go (or itself, when it alone is too large).
    fn put_back(&mut self, title: &Title, bytes: u64, most_bytes: u64) {
        if let Some(place) = self.places.get_mut(title) {
            self.bytes = self.bytes - place.bytes + bytes;
            place.bytes = bytes;
        }
        while self.bytes > most_bytes {
            let oldest = self.places.iter().min_by_key(|(_, place)| place.used);
            let Some(title) = oldest.map(|(title, _)| title.clone()) else {
                return;
            };
            if let Some(gone) = self.places.remove(&title) {
                self.bytes -= gone.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_that_was_not_used_for_longest_goes_first() {
        let mut shelf = Shelf::default();
        let title = |n: u32| (ProjectNumber(n), String::new());
        for n in 1..=3 {
            shelf.take_out(&title(n));
            shelf.put_back(&title(n), 100, 300);
        }
        shelf.take_out(&title(1));
        shelf.put_back(&title(1), 150, 300);
        let mut left: Vec<u32> = shelf.places.keys().map(|(project, _)| project.0).collect();
        left.sort_unstable();
        assert_eq!((left, shelf.bytes), (vec![1, 3], 250));
        shelf.take_out(&title(9));
        shelf.put_back(&title(9), 1_000, 300);
        assert_eq!((shelf.places.len(), shelf.bytes), (0, 0));
    }
}
