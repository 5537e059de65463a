//! Active users from one sketch a day.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::{ActiveSpec, ActiveUsersReport, Counted, MAU_DAYS, WAU_DAYS, periods};
use crate::event::{Day, Zone};
use crate::metrics::sketch::UserSketch;
use crate::metrics::time::DayRange;

/// The report from a sketch for each local day of [`ActiveSpec::facts_range`] on which somebody was active.
/// Unique counts carry the sketches' error.
pub fn from_sketches<S: Borrow<UserSketch>>(
    spec: &ActiveSpec,
    zone: &Zone,
    now_ms: i64,
    days: &BTreeMap<Day, S>,
) -> ActiveUsersReport {
    let window_days = DayRange {
        from: spec.first_window_day(zone),
        to: spec.range.to,
    };
    let (mut week, mut month) = (SlidingUnion::new(WAU_DAYS), SlidingUnion::new(MAU_DAYS));
    let mut counted = Vec::new();
    for day in window_days.existing(zone) {
        let sketch = days.get(&day).map(Borrow::borrow);
        week.push(sketch);
        month.push(sketch);
        if spec.range.contains(day) {
            let dau = sketch.map_or(0, |sketch| sketch.clone().count());
            counted.push((day, dau, week.count(), month.count()));
        }
    }
    let union = |from: Day, to: Day| {
        let mut all = UserSketch::new();
        for sketch in days.range(from..to).map(|(_, sketch)| sketch) {
            all.merge(sketch.borrow());
        }
        all.count()
    };
    let (weeks, months) = periods(spec);
    Counted {
        days: counted,
        weeks: weeks.into_iter().map(|(from, to)| union(from, to)).collect(),
        months: months.into_iter().map(|(from, to)| union(from, to)).collect(),
        range: union(spec.range.from, spec.range.to),
    }
    .report(spec, zone, now_ms)
}

/// The report from a way to count the distinct persons of any local days `[from, to)`: whoever remembers the counts
/// of windows asks only for those that are new. The same report as [`from_sketches`].
pub fn from_windows(
    spec: &ActiveSpec,
    zone: &Zone,
    now_ms: i64,
    mut count: impl FnMut(DayRange) -> u64,
) -> ActiveUsersReport {
    let window_days = DayRange {
        from: spec.first_window_day(zone),
        to: spec.range.to,
    };
    let existing = window_days.existing(zone);
    let mut counted = Vec::new();
    for (place, &day) in existing.iter().enumerate() {
        if spec.range.contains(day) {
            let mut window = |width: usize| {
                count(DayRange {
                    from: existing[(place + 1).saturating_sub(width)],
                    to: day.plus(1),
                })
            };
            counted.push((day, window(1), window(WAU_DAYS), window(MAU_DAYS)));
        }
    }
    let (weeks, months) = periods(spec);
    let mut each = |periods: Vec<(Day, Day)>| -> Vec<u64> {
        let ranges = periods.into_iter().map(|(from, to)| DayRange { from, to });
        ranges.map(&mut count).collect()
    };
    Counted {
        days: counted,
        weeks: each(weeks),
        months: each(months),
        range: count(spec.range),
    }
    .report(spec, zone, now_ms)
}

/// The union of the last `width` sketches, by two stacks: sketches cannot be taken out of a union, so the older
/// half is kept as unions of ever shorter tails, and rebuilt from the newer half when it runs out. Two merges a
/// day whatever the width (a dense merge costs 0.1 to 0.3 ms).
struct SlidingUnion<'a> {
    width: usize,
    /// `older[i]` is the union of the `i + 1` latest of the older days; the last entry covers all of them.
    older: Vec<UserSketch>,
    newer: Vec<Option<&'a UserSketch>>,
    newer_union: UserSketch,
}

impl<'a> SlidingUnion<'a> {
    fn new(width: usize) -> Self {
        Self {
            width,
            older: Vec::new(),
            newer: Vec::new(),
            newer_union: UserSketch::new(),
        }
    }

    /// Adds the next day (`None`: nobody was active) and forgets the one that leaves the window.
    fn push(&mut self, day: Option<&'a UserSketch>) {
        if self.older.len() + self.newer.len() == self.width {
            if self.older.is_empty() {
                let mut union = UserSketch::new();
                for sketch in self.newer.drain(..).rev() {
                    if let Some(sketch) = sketch {
                        union.merge(sketch);
                    }
                    self.older.push(union.clone());
                }
                self.newer_union = UserSketch::new();
            }
            self.older.pop();
        }
        if let Some(sketch) = day {
            self.newer_union.merge(sketch);
        }
        self.newer.push(day);
    }

    /// The distinct persons of the window.
    fn count(&self) -> u64 {
        let mut union = self.newer_union.clone();
        if let Some(older) = self.older.last() {
            union.merge(older);
        }
        union.count()
    }
}
