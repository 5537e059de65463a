//! How much memory the batches of all shards of a worker may take together.
//!
//! A shard reserves for the largest batch before it reads one, and gives back at once what the batch does not
//! need. Whoever holds a reservation never waits for more, so two shards cannot wait for each other; who waits
//! is served in the order of asking.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory that a batch takes for each byte of its rows as the stream counts them: the block of columns, the packed
/// entries, and lists of actors.
const WEIGHT: u64 = 2;

/// Reservations are counted in pieces of this many bytes.
const PIECE: u64 = 1 << 10;

/// The memory of a worker's batches. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pieces: Arc<Semaphore>,
    all: u32,
    waiting: Arc<AtomicUsize>,
}

/// Memory for one batch; dropping gives it back.
#[derive(Debug)]
pub(super) struct Reserved {
    pieces: OwnedSemaphorePermit,
}

impl Memory {
    /// Of so many bytes.
    pub fn new(bytes: u64) -> Memory {
        let all = u32::try_from(bytes / PIECE).unwrap_or(u32::MAX).max(1);
        Memory {
            pieces: Arc::new(Semaphore::new(all as usize)),
            all,
            waiting: Arc::default(),
        }
    }

    /// Unpacked bytes of the largest batch that fits.
    pub fn most_unpacked(&self) -> u64 {
        u64::from(self.all) * PIECE / WEIGHT
    }

    /// Waits for the memory of a batch of so many unpacked bytes. A larger batch than fits gets everything: a plan
    /// of a worker with more memory must be finished, too.
    pub async fn reserve(&self, unpacked: u64) -> Reserved {
        let _waits = Waits::new(&self.waiting);
        let pieces = Arc::clone(&self.pieces).acquire_many_owned(self.pieces_of(unpacked));
        Reserved {
            pieces: pieces.await.expect("the semaphore is never closed"),
        }
    }

    /// Whether the reservation covers a batch of so many unpacked bytes.
    pub fn covers(&self, reserved: &Reserved, unpacked: u64) -> bool {
        reserved.pieces.num_permits() >= self.pieces_of(unpacked) as usize
    }

    /// Whether somebody waits for memory.
    pub fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Gives back what a batch of so many unpacked bytes does not need.
    pub fn shrink(&self, reserved: &mut Reserved, unpacked: u64) {
        let beyond = reserved
            .pieces
            .num_permits()
            .saturating_sub(self.pieces_of(unpacked) as usize);
        drop(reserved.pieces.split(beyond));
    }

    fn pieces_of(&self, unpacked: u64) -> u32 {
        let pieces = unpacked.saturating_mul(WEIGHT).div_ceil(PIECE);
        u32::try_from(pieces).unwrap_or(u32::MAX).clamp(1, self.all)
    }
}

/// Counts somebody as waiting, also when the waiting is given up.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn new(waiting: &'a AtomicUsize) -> Waits<'a> {
        waiting.fetch_add(1, Ordering::Relaxed);
        Waits(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn a_batch_waits_for_memory_and_gets_it_in_turn() {
        let memory = Memory::new(100 << 10);
        let mut first = memory.reserve(30 << 10).await;
        let mut large = Box::pin(memory.reserve(40 << 10));
        assert!(
            large.as_mut().now_or_never().is_none(),
            "60 of 100 are taken, 80 wanted"
        );
        assert!(memory.is_wanted());
        let mut small = Box::pin(memory.reserve(1 << 10));
        assert!(
            small.as_mut().now_or_never().is_none(),
            "not before who asked first"
        );
        memory.shrink(&mut first, 10 << 10);
        assert!(memory.covers(&first, 10 << 10) && !memory.covers(&first, 11 << 10));
        let large = large.as_mut().now_or_never().expect("80 are free");
        assert!(small.as_mut().now_or_never().is_none(), "all are taken");
        drop(large);
        assert!(small.now_or_never().is_some());
        assert!(!memory.is_wanted());
    }

    #[tokio::test]
    async fn a_batch_that_is_larger_than_all_memory_gets_all_of_it() {
        let memory = Memory::new(100 << 10);
        assert_eq!(memory.most_unpacked(), 50 << 10);
        let small = memory.reserve(1).await;
        let mut huge = Box::pin(memory.reserve(u64::MAX));
        assert!(huge.as_mut().now_or_never().is_none());
        drop(small);
        let huge = huge.now_or_never().expect("it is alone");
        assert!(memory.covers(&huge, u64::MAX));
    }

    #[tokio::test]
    async fn who_gives_up_waiting_is_not_counted() {
        let memory = Memory::new(1 << 10);
        let held = memory.reserve(1).await;
        let mut other = Box::pin(memory.reserve(1));
        assert!(other.as_mut().now_or_never().is_none());
        drop(other);
        assert!(!memory.is_wanted());
        drop(held);
        assert!(memory.reserve(1).now_or_never().is_some());
    }
}
