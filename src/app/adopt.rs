//! `footfall doctor --adopt`: the operator's word that Redis and ClickHouse, of which one was replaced or restored
//! from an older copy, are to go on together.
//!
//! Shards that find such a contradiction stop, because a batch number that is used twice loses rows silently. Here
//! each shard begins a new incarnation, whose batch numbers ClickHouse has never seen. What could be doubled is
//! looked for first: rows of the stream whose ids the tables hold already are taken out of it, and the rollups of
//! the days that unknown batches brought are computed anew from raw events, as those batches may be incomplete.
//! What only the lost copy held is lost; nothing here can bring it back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::{Rooms, attach};
use crate::config::Config;
use crate::event::ProjectNumber;
use crate::store::adopt::TouchedDay;
use crate::stream::ledger::Waited;
use crate::stream::rebuild::{Rebuild, RollupKind};
use crate::stream::shard::{Acquired, Lease, batch_number, incarnation_of};

/// Leases and heartbeats of workers that were killed run out within this.
const OTHERS_GONE_WITHIN: Duration = Duration::from_secs(20);

/// Each step of a shard takes a fraction of this.
const LEASE: Duration = Duration::from_secs(120);

/// Rows of the stream that are compared with the tables at a time.
const ROWS_AT_A_TIME: u64 = 10_000;
const BYTES_AT_A_TIME: u64 = 32 << 20;

/// What was done to a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AdoptedShard {
    pub shard: u16,
    /// Rows taken out of the stream, because the tables hold them.
    pub stored_already: u64,
    /// Rows that wait in the stream and will be delivered.
    pub waiting: u64,
    /// Rows in the tables.
    pub stored: u64,
}

/// What `--adopt` did; `None` when Redis and ClickHouse agree and nothing was touched.
pub type Adopted = Option<(u64, Vec<AdoptedShard>)>;

/// What was done, in words.
pub fn described(adopted: &Adopted) -> String {
    let Some((incarnation, shards)) = adopted else {
        return "Redis and ClickHouse agree: nothing to adopt\n".to_owned();
    };
    let line = |shard: &AdoptedShard| {
        format!(
            "shard {}: {} rows in the tables, {} wait in the stream, {} taken out of it because they are stored\n",
            shard.shard, shard.stored, shard.waiting, shard.stored_already
        )
    };
    let lines: String = shards.iter().map(line).collect();
    format!("{lines}incarnation {incarnation} begins; footfall audit tells whether everything adds up\n")
}

/// Settles what the two engines disagree about; changes nothing where they agree.
///
/// # Errors
/// While a worker runs; when an engine does not answer. What was begun is done again by the next call.
pub async fn adopt(config: &Config) -> anyhow::Result<Adopted> {
    let (engines, rooms) = attach(config).await?;
    let adopted = settle(&rooms).await;
    rooms.meta.close().await;
    engines.stop().await;
    adopted
}

