//! Pages that are kept in memory within a budget of bytes: those that were not used for longest go first.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::metrics::sketch::SketchError;
use crate::store::StoreError;
use crate::stream::StreamError;

/// Why a page could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
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

/// Pages by title.
#[derive(Debug)]
pub(super) struct Shelf<K, P> {
    places: HashMap<K, Place<P>>,
    /// Counts uses, so that the least recent one is known.
    uses: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Place<P> {
    page: Arc<Mutex<P>>,
    bytes: u64,
    used: u64,
}

impl<K, P> Default for Shelf<K, P> {
    fn default() -> Self {
        Shelf {
            places: HashMap::new(),
            uses: 0,
            bytes: 0,
        }
    }
}

impl<K: Clone + Eq + Hash, P: Default> Shelf<K, P> {
    /// The page of this title; an empty one if there is none yet.
    pub fn take_out(&mut self, title: &K) -> Arc<Mutex<P>> {
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
    pub fn put_back(&mut self, title: &K, bytes: u64, most_bytes: u64) {
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

    /// Bytes in use.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_that_was_not_used_for_longest_goes_first() {
        let mut shelf: Shelf<u32, ()> = Shelf::default();
        for n in 1..=3 {
            shelf.take_out(&n);
            shelf.put_back(&n, 100, 300);
        }
        shelf.take_out(&1);
        shelf.put_back(&1, 150, 300);
        let mut left: Vec<u32> = shelf.places.keys().copied().collect();
        left.sort_unstable();
        assert_eq!((left, shelf.bytes), (vec![1, 3], 250));
        shelf.take_out(&9);
        shelf.put_back(&9, 1_000, 300);
        assert_eq!((shelf.places.len(), shelf.bytes), (0, 0));
    }
}
