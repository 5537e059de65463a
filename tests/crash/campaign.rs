//! A campaign against separate roles: random victims at random moments, processes frozen past their lease, batch
//! sizes that change at each start, a full Redis, an absent ClickHouse. At the end everything is compared.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::Signal;

use super::cluster::{Cluster, LEASE_S, Part};
use super::oracle::{Found, look};
use super::producers::{Manners, Producers};
use super::tenants::{Project, register};
use super::{alone, setting};

/// Kills of the short form.
const KILLS: u64 = 14;
/// Kills between two looks at everything.
const LOOK_EVERY: u64 = 60;
/// Longest time until somebody works again.
const RECOVERY: Duration = Duration::from_secs(120);
/// Longest time until everything is in the tables.
const DRAIN: Duration = Duration::from_secs(300);

/// What is done beside killing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Disturbance {
    /// A worker is frozen past its lease, and wakes up with whatever it had begun.
    FrozenWorker,
    /// An engine or the endpoint answers nobody for a while.
    FrozenPart,
    /// Redis has no memory left; a worker is killed meanwhile, and its successor must drain.
    FullRedis,
    /// ClickHouse is away until the stream is full.
    AbsentClickHouse,
}

struct Campaign {
    rng: Rng,
    cluster: Cluster,
    projects: Vec<Project>,
    producers: Producers,
    kills: BTreeMap<&'static str, u64>,
    disturbances: BTreeMap<Disturbance, u64>,
    /// How long ClickHouse is away when it is.
    absence: Duration,
}

impl Campaign {
    async fn start(seed: u64, absence: Duration) -> Campaign {
        let cluster = Cluster::start().await;
        let projects = register(&cluster).await;
        let producers = Producers::start(&cluster.capture, &projects, seed, Manners::default());
        Campaign {
            rng: Rng::with_seed(seed),
            cluster,
            projects,
            producers,
            kills: BTreeMap::new(),
            disturbances: BTreeMap::new(),
            absence,
        }
    }

    fn killed(&self) -> u64 {
        self.kills.values().sum()
    }

    /// A moment that is another one each time: within a request, a batch, a commit.
    async fn moment(&mut self) {
        tokio::time::sleep(Duration::from_millis(self.rng.u64(0..80))).await;
    }