async fn settle(rooms: &Rooms) -> anyhow::Result<Adopted> {
    let Rooms { stream, store, .. } = rooms;
    let deadline = Instant::now() + OTHERS_GONE_WITHIN;
    while stream.live_workers().await? > 0 {
        ensure!(
            Instant::now() < deadline,
            "a worker runs: stop every server of this installation first"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let owner: Arc<str> = Arc::from(uuid::Uuid::new_v4().simple().to_string());
    let mut shards = Vec::new();
    for shard in 0..stream.shards() {
        shards.push(take(rooms, shard, &owner, deadline).await?);
    }
    let adopted = together(rooms, &mut shards).await;
    for acquired in &shards {
        stream.release(&acquired.lease).await?;
    }
    if adopted.as_ref().is_ok_and(Option::is_some) {
        stream
            .generations_above(store.highest_generation().await?)
            .await?;
    }
    adopted
}

/// The lease of a shard, which a killed worker may hold for some seconds yet.
async fn take(rooms: &Rooms, shard: u16, owner: &Arc<str>, deadline: Instant) -> anyhow::Result<Acquired> {
    loop {
        if let Some(acquired) = rooms.stream.acquire(shard, owner, LEASE).await? {
            return Ok(acquired);
        }
        if Instant::now() > deadline {
            bail!("shard {shard} belongs to a worker: stop every server of this installation first");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn together(rooms: &Rooms, shards: &mut [Acquired]) -> anyhow::Result<Adopted> {
    let Rooms { stream, store, .. } = rooms;
    let recorded = store.incarnation().await?;
    let stored = store.rows_by_shard().await?;
    let mut agree = true;
    let mut latest = recorded.unwrap_or(0);
    for acquired in shards.iter() {
        let Lease {
            shard, incarnation, ..
        } = acquired.lease;
        let known = acquired.plan.as_ref().map_or(acquired.seq, |plan| plan.seq);
        let largest = store.max_batch(shard).await?.unwrap_or(0);
        let counters = stream.shard_counters(shard).await?;
        let rows = stored.get(&shard).copied().unwrap_or(0);
        latest = latest.max(incarnation).max(incarnation_of(largest));
        agree &= recorded.is_none_or(|recorded| recorded == incarnation)
            && largest <= batch_number(incarnation, known)
            // Of an open batch some rows may be in the tables; of a removal some may be gone already.
            && (acquired.plan.is_some()
                || stream.is_removing(shard).await?
                || rows + counters.rows_removed == counters.rows_out);
    }
    if agree {
        return Ok(None);
    }
    let incarnation = latest + 1;
    let mut days = BTreeSet::new();
    let mut adopted = Vec::new();
    for acquired in shards.iter_mut() {
        let shard = acquired.lease.shard;
        let context = || format!("adopting shard {shard}");
        let committed = batch_number(acquired.lease.incarnation, acquired.seq);
        days.extend(store.days_after(shard, committed).await?);
        let stored = stored.get(&shard).copied().unwrap_or(0);
        let done = adopt_shard(rooms, &mut acquired.lease, incarnation, stored);
        adopted.push(done.await.with_context(context)?);
    }
    // Before the new incarnation is recorded, and so before any worker goes on.
    queue(rooms, &days).await?;
    store.record_incarnation(incarnation).await?;
    Ok(Some((incarnation, adopted)))
}

async fn adopt_shard(
    rooms: &Rooms,
    lease: &mut Lease,
    incarnation: u64,
    stored: u64,
) -> anyhow::Result<AdoptedShard> {
    let Rooms { stream, store, .. } = rooms;
    let shard = lease.shard;
    let mut adopted = AdoptedShard {
        shard,
        stored,
        ..AdoptedShard::default()
    };
    // What is rewritten comes to stand behind the end that was there at first.
    let end = stream.last_entry(shard).await?;
    let mut after = "0-0".to_owned();
    while let Some(end) = &end {
        stream.renew(lease).await?;
        let reading = stream.read_range(shard, &after, Some(end), ROWS_AT_A_TIME, BYTES_AT_A_TIME);
        let entries = reading.await?;
        let Some(last) = entries.last() else { break };
        after.clone_from(&last.id);
        let mut events = Vec::new();
        for entry in &entries {
            events.extend(entry.kept()?);
        }
        let known = store.stored_events(shard, &events).await?;
        for entry in &entries {
            let mut rows = entry.kept()?;
            let before = rows.len();
            rows.retain(|row| !known.contains(&(row.project, row.actor(), row.id)));
            if rows.len() < before {
                adopted.stored_already += (before - rows.len()) as u64;
                stream.rewrite(lease, entry, &rows).await?;
            }
        }
    }
    let waiting = waiting(rooms, lease).await?;
    adopted.waiting = waiting.1;
    stream
        .begin_incarnation(lease, incarnation, stored, &waiting.0, waiting.1)
        .await?;
    Ok(adopted)
}

/// What the stream holds now: as noted for the ledger, and rows in all.
async fn waiting(rooms: &Rooms, lease: &mut Lease) -> anyhow::Result<(Vec<Waited>, u64)> {
    let (mut noted, mut rows) = (Vec::new(), 0);
    let mut after = "0-0".to_owned();
    loop {
        rooms.stream.renew(lease).await?;
        let reading = rooms
            .stream
            .read_range(lease.shard, &after, None, ROWS_AT_A_TIME, BYTES_AT_A_TIME);
        let entries = reading.await?;
        let Some(last) = entries.last() else {
            return Ok((noted, rows));
        };
        after.clone_from(&last.id);
        for entry in &entries {
            rows += entry.kept()?.len() as u64;
            noted.extend(entry.waited()?);
        }
    }
}

async fn queue(rooms: &Rooms, days: &BTreeSet<TouchedDay>) -> anyhow::Result<()> {
    let rebuild = |project: ProjectNumber, kind, day| Rebuild { project, kind, day };
    let rebuilds: BTreeSet<Rebuild> = days
        .iter()
        .flat_map(|touched| {
            [
                rebuild(touched.project, RollupKind::Counts, touched.day),
                rebuild(touched.project, RollupKind::Sketches, touched.local_day),
            ]
        })
        .collect();
    let rebuilds: Vec<Rebuild> = rebuilds.into_iter().collect();
    // Due at once: what the stream still holds are deltas behind the rebuilt days.
    rooms.stream.queue_rebuilds(&rebuilds, 0).await?;
    Ok(())
}
