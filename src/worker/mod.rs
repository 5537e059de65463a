//! The role between stream and tables: a worker owns shards and delivers them ([`deliver`]), and rolls up what
//! many batches left ([`roll`]).
//!
//! Workers share the shards by heartbeat: each takes at most ceil(shards / living workers), and gives one back
//! only between two batches. One that dies is noticed when its leases run out.

mod batch;
pub mod cohorts;
pub mod deliver;
mod insert;
mod ledger;
mod load;
mod memory;
mod outcome;
mod pace;
pub mod partial;
pub mod profiles;
pub mod remove;
pub mod roll;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::xxh3_64;

use crate::clock::Clock;
use deliver::{DeliverError, Deliverer, Delivery, Step};
use pace::Pace;
use roll::Roller;

/// A worker says at least this often that it lives.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Between two looks at how far merges are behind.
const WATCH_MERGES: Duration = Duration::from_secs(5);

/// A shard that was stopped is looked at again after this long.
const STOPPED_FOR: Duration = Duration::from_secs(60);

/// A batch that could not go on so many times (six seconds) gives its memory to shards that wait for some.
const PUT_DOWN_AFTER: u32 = 7;

/// A shard that cannot go on for longer than this is reported as an error, again each time it passes.
const ALERT_AFTER: Duration = Duration::from_secs(60);

/// A running worker: run it once, stop it by the token.
pub struct Worker {
    deliverer: Deliverer,
    roller: Roller,
    clock: Clock,
    pace: Pace,
}

/// A shard's task, and how to ask it to end after the batch.
struct Owned {
    stop: CancellationToken,
    task: JoinHandle<Ended>,
}

/// Why a shard's task ended.
enum Ended {
    GivenBack,
    Lost,
    Stopped,
}

impl Worker {
    /// Puts the two halves of the role together.
    pub fn new(deliverer: Deliverer, roller: Roller, clock: Clock) -> Worker {
        Worker {
            pace: Pace::new(deliverer.stream.shards()),
            deliverer,
            roller,
            clock,
        }
    }

    /// Owns its share of the shards until `shutdown`; then finishes the batches under way and gives the
    /// shards back. An engine that is away only makes it wait.
    pub async fn run(&self, shutdown: CancellationToken) {
        let rolling = self.roller.run(&self.clock, shutdown.clone());
        let looking = self.roller.look_at_names(shutdown.clone());
        tokio::join!(
            self.own_shards(&shutdown),
            rolling,
            looking,
            self.watch_merges(&shutdown)
        );
    }

