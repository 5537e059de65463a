//! Lifecycle: of the people of each day, week or month, who is new, came back, or is gone.
//!
//! Intervals are whole, whatever part of them the range covers. The *previous* interval is the one that ends where
//! this one begins; a day that does not exist is none.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::active::ActiveBuckets;
use super::filter::{FilterQuery, Property, PropertyQuery};
use super::selection::{Selection, SelectionQuery};
use super::time::{self, Bucket, DayRange, Interval, TimeRange, WeekStart};
use super::{SpecError, accepted};
use crate::event::{Day, Zone};

/// A question about the lifecycle of people, as a person writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
#[schema(example = json!({"interval": "week", "from": "2026-10-05", "to": "2026-11-30"}))]
pub struct LifecycleQuery {
    /// Active means: did this event. Default: any event that counts as activity.
    #[serde(default)]
    #[schema(example = "purchase")]
    #[param(example = "purchase")]
    pub event: Option<String>,
    /// First local day. Default: 30 days before `to`.
    #[serde(default)]
    #[schema(example = "2026-10-05")]
    #[param(example = "2026-10-05")]
    pub from: Option<String>,
    /// The local day after the last. Default: tomorrow.
    #[serde(default)]
    #[schema(example = "2026-11-30")]
    #[param(example = "2026-11-30")]
    pub to: Option<String>,
    /// Length of an interval.
    #[serde(default)]
    #[param(inline)]
    pub interval: LifecycleInterval,
    /// First day of a week, for the interval `week`.
    #[serde(default)]
    #[param(inline)]
    pub week_start: WeekStart,
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

/// The length of an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LifecycleInterval {
    /// A local day.
    #[default]
    Day,
    /// Seven local dates from the configured first day of the week.
    Week,
    /// A calendar month.
    Month,
}

/// A validated [`LifecycleQuery`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LifecycleSpec {
    /// What counts as active.
    pub events: Selection,
    /// The property whose values are counted instead of persons; only events that have one are active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Property>,
    /// The local days whose intervals are reported.
    pub range: DayRange,
    /// Length of an interval.
    pub interval: LifecycleInterval,
    /// First day of a week.
    pub week_start: WeekStart,
}

/// Who is new, came back or is gone, interval by interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LifecycleReport {
    /// Length of an interval.
    pub interval: LifecycleInterval,
    /// Each interval that the range touches, counted whole.
    pub points: Vec<LifecyclePoint>,
}

/// The people of one interval. `new`, `returning` and `resurrecting` together are its active people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"start": "2026-11-16", "end": "2026-11-23", "new": 210, "returning": 804, "resurrecting": 96,
    "dormant": 377, "final": true}))]
pub struct LifecyclePoint {
    /// Its first local day.
    #[schema(value_type = String, format = Date)]
    pub start: Day,
    /// The local day after its last.
    #[schema(value_type = String, format = Date)]
    pub end: Day,
    /// First active ever.
    pub new: u64,
    /// Active here and in the previous interval.
    pub returning: u64,
    /// Active here, not in the previous interval, but some time before.
    pub resurrecting: u64,
    /// Active in the previous interval and not here; until the interval is over they may still come.
    pub dormant: u64,
    /// Whether it is over.
    #[serde(rename = "final")]
    pub is_final: bool,
}

impl LifecycleQuery {
    /// The spec, or everything that is wrong with the query.
    pub fn validate(&self, zone: &Zone, now_ms: i64) -> Result<LifecycleSpec, Vec<SpecError>> {
        let mut errors = Vec::new();
        let events = SelectionQuery::event(self.event.clone()).within(self.filter.clone());
        let events = events.validate("", zone, &mut errors);
        let group = self.group.as_ref();
        let group = group.map(|group| group.validate("/group", &mut errors));
        let events = events.having(group.as_ref());
        let (from, to) = (self.from.as_deref(), self.to.as_deref());
        let range = time::day_range(from, to, zone, now_ms, &mut errors);
        let spec = LifecycleSpec {
            events,
            group,
            range,
            interval: self.interval,
            week_start: self.week_start,
        };
        accepted(spec, errors)
    }
}

impl LifecycleSpec {
    /// The interval before the first one of the report, and those of the report.
    pub fn buckets(&self, zone: &Zone) -> Vec<Bucket> {
        let interval = match self.interval {
            LifecycleInterval::Day => Interval::Day,
            LifecycleInterval::Week => Interval::Week,
            LifecycleInterval::Month => Interval::Month,
        };
        let instants = self.range.instants(zone);
        let of = |range| time::buckets(zone, range, interval, self.week_start);
        let first = of(instants)
            .first()
            .map_or(instants.from_ms, |bucket| bucket.start);
        of(TimeRange {
            from_ms: first - 1,
            to_ms: instants.to_ms,
        })
    }
}

/// Counts people from the buckets in which they were active.
#[derive(Debug)]
pub struct LifecycleTally {
    interval: LifecycleInterval,
    buckets: Vec<Bucket>,
    /// `(new, returning, resurrecting, dormant)` of each bucket; the first is the previous interval.
    counts: Vec<[u64; 4]>,
}

impl LifecycleTally {
    /// A count of nobody so far.
    pub fn new(spec: &LifecycleSpec, zone: &Zone) -> LifecycleTally {
        let buckets = spec.buckets(zone);
        LifecycleTally {
            interval: spec.interval,
            counts: vec![[0; 4]; buckets.len()],
            buckets,
        }
    }

    /// Counts `persons` who were active in these places of [`LifecycleSpec::buckets`].
    pub fn add(&mut self, people: &ActiveBuckets, persons: u64) {
        let mut known = people.before;
        let mut previous = None;
        let end = self.counts.len();
        for at in people.active.iter().take_while(|at| *at < end) {
            let class = match previous {
                Some(last) if last + 1 == at => 1,
                _ if known => 2,
                _ => 0,
            };
            self.counts[at][class] += persons;
            known = true;
            previous = Some(at);
            if at + 1 < end && !people.active.contains(at + 1) {
                self.counts[at + 1][3] += persons;
            }
        }
    }

    /// The report.
    pub fn finish(self, zone: &Zone, now_ms: i64) -> LifecycleReport {
        let points = self.buckets.iter().zip(&self.counts).skip(1);
        let points = points.map(|(bucket, &[new, returning, resurrecting, dormant])| {
            let start = bucket.date.unwrap_or_else(|| zone.local_day(bucket.start));
            LifecyclePoint {
                start,
                end: match self.interval {
                    LifecycleInterval::Day => start.plus(1),
                    LifecycleInterval::Week => start.plus(7),
                    LifecycleInterval::Month => time::month_after(start),
                },
                new,
                returning,
                resurrecting,
                dormant,
                is_final: bucket.end <= now_ms,
            }
        });
        LifecycleReport {
            interval: self.interval,
            points: points.collect(),
        }
    }
}
