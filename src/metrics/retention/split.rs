//! Counting the same table for each value of a breakdown.

use std::collections::HashMap;

use super::calendar::Calendar;
use super::report::{CohortCount, RetentionSplit, SplitOf, Table};
use super::spec::RetentionSpec;
use crate::metrics::filter::{NONE, OTHER};

/// Persons by the value at their start and by cohort; only what occurred is kept.
#[derive(Debug, Default)]
pub(super) struct Splits {
    by_value: HashMap<Option<String>, HashMap<usize, CohortCount>>,
}

impl Splits {
    /// The persons of a cohort who started with the value.
    pub fn count(&mut self, value: Option<&str>, row: usize, columns: usize) -> &mut CohortCount {
        let value = value.map(str::to_owned);
        let rows = self.by_value.entry(value).or_default();
        rows.entry(row).or_insert_with(|| CohortCount::empty(columns))
    }

    /// The values with the most persons (equal ones by their bytes), the rest as one, and those without a value.
    pub fn finish(
        mut self,
        spec: &RetentionSpec,
        calendar: &Calendar,
        as_of_ms: i64,
        limit: usize,
    ) -> Vec<RetentionSplit> {
        let none = self.by_value.remove(&None);
        let size = |rows: &HashMap<usize, CohortCount>| rows.values().map(|count| count.size).sum::<u64>();
        let mut values: Vec<(String, HashMap<usize, CohortCount>)> = self
            .by_value
            .into_iter()
            .filter_map(|(value, rows)| Some((value?, rows)))
            .collect();
        values.sort_by(|(a, of_a), (b, of_b)| size(of_b).cmp(&size(of_a)).then_with(|| a.cmp(b)));
        let rest = values.split_off(values.len().min(limit));
        let split = |of: SplitOf, value: String, parts: Vec<HashMap<usize, CohortCount>>| {
            let mut counts = vec![CohortCount::empty(spec.cells.len()); calendar.rows().len()];
            for (row, count) in parts.into_iter().flatten() {
                counts[row].add(&count);
            }
            let table = Table::new(spec, calendar, as_of_ms, &counts);
            RetentionSplit {
                of,
                value,
                size: table.size,
                cohorts: table.cohorts,
                mean: table.mean,
            }
        };
        let mut splits: Vec<RetentionSplit> = values
            .into_iter()
            .map(|(value, rows)| split(SplitOf::Value, value, vec![rows]))
            .collect();
        if !rest.is_empty() {
            let rest = rest.into_iter().map(|(_, rows)| rows).collect();
            splits.push(split(SplitOf::Other, OTHER.to_owned(), rest));
        }
        if let Some(rows) = none {
            splits.push(split(SplitOf::None, NONE.to_owned(), vec![rows]));
        }
        splits
    }
}

impl CohortCount {
    /// Nobody.
    pub fn empty(columns: usize) -> CohortCount {
        CohortCount {
            size: 0,
            retained: vec![0; columns],
        }
    }

    fn add(&mut self, other: &CohortCount) {
        self.size += other.size;
        for (ours, theirs) in self.retained.iter_mut().zip(&other.retained) {
            *ours += theirs;
        }
    }
}
