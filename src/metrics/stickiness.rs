//! Stickiness: on how many days of a range each person was active.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::filter::{FilterQuery, Property, PropertyQuery};
use super::selection::{Selection, SelectionQuery};
use super::time::{self, Bucket, DayRange, Interval, WeekStart};
use super::{SpecError, accepted};
use crate::event::{Day, Zone};

/// A question about days of activity, as a person writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
#[schema(example = json!({"from": "2026-11-01", "to": "2026-12-01"}))]
pub struct StickinessQuery {
    /// Active means: did this event. Default: any event that counts as activity.
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
    /// Only events that pass count. (Not in a query string.)
    #[serde(default)]
    #[param(ignore)]
    pub filter: Option<FilterQuery>,
    /// The property whose values are counted instead of persons, such as `{"property": "$groups.company"}`. Events without
    /// a value are left out. (Not in a query string.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(ignore)]
    pub group: Option<PropertyQuery>,
}

/// A validated [`StickinessQuery`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StickinessSpec {
    /// What counts as active.
    pub events: Selection,
    /// The property whose values are counted instead of persons; only events that have one are active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Property>,
    /// The local days that are counted.
    pub range: DayRange,
}

/// How many people were active on how many days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StickinessReport {
    /// Persons active on at least one day.
    pub persons: u64,
    /// Mean number of active days of these persons; null without any.
    pub mean_days: Option<f64>,
    /// Days of the range that exist.
    pub days: u64,
    /// Those of them that are not over: counts may still move to more days.
    #[schema(value_type = Vec<String>)]
    pub incomplete_days: Vec<Day>,
    /// One entry for each number of days from 1 to `days`, zeros included.
    pub histogram: Vec<StickinessBar>,
}

/// The persons active on `days` days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"days": 3, "persons": 120, "at_least": 470}))]
pub struct StickinessBar {
    /// A number of distinct active local days.
    pub days: u64,
    /// Persons active on exactly so many.
    pub persons: u64,
    /// Persons active on so many or more.
    pub at_least: u64,
}

impl StickinessQuery {
    /// The spec, or everything that is wrong with the query.
    pub fn validate(&self, zone: &Zone, now_ms: i64) -> Result<StickinessSpec, Vec<SpecError>> {
        let mut errors = Vec::new();
        let events = SelectionQuery::event(self.event.clone()).within(self.filter.clone());
        let events = events.validate("", zone, &mut errors);
        let group = self.group.as_ref();
        let group = group.map(|group| group.validate("/group", &mut errors));
        let events = events.having(group.as_ref());
        let (from, to) = (self.from.as_deref(), self.to.as_deref());
        let range = time::day_range(from, to, zone, now_ms, &mut errors);
        let spec = StickinessSpec { events, group, range };
        accepted(spec, errors)
    }
}

impl StickinessSpec {
    /// The days that are counted.
    pub fn buckets(&self, zone: &Zone) -> Vec<Bucket> {
        time::buckets(zone, self.range.instants(zone), Interval::Day, WeekStart::Monday)
    }
}

impl StickinessReport {
    /// The report from how many persons were active on how many days; a number of days may come several times.
    pub fn from_counts(
        spec: &StickinessSpec,
        zone: &Zone,
        now_ms: i64,
        counts: impl IntoIterator<Item = (u64, u64)>,
    ) -> StickinessReport {
        let days = spec.range.existing(zone);
        let mut exact = vec![0_u64; days.len() + 1];
        for (active, persons) in counts {
            if let Some(bar) = exact.get_mut(active as usize) {
                *bar += persons;
            }
        }
        let mut histogram = Vec::new();
        let (mut at_least, mut sum) = (0, 0);
        for (days, &persons) in exact.iter().enumerate().skip(1).rev() {
            at_least += persons;
            sum += persons * days as u64;
            histogram.push(StickinessBar {
                days: days as u64,
                persons,
                at_least,
            });
        }
        histogram.reverse();
        StickinessReport {
            persons: at_least,
            mean_days: super::rate(sum, at_least),
            days: days.len() as u64,
            incomplete_days: days
                .into_iter()
                .filter(|day| zone.day_start(day.plus(1)) > now_ms)
                .collect(),
            histogram,
        }
    }
}
