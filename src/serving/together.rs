//! One look for all who asked before it began: twenty thousand questions a second need the same few facts, and
//! each needs them as they are *after* it came. Whoever comes while a look is under way waits for the next one.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::watch;

/// What looks: it is given everything that was asked about.
type Look<K, T> = dyn Fn(Vec<K>) -> BoxFuture<'static, T> + Send + Sync;

/// Gathers questions of the kind "how is `K` now?". Cheap to clone.
pub struct Together<K, T> {
    inner: Arc<Inner<K, T>>,
}

struct Inner<K, T> {
    look: Box<Look<K, T>>,
    rounds: Mutex<Rounds<K, T>>,
}

struct Rounds<K, T> {
    /// Whether a look is under way.
    looking: bool,
    /// Who waits for the look after it.
    next: Option<Round<K, T>>,
}

struct Round<K, T> {
    asked: BTreeSet<K>,
    told: watch::Sender<Option<T>>,
}

impl<K, T> Clone for Together<K, T> {
    fn clone(&self) -> Self {
        Together {
            inner: self.inner.clone(),
        }
    }
}

impl<K, T> Together<K, T>
where
    K: Ord + Clone + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Looks by `look`, never twice at once.
    pub fn new<F>(look: impl Fn(Vec<K>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        let rounds = Rounds {
            looking: false,
            next: None,
        };
        Together {
            inner: Arc::new(Inner {
                look: Box::new(move |asked| Box::pin(look(asked))),
                rounds: Mutex::new(rounds),
            }),
        }
    }

    /// What a look that begins from now on says, one that is about `about` too. `None` only when that look broke.
    pub async fn ask(&self, about: K) -> Option<T> {
        let mut told = {
            let mut rounds = self.inner.rounds();
            let round = rounds.next.get_or_insert_with(|| Round {
                asked: BTreeSet::new(),
                told: watch::channel(None).0,
            });
            round.asked.insert(about);
            let told = round.told.subscribe();
            if !rounds.looking {
                rounds.looking = true;
                // A task of its own: whoever asked first may leave.
                tokio::spawn(Runner(self.inner.clone()).run());
            }
            told
        };
        told.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl<K, T> Inner<K, T> {
    fn rounds(&self) -> std::sync::MutexGuard<'_, Rounds<K, T>> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks until nobody waits.
struct Runner<K, T>(Arc<Inner<K, T>>);

impl<K: Ord, T> Runner<K, T> {
    async fn run(self) {
        loop {
            let round = {
                let mut rounds = self.0.rounds();
                match rounds.next.take() {
                    Some(round) => round,
                    None => {
                        rounds.looking = false;
                        return;
                    }
                }
            };
            let told = (self.0.look)(round.asked.into_iter().collect()).await;
            round.told.send_replace(Some(told));
        }
    }
}

impl<K, T> Drop for Runner<K, T> {
    /// A look that panicked: those who waited are told nothing, and the next one starts anew.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut rounds = self.0.rounds();
            rounds.looking = false;
            rounds.next = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::Semaphore;

    #[tokio::test]
    async fn whoever_comes_during_a_look_gets_the_next_one_and_they_share_it() {
        let looks = Arc::new(AtomicU32::new(0));
        let gate = Arc::new(Semaphore::new(0));
        let together = {
            let (looks, gate) = (looks.clone(), gate.clone());
            Together::new(move |asked: Vec<u32>| {
                let (nth, gate) = (looks.fetch_add(1, Ordering::SeqCst) + 1, gate.clone());
                async move {
                    gate.acquire().await.expect("open").forget();
                    (nth, asked)
                }
            })
        };
        let ask = |about| {
            let together = together.clone();
            tokio::spawn(async move { together.ask(about).await.expect("told") })
        };
        let first = ask(1);
        while looks.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let later: Vec<_> = [5, 3, 5].map(ask).into();
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(2);
        assert_eq!(first.await.unwrap(), (1, vec![1]));
        for one in later {
            assert_eq!(one.await.unwrap(), (2, vec![3, 5]));
        }
        assert_eq!(looks.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_look_that_breaks_tells_nothing_and_the_next_one_looks_again() {
        let broken = Arc::new(AtomicU32::new(0));
        let together = Together::new(move |_: Vec<u32>| {
            let nth = broken.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(nth > 0, "the first look breaks");
                nth
            }
        });
        assert_eq!(together.ask(1).await, None);
        assert_eq!(together.ask(1).await, Some(1));
    }
}
