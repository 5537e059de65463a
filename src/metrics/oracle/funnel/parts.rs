//! What stands beside the steps: breakdown, trend, times, sweep.

use std::collections::BTreeMap;

use super::doer::Doer;
use super::{Found, fraction, mandatory_before, median, of_doer, overall, reached, times};
use crate::event::{Day, Zone};
use crate::metrics::funnel::report::{FunnelPoint, FunnelSlice, NearMisses, SweepReport, SweepWindow};
use crate::metrics::funnel::spec::{Attribution, Breakdown, Count, FunnelSpec, Reentry};
use crate::metrics::funnel::times::{TimeBin, TimeReport};
use crate::metrics::oracle::trend::clock::{Walked, walk};
use crate::metrics::oracle::wall_clock;
use crate::metrics::time::{Interval, Moment, TimeRange, WeekStart};

pub fn breakdown(spec: &FunnelSpec, asked: &Breakdown, found: &[Found]) -> Vec<FunnelSlice> {
    let mut by_value: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    let mut special: BTreeMap<(usize, String), Vec<Found>> = BTreeMap::new();
    for found in found {
        match slice_of(asked.attribution, found) {
            Ok(value) => by_value.entry(value).or_default().push(found.clone()),
            Err(special_one) => special.entry(special_one).or_default().push(found.clone()),
        }
    }
    let mut shown: Vec<(String, Vec<Found>)> = by_value.into_iter().collect();
    shown.sort_by_key(|(value, found)| (std::cmp::Reverse(found.len()), value.clone()));
    let rest: Vec<Found> = shown
        .drain(asked.limit.min(shown.len())..)
        .flat_map(|(_, found)| found)
        .collect();
    if !rest.is_empty() {
        shown.push(("Other".to_owned(), rest));
    }
    let known_from = |value: &str, is_special: bool| match asked.attribution {
        _ if is_special && value == "(did not reach)" => spec.steps.len(),
        Attribution::Step(step) => step,
        _ => 0,
    };
    let row = |value: String, found: Vec<Found>, is_special: bool| {
        let rate = |step: usize| {
            let before = mandatory_before(spec, step).filter(|_| step > known_from(&value, is_special))?;
            fraction(reached(spec, &found, step), reached(spec, &found, before))
        };
        FunnelSlice {
            reached: (0..spec.steps.len())
                .map(|step| reached(spec, &found, step) as u64)
                .collect(),
            rates: (0..spec.steps.len()).map(rate).collect(),
            overall: overall(spec, &found),
            value,
        }
    };
    let mut rows: Vec<FunnelSlice> = shown
        .into_iter()
        .map(|(value, found)| row(value, found, false))
        .collect();
    rows.extend(
        special
            .into_iter()
            .map(|((_, value), found)| row(value, found, true)),
    );
    rows
}

/// The value of a chain; else its place among the special ones.
fn slice_of(attribution: Attribution, found: &Found) -> Result<String, (usize, String)> {
    let values: Vec<Option<String>> = found
        .outcome
        .chain
        .iter()
        .map(|(_, place)| found.events[*place].value.clone())
        .collect();
    let none = || (0, "(none)".to_owned());
    match attribution {
        Attribution::First => values.into_iter().flatten().next().ok_or_else(none),
        Attribution::Last => values.into_iter().flatten().last().ok_or_else(none),
        Attribution::All if values.iter().any(|value| *value != values[0]) => Err((3, "(mixed)".to_owned())),
        Attribution::All => values[0].clone().ok_or_else(none),
        Attribution::Step(step) => {
            let steps: Vec<usize> = found.outcome.chain.iter().map(|(step, _)| *step).collect();
            match steps.iter().position(|other| *other == step) {
                Some(link) => values[link].clone().ok_or_else(none),
                None if steps.iter().any(|other| *other > step) => Err((1, "(skipped)".to_owned())),
                None => Err((2, "(did not reach)".to_owned())),
            }
        }
    }
}

pub fn trend(
    spec: &FunnelSpec,
    (zone, interval, week): (&Zone, Interval, WeekStart),
    now_ms: i64,
    doers: &[Doer],
    found: &[Found],
) -> Vec<FunnelPoint> {
    let range = super::entry(spec);
    let buckets = walk((interval, week), zone, range);
    let last = spec.steps.len() - 1;
    let point = |bucket: &Walked| {
        let inside = |ts: i64| match interval {
            Interval::Day => wall_clock(zone, ts).date() == bucket.date,
            _ => bucket.start <= ts && ts < bucket.end,
        };
        let has_date = !matches!(interval, Interval::Hour | Interval::Minute);
        let here: Vec<Found> = if spec.reentry == Reentry::First || spec.count == Count::Total {
            found
                .iter()
                .filter(|found| inside(found.ts(0)))
                .cloned()
                .collect()
        } else {
            let entry = TimeRange {
                from_ms: bucket.start.max(range.from_ms),
                to_ms: bucket.end.min(range.to_ms),
            };
            doers.iter().flat_map(|doer| of_doer(spec, doer, entry)).collect()
        };
        let mandatory = (0..=last).filter(|step| !spec.steps[*step].optional);
        let reached: Vec<u64> = mandatory.map(|step| reached(spec, &here, step) as u64).collect();
        let (entered, converted) = (reached[0], reached[reached.len() - 1]);
        FunnelPoint {
            start: Moment(bucket.start),
            date: has_date.then(|| Day::from_date(bucket.date)),
            entered,
            converted,
            rate: fraction(converted as usize, entered as usize),
            reached,
            is_final: bucket.end + spec.window_ms <= now_ms,
        }
    };
    buckets.iter().map(point).collect()
}

