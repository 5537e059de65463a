//! Active users from the counts of windows of days.

use super::{ActiveSpec, ActiveUsersReport, Counted, MAU_DAYS, WAU_DAYS, periods};
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
