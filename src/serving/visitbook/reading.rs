//! From events to sessions: read as narrow rows, folded person by person on several threads.

use std::sync::{Arc, Mutex, PoisonError};

use crate::event::ProjectNumber;
use crate::metrics::visit::{Chunk, Column, Columns, Fold, VisitSpec};
use crate::store::visits::{MAX_AGAIN, MAX_NAMED, Persons, Reading};
use crate::store::{Store, StoreError};

/// Threads that fold the events of one question.
const THREADS: usize = 4;

/// Sessions, and what tells them apart.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The sessions.
    pub chunks: Vec<Chunk>,
    /// Their texts.
    pub columns: Arc<Columns>,
    /// Rows that ClickHouse read.
    pub rows_read: u64,
}

/// Where sessions are read from.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// Facts.
    pub store: &'a Store,
    /// Whose.
    pub project: ProjectNumber,
    /// Which sessions.
    pub spec: &'a VisitSpec,
    /// Texts that are needed.
    pub wanted: &'a [Column],
}

impl Source<'_> {
    /// Gathers the events and folds them: all around the range first; then, of the few persons whose sessions these do not
    /// tell, everything with its ids. `texts` are known already.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits, or more than [`MAX_AGAIN`] persons are to be read whole.
    pub async fn all(&self, texts: &Columns) -> Result<Found, StoreError> {
        let mut found = Found::default();
        let mut aside = Vec::new();
        for with_ids in [false, true] {
            found.columns = Arc::new(texts.clone());
            found.chunks = self.read(Reading::All { with_ids }, &mut found).await?;
            let unordered: usize = found.chunks.iter().map(|chunk| chunk.unordered.len()).sum();
            if with_ids || unordered <= MAX_AGAIN {
                break;
            }
        }
        for chunk in &mut found.chunks {
            aside.append(&mut chunk.restless);
            aside.append(&mut chunk.unordered);
        }
        if aside.len() > MAX_AGAIN {
            let detail = format!(
                "more than {MAX_AGAIN} persons were never silent for so long that a session ended before the range"
            );
            return Err(StoreError::TooManyRows(detail));
        }
        self.add(&aside, &mut found).await?;
        Ok(found)
    }

    /// The sessions of these persons, from their events around the range, and from all that they ever did where these do
    /// not tell. `texts` are known already.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn around(&self, persons: &[u64], texts: Columns) -> Result<Found, StoreError> {
        let mut found = Found {
            columns: Arc::new(texts),
            ..Found::default()
        };
        for persons in persons.chunks(MAX_NAMED) {
            let more = self.read(Reading::Around(persons), &mut found).await?;
            found.chunks.extend(more);
        }
        let mut aside = Vec::new();
        for chunk in &mut found.chunks {
            aside.append(&mut chunk.restless);
            aside.append(&mut chunk.unordered);
        }
        self.add(&aside, &mut found).await?;
        Ok(found)
    }

    /// The sessions of these persons, from all they ever did. `texts` are known already.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn of(&self, persons: &[u64], texts: Columns) -> Result<Found, StoreError> {
        let mut found = Found {
            columns: Arc::new(texts),
            ..Found::default()
        };
        self.add(persons, &mut found).await?;
        Ok(found)
    }

    async fn add(&self, persons: &[u64], found: &mut Found) -> Result<(), StoreError> {
        for persons in persons.chunks(MAX_NAMED) {
            let more = self.read(Reading::Of(persons), found).await?;
            found.chunks.extend(more);
        }
        Ok(())
    }

    /// Reads and folds, each thread into a chunk of its own.
    async fn read(&self, reading: Reading<'_>, found: &mut Found) -> Result<Vec<Chunk>, StoreError> {
        let facts = self
            .store
            .visit_events(self.project, self.spec, self.wanted, reading, &mut found.columns)
            .await?;
        found.rows_read += facts.rows_read;
        let is_all = matches!(reading, Reading::Of(_));
        let threads = THREADS.min(facts.pieces.len());
        let pieces = Arc::new(Mutex::new(facts.pieces));
        // Whoever asked may go away: the threads then find nothing more to do.
        let _leaving = Leaving(pieces.clone());
        let mut running = Vec::new();
        for _ in 0..threads {
            let (pieces, columns, spec) = (pieces.clone(), found.columns.clone(), self.spec.clone());
            running.push(tokio::task::spawn_blocking(move || {
                let fold = Fold::new(&spec, &columns, facts.since_ms, is_all);
                let (mut chunk, mut scratch) = (Chunk::default(), Default::default());
                let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).pop();
                while let Some(piece) = next() {
                    piece.fold(&fold, &mut chunk, &mut scratch);
                }
                chunk
            }));
        }
        let mut chunks = Vec::new();
        for thread in running {
            let chunk = thread.await;
            chunks.push(chunk.map_err(|error| StoreError::Unreadable(error.to_string()))?);
        }
        Ok(chunks)
    }
}

/// Takes what is left of the work with it when it goes.
struct Leaving(Arc<Mutex<Vec<Persons>>>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
