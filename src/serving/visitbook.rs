//! Sessions from memory: all of a project that begin from some instant on, with the texts that tell them. Whoever asks again
//! pays a look at the revision; after a commit only those persons are read again of whom an event was received since, or
//! who became somebody else.
//!
//! Why that is right: everything received before a page's `as_of` was in the tables when it was read, so what is new was
//! received at that instant or later, whenever it happened. When something was removed, or came another way, everything is
//! read again: the stream counts both. An event changes sessions that began up to 24 hours before it and none that began
//! earlier, so of persons whose new events are recent the last days are enough.
//!
//! A page serves questions without filters of events, of ranges that begin no earlier than it and that are open, or were
//! when the page began. The others read events ([`reading`]). Memory is bounded; the pages that were not used for longest
//! go first. A session takes some 110 bytes.

mod page;
pub mod reading;

use std::sync::{Arc, Mutex, PoisonError};

pub use page::Look;
use page::Page;
use reading::Found;

use super::shelf::Shelf;
use crate::event::ProjectNumber;
use crate::metrics::visit::{Chunk, Kept, VisitSpec};
use crate::store::StoreError;

/// Threads that choose sessions.
const THREADS: usize = 4;

/// Sessions of every project that asks. Cheap to clone.
#[derive(Clone)]
pub struct Visitbook {
    most_bytes: u64,
    shelf: Arc<Mutex<Shelf<ProjectNumber, Page>>>,
}

impl Visitbook {
    /// An empty book of at most so many bytes; 0: nothing is kept.
    pub fn new(most_bytes: u64) -> Visitbook {
        Visitbook {
            most_bytes,
            shelf: Arc::default(),
        }
    }

    /// The sessions that a question chooses; `None` where it has to read events.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn sessions(&self, look: &Look<'_>, spec: &VisitSpec) -> Result<Option<Found>, StoreError> {
        if self.most_bytes == 0 || !spec.is_plain() {
            return Ok(None);
        }
        let page = self.shelf().take_out(&look.project);
        let mut page = page.lock().await;
        let since_ms = spec.earliest_ms();
        // What lies long ago is not worth everything since.
        let is_open = spec.range.to_ms >= look.now_ms;
        if page.is_too_large(since_ms) || !(is_open || page.reaches(since_ms)) {
            return Ok(None);
        }
        let refreshed = page.refresh(look, since_ms).await;
        // Of all texts there may be too many where of those that one question asks for there are not.
        if matches!(refreshed, Err(StoreError::TooManyRows(_))) || page.bytes() > self.most_bytes {
            page.give_up(since_ms);
        }
        self.shelf()
            .put_back(&look.project, page.bytes(), self.most_bytes);
        match refreshed {
            Ok(rows_read) if page.reaches(since_ms) => {
                let kept = page.kept();
                drop(page);
                Ok(Some(choose(kept, spec, rows_read).await?))
            }
            Ok(_) | Err(StoreError::TooManyRows(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Bytes in use.
    pub fn bytes(&self) -> u64 {
        self.shelf().bytes()
    }

    fn shelf(&self) -> std::sync::MutexGuard<'_, Shelf<ProjectNumber, Page>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn choose(kept: Kept, spec: &VisitSpec, rows_read: u64) -> Result<Found, StoreError> {
    let (parts, columns) = kept.parts();
    let each = parts.len().div_ceil(THREADS).max(1);
    let mut running = Vec::new();
    for parts in parts.chunks(each) {
        let (parts, columns, spec) = (parts.to_vec(), columns.clone(), spec.clone());
        running.push(tokio::task::spawn_blocking(move || {
            let chosen = parts.iter().map(|part| part.chosen(&spec, &columns));
            chosen.collect::<Vec<Chunk>>()
        }));
    }
    let mut chunks = Vec::new();
    for thread in running {
        let chosen = thread.await;
        chunks.extend(chosen.map_err(|error| StoreError::Unreadable(error.to_string()))?);
    }
    Ok(Found {
        chunks,
        columns,
        rows_read,
    })
}
