//! A series that was read once, every value of the breakdown by bucket: which values are shown, and what the rest is
//! together. Numbers that add up are added; all others of the rest have to be measured anew.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::spec::{At, Group, Measure, SeriesSpec, TrendFact, TrendSpec};

/// One value of the breakdown in a bucket; where buckets do not add up also in the range, up to where its total stops.
#[derive(Clone, Debug, PartialEq)]
pub struct TrendCell {
    /// The values of the breakdown's properties, in its order; empty without a breakdown.
    pub values: Group,
    /// The bucket or the range.
    pub at: At,
    /// Events.
    pub events: u64,
    /// Those of them before the range's total stops.
    pub counted: u64,
    /// The measure; of counts absent.
    pub value: Option<f64>,
    /// The measure of those before the range's total stops, where it adds up and is no count.
    pub until: Option<f64>,
}

/// The facts of a series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Folded {
    /// Of the groups that are shown, and of all others if those could be put together.
    pub facts: Vec<TrendFact>,
    /// Whether what is not shown has to be measured anew.
    pub lacks_other: bool,
}

/// The values that are shown: by the first series' measure over the range when that is `count`, `persons` or `sum`, else
/// by its events, ties by text; events that lack every property left out.
pub fn rank(spec: &TrendSpec, cells: &[TrendCell]) -> Vec<Group> {
    let Some(series) = spec.series.first().filter(|_| !spec.breakdown.is_empty()) else {
        return Vec::new();
    };
    let mut found: HashMap<&Group, f64> = HashMap::new();
    for cell in cells
        .iter()
        .filter(|cell| cell.values.iter().any(Option::is_some))
    {
        let number = match (series.measure, cell.at) {
            (Measure::Persons, At::Range) | (Measure::Sum, At::Bucket(_)) => cell.value.unwrap_or(0.0),
            (Measure::Persons | Measure::Sum, _) => 0.0,
            (_, At::Bucket(_)) => cell.events as f64,
            _ => 0.0,
        };
        *found.entry(&cell.values).or_default() += number;
    }
    let mut ranked: Vec<(&Group, f64)> = found.into_iter().collect();
    ranked.sort_by(|(a, of_a), (b, of_b)| {
        let by_number = of_b.partial_cmp(of_a).unwrap_or(Ordering::Equal);
        by_number.then_with(|| missing_last(a).cmp(missing_last(b)))
    });
    ranked.truncate(spec.breakdown_limit as usize);
    ranked.into_iter().map(|(group, _)| group.clone()).collect()
}

/// Orders values by their bytes, missing ones last.
fn missing_last(group: &Group) -> impl Iterator<Item = (bool, &Option<String>)> {
    group.iter().map(|value| (value.is_none(), value))
}

/// The facts of a series by the groups that are shown.
pub fn fold(series: &SeriesSpec, cells: Vec<TrendCell>, groups: &[Group]) -> Folded {
    let places: HashMap<&Group, usize> = groups.iter().zip(1..).collect();
    let place = |values: &Group| match values.iter().all(Option::is_none) {
        true if values.is_empty() => 0,
        true => groups.len() + 1,
        false => places.get(values).copied().unwrap_or(0),
    };
    if series.measure.adds_up() {
        return Folded {
            facts: added(series.measure, cells, place),
            lacks_other: false,
        };
    }
    let hidden = cells
        .iter()
        .filter(|cell| !cell.values.is_empty() && place(&cell.values) == 0);
    let lacks_other = hidden.map(|cell| &cell.values).collect::<HashSet<_>>().len() > 1;
    let facts = cells.iter().map(|cell| TrendFact {
        group: place(&cell.values),
        at: cell.at,
        events: cell.events,
        value: cell.value,
    });
    Folded {
        facts: facts.filter(|fact| !lacks_other || fact.group > 0).collect(),
        lacks_other,
    }
}

/// Sums of cells by group and bucket, and by group.
fn added(measure: Measure, cells: Vec<TrendCell>, place: impl Fn(&Group) -> usize) -> Vec<TrendFact> {
    let mut facts: BTreeMap<(usize, Option<i64>), (u64, Option<f64>)> = BTreeMap::new();
    let mut add = |key, events, value: Option<f64>| {
        let fact = facts.entry(key).or_default();
        fact.0 += events;
        fact.1 = match (fact.1, value) {
            (Some(a), Some(b)) => Some(match measure {
                Measure::Min => a.min(b),
                Measure::Max => a.max(b),
                _ => a + b,
            }),
            (a, b) => a.or(b),
        };
    };
    for cell in &cells {
        let At::Bucket(start) = cell.at else { continue };
        let group = place(&cell.values);
        add((group, Some(start)), cell.events, cell.value);
        if cell.counted > 0 {
            add((group, None), cell.counted, cell.until);
        }
    }
    let fact = |((group, start), (events, value)): ((usize, Option<i64>), (u64, Option<f64>))| TrendFact {
        group,
        at: start.map_or(At::Range, At::Bucket),
        events,
        value,
    };
    facts.into_iter().map(fact).collect()
}
