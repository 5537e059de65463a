//! Conversion of a goal after an event within a window, by local day of entry: the two-step funnel, run once for
//! each day and once for the whole range.
//!
//! A person who enters on several days appears in each of them, so days do not add up to the total.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::filter::{Filter, FilterQuery};
use super::funnel::spec::{Alternative, View};
use super::funnel::{FunnelOverall, FunnelSpec, FunnelStep, FunnelTally, StepEvent, Values};
use super::time::{self, DayRange, Interval, WeekStart};
use super::{SpecError, accepted, check_event_name};
use crate::event::{Day, Zone};

/// A question about conversion, as a person writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"goal": "purchase", "after": "view_item", "window": "7d", "from": "2026-11-01", "to": "2026-12-01"}))]
pub struct ConversionQuery {
    /// The event that counts as conversion.
    #[serde(default)]
    #[schema(required = true, example = "purchase")]
    pub goal: String,
    /// The event that enters.
    #[serde(default)]
    #[schema(required = true, example = "view_item")]
    pub after: String,
    /// How long after entry the goal still counts. Default: 7 days.
    #[serde(default)]
    #[schema(example = "7d")]
    pub window: Option<String>,
    /// First local day of entry. Default: 30 days before `to`.
    #[serde(default)]
    #[schema(example = "2026-11-01")]
    pub from: Option<String>,
    /// The local day after the last. Default: tomorrow.
    #[serde(default)]
    #[schema(example = "2026-12-01")]
    pub to: Option<String>,
    /// What every event has to pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterQuery>,
    /// What the goal has to pass besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal_filter: Option<FilterQuery>,
    /// What the event that enters has to pass besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_filter: Option<FilterQuery>,
}

/// A validated [`ConversionQuery`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConversionSpec {
    /// The event that counts as conversion.
    pub goal: String,
    /// The event that enters; it may be the same, and then takes two events.
    pub after: String,
    /// The goal follows at most this many milliseconds after entry.
    pub window_ms: i64,
    /// Local days of entry.
    pub range: DayRange,
    /// What every event has to pass.
    pub filter: Filter,
    /// What the goal has to pass besides.
    pub goal_filter: Filter,
    /// What the event that enters has to pass besides.
    pub after_filter: Filter,
}

impl ConversionQuery {
    /// The spec, or everything that is wrong with the query.
    pub fn validate(&self, zone: &Zone, now_ms: i64) -> Result<ConversionSpec, Vec<SpecError>> {
        let mut errors = Vec::new();
        check_event_name("/goal", &self.goal, &mut errors);
        check_event_name("/after", &self.after, &mut errors);
        let mut filter = |pointer: &str, filter: &Option<FilterQuery>| match filter {
            Some(filter) => filter.validate(pointer, zone, &mut errors),
            None => Filter::everything(),
        };
        let (all, goal, after) = (
            filter("/filter", &self.filter),
            filter("/goal_filter", &self.goal_filter),
            filter("/after_filter", &self.after_filter),
        );
        let spec = ConversionSpec {
            filter: all,
            goal_filter: goal,
            after_filter: after,
            goal: self.goal.clone(),
            after: self.after.clone(),
            window_ms: time::window(self.window.as_deref(), &mut errors),
            range: time::day_range(
                self.from.as_deref(),
                self.to.as_deref(),
                zone,
                now_ms,
                &mut errors,
            ),
        };
        accepted(spec, errors)
    }
}

impl ConversionSpec {
    /// The funnel behind it: the facts it needs, and the total.
    pub fn funnel(&self, zone: &Zone) -> FunnelSpec {
        let step = |event: &str, filter: &Filter| FunnelStep {
            events: vec![Alternative {
                event: event.to_owned(),
                filter: filter.clone(),
            }],
            ..FunnelStep::of(&[])
        };
        let steps = vec![
            step(&self.after, &self.after_filter),
            step(&self.goal, &self.goal_filter),
        ];
        FunnelSpec {
            filter: self.filter.clone(),
            view: View::Trend(Interval::Day, WeekStart::default()),
            ..FunnelSpec::plain(steps, self.window_ms, self.range.instants(zone))
        }
    }
}

