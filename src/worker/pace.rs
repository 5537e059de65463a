//! When a shard begins its next round of inserts: often enough to be fresh, seldom enough for merges to keep up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::deliver::{Deliverer, Delivery};
use super::outcome::DeliverError;

/// Insert rounds a second over all shards: more makes ClickHouse merge small parts without end.
const ROUNDS_A_SECOND: u32 = 16;

/// A shard waits at least this long between two rounds, unless much waits.
const SHORTEST_ROUND: Duration = Duration::from_millis(250);

/// How long a first row waits for those that come with it.
const GATHER: Duration = Duration::from_millis(25);

/// Between two looks at a shard that waits for its round.
const LOOK: Duration = Duration::from_millis(50);

/// Rows for which a round begins at once.
const MUCH: u64 = 50_000;

/// With more parts than this in a partition merges are behind, and rounds become longer: twice as long at twice as
/// many, and so on. Then much that waits does not begin a round either; it makes a larger batch.
const CROWDED: u64 = 200;

/// No round is longer than this many ordinary ones.
const LONGEST: u64 = 20;

/// The pace of a worker's shards. Clones share what is known of merges.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    round: Duration,
    most_parts: Arc<AtomicU64>,
}

impl Pace {
    /// For an installation of so many shards, which all insert into one ClickHouse.
    pub fn new(shards: u16) -> Pace {
        Pace {
            round: SHORTEST_ROUND.max(Duration::from_secs(1) * u32::from(shards) / ROUNDS_A_SECOND),
            most_parts: Arc::default(),
        }
    }

    /// Asks ClickHouse how far merges are behind. Without an answer the last one stays.
    pub async fn look(&self, deliverer: &Deliverer) {
        match deliverer.store.most_parts().await {
            Ok(parts) => {
                if parts > CROWDED && !self.is_crowded() {
                    tracing::warn!(parts, "merges are behind: inserting less often");
                }
                self.most_parts.store(parts, Ordering::Relaxed);
            }
            Err(error) => tracing::warn!(%error, "how far merges are behind is not known"),
        }
    }

    /// Lets rows gather: a moment at least, until the shard's next round is due at most, no longer once much waits.
    pub async fn wait(
        &self,
        deliverer: &Deliverer,
        delivery: &mut Delivery,
        last: Option<Instant>,
    ) -> Result<(), DeliverError> {
        tokio::time::sleep(GATHER).await;
        while let Some(left) =
            last.and_then(|last| (last + self.round()).checked_duration_since(Instant::now()))
        {
            match deliverer.stream.shard_counters(delivery.shard()).await {
                Ok(counters) if counters.rows_waiting < MUCH || self.is_crowded() => {}
                _ => return Ok(()),
            }
            tokio::time::sleep(left.min(LOOK)).await;
            // With many shards a round is longer than a lease.
            delivery.hold().await?;
        }
        Ok(())
    }

    fn is_crowded(&self) -> bool {
        self.most_parts.load(Ordering::Relaxed) > CROWDED
    }

    /// From one round to the next.
    fn round(&self) -> Duration {
        let times = (self.most_parts.load(Ordering::Relaxed) / CROWDED).clamp(1, LONGEST);
        self.round * times as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_rounds_a_second_over_all_shards_and_none_shorter_than_a_quarter_of_one() {
        for (shards, milliseconds) in [(1, 250), (4, 250), (16, 1_000), (64, 4_000)] {
            assert_eq!(Pace::new(shards).round(), Duration::from_millis(milliseconds));
        }
    }

    #[test]
    fn rounds_become_longer_as_parts_pile_up_and_short_again() {
        let pace = Pace::new(4);
        for (parts, times, crowded) in [
            (0, 1, false),
            (200, 1, false),
            (399, 1, true),
            (1_000, 5, true),
            (100_000, 20, true),
            (3, 1, false),
        ] {
            pace.most_parts.store(parts, Ordering::Relaxed);
            assert_eq!(pace.round(), Duration::from_millis(250) * times, "{parts} parts");
            assert_eq!(pace.is_crowded(), crowded, "{parts} parts");
        }
    }
}
