//! Active users: distinct persons by local day, rolling over 7 and 30 days, by calendar week and month.
//!
//! Sums of dailies are never used: a person active on two days is one person. [`from_windows`] answers from
//! the counts of united sketches, [`ExactActives`] from the list of days on which each person was active.

mod buckets;
mod exact;
mod rolling;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::filter::{Filter, FilterQuery};
use super::selection::Selection;
use super::time::{self, DayRange, WeekStart};
use super::{SpecError, accepted, check_event_name};
use crate::event::{Day, Zone};

pub use buckets::{ActiveBuckets, BucketSet};
pub use exact::ExactActives;
pub use rolling::from_windows;

/// Days of a WAU, ending with its day.
pub const WAU_DAYS: usize = 7;
/// Days of an MAU, ending with its day.
pub const MAU_DAYS: usize = 30;

/// A question about active users, as a person writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
#[schema(example = json!({"from": "2026-11-01", "to": "2026-12-01"}))]
pub struct ActiveUsersQuery {
    /// Count only persons who did this event. Default: any event that counts as activity.
    #[serde(default)]
    #[schema(example = "purchase")]
    #[param(example = "purchase")]
    pub event: Option<String>,
    /// First local day. Default: 30 days before `to`.
    #[serde(default)]
    #[schema(example = "2026-11-01")]
    #[param(example = "2026-11-01")]
    pub from: Option<String>,
    /// The local day after the last. Default: tomorrow.
    #[serde(default)]
    #[schema(example = "2026-12-01")]
    #[param(example = "2026-12-01")]
    pub to: Option<String>,
    /// First day of a calendar week.
    #[serde(default)]
    #[param(inline)]
    pub week_start: WeekStart,
    /// Count persons one by one instead of asking the sketches (0.81 % standard error; near exact below some
    /// thousands).
    #[serde(default)]
    pub exact: bool,
    /// Only events that pass count; then persons are counted one by one. (Not in a query string.)
    #[serde(default)]
    #[param(ignore)]
    pub filter: Option<FilterQuery>,
}

/// A validated [`ActiveUsersQuery`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActiveSpec {
    /// Only this event; absent: any activity.
    pub event: Option<String>,
    /// The local days of the report.
    pub range: DayRange,
    /// First day of a calendar week.
    pub week_start: WeekStart,
    /// Whether to count from raw events.
    pub exact: bool,
    /// Only events that pass; then `exact` is set.
    pub filter: Filter,
}

impl ActiveUsersQuery {
    /// The spec, or everything that is wrong with the query.
    pub fn validate(&self, zone: &Zone, now_ms: i64) -> Result<ActiveSpec, Vec<SpecError>> {
        let mut errors = Vec::new();
        if let Some(name) = &self.event {
            check_event_name("/event", name, &mut errors);
        }
        let range = time::day_range(
            self.from.as_deref(),
            self.to.as_deref(),
            zone,
            now_ms,
            &mut errors,
        );
        let filter = match &self.filter {
            Some(filter) => filter.validate("/filter", zone, &mut errors),
            None => Filter::everything(),
        };
        let spec = ActiveSpec {
            event: self.event.clone(),
            range,
            week_start: self.week_start,
            exact: self.exact || !filter.is_everything(),
            filter,
        };
        accepted(spec, errors)
    }
}

impl ActiveSpec {
    /// The events that count.
    pub fn selection(&self) -> Selection {
        Selection::of(self.event.as_deref()).within(&self.filter)
    }

    /// The event name under which sketches are stored: empty for any activity.
    pub fn sketch_event(&self) -> &str {
        self.event.as_deref().unwrap_or("")
    }

    /// The local days whose facts the report needs: the range, the windows that end in it, and the whole of each
    /// calendar week and month that it touches.
    pub fn facts_range(&self, zone: &Zone) -> DayRange {
        let last = self.range.to.plus(-1);
        let months = time::month_of(self.range.from)..time::month_after(last);
        let weeks = self.week_start.week_of(self.range.from)..self.week_start.week_of(last).plus(7);
        DayRange {
            from: self.first_window_day(zone).min(months.start).min(weeks.start),
            to: self.range.to.max(months.end).max(weeks.end),
        }
    }

    /// The first of the [`MAU_DAYS`] existing days that end with the first day of the range.
    fn first_window_day(&self, zone: &Zone) -> Day {
        let mut day = self.range.from;
        let mut left = MAU_DAYS - 1;
        while left > 0 {
            day = day.plus(-1);
            left -= usize::from(zone.day_exists(day));
        }
        day
    }
}

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
#[schema(example = json!({"start": "2026-11-23", "end": "2026-11-30", "active": 1530, "final": false}))]
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
type Periods = Vec<(Day, Day)>;

/// The weeks and months that the range touches.
fn periods(spec: &ActiveSpec) -> (Periods, Periods) {
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

/// What a way of counting has to find out; the rest of the report follows from it.
struct Counted {
    /// `(day, dau, wau, mau)` of the existing days of the range, in order.
    days: Vec<(Day, u64, u64, u64)>,
    /// Of the weeks and months of [`periods`], in order.
    weeks: Vec<u64>,
    months: Vec<u64>,
    /// Of the whole range.
    range: u64,
}

impl Counted {
    fn report(self, spec: &ActiveSpec, zone: &Zone, now_ms: i64) -> ActiveUsersReport {
        let is_over = |end: Day| zone.day_start(end) <= now_ms;
        let (weeks, months) = periods(spec);
        let period = |((start, end), active)| ActivePeriod {
            start,
            end,
            active,
            is_final: is_over(end),
        };
        let days: Vec<ActiveDay> = self
            .days
            .iter()
            .map(|&(date, dau, wau, mau)| ActiveDay {
                date,
                dau,
                wau,
                mau,
                stickiness: super::rate(dau, mau),
                is_final: is_over(date.plus(1)),
            })
            .collect();
        ActiveUsersReport {
            summary: summary(&days, self.range),
            days,
            weeks: weeks.into_iter().zip(self.weeks).map(period).collect(),
            months: months.into_iter().zip(self.months).map(period).collect(),
        }
    }
}

fn summary(days: &[ActiveDay], active: u64) -> ActiveSummary {
    let complete: Vec<&ActiveDay> = days.iter().filter(|day| day.is_final).collect();
    let sum: u64 = complete.iter().map(|day| day.dau).sum();
    let mean_dau = super::rate(sum, complete.len() as u64);
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
