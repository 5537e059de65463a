//! What the endpoint notes for the ledger and no entry carries: rejections of requests that were refused
//! whole, requests that were sent again, samples of rejected events.
//!
//! Gathered in memory and written once a second as entries of notes only; also when the process stops. A
//! process that is killed loses at most that second of notes. Nothing acknowledged is among them: what was
//! stored is counted from the entries themselves.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::counter;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::source::Senders;
use crate::clock::Clock;
use crate::event::ProjectNumber;
use crate::event::ledger::{ClientSequence, LedgerRow, Outcome};
use crate::stream::EventStream;
use crate::stream::ledger::{MAX_NOTES, Notes};
use crate::stream::rejections::{MAX_REJECTIONS, RejectedEvent};

/// Between two writings.
const EVERY: Duration = Duration::from_secs(1);
/// Notes held in memory. What comes beyond is counted in `footfall_ingest_notes_lost_total` only.
const MAX_GATHERED: usize = 20_000;
/// Projects of which samples are held in memory between two writings.
const MAX_SAMPLED: usize = 200;

/// What waits to be noted. Cheap to clone; clones share it.
#[derive(Clone, Default)]
pub struct CaptureLedger {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    gathered: Mutex<Gathered>,
    /// What was taken out of `gathered` and is not in the stream yet. Held while it is written.
    unsent: tokio::sync::Mutex<Vec<Unsent>>,
}

#[derive(Default)]
struct Gathered {
    senders: Senders,
    rows: BTreeMap<(ProjectNumber, u32, String, Outcome, String), i64>,
    sequences: Vec<ClientSequence>,
    samples: HashMap<ProjectNumber, Vec<RejectedEvent>>,
}

/// Notes under an id of their own: written again after a lost answer, they count once.
struct Unsent {
    id: String,
    project: ProjectNumber,
    notes: Notes,
}

impl CaptureLedger {
    /// The source under which to file a request of `source`.
    pub(super) fn source(&self, project: ProjectNumber, source: &str, now_ms: i64) -> String {
        self.gathered().senders.admit(project, source, now_ms)
    }

    /// Notes what no entry carries.
    pub(super) fn note(&self, notes: Notes) {
        if notes.is_empty() {
            return;
        }
        let mut gathered = self.gathered();
        if gathered.rows.len() + gathered.sequences.len() + notes.len() > MAX_GATHERED {
            counter!("footfall_ingest_notes_lost_total").increment(notes.len() as u64);
            return;
        }
        for row in notes.rows {
            let key = (row.project, row.minute, row.source, row.outcome, row.reason);
            *gathered.rows.entry(key).or_default() += row.count;
        }
        gathered.sequences.extend(notes.sequences);
    }

    /// Keeps samples of a project's rejected events.
    pub(super) fn sample(&self, project: ProjectNumber, samples: Vec<RejectedEvent>) {
        let mut gathered = self.gathered();
        if samples.is_empty()
            || (gathered.samples.len() >= MAX_SAMPLED && !gathered.samples.contains_key(&project))
        {
            return;
        }
        let kept = gathered.samples.entry(project).or_default();
        kept.extend(samples);
        let surplus = kept.len().saturating_sub(MAX_REJECTIONS);
        kept.drain(..surplus);
    }

    /// Writes everything that was noted so far. What the stream does not take is kept for the next time.
    pub async fn flush(&self, stream: &EventStream, now_ms: i64) {
        let mut unsent = self.inner.unsent.lock().await;
        let mut samples = HashMap::new();
        if unsent.is_empty() {
            let mut gathered = self.gathered();
            unsent.extend(gathered.take_notes());
            samples = std::mem::take(&mut gathered.samples);
        }
        let mut left = Vec::new();
        for waiting in unsent.drain(..) {
            let Unsent { id, project, notes } = &waiting;
            if let Err(error) = stream.append_notes(*project, id, notes, now_ms).await {
                tracing::debug!(%error, "notes for the ledger wait");
                left.push(waiting);
            }
        }
        *unsent = left;
        for (project, samples) in samples {
            if let Err(error) = stream.keep_rejections(project, &samples).await {
                tracing::debug!(%error, "samples of rejected events were not kept");
            }
        }
    }

    /// Writes once a second until `stop`, and a last time then.
    pub async fn run(&self, stream: EventStream, clock: Clock, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(EVERY) => self.flush(&stream, clock.now_ms()).await,
            }
        }
        self.flush(&stream, clock.now_ms()).await;
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        // Every change is whole before the lock is given back, so a panic elsewhere leaves nothing half-done.
        self.inner.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathered {
    /// Everything noted, by project and in pieces that an entry may carry.
    fn take_notes(&mut self) -> Vec<Unsent> {
        let mut by_project: BTreeMap<ProjectNumber, Notes> = BTreeMap::new();
        for ((project, minute, source, outcome, reason), count) in std::mem::take(&mut self.rows) {
            by_project.entry(project).or_default().rows.push(LedgerRow {
                project,
                minute,
                source,
                outcome,
                reason,
                count,
            });
        }
        for sequence in std::mem::take(&mut self.sequences) {
            by_project
                .entry(sequence.project)
                .or_default()
                .sequences
                .push(sequence);
        }
        let mut pieces = Vec::new();
        for (
            project,
            Notes {
                mut rows,
                mut sequences,
            },
        ) in by_project
        {
            while !rows.is_empty() || !sequences.is_empty() {
                let notes = Notes {
                    rows: rows.drain(..rows.len().min(MAX_NOTES)).collect(),
                    sequences: sequences.drain(..sequences.len().min(MAX_NOTES)).collect(),
                };
                let id = format!("notes:{}", Uuid::new_v4().simple());
                pieces.push(Unsent { id, project, notes });
            }
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(minute: u32, count: i64) -> Notes {
        Notes {
            rows: vec![LedgerRow {
                project: ProjectNumber(1),
                minute,
                source: "native".into(),
                outcome: Outcome::Rejected,
                reason: "missing_field".into(),
                count,
            }],
            ..Notes::NONE
        }
    }

    #[test]
    fn equal_notes_add_up_and_many_go_in_pieces() {
        let ledger = CaptureLedger::default();
        for minute in 0..2_500 {
            ledger.note(rejected(minute, 1));
            ledger.note(rejected(minute, 2));
        }
        let pieces = ledger.gathered().take_notes();
        let sizes: Vec<usize> = pieces.iter().map(|piece| piece.notes.len()).collect();
        assert_eq!(sizes, [1_000, 1_000, 500]);
        assert!(
            pieces
                .iter()
                .flat_map(|piece| &piece.notes.rows)
                .all(|row| row.count == 3)
        );
        assert!(ledger.gathered().take_notes().is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let ledger = CaptureLedger::default();
        for minute in 0..30_000 {
            ledger.note(rejected(minute, 1));
        }
        assert_eq!(ledger.gathered().rows.len(), MAX_GATHERED);
    }
}
