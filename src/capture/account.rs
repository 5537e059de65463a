//! What the ledger is to know of a request beside its rows.

use std::collections::BTreeMap;

use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3;

use super::envelope::Sequence;
use super::prepare::{Prepared, Verdict};
use crate::event::ProjectNumber;
use crate::event::ledger::{ClientSequence, LedgerRow, Outcome, minute_of};
use crate::stream::ledger::Notes;
use crate::stream::rejections::{MAX_SAMPLE_BYTES, RejectedEvent};

/// Rejected events of one request that are kept as samples.
const MAX_SAMPLES: usize = 10;

/// What a request says and shows for the ledger.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Protocol and sender.
    pub source: String,
    /// UTC milliseconds.
    pub received_at: i64,
    /// Events that the client says it gave up.
    pub dropped: u64,
    /// The client's own numbering of the events.
    pub sequence: Option<Sequence>,
    /// Whose numbering it is, where the client does not say.
    pub device: Option<String>,
    /// The rejected events as they came, the first few, with their numbers.
    pub samples: Vec<(usize, String)>,
}

impl Account {
    /// Whether there are not enough texts of rejected events yet.
    pub fn takes_samples(&self) -> bool {
        self.samples.len() < MAX_SAMPLES
    }

    /// Keeps the text of a rejected event, unless there are enough.
    pub fn sample(&mut self, index: usize, text: &str) {
        if self.takes_samples() {
            let end = text.floor_char_boundary(MAX_SAMPLE_BYTES);
            self.samples.push((index, text[..end].to_owned()));
        }
    }
}

impl Prepared {
    /// What is to be noted when the request comes first: rejections, duplicates within it, what the client
    /// says of itself. What becomes of its rows is counted from the entries.
    pub fn notes(&self) -> Notes {
        let mut rows = self.rejected();
        let within = self
            .verdicts()
            .iter()
            .filter(|v| matches!(v, Verdict::Duplicate(_)));
        rows.extend(self.row(Outcome::Duplicate, "", within.count() as u64));
        rows.extend(self.row(Outcome::ClientDropped, "", self.account.dropped));
        Notes {
            rows,
            sequences: self.sequence().into_iter().collect(),
        }
    }

    /// What is to be noted when the whole request was there before. What the client says of itself was noted
    /// then.
    pub fn notes_of_replay(&self) -> Notes {
        let mut rows = self.rejected();
        let before = self
            .verdicts()
            .iter()
            .filter(|v| !matches!(v, Verdict::Rejected { .. }));
        rows.extend(self.row(Outcome::Duplicate, "", before.count() as u64));
        Notes {
            rows,
            sequences: Vec::new(),
        }
    }

    /// Samples of the rejected events.
    pub fn samples(&self) -> Vec<RejectedEvent> {
        let sample = |(index, text): &(usize, String)| {
            let Verdict::Rejected { rejection, .. } = self.verdicts().get(*index)? else {
                return None;
            };
            Some(RejectedEvent {
                id: Uuid::new_v4(),
                received_at: self.account.received_at,
                source: self.account.source.clone(),
                code: rejection.code.as_str().to_owned(),
                field: rejection.field.clone(),
                detail: rejection.detail.clone(),
                sample: text.clone(),
            })
        };
        self.account.samples.iter().filter_map(sample).collect()
    }

    /// Rejections that came to those of `before`.
    pub fn rejected_since(&self, before: &[LedgerRow]) -> Notes {
        let mut rows = self.rejected();
        for row in &mut rows {
            let earlier = before.iter().find(|earlier| earlier.reason == row.reason);
            row.count -= earlier.map_or(0, |earlier| earlier.count);
        }
        rows.retain(|row| row.count > 0);
        Notes {
            rows,
            sequences: Vec::new(),
        }
    }

    /// Rejections by reason.
    pub fn rejected(&self) -> Vec<LedgerRow> {
        let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
        for code in self.rejections() {
            *reasons.entry(code.as_str()).or_default() += 1;
        }
        let row = |(reason, count)| self.row(Outcome::Rejected, reason, count);
        reasons.into_iter().filter_map(row).collect()
    }

    fn row(&self, outcome: Outcome, reason: &str, count: u64) -> Option<LedgerRow> {
        (count > 0).then(|| LedgerRow {
            project: self.key.project,
            minute: minute_of(self.account.received_at),
            source: self.account.source.clone(),
            outcome,
            reason: reason.to_owned(),
            count: i64::try_from(count).unwrap_or(i64::MAX),
        })
    }

    /// All events of the request arrived, whatever becomes of them.
    fn sequence(&self) -> Option<ClientSequence> {
        let Sequence { id, first } = self.account.sequence.as_ref()?;
        let client = id.as_ref().or(self.account.device.as_ref())?;
        let count = self.verdicts().len() as u64;
        (count > 0).then(|| ClientSequence {
            project: self.key.project,
            minute: minute_of(self.account.received_at),
            source: self.account.source.clone(),
            client: client_of(self.key.project, client),
            first: *first,
            last: first + count - 1,
            count,
        })
    }
}

/// What stands for a client in the ledger: not the actor number of its device, or the ledger would name people.
fn client_of(project: ProjectNumber, client: &str) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(b"client of ");
    hash.update(&project.0.to_be_bytes());
    hash.update(client.as_bytes());
    hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::actor_of;

    #[test]
    fn a_client_is_told_from_its_actor_and_between_projects() {
        let [one, two] = [1, 2].map(|project| client_of(ProjectNumber(project), "device-1"));
        assert_ne!(one, actor_of("device-1"));
        assert_ne!(one, two);
        assert_eq!(one, client_of(ProjectNumber(1), "device-1"));
    }
}