pub fn time(found: &[Found], from: usize, to: usize) -> TimeReport {
    let times = times(found, |_| Some(from), to);
    let n = times.len();
    // The smallest time that at least so many percent took at most.
    let percentile = |percent: usize| {
        let enough = |time: &&i64| times.iter().filter(|other| other <= time).count() * 100 >= n * percent;
        times.iter().find(enough).map(|time| time.unsigned_abs())
    };
    TimeReport {
        from_step: from + 1,
        to_step: to + 1,
        count: n as u64,
        left_out: (found.len() - n) as u64,
        mean_ms: (n > 0).then(|| times.iter().sum::<i64>() as f64 / n as f64),
        p75_ms: percentile(75),
        p90_ms: percentile(90),
        p95_ms: percentile(95),
        bins: bins(&times),
        median_ms: median(times),
    }
}

fn bins(times: &[i64]) -> Vec<TimeBin> {
    let (Some(&least), Some(&most)) = (times.first(), times.last()) else {
        return Vec::new();
    };
    let count = |from: i64, to: i64| times.iter().filter(|time| from <= **time && **time < to).count() as u64;
    let bin = |from: i64, to: i64, count: u64| TimeBin {
        from_ms: from.unsigned_abs(),
        to_ms: to.unsigned_abs(),
        count,
    };
    if least == most {
        return vec![bin(least, most, times.len() as u64)];
    }
    let mut width = 1;
    loop {
        let mut edges = vec![least - least % width];
        while edges[edges.len() - 1] < most && edges.len() <= 31 {
            edges.push(edges[edges.len() - 1] + width);
        }
        if edges.len() <= 31 && edges[edges.len() - 1] >= most {
            let n = edges.len() - 1;
            let closed = |i: usize| {
                if i + 1 == n {
                    edges[i + 1] + 1
                } else {
                    edges[i + 1]
                }
            };
            return (0..n)
                .map(|i| bin(edges[i], edges[i + 1], count(edges[i], closed(i))))
                .collect();
        }
        width = match width.to_string().as_bytes()[0] {
            b'1' => width * 2,
            b'2' => width / 2 * 5,
            _ => width * 2,
        };
    }
}

/// A funnel for each window.
pub fn sweep(spec: &FunnelSpec, windows: &[i64], doers: &[Doer]) -> SweepReport {
    let range = super::entry(spec);
    let last = spec.steps.len() - 1;
    let with = |window_ms: i64| {
        let spec = FunnelSpec {
            window_ms,
            ..spec.clone()
        };
        let came = |doer: &&Doer| {
            of_doer(&spec, doer, range)
                .iter()
                .any(|found| found.at(last).is_some())
        };
        let entered = doers
            .iter()
            .filter(|doer| !of_doer(&spec, doer, range).is_empty())
            .count();
        let converted: Vec<usize> = (0..doers.len()).filter(|i| came(&&doers[*i])).collect();
        (entered, converted)
    };
    let row = |window: &i64| {
        let (entered, converted) = with(*window);
        SweepWindow {
            window_ms: *window,
            converted: converted.len() as u64,
            rate: fraction(converted.len(), entered),
        }
    };
    let longest = windows.iter().copied().max().unwrap_or(0).max(spec.window_ms);
    let (_, in_time) = with(spec.window_ms);
    let (_, at_all) = with(longest);
    let missed = at_all.into_iter().filter(|i| !in_time.contains(i));
    // The shortest window, to the millisecond, in which somebody would have converted.
    let over = missed.map(|i| {
        let (mut too_short, mut enough) = (spec.window_ms, longest);
        while enough - too_short > 1 {
            let middle = (too_short + enough) / 2;
            if with(middle).1.contains(&i) {
                enough = middle
            } else {
                too_short = middle
            }
        }
        enough - spec.window_ms
    });
    let mut over: Vec<i64> = over.collect();
    over.sort_unstable();
    SweepReport {
        windows: windows.iter().map(row).collect(),
        near_misses: NearMisses {
            count: over.len() as u64,
            least_over_ms: over.first().map(|over| over.unsigned_abs()),
            median_over_ms: median(over),
        },
    }
}
