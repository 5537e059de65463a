//! What a worker watches beside its work, for `/metrics`: dead letters, and whether everything adds up.
//!
//! Every worker watches, so that none has to be alive for it: with several, look at the lowest
//! `footfall_audit_holds` of those with a recent `footfall_audit_timestamp_seconds`.

use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use tokio_util::sync::CancellationToken;

use super::Rooms;
use super::zones::Zones;
use crate::audit::{AuditOptions, AuditReport, Auditor};

/// Between two counts of dead letters.
const LETTERS_EVERY: Duration = Duration::from_secs(5);

/// Between two audits, and before the first.
const AUDIT_EVERY: Duration = Duration::from_secs(600);

/// Watches until `stop`. An engine that is away only delays it.
pub(super) async fn follow(rooms: &Rooms, zones: &Zones, stop: &CancellationToken) {
    tokio::join!(letters(rooms, stop), audits(rooms, zones, stop));
}

async fn letters(rooms: &Rooms, stop: &CancellationToken) {
    loop {
        for shard in 0..rooms.stream.shards() {
            if let Ok(letters) = rooms.stream.dead_letters(shard).await {
                gauge!("footfall_dead_letters", "shard" => shard.to_string()).set(letters as f64);
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LETTERS_EVERY) => {}
        }
    }
}

async fn audits(rooms: &Rooms, zones: &Zones, stop: &CancellationToken) {
    let zone_of = {
        let zones = zones.clone();
        Arc::new(move |project| zones.of(project))
    };
    let auditor = Auditor::new(rooms.stream.clone(), rooms.store.clone(), zone_of);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(AUDIT_EVERY) => {}
        }
        let options = AuditOptions::routine(rooms.clock.now_ms().unsigned_abs());
        tokio::select! {
            () = stop.cancelled() => return,
            found = auditor.audit(&options) => match found {
                Ok(report) => tell(&report, rooms.clock.now_ms()),
                Err(error) => tracing::warn!(%error, "no audit"),
            },
        }
    }
}

fn tell(report: &AuditReport, now_ms: i64) {
    for check in &report.checks {
        let name = check.invariant.as_str();
        gauge!("footfall_audit_holds", "invariant" => name).set(f64::from(u8::from(check.holds())));
        gauge!("footfall_audit_broken", "invariant" => name).set(check.broken.len() as f64);
        if !check.holds() {
            tracing::error!(
                invariant = name,
                detail = check.detail(),
                "the audit found a difference"
            );
        }
    }
    gauge!("footfall_audit_timestamp_seconds").set(now_ms as f64 / 1000.0);
}
