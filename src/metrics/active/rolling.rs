//! Active users from the counts of windows of days.

use std::collections::BTreeMap;

use super::report::points;
use super::{ActiveSpec, ActiveUsersReport, Counted, DayCount, MAU_DAYS, Periods, WAU_DAYS, periods};
use crate::event::{Day, Zone};
use crate::metrics::time::DayRange;

/// The report from a way to count the distinct persons of any local days `[from, to)`: whoever remembers the counts
/// of windows asks only for those that are new. Unique counts carry that way's error.
pub fn from_windows(
    spec: &ActiveSpec,
    zone: &Zone,
    now_ms: i64,
    mut count: impl FnMut(DayRange) -> u64,
) -> ActiveUsersReport {
    let reach = DayRange {
        from: spec.first_window_day(zone),
        to: spec.facts_range(zone).to,
    };
    let existing = reach.existing(zone);
    let mut on = |day: Day| {
        let place = existing.partition_point(|known| *known < day);
        let mut window = |width: usize| {
            count(DayRange {
                from: existing[(place + 1).saturating_sub(width)],
                to: day.plus(1),
            })
        };
        (day, window(1), window(WAU_DAYS), window(MAU_DAYS))
    };
    let days = existing.iter().copied().filter(|day| spec.range.contains(*day));
    let days: Vec<DayCount> = days.map(&mut on).collect();
    let (weeks, months) = periods(spec);
    let points: BTreeMap<Day, DayCount> = points(spec, zone, now_ms)
        .into_iter()
        .map(|day| (day, on(day)))
        .collect();
    let mut each = |periods: Periods| -> Vec<u64> {
        let ranges = periods.into_iter().map(|(from, to)| DayRange { from, to });
        ranges.map(&mut count).collect()
    };
    let counted = Counted {
        days,
        weeks: each(weeks),
        months: each(months),
        range: count(spec.range),
        points,
    };
    counted.report(spec, zone, now_ms)
}