    /// Waits for a shard with a planned batch that is not committed, for a moment: workers may have no more of it.
    async fn within_a_batch(&self) {
        let deadline = Instant::now() + Duration::from_secs(2);
        while Instant::now() < deadline && self.cluster.progress().await.is_some_and(|now| now.planned == 0) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn kill(&mut self, part: Part) {
        if self.rng.bool() {
            self.within_a_batch().await;
        }
        self.cluster.kill(part).await;
        *self.kills.entry(part.name()).or_default() += 1;
    }

    /// Starts a part, a worker with another batch size than before.
    async fn restart(&mut self, part: Part) {
        let rows = [150, 700, 3_000, 20_000, 200_000][self.rng.usize(..5)];
        self.cluster.set("FOOTFALL_BATCH_ROWS", &rows.to_string());
        self.cluster.restart(part).await;
    }

    /// One to three victims in quick succession, or all of it at once; then all of them start again.
    async fn strike(&mut self) {
        let all = self.rng.u8(..12) == 0;
        let mut victims = Part::ALL.to_vec();
        if !all {
            self.rng.shuffle(&mut victims);
            // Nothing is stored by an api process: its death can only disturb others.
            if self.rng.u8(..4) > 0 {
                victims.retain(|part| *part != Part::Api);
            }
            victims.truncate([1, 1, 1, 2, 2, 3][self.rng.usize(..6)]);
        }
        for &part in &victims {
            self.kill(part).await;
            if !all {
                self.moment().await;
            }
        }
        // Engines first, as roles end at once without them.
        victims.sort_unstable();
        for part in victims {
            self.restart(part).await;
        }
    }

    async fn disturb(&mut self, what: Disturbance) {
        *self.disturbances.entry(what).or_default() += 1;
        match what {
            Disturbance::FrozenWorker => {
                let worker = [Part::WorkerOne, Part::WorkerTwo][self.rng.usize(..2)];
                self.freeze(worker, LEASE_S * 1_000 + 300).await;
                if self.rng.bool() {
                    // It wakes up to engines that have forgotten its connections.
                    for engine in [Part::ClickHouse, Part::Redis] {
                        self.kill(engine).await;
                        self.restart(engine).await;
                    }
                }
                self.cluster.signal(worker, Signal::CONT);
            }
            Disturbance::FrozenPart => {
                let part = [Part::ClickHouse, Part::Redis, Part::Capture][self.rng.usize(..3)];
                // Up to longer than capture waits for Redis.
                let ms = self.rng.u64(200..7_000);
                self.freeze(part, ms).await;
                self.cluster.signal(part, Signal::CONT);
            }
            Disturbance::FullRedis => {
                self.cluster.configure_redis("maxmemory", "1").await;
                self.producers.refuse(3).await;
                self.kill(Part::WorkerOne).await;
                self.restart(Part::WorkerOne).await;
                self.cluster.drained(DRAIN).await;
                self.cluster.configure_redis("maxmemory", "0").await;
            }
            Disturbance::AbsentClickHouse => {
                self.kill(Part::Capture).await;
                self.cluster.set("FOOTFALL_STREAM_REQUESTS", "40");
                self.restart(Part::Capture).await;
                self.cluster.unset("FOOTFALL_STREAM_REQUESTS");
                self.kill(Part::ClickHouse).await;
                self.producers.refuse(3).await;
                tokio::time::sleep(self.absence).await;
                self.restart(Part::ClickHouse).await;
            }
        }
    }

    async fn freeze(&mut self, part: Part, ms: u64) {
        self.within_a_batch().await;
        self.cluster.signal(part, Signal::STOP);
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    /// Waits for quiet and compares everything.
    async fn look(&self) -> Found {
        let truth = self.producers.pause().await;
        self.cluster.drained(DRAIN).await;
        let found = look(&self.cluster, &self.projects, &truth).await;
        self.producers.resume();
        found
    }

    /// Stops the workers, so that nobody can come late any more, and compares for the last time.
    async fn last_look(&mut self) -> Found {
        let truth = self.producers.pause().await;
        self.cluster.drained(DRAIN).await;
        for worker in [Part::WorkerOne, Part::WorkerTwo] {
            self.cluster.stop(worker).await;
        }
        look(&self.cluster, &self.projects, &truth).await
    }

    async fn end(self) {
        self.producers.finish().await;
        self.cluster.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn separate_roles_are_killed_at_random_and_nothing_is_lost_or_doubled() {
    let _alone = alone().await;
    let began = Instant::now();
    let (seed, kills) = (
        setting("FOOTFALL_CRASH_SEED", 3),
        setting("FOOTFALL_CRASH_KILLS", KILLS),
    );
    let long = kills > KILLS;
    let absence = Duration::from_secs(if long { 90 } else { 2 });
    let mut campaign = Campaign::start(seed, absence).await;
    // Each kind of disturbance comes once in the short form too, between the kills.
    let mut due = vec![
        Disturbance::FrozenWorker,
        Disturbance::FullRedis,
        Disturbance::AbsentClickHouse,
        Disturbance::FrozenPart,
    ];
    let mut next_look = LOOK_EVERY;
    let mut round = 0_u64;
    while campaign.killed() < kills || !due.is_empty() {
        campaign.producers.acknowledge(campaign.rng.usize(1..20)).await;
        campaign.cluster.works(RECOVERY).await;
        campaign.moment().await;
        campaign.strike().await;
        round += 1;
        if round.is_multiple_of(2)
            && let Some(disturbance) = due.pop()
        {
            campaign.producers.acknowledge(5).await;
            campaign.disturb(disturbance).await;
        } else if round.is_multiple_of(12) {
            due = vec![
                Disturbance::FrozenWorker,
                Disturbance::FullRedis,
                Disturbance::FrozenWorker,
                Disturbance::FrozenPart,
            ];
        }
        if campaign.killed() >= next_look {
            next_look += LOOK_EVERY;
            let found = campaign.look().await;
            eprintln!(
                "{} kills, {:.0} s, seed {seed}:\n{found}",
                campaign.killed(),
                began.elapsed().as_secs_f64()
            );
            assert!(found.holds(), "after {} kills", campaign.killed());
        }
    }
    let found = campaign.last_look().await;
    eprintln!(
        "crash campaign, seed {seed}: {} kills {:?}, besides {:?}, {} requests refused or unanswered, {:.0} s\n{found}",
        campaign.killed(),
        campaign.kills,
        campaign.disturbances,
        campaign.producers.refused(),
        began.elapsed().as_secs_f64()
    );
    assert!(found.holds(), "the promise is broken, seed {seed}");
    campaign.end().await;
}
