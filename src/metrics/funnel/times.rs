//! Times to convert: the middle, percentiles, and a histogram.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most bins of a histogram.
const MAX_BINS: u64 = 30;

/// How long it took from one step to another, on the reported chains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TimeReport {
    /// The step from which it is counted, from 1.
    pub from_step: usize,
    /// The step up to which it is counted.
    pub to_step: usize,
    /// Chains that have both steps.
    pub count: u64,
    /// Chains that lack one of them.
    pub left_out: u64,
    /// Null without a chain, as the others.
    pub mean_ms: Option<f64>,
    /// The middle value, or the mean of the two middle ones.
    pub median_ms: Option<f64>,
    /// The smallest time that at least 75 % took at most.
    pub p75_ms: Option<u64>,
    /// The same of 90 %.
    pub p90_ms: Option<u64>,
    /// The same of 95 %.
    pub p95_ms: Option<u64>,
    /// At most 30 of the same width, which is 1, 2 or 5 times a power of ten milliseconds.
    pub bins: Vec<TimeBin>,
}

/// Times of `[from_ms, to_ms)`; the last bin has both its ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimeBin {
    /// Shortest time.
    pub from_ms: u64,
    /// Time that belongs to the next bin.
    pub to_ms: u64,
    /// Chains.
    pub count: u64,
}

impl TimeReport {
    /// The report of times between two steps (from 0). Reorders them.
    pub fn new((from, to): (usize, usize), times: &mut [u64], left_out: u64) -> TimeReport {
        times.sort_unstable();
        let n = times.len();
        let percentile = |percent: usize| (n > 0).then(|| times[(n * percent).div_ceil(100).max(1) - 1]);
        let (p75_ms, p90_ms, p95_ms) = (percentile(75), percentile(90), percentile(95));
        let sum: u128 = times.iter().map(|time| u128::from(*time)).sum();
        TimeReport {
            from_step: from + 1,
            to_step: to + 1,
            count: n as u64,
            left_out,
            mean_ms: (n > 0).then(|| sum as f64 / n as f64),
            p75_ms,
            p90_ms,
            p95_ms,
            bins: bins(times),
            median_ms: median(times),
        }
    }
}

/// Bins of sorted times.
fn bins(times: &[u64]) -> Vec<TimeBin> {
    let (Some(&least), Some(&most)) = (times.first(), times.last()) else {
        return Vec::new();
    };
    if least == most {
        return vec![TimeBin {
            from_ms: least,
            to_ms: most,
            count: times.len() as u64,
        }];
    }
    let fits = |width: &u64| (most - least / width * width).div_ceil(*width) <= MAX_BINS;
    let widths = (0..19).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)));
    let width = widths.into_iter().find(fits).unwrap_or(u64::MAX);
    let lowest = least / width * width;
    let n = (most - lowest).div_ceil(width);
    let mut bins: Vec<TimeBin> = (0..n)
        .map(|bin| TimeBin {
            from_ms: lowest + bin * width,
            to_ms: lowest + (bin + 1) * width,
            count: 0,
        })
        .collect();
    for time in times {
        let bin = ((time - lowest) / width).min(n - 1) as usize;
        bins[bin].count += 1;
    }
    bins
}

/// The middle value, or the mean of the two middle ones. Reorders the values.
pub fn median(values: &mut [u64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable(middle);
    let upper = *upper as f64;
    Some(match below.iter().max() {
        Some(lower) if even => (*lower as f64 + upper) / 2.0,
        _ => upper,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(times: &[u64]) -> Vec<(u64, u64, u64)> {
        let mut times = times.to_vec();
        let report = TimeReport::new((0, 1), &mut times, 0);
        report
            .bins
            .iter()
            .map(|bin| (bin.from_ms, bin.to_ms, bin.count))
            .collect()
    }

    #[test]
    fn bins_are_at_most_30_of_a_round_width_and_the_last_has_both_ends() {
        assert_eq!(counts(&[]), []);
        assert_eq!(counts(&[7, 7]), [(7, 7, 2)]);
        assert_eq!(counts(&[0, 1, 2]), [(0, 1, 1), (1, 2, 2)]);
        let wide = counts(&[3, 1_000]);
        assert_eq!((wide.len(), wide[0], wide[19]), (20, (0, 50, 1), (950, 1_000, 1)));
        assert_eq!(counts(&[0, 30]).len(), 30);
        assert_eq!(counts(&[0, 31]).len(), 16);
    }

    #[test]
    fn percentiles_are_times_that_somebody_took() {
        let mut times: Vec<u64> = (1..=20).rev().collect();
        let report = TimeReport::new((0, 2), &mut times, 3);
        assert_eq!((report.mean_ms, report.median_ms), (Some(10.5), Some(10.5)));
        let high = (report.p75_ms, report.p90_ms, report.p95_ms);
        assert_eq!(high, (Some(15), Some(18), Some(19)));
        assert_eq!(
            (report.from_step, report.to_step, report.count, report.left_out),
            (1, 3, 20, 3)
        );
        assert_eq!(TimeReport::new((0, 1), &mut [], 0).p95_ms, None);
    }
}
