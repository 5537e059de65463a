//! In which buckets of a calendar people were active: the fact behind retention and lifecycle.

/// A set of places in a list of buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketSet(Vec<u64>);

/// People who were active in the same buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActiveBuckets {
    /// The buckets in which they were active within the range.
    pub entered: BucketSet,
    /// Those in which they were active from the first bucket on, or from the start of the range if that is later.
    pub active: BucketSet,
    /// Whether they were active before; false where nobody asked.
    pub before: bool,
}

impl BucketSet {
    /// The set whose places are the bits of `words`, 64 a word.
    pub fn of_words(words: Vec<u64>) -> BucketSet {
        BucketSet(words)
    }

    /// Adds a place.
    pub fn insert(&mut self, place: usize) {
        let word = place / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (place % 64);
    }

    /// Whether the place is in the set.
    pub fn contains(&self, place: usize) -> bool {
        let word = self.0.get(place / 64).copied().unwrap_or(0);
        word >> (place % 64) & 1 == 1
    }

    /// The places, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(n, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let place = (rest != 0).then(|| n * 64 + rest.trailing_zeros() as usize);
                rest &= rest.wrapping_sub(1);
                place
            })
        })
    }

    /// Whether any place in `[from, to)` is in the set.
    pub fn any(&self, from: usize, to: usize) -> bool {
        let below = |at: usize, word: usize| match at.saturating_sub(word * 64) {
            64.. => u64::MAX,
            bits => (1 << bits) - 1,
        };
        let words = self.0.iter().enumerate();
        let mut words = words.take(to.div_ceil(64)).skip(from / 64);
        words.any(|(n, word)| word & below(to, n) & !below(from, n) != 0)
    }
}

impl FromIterator<usize> for BucketSet {
    fn from_iter<I: IntoIterator<Item = usize>>(places: I) -> BucketSet {
        let mut set = BucketSet::default();
        for place in places {
            set.insert(place);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn bits_are_a_set(places in prop::collection::btree_set(0..200_usize, 0..20), from in 0..220_usize, len in 0..150_usize) {
            let set: BucketSet = places.iter().copied().collect();
            prop_assert_eq!(set.iter().collect::<BTreeSet<_>>(), places.clone());
            prop_assert!((0..220).all(|place| set.contains(place) == places.contains(&place)));
            let to = from + len;
            prop_assert_eq!(set.any(from, to), places.range(from..to).next().is_some());
        }
    }
}