/// Conversion by local day of entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConversionReport {
    /// One for each local day of the range that exists.
    pub days: Vec<ConversionDay>,
    /// The whole range in one run: a person who enters on several days counts once.
    pub total: FunnelOverall,
    /// The conversion window, in milliseconds.
    pub window_ms: i64,
}

/// Conversion of those who entered on one local day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"date": "2026-11-23", "entered": 120, "converted": 18, "rate": 0.15, "final": true}))]
pub struct ConversionDay {
    /// The local day of entry.
    #[schema(value_type = String, format = Date)]
    pub date: Day,
    /// Persons who entered on it.
    pub entered: u64,
    /// Those of them who converted within the window, on whatever day.
    pub converted: u64,
    /// `converted / entered`; null when nobody entered.
    pub rate: Option<f64>,
    /// Whether everybody had their whole window: the day and one window more are over.
    #[serde(rename = "final")]
    pub is_final: bool,
}

/// Gathers conversion, one person at a time.
#[derive(Debug)]
pub struct ConversionTally {
    funnel: FunnelTally,
}

impl ConversionTally {
    /// A tally of nobody so far.
    pub fn new(spec: &ConversionSpec, zone: &Zone) -> ConversionTally {
        ConversionTally {
            funnel: FunnelTally::new(&spec.funnel(zone), zone),
        }
    }

    /// Takes all events of one person, in total order, marked as steps of the [`ConversionSpec::funnel`].
    pub fn add(&mut self, person: u64, events: &[StepEvent]) {
        self.funnel.add(person, events);
    }

    /// The report.
    pub fn finish(self, now_ms: i64) -> ConversionReport {
        ConversionReport::of(self.funnel.finish(&Values::default(), now_ms))
    }
}

impl ConversionReport {
    /// The report of the funnel behind it.
    pub fn of(funnel: super::funnel::FunnelReport) -> ConversionReport {
        let points = funnel.trend.unwrap_or_default().into_iter();
        let day = |point: super::funnel::report::FunnelPoint| {
            Some(ConversionDay {
                date: point.date?,
                entered: point.entered,
                converted: point.converted,
                rate: point.rate,
                is_final: point.is_final,
            })
        };
        ConversionReport {
            days: points.filter_map(day).collect(),
            total: funnel.overall,
            window_ms: funnel.window_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named_by_pointer() {
        let query: ConversionQuery = serde_json::from_value(
            serde_json::json!({"goal": "buy", "window": "x", "to": "2026-11-02T01:00:00Z"}),
        )
        .unwrap();
        let errors = query.validate(&Zone::utc(), 1_795_000_000_000).unwrap_err();
        let errors: Vec<_> = errors.iter().map(|e| (e.pointer.as_str(), e.code)).collect();
        assert_eq!(
            errors,
            [
                ("/after", "required"),
                ("/window", "invalid_window"),
                ("/to", "not_a_day_start")
            ]
        );
    }

    #[test]
    fn reports_leave_with_dates_and_without_rounding() {
        let spec = ConversionSpec {
            goal: "B".to_owned(),
            after: "A".to_owned(),
            window_ms: 10,
            range: DayRange {
                from: Day(0),
                to: Day(1),
            },
            filter: Filter::everything(),
            goal_filter: Filter::everything(),
            after_filter: Filter::everything(),
        };
        let mut tally = ConversionTally::new(&spec, &Zone::utc());
        let at = |ts: i64, marks| StepEvent {
            ts,
            id: u128::from(ts.unsigned_abs()),
            marks,
            ..StepEvent::default()
        };
        tally.add(1, &[at(1, 1), at(4, 2)]);
        tally.add(2, &[at(1, 1), at(12, 2)]);
        tally.add(3, &[at(2, 1)]);
        assert_eq!(
            serde_json::to_value(tally.finish(86_400_010)).unwrap(),
            serde_json::json!({
                "days": [{"date": "1970-01-01", "entered": 3, "converted": 1, "rate": 1.0 / 3.0, "final": true}],
                "total": {"entered": 3, "converted": 1, "rate": 1.0 / 3.0, "median_ms": 3.0},
                "window_ms": 10
            })
        );
    }
}
