//! Active users by the values of a breakdown.

use std::collections::BTreeMap;

use super::{ActiveSpec, ActiveSplit, ExactActives};
use crate::event::{Day, Zone};
use crate::metrics::trend::{Group, TrendGroup, shown_groups};

/// Counts persons by value, from the days on which each was active with it.
#[derive(Debug)]
pub struct SplitActives<'a> {
    spec: &'a ActiveSpec,
    zone: &'a Zone,
    groups: &'a [Group],
    /// By the group's number: those that are shown count from 1, "(none)" is the number after the last, 0 is Other.
    counts: BTreeMap<usize, ExactActives>,
}

impl<'a> SplitActives<'a> {
    /// A count of nobody so far; `groups` are the values that are shown, by rank.
    pub fn new(spec: &'a ActiveSpec, zone: &'a Zone, groups: &'a [Group]) -> SplitActives<'a> {
        SplitActives {
            spec,
            zone,
            groups,
            counts: BTreeMap::new(),
        }
    }

    /// Counts one person, active on `days` by events of one group: as [`ExactActives::add_person`].
    pub fn add_person(&mut self, group: usize, days: &[Day]) {
        let (spec, zone) = (self.spec, self.zone);
        let counted = self.counts.entry(group);
        counted
            .or_insert_with(|| ExactActives::new(spec, zone))
            .add_person(days);
    }

    /// What each group has: the values by rank, then "(none)" and Other if there is anybody.
    pub fn finish(mut self, now_ms: i64) -> Vec<ActiveSplit> {
        let found = self.counts.keys().copied().collect();
        let shown: Vec<(usize, TrendGroup)> = shown_groups(self.spec.breakdown.len(), self.groups, &found);
        let split = |(number, group): (usize, TrendGroup)| {
            let counted = self.counts.remove(&number);
            let counted = counted.unwrap_or_else(|| ExactActives::new(self.spec, self.zone));
            counted.finish(now_ms).split(group)
        };
        shown.into_iter().map(split).collect()
    }
}
