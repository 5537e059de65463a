//! When people come to the made-up shop: the rhythm of weeks and days.

use fastrand::Rng;

use crate::event::zone::Day;

/// Share of an average day's visits by weekday, Monday first: a shop is quiet at the start of the week.
const WEEKDAY: [f64; 7] = [0.88, 0.85, 0.92, 1.0, 1.12, 1.25, 1.08];

/// Share of a day's visits by local hour.
const HOUR: [u32; 24] = [
    1, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 11, 13, 12, 10, 10, 11, 13, 15, 18, 20, 16, 9, 4,
];

/// A moment of the day, in milliseconds from its start and before `open`, at the hours that people keep.
pub(super) fn moment(rng: &mut Rng, length: i64, open: i64) -> i64 {
    let total: u32 = HOUR.iter().sum();
    for _ in 0..64 {
        let mut ticket = rng.u32(0..total);
        let mut hour = 0;
        while ticket >= HOUR[hour] {
            ticket -= HOUR[hour];
            hour += 1;
        }
        let at = hour as i64 * 3_600_000 + rng.i64(0..3_600_000);
        if at < open.min(length) {
            return at;
        }
    }
    // Early in an open day the usual hours have not come yet: spread over what has passed.
    rng.i64(0..open)
}

/// Shares `events` out over `days` days that end with today: growing, with a weekly rhythm, today only as
/// far as `today_share` of it has passed. The quotas add up to `events` exactly.
pub fn quotas(events: usize, first: Day, days: usize, today_share: f64) -> Vec<usize> {
    let weights: Vec<f64> = (0..days)
        .map(|n| {
            let weekday = (first.0 + n as i32 + 3).rem_euclid(7) as usize;
            let growth = 0.6 + 0.8 * n as f64 / days.max(1) as f64;
            let open = if n + 1 == days {
                today_share.clamp(0.01, 1.0)
            } else {
                1.0
            };
            WEEKDAY[weekday] * growth * open
        })
        .collect();
    let total: f64 = weights.iter().sum();
    let mut given = 0;
    let mut sum = 0.0;
    weights
        .iter()
        .map(|weight| {
            sum += weight;
            let upto = ((sum / total) * events as f64).round() as usize;
            let quota = upto.min(events) - given;
            given += quota;
            quota
        })
        .collect()
}
