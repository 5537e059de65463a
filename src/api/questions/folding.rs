//! Folds pieces of facts on several threads.

use std::sync::{Arc, Mutex, PoisonError};

use crate::problem::Problem;

/// Threads that fold the facts of one question.
const THREADS: usize = 4;

/// Folds each piece into one of a few copies of the empty tally, which are then to be put together.
pub async fn folded<P, T, S>(
    pieces: Vec<P>,
    empty: &T,
    fold: fn(P, &mut T, &mut S),
) -> Result<Vec<T>, Problem>
where
    P: Send + 'static,
    T: Clone + Send + 'static,
    S: Default + 'static,
{
    let threads = THREADS.min(pieces.len());
    let pieces = Arc::new(Mutex::new(pieces));
    // Whoever asked may go away: the threads then find nothing more to do.
    let _leaving = Leaving(pieces.clone());
    let mut running = Vec::new();
    for _ in 0..threads {
        let (pieces, mut tally) = (pieces.clone(), empty.clone());
        running.push(tokio::task::spawn_blocking(move || {
            let mut scratch = S::default();
            let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).pop();
            while let Some(piece) = next() {
                fold(piece, &mut tally, &mut scratch);
            }
            tally
        }));
    }
    let mut tallies = Vec::new();
    for thread in running {
        tallies.push(thread.await.map_err(Problem::internal)?);
    }
    Ok(tallies)
}

/// Takes what is left of the work with it when it goes.
struct Leaving<T>(Arc<Mutex<Vec<T>>>);

impl<T> Drop for Leaving<T> {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
