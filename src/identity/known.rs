//! Pairs that were learned lately, so that a person who clicks about is looked up once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use xxhash_rust::xxh3::Xxh3;

use crate::store::identity::IdentityPair;

/// Beyond so many all are forgotten: 50 MB.
const MOST: usize = 1 << 20;

/// Pairs by a hash of 128 bits, each with the earliest instant that was learned. Cheap to clone; clones share it.
#[derive(Clone, Default)]
pub struct Known {
    first: Arc<Mutex<HashMap<u128, i64>>>,
}

impl Known {
    /// Whether the pair, at this instant or an earlier one, was learned.
    pub fn has(&self, pair: &IdentityPair) -> bool {
        self.pairs()
            .get(&hash(pair))
            .is_some_and(|first| *first <= pair.ts)
    }

    /// Remembers that these were learned.
    pub fn note(&self, pairs: &[IdentityPair]) {
        let mut known = self.pairs();
        if known.len() + pairs.len() > MOST {
            known.clear();
        }
        for pair in pairs {
            let first = known.entry(hash(pair)).or_insert(pair.ts);
            *first = pair.ts.min(*first);
        }
    }

    /// Forgets them all.
    pub fn clear(&self) {
        self.pairs().clear();
    }

    fn pairs(&self) -> MutexGuard<'_, HashMap<u128, i64>> {
        self.first.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn hash(pair: &IdentityPair) -> u128 {
    let mut hash = Xxh3::new();
    hash.update(&pair.project.0.to_le_bytes());
    hash.update(&(pair.device.len() as u64).to_le_bytes());
    hash.update(pair.device.as_bytes());
    hash.update(pair.user.as_bytes());
    hash.digest128()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ProjectNumber;

    fn pair(device: &str, user: &str, ts: i64) -> IdentityPair {
        IdentityPair {
            project: ProjectNumber(1),
            device: device.into(),
            user: user.into(),
            ts,
        }
    }

    #[test]
    fn an_earlier_instant_of_a_pair_is_news_a_later_one_is_not() {
        let known = Known::default();
        assert!(!known.has(&pair("d", "u", 5)));
        known.note(&[pair("d", "u", 5)]);
        assert!(known.has(&pair("d", "u", 5)) && known.has(&pair("d", "u", 9)));
        assert!(!known.has(&pair("d", "u", 4)));
        assert!(!known.has(&pair("du", "", 5)), "the two ids are kept apart");
        let elsewhere = IdentityPair {
            project: ProjectNumber(2),
            ..pair("d", "u", 5)
        };
        assert!(!known.has(&elsewhere));
    }
}
