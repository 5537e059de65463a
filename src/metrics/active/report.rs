//! The answer to a question about active users.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ActiveSpec;
use crate::event::{Day, Zone};
use crate::metrics::rate;
use crate::metrics::time;
use crate::metrics::trend::TrendGroup;

/// Active users of a range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActiveUsersReport {
    /// One for each local day of the range that exists.
    pub days: Vec<ActiveDay>,
    /// Each calendar week that the range touches, counted whole.
    pub weeks: Vec<ActivePeriod>,
    /// Each calendar month that the range touches, counted whole.
    pub months: Vec<ActivePeriod>,
    /// The range as one.
    pub summary: ActiveSummary,
    /// The same by the breakdown's values: by rank, then "(none)" and "Other" if there are such events. Absent unless asked
    /// for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakdown: Option<Vec<ActiveSplit>>,
}

/// Active users by the events with one value of the breakdown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActiveSplit {
    /// The value.
    pub group: TrendGroup,
    /// One for each local day of the range that exists.
    pub days: Vec<ActiveDay>,
    /// Each calendar week that the range touches.
    pub weeks: Vec<ActivePeriod>,
    /// Each calendar month that the range touches.
    pub months: Vec<ActivePeriod>,
    /// The range as one.
    pub summary: ActiveSummary,
}

/// Active users of one local day, and of the windows that end with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"date": "2026-11-23", "dau": 412, "wau": 1530, "mau": 3880, "stickiness": 0.1062, "final": true}))]
pub struct ActiveDay {
    /// The local day.
    #[schema(value_type = String, format = Date)]
    pub date: Day,
    /// Distinct persons active on the day.
    pub dau: u64,
    /// Distinct persons active on the 7 days that end with it.
    pub wau: u64,
    /// Distinct persons active on the 30 days that end with it.
    pub mau: u64,
    /// `dau / mau`; null when nobody was active.
    pub stickiness: Option<f64>,
    /// Whether the day is over.
    #[serde(rename = "final")]
    pub is_final: bool,
}

/// Active users of one calendar week or month.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"start": "2026-11-23", "end": "2026-11-30", "active": 1530, "final": false,
    "point": {"date": "2026-11-23", "dau": 412, "wau": 1530, "mau": 3880, "stickiness": 0.1062, "final": true}}))]
pub struct ActivePeriod {
    /// Its first local day.
    #[schema(value_type = String, format = Date)]
    pub start: Day,
    /// The local day after its last.
    #[schema(value_type = String, format = Date)]
    pub end: Day,
    /// Distinct persons active in the whole week or month, whatever part of it the range covers.
    pub active: u64,
    /// Whether it is over.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// The values of its last day, of today while it is open: the point of a chart by weeks or months. Null while that day
    /// lies before the range.
    pub point: Option<ActiveDay>,
}

/// Active users of the range as one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActiveSummary {
    /// Distinct persons active in the range.
    pub active: u64,
    /// Days of the range that are over.
    pub complete_days: u64,
    /// Mean DAU over complete days; null without one.
    pub mean_dau: Option<f64>,
    /// MAU on the last complete day; null without one.
    pub mau: Option<u64>,
    /// `mean_dau / mau`: how many of a month's persons come on a usual day; null without a complete day or with
    /// an MAU of 0.
    pub ratio: Option<f64>,
}

/// Calendar weeks or months as `(first day, day after the last)`.
pub(super) type Periods = Vec<(Day, Day)>;

/// The weeks and months that the range touches.
pub(super) fn periods(spec: &ActiveSpec) -> (Periods, Periods) {
    let (first, last) = (spec.range.from, spec.range.to.plus(-1));
    let (mut weeks, mut months) = (Vec::new(), Vec::new());
    let mut week = spec.week_start.week_of(first);
    while week <= last {
        weeks.push((week, week.plus(7)));
        week = week.plus(7);
    }
    let mut month = time::month_of(first);
    while month <= last {
        months.push((month, time::month_after(month)));
        month = time::month_after(month);
    }
    (weeks, months)
}

/// `(day, dau, wau, mau)`.
pub(super) type DayCount = (Day, u64, u64, u64);

/// The day whose values stand for a week or a month `[start, end)`: its last one that exists, or today while it is open.
/// None before the range.
fn day_of_point(spec: &ActiveSpec, zone: &Zone, now_ms: i64, (start, end): (Day, Day)) -> Option<Day> {
    let first = start.max(spec.range.from);
    let mut day = zone.local_day(now_ms).min(end.plus(-1));
    while day >= first && !zone.day_exists(day) {
        day = day.plus(-1);
    }
    (day >= first).then_some(day)
}

/// The days whose values stand for the weeks and months.
pub(super) fn points(spec: &ActiveSpec, zone: &Zone, now_ms: i64) -> BTreeSet<Day> {
    let (weeks, months) = periods(spec);
    let periods = weeks.into_iter().chain(months);
    periods
        .filter_map(|period| day_of_point(spec, zone, now_ms, period))
        .collect()
}

/// What a way of counting has to find out; the rest of the report follows from it.
pub(super) struct Counted {
    /// The existing days of the range, in order.
    pub days: Vec<DayCount>,
    /// Of the weeks and months of [`periods`], in order.
    pub weeks: Vec<u64>,
    pub months: Vec<u64>,
    /// Of the whole range.
    pub range: u64,
    /// Of the days of [`points`].
    pub points: BTreeMap<Day, DayCount>,
}

impl Counted {
    /// The report.
    pub fn report(self, spec: &ActiveSpec, zone: &Zone, now_ms: i64) -> ActiveUsersReport {
        let is_over = |end: Day| zone.day_start(end) <= now_ms;
        let day = |(date, dau, wau, mau): DayCount| ActiveDay {
            date,
            dau,
            wau,
            mau,
            stickiness: rate(dau, mau),
            is_final: is_over(date.plus(1)),
        };
        let (weeks, months) = periods(spec);
        let point = |period| {
            let at = day_of_point(spec, zone, now_ms, period)?;
            self.points.get(&at).copied().map(day)
        };
        let period = |((start, end), active)| ActivePeriod {
            start,
            end,
            active,
            is_final: is_over(end),
            point: point((start, end)),
        };
        let weeks = weeks.into_iter().zip(self.weeks).map(period).collect();
        let months = months.into_iter().zip(self.months).map(period).collect();
        let days: Vec<ActiveDay> = self.days.iter().copied().map(day).collect();
        ActiveUsersReport {
            summary: summary(&days, self.range),
            days,
            weeks,
            months,
            breakdown: None,
        }
    }
}

impl ActiveUsersReport {
    /// The same of those with one value.
    pub(super) fn split(self, group: TrendGroup) -> ActiveSplit {
        ActiveSplit {
            group,
            days: self.days,
            weeks: self.weeks,
            months: self.months,
            summary: self.summary,
        }
    }
}

fn summary(days: &[ActiveDay], active: u64) -> ActiveSummary {
    let complete: Vec<&ActiveDay> = days.iter().filter(|day| day.is_final).collect();
    let sum: u64 = complete.iter().map(|day| day.dau).sum();
    let mean_dau = rate(sum, complete.len() as u64);
    let mau = complete.last().map(|day| day.mau);
    ActiveSummary {
        active,
        complete_days: complete.len() as u64,
        mean_dau,
        mau,
        ratio: mean_dau
            .zip(mau.filter(|mau| *mau > 0))
            .map(|(mean, mau)| mean / mau as f64),
    }
}
