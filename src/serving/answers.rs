//! What was answered, by question and revision. The least recently used answers go first.

use std::sync::Arc;

use bytes::Bytes;
use moka::future::Cache;
use moka::policy::EvictionPolicy;

use super::freshness::Revision;
use crate::event::ProjectNumber;
use crate::metrics::envelope::Envelope;

/// What an entry takes beside its texts: the tables' own entries, the envelope, counters.
const OVERHEAD: usize = 512;

/// A question to the letter: equal keys under equal revisions have equal answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    project: ProjectNumber,
    /// Kind, zone, what time changes, spec.
    text: Arc<str>,
}

impl Key {
    /// The key of a validated question. `turns` are the next instants at which time alone changes the answer, by the
    /// clock and by what was received; `kept_from` is the first instant that the project keeps.
    pub fn new(
        project: ProjectNumber,
        kind: &str,
        zone: &str,
        turns: [Option<i64>; 2],
        kept_from: Option<i64>,
        spec: &str,
    ) -> Key {
        let [clock, received] = turns.map(|turn| turn.unwrap_or(i64::MAX));
        let kept_from = kept_from.unwrap_or(i64::MIN);
        let text = format!("{kind} {zone} {clock} {received} {kept_from} {spec}");
        Key {
            project,
            text: text.into(),
        }
    }
}

/// An answer without what each asker's own moment says.
#[derive(Clone, Debug, PartialEq)]
pub struct Remembered {
    /// The report as JSON.
    pub data: Bytes,
    /// A hash of `data`.
    pub hash: u64,
    /// The envelope as it was computed.
    pub meta: Envelope,
}

impl Remembered {
    /// Keeps a report.
    pub fn new(data: Vec<u8>, meta: Envelope) -> Remembered {
        Remembered {
            hash: xxhash_rust::xxh3::xxh3_64(&data),
            data: data.into(),
            meta,
        }
    }

    fn bytes(&self) -> usize {
        let warnings = self.meta.warnings.iter().map(|w| w.code.len() + w.detail.len());
        self.data.len() + self.meta.timezone.len() + warnings.sum::<usize>()
    }
}

/// Remembered answers, bounded in bytes. Cheap to clone.
#[derive(Clone)]
pub struct Answers {
    cache: Cache<Key, (Revision, Arc<Remembered>)>,
}

impl Answers {
    /// At most so many bytes; 0 remembers nothing.
    pub fn new(bytes: u64) -> Answers {
        let weight = |key: &Key, (_, answer): &(Revision, Arc<Remembered>)| {
            u32::try_from(key.text.len() + answer.bytes() + OVERHEAD).unwrap_or(u32::MAX)
        };
        Answers {
            cache: Cache::builder()
                .max_capacity(bytes)
                .weigher(weight)
                .eviction_policy(EvictionPolicy::lru())
                .build(),
        }
    }

    /// The answer under exactly this revision.
    pub async fn get(&self, key: &Key, revision: Revision) -> Option<Arc<Remembered>> {
        let (under, answer) = self.cache.get(key).await?;
        (under == revision).then_some(answer)
    }

    /// Remembers an answer whose facts were read after its revision. An answer under another revision goes.
    pub async fn put(&self, key: Key, revision: Revision, answer: Arc<Remembered>) {
        self.cache.insert(key, (revision, answer)).await;
    }

    /// Bytes in use, by our own reckoning.
    pub async fn bytes(&self) -> u64 {
        self.cache.run_pending_tasks().await;
        self.cache.weighted_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::time::Moment;

    fn answer(text: &str) -> Arc<Remembered> {
        let meta = Envelope {
            as_of: Moment(0),
            complete: true,
            approximate: false,
            error: None,
            overcount_bound: None,
            identity_version: 0,
            rows_read: 1,
            elapsed_ms: 1.0,
            cached: false,
            timezone: "UTC".to_owned(),
            warnings: Vec::new(),
            range: None,
        };
        Arc::new(Remembered::new(text.into(), meta))
    }

    fn at(rev: u64) -> Revision {
        Revision { rev, incarnations: 1 }
    }

    fn key(project: u32, spec: &str) -> Key {
        Key::new(ProjectNumber(project), "trends", "UTC", [None; 2], None, spec)
    }

    #[tokio::test]
    async fn an_answer_counts_under_its_own_revision_project_and_turn_only() {
        let answers = Answers::new(1 << 20);
        answers.put(key(1, "{}"), at(5), answer("1")).await;
        assert!(answers.get(&key(1, "{}"), at(5)).await.is_some());
        assert!(answers.get(&key(1, "{}"), at(6)).await.is_none());
        assert!(answers.get(&key(2, "{}"), at(5)).await.is_none());
        let anew = Revision {
            incarnations: 2,
            ..at(5)
        };
        assert!(answers.get(&key(1, "{}"), anew).await.is_none());
        let later = Key::new(ProjectNumber(1), "trends", "UTC", [Some(9); 2], None, "{}");
        assert!(answers.get(&later, at(5)).await.is_none());
    }

    #[tokio::test]
    async fn memory_is_bounded_and_what_was_not_used_for_longest_goes_first() {
        let answers = Answers::new(10_000);
        let large = "x".repeat(2_000);
        for n in 0..20 {
            answers.put(key(1, &n.to_string()), at(1), answer(&large)).await;
            answers.bytes().await;
            answers.get(&key(1, "0"), at(1)).await;
        }
        assert!(answers.bytes().await <= 10_000);
        assert!(
            answers.get(&key(1, "0"), at(1)).await.is_some(),
            "it was used all the while"
        );
        assert!(answers.get(&key(1, "1"), at(1)).await.is_none());
        assert!(answers.get(&key(1, "19"), at(1)).await.is_some());
        let none = Answers::new(0);
        none.put(key(1, "0"), at(1), answer("1")).await;
        assert_eq!(none.bytes().await, 0);
    }
}
