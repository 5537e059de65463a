//! A project's zone changed: its days have other borders now, so their sketches are built again from raw events.

use std::sync::Arc;

use super::Rooms;
use crate::api::ZoneHook;
use crate::event::Day;
use crate::meta::ZoneChange;
use crate::stream::rebuild::{Rebuild, RollupKind};

/// How long after a change the rebuild starts: by then every capture node has loaded the new zone.
const SETTLES_AFTER_MS: i64 = 5_000;

/// What the API calls after a zone change.
pub fn hook(rooms: &Rooms) -> ZoneHook {
    let rooms = rooms.clone();
    Arc::new(move |change| {
        let rooms = rooms.clone();
        Box::pin(async move { queue(&rooms, &change).await.map_err(|error| format!("{error:#}")) })
    })
}

/// Queues what an earlier process could not.
pub async fn queue_pending(rooms: &Rooms) -> anyhow::Result<()> {
    for change in rooms.meta.pending_zone_changes().await? {
        queue(rooms, &change).await?;
    }
    Ok(())
}

async fn queue(rooms: &Rooms, change: &ZoneChange) -> anyhow::Result<()> {
    let now = rooms.clock.now_ms();
    // Today's events may still be on their way into the tables.
    let today = Day::of_utc(now);
    let (first, last) = rooms
        .store
        .data_days(change.project)
        .await?
        .map_or((today, today), |(first, last)| {
            (first.min(today), last.max(today))
        });
    // In another zone an event may fall on the day before or after.
    let rebuilds: Vec<Rebuild> = (first.0 - 1..=last.0 + 1)
        .map(|day| Rebuild {
            project: change.project,
            kind: RollupKind::Sketches,
            day: Day(day),
        })
        .collect();
    rooms
        .stream
        .queue_rebuilds(&rebuilds, now + SETTLES_AFTER_MS)
        .await?;
    rooms.meta.zone_rebuild_queued(change).await?;
    Ok(())
}
