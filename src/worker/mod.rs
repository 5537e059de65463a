//! The role between stream and tables: a worker owns shards and delivers them ([`deliver`]), and rolls up what
//! many batches left ([`roll`]).
//!
//! Workers share the shards by heartbeat: each takes at most ceil(shards / living workers), and gives one back
//! only between two batches. One that dies is noticed when its leases run out.

mod batch;
pub mod deliver;
mod insert;
mod ledger;
mod load;
mod outcome;
pub mod partial;
pub mod remove;
pub mod roll;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::xxh3_64;

use crate::clock::Clock;
use deliver::{DeliverError, Deliverer, Delivery, Step};
use roll::Roller;

/// A worker says at least this often that it lives.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Insert rounds a second over all shards: more makes ClickHouse merge small parts without end.
const ROUNDS_A_SECOND: u32 = 16;

/// A shard waits at least this long between two rounds, unless much waits.
const SHORTEST_ROUND: Duration = Duration::from_millis(250);

/// How long a first row waits for those that come with it.
const GATHER: Duration = Duration::from_millis(25);

/// Rows for which a round begins at once.
const MUCH: u64 = 50_000;

/// A shard that was stopped is looked at again after this long.
const STOPPED_FOR: Duration = Duration::from_secs(60);

/// A shard that cannot go on for longer than this is reported as an error, again each time it passes.
const ALERT_AFTER: Duration = Duration::from_secs(60);

/// A running worker: run it once, stop it by the token.
pub struct Worker {
    deliverer: Deliverer,
    roller: Roller,
    clock: Clock,
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
            deliverer,
            roller,
            clock,
        }
    }

    /// Owns its share of the shards until `shutdown`; then finishes the batches under way and gives the
    /// shards back. An engine that is away only makes it wait.
    pub async fn run(&self, shutdown: CancellationToken) {
        let rolling = self.roller.run(&self.clock, shutdown.clone());
        tokio::join!(self.own_shards(&shutdown), rolling);
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
                    let task = tokio::spawn(deliver_until(self.deliverer.clone(), delivery, stop.clone()));
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
async fn deliver_until(deliverer: Deliverer, mut delivery: Delivery, stop: CancellationToken) -> Ended {
    let shard = delivery.shard();
    let shards = u32::from(deliverer.stream.shards());
    let round = SHORTEST_ROUND.max(Duration::from_secs(1) * shards / ROUNDS_A_SECOND);
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
                    pace(&deliverer, shard, last_round.map(|at| at + round)).await;
                    last_round = Some(Instant::now());
                    delivery.step().await
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

/// Lets rows gather: a moment at least, until the shard's next round is due at most, no longer once much waits.
async fn pace(deliverer: &Deliverer, shard: u16, due: Option<Instant>) {
    tokio::time::sleep(GATHER).await;
    while let Some(left) = due.and_then(|due| due.checked_duration_since(Instant::now())) {
        match deliverer.stream.shard_counters(shard).await {
            Ok(counters) if counters.rows_waiting < MUCH => {}
            _ => return,
        }
        tokio::time::sleep(left.min(Duration::from_millis(50))).await;
    }
}
