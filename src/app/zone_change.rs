//! A project's zone changed: its days have other borders now, so their sketches are built again from raw events.
//! Until then answers from sketches carry the warning `rebuild_pending`.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Rooms;
use crate::api::ZoneHook;
use crate::event::Day;
use crate::meta::ZoneChange;
use crate::stream::rebuild::{Rebuild, RollupKind};

/// How long after a change the rebuild starts: by then every capture node has loaded the new zone.
const SETTLES_AFTER_MS: i64 = 5_000;

/// How often a worker looks for changes whose rebuild was not queued.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What the API calls after a zone change.
pub fn hook(rooms: &Rooms) -> ZoneHook {
    let rooms = rooms.clone();
    Arc::new(move |change| {
        let rooms = rooms.clone();
        Box::pin(async move { queue(&rooms, &change).await.map_err(|error| format!("{error:#}")) })
    })
}

/// Queues, now and then until `stop`, what could not be queued when the zone changed because Redis was away.
pub async fn follow(rooms: &Rooms, stop: CancellationToken) {
    loop {
        if let Err(error) = queue_pending(rooms).await {
            tracing::warn!(%error, "a zone change waits for its rebuild");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

async fn queue_pending(rooms: &Rooms) -> anyhow::Result<()> {
    for change in rooms.meta.pending_zone_changes().await? {
        queue(rooms, &change).await?;
    }
    Ok(())
}

async fn queue(rooms: &Rooms, change: &ZoneChange) -> anyhow::Result<()> {
    let now = rooms.clock.now_ms();
    // One member that stands for every day: the roller finds out which those are once everything received
    // under the old zone, a backfill of years ago too, is in the tables.
    let every_day = Rebuild {
        project: change.project,
        kind: RollupKind::AllSketches,
        day: Day::of_utc(now),
    };
    rooms
        .stream
        .queue_rebuilds(&[every_day], now + SETTLES_AFTER_MS)
        .await?;
    rooms.meta.zone_rebuild_queued(change).await?;
    Ok(())
}
