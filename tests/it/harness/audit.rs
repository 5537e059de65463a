//! The naive twin of the ledger: what the answers of the tracking endpoint said, added up, and compared with
//! what the ledger says when a world ends.

use std::sync::{Mutex, PoisonError};

use footfall::event::ProjectNumber;
use footfall::store::ledger::LedgerRange;
use serde_json::Value;

use super::{Reply, SHARDS, World};

/// What the answers of a world said, all projects together.
#[derive(Default)]
pub struct Said {
    counts: Mutex<Counts>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    accepted: i64,
    duplicates: i64,
    rejected: i64,
    /// Events of requests that were refused whole: at least none, at most these.
    refused: i64,
    /// A project was deleted, and its ledger with it.
    deleted: bool,
    /// Requests that were not answered: what they brought is unknown.
    unanswered: bool,
}

impl Said {
    /// Notes the answer to a tracking request.
    pub fn note(&self, path: &str, reply: &Reply) {
        if path.starts_with("/v1/projects/") && path.contains("?confirm=") && reply.status == 204 {
            self.counts.lock().unwrap_or_else(PoisonError::into_inner).deleted = true;
        }
        if !path.starts_with("/v1/events") || path.contains("dry_run") || reply.status == 204 {
            return;
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        match reply.status {
            200 => {
                let of = |name: &str| body[name].as_i64().unwrap_or(0);
                counts.accepted += of("accepted");
                counts.duplicates += of("duplicates");
                counts.rejected += of("rejected");
            }
            422 => {
                let errors = body["errors"].as_array().map_or(0, Vec::len) as i64;
                // A refusal lists a hundred of a thousand at most.
                counts.refused += if errors < 100 { errors } else { 1_000 };
            }
            503 => counts.unanswered = true,
            _ => {}
        }
    }
}

/// What the ledger says of all projects.
#[derive(Default, Debug)]
struct Ledger {
    stored: i64,
    duplicate: i64,
    rejected: i64,
    elsewhere: i64,
}

impl World {
    /// What the ledger says is what the answers said, and what the tables hold; nothing waits.
    pub(super) async fn audit_ledger(&self) {
        let waiting = self.waiting_in_ledger().await;
        assert_eq!(waiting, 0, "rows wait by the ledger's own account");
        // Notes that no entry carried, as the last second of a stopping process.
        self.deliver().await;
        let cuts = self.rooms.stream.cuts().await.expect("cuts");
        let (mut ledger, mut brought, mut removed) = (Ledger::default(), 0, 0);
        for shard in 0..SHARDS {
            let counters = self.rooms.stream.shard_counters(shard).await.expect("counters");
            brought += counters.rows_out as i64;
            removed += counters.rows_removed as i64;
        }
        for project in self.projects().await {
            let range = LedgerRange {
                project,
                from_s: 0,
                to_s: u32::MAX,
                cuts: &cuts,
            };
            for row in self.rooms.store.ledger_sources(&range).await.expect("ledger") {
                match row.outcome.as_str() {
                    "stored" => ledger.stored += row.events,
                    "duplicate" => ledger.duplicate += row.events,
                    "rejected" => ledger.rejected += row.events,
                    "quarantined" | "discarded" => ledger.elsewhere += row.events,
                    _ => {}
                }
            }
        }
        let said = *self.said.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if removed > 0 || said.deleted {
            // The ledger goes with a deleted project and with months that are not kept; with nothing else.
            let about = format!("{ledger:?}, {brought} stored, {removed} of them removed");
            assert!((brought - removed..=brought).contains(&ledger.stored), "{about}");
            return;
        }
        assert_eq!(
            ledger.stored, brought,
            "stored by the ledger and by the stream's counters"
        );
        if said.unanswered {
            assert!(
                ledger.stored + ledger.elsewhere >= said.accepted,
                "{ledger:?} {said:?}"
            );
            return;
        }
        assert_eq!(
            ledger.stored + ledger.elsewhere,
            said.accepted,
            "{ledger:?} {said:?}"
        );
        assert_eq!(ledger.duplicate, said.duplicates, "{ledger:?} {said:?}");
        let rejected = said.rejected..=said.rejected + said.refused;
        assert!(rejected.contains(&ledger.rejected), "{ledger:?} {said:?}");
    }

    /// Rows that wait, by project, minute and source.
    pub async fn waiting_in_ledger(&self) -> u64 {
        let mut rows = 0;
        for project in self.projects().await {
            let pending = self.rooms.stream.pending(project).await.expect("pending");
            rows += pending.waiting.iter().map(|waited| waited.rows).sum::<u64>();
        }
        rows
    }

    /// Numbers are given in order and never again, so this names deleted projects too.
    async fn projects(&self) -> Vec<ProjectNumber> {
        let living = self.rooms.meta.project_zones().await.expect("projects");
        let last = living.iter().map(|(project, _)| project.0).max().unwrap_or(0);
        // One more, for a last one that was deleted.
        (1..=last + 1).map(ProjectNumber).collect()
    }
}