    async fn watch_merges(&self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            self.pace.look(&self.deliverer).await;
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(WATCH_MERGES) => {}
            }
        }
    }

    async fn own_shards(&self, shutdown: &CancellationToken) {
        let stream = &self.deliverer.stream;
        let mut owned: HashMap<u16, Owned> = HashMap::new();
        let mut stopped: HashMap<u16, Instant> = HashMap::new();
        while !shutdown.is_cancelled() {
            for shard in 0..stream.shards() {
                if owned.get(&shard).is_some_and(|o| o.task.is_finished())
                    && let Some(ended) = owned.remove(&shard)
                    && matches!(ended.task.await, Ok(Ended::Stopped))
                {
                    stopped.insert(shard, Instant::now());
                }
            }
            stopped.retain(|_, since| since.elapsed() < STOPPED_FOR);
            // Whoever may be succeeded by now does not count either.
            let silent = self.deliverer.options.lease_ttl;
            match stream.heartbeat(&self.deliverer.owner, silent).await {
                Ok(live) => self.share_out(live, &mut owned, &mut stopped).await,
                Err(error) => tracing::warn!(%error, "no heartbeat"),
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep((silent / 10).min(HEARTBEAT)) => {}
            }
        }
        for shard in owned.values() {
            shard.stop.cancel();
        }
        for (_, shard) in owned {
            let _ = shard.task.await;
        }
        if let Err(error) = stream.sign_off(&self.deliverer.owner).await {
            tracing::debug!(%error, "not signed off, the heartbeat will run out");
        }
    }

    /// Takes free shards up to our share, gives back what is beyond it.
    async fn share_out(
        &self,
        live: u64,
        owned: &mut HashMap<u16, Owned>,
        stopped: &mut HashMap<u16, Instant>,
    ) {
        let shards = self.deliverer.stream.shards();
        let share = u64::from(shards).div_ceil(live.max(1)) as usize;
        let leaving = owned.values().filter(|o| o.stop.is_cancelled()).count();
        let beyond = (owned.len() - leaving).saturating_sub(share);
        for shard in owned.values().filter(|o| !o.stop.is_cancelled()).take(beyond) {
            shard.stop.cancel();
        }
        // Workers begin at different places, so that they seldom ask for the same shard.
        let first = (xxh3_64(self.deliverer.owner.as_bytes()) % u64::from(shards)) as u16;
        for shard in (0..shards).map(|n| (first + n) % shards) {
            if owned.len() >= share {
                return;
            }
            if owned.contains_key(&shard) || stopped.contains_key(&shard) {
                continue;
            }
            match self.deliverer.own(shard).await {
                Ok(Some(delivery)) => {
                    tracing::info!(shard, "shard taken");
                    let stop = CancellationToken::new();
                    let task = tokio::spawn(deliver_until(
                        self.deliverer.clone(),
                        delivery,
                        self.pace.clone(),
                        stop.clone(),
                    ));
                    owned.insert(shard, Owned { stop, task });
                }
                Ok(None) => {}
                Err(DeliverError::Stopped(why)) => {
                    tracing::error!(shard, why, "shard stopped");
                    stopped.insert(shard, Instant::now());
                }
                Err(error) => tracing::warn!(shard, %error, "shard not taken"),
            }
        }
    }
}

/// Delivers a shard until it is asked to stop, between two batches, or loses it.
async fn deliver_until(
    deliverer: Deliverer,
    mut delivery: Delivery,
    pace: Pace,
    stop: CancellationToken,
) -> Ended {
    let shard = delivery.shard();
    let mut waiter = deliverer.stream.waiter(shard);
    let mut last_round: Option<Instant> = None;
    let mut trouble: Option<(Instant, u32)> = None;
    loop {
        let stepped = if delivery.is_between_batches() {
            if stop.is_cancelled() {
                delivery.release().await;
                tracing::info!(shard, "shard given back");
                return Ended::GivenBack;
            }
            let entries = tokio::select! {
                () = stop.cancelled() => continue,
                entries = waiter.entry_after(delivery.done(), Duration::from_secs(1)) => entries,
            };
            match entries {
                Ok(false) => delivery.keep().await.map(|()| Step::Idle),
                Ok(true) => {
                    let paced = pace.wait(&deliverer, &mut delivery, last_round).await;
                    last_round = Some(Instant::now());
                    match paced {
                        Ok(()) => delivery.step().await,
                        Err(error) => Err(error),
                    }
                }
                Err(error) => Err(error.into()),
            }
        } else {
            delivery.step().await
        };
        match stepped {
            Ok(_) => trouble = None,
            Err(DeliverError::Lost(why)) => {
                tracing::info!(shard, why, "shard lost");
                return Ended::Lost;
            }
            Err(DeliverError::Stopped(why)) => {
                tracing::error!(shard, why, "shard stopped");
                delivery.release().await;
                return Ended::Stopped;
            }
            Err(DeliverError::Waiting(why)) => {
                if stop.is_cancelled() {
                    // Whatever is planned is finished by the next owner.
                    delivery.release().await;
                    return Ended::GivenBack;
                }
                let (since, times) = trouble.get_or_insert_with(|| (Instant::now(), 0));
                if since.elapsed() > ALERT_AFTER {
                    tracing::error!(shard, why, "no progress for {} s", ALERT_AFTER.as_secs());
                    *since = Instant::now();
                } else {
                    tracing::warn!(shard, why, "delivery waits");
                }
                if *times >= PUT_DOWN_AFTER && delivery.put_down() {
                    tracing::info!(shard, "gave its memory to other shards");
                }
                let wait = Duration::from_millis(50) * 2_u32.pow((*times).min(6));
                *times += 1;
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(wait) => {}
                }
            }
        }
    }
}
