//! Active users: distinct persons by local day, rolling over 7 and 30 days, by calendar week and month.
//!
//! Sums of dailies are never used: a person active on two days is one person. [`from_windows`] answers from
//! the counts of united sketches, [`ExactActives`] from the list of days on which each person was active.
//!
//! With a *group* the values of a property (companies, workspaces) are counted instead of persons, one by one.
//!
//! A *breakdown* counts the persons of each value by the events that have it: somebody active with two values is in
//! both. The values with the most persons in the range are shown, ties by text; what is left is counted anew as "Other",
//! and events that lack every property are "(none)".

mod buckets;
mod exact;
mod report;
mod rolling;
mod split;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::filter::{
    self, DEFAULT_BREAKDOWN_LIMIT, Filter, FilterQuery, MAX_BREAKDOWN, Property, PropertyQuery,
};
use super::selection::Selection;
use super::time::{self, DayRange, MAX_POINTS, WeekStart};
use super::{SpecError, accepted, check_event_name};
use crate::event::{Day, Zone};

pub use buckets::{ActiveBuckets, BucketSet};
pub use exact::ExactActives;
pub use report::{ActiveDay, ActivePeriod, ActiveSplit, ActiveSummary, ActiveUsersReport};
use report::{Counted, DayCount, Periods, periods};
pub use rolling::from_windows;
pub use split::SplitActives;

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
    /// The property whose values are counted instead of persons, such as `{"property": "$groups.company"}`. Events without
    /// a value are left out. Then they are counted one by one. (Not in a query string.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(ignore)]
    pub group: Option<PropertyQuery>,
    /// Up to 3 properties whose values are counted apart; then persons are counted one by one. (Not in a query string.)
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 3)]
    #[param(ignore)]
    pub breakdown: Vec<PropertyQuery>,
    /// How many of their values are shown, 1 to 200; the rest is counted anew as "Other". Default: 25. All values together
    /// have at most 10,000 days. (Not in a query string.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 200)]
    #[param(ignore)]
    pub breakdown_limit: Option<u32>,
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
    /// The property whose values are counted instead of persons; the filter lets only events pass that have one,
    /// and `exact` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Property>,
    /// At most 3 properties; then `exact` is set.
    pub breakdown: Vec<Property>,
    /// How many of their values are shown.
    pub breakdown_limit: u32,
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
        let group = self.group.as_ref();
        let group = group.map(|group| group.validate("/group", &mut errors));
        let filter = filter.having(group.as_ref());
        if self.breakdown.len() > MAX_BREAKDOWN {
            let detail = format!("a breakdown has at most {MAX_BREAKDOWN} properties");
            errors.push(SpecError::new("/breakdown", "too_many", detail));
        }
        let properties = self.breakdown.iter().take(MAX_BREAKDOWN).enumerate();
        let breakdown: Vec<Property> = properties
            .map(|(n, property)| property.validate(&format!("/breakdown/{n}"), &mut errors))
            .collect();
        let limit = filter::breakdown_limit(self.breakdown_limit, DEFAULT_BREAKDOWN_LIMIT, &mut errors);
        // The values shown, what has none, and the rest.
        let points = (range.to.0 - range.from.0).max(0) as usize * (limit as usize + 2);
        if !breakdown.is_empty() && points > MAX_POINTS {
            let detail = format!(
                "an answer that is broken down has at most {MAX_POINTS} days, this one could have {points}"
            );
            errors.push(SpecError::new("/breakdown_limit", "too_many_points", detail));
        }
        let spec = ActiveSpec {
            event: self.event.clone(),
            range,
            week_start: self.week_start,
            exact: self.exact || !filter.is_everything() || !breakdown.is_empty(),
            filter,
            group,
            breakdown,
            breakdown_limit: limit,
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
