//! Conversion of a goal after an event within a window, by local day of entry: the two-step funnel, run once for
//! each day and once for the whole range. Without an event that enters: of the persons active on a day, those who did the
//! goal on it.
//!
//! A person who enters on several days appears in each of them, so days do not add up to the total.
//!
//! The *value* of a conversion is a numeric property of its converting event: the goal that a person's reported chain
//! ends with, one for each person of a run; without an event that enters every goal converts.

mod values;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::filter::{Filter, FilterQuery, Property, PropertyQuery};
use super::funnel::spec::{Alternative, Entity, View};
use super::funnel::{FunnelOverall, FunnelSpec, FunnelStep, FunnelTally, StepEvent, Values};
use super::selection::Selection;
use super::time::{self, Bucket, DayRange, Interval, WeekStart};
use super::{SpecError, accepted, check_event_name, rate};
use crate::event::{Day, Zone};

pub use values::{ConversionValue, ConversionValues, ConvertingEvent, GoalCount, GoalFacts};

/// A question about conversion, as a person writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"goal": "purchase", "after": "view_item", "window": "7d", "from": "2026-11-01", "to": "2026-12-01"}))]
pub struct ConversionQuery {
    /// The event that counts as conversion.
    #[serde(default)]
    #[schema(required = true, example = "purchase")]
    pub goal: String,
    /// The event that enters. Without one the persons who did the goal are divided by those who were active.
    #[serde(default)]
    #[schema(example = "view_item")]
    pub after: Option<String>,
    /// How long after entry the goal still counts. Default: 7 days. Only with `after`.
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
    /// What the event that enters has to pass besides. Only with `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_filter: Option<FilterQuery>,
    /// The property whose values are counted instead of persons, such as `{"property": "$groups.company"}`. Events without
    /// a value are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<PropertyQuery>,
    /// A numeric property of the converting events: their sum and their mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<PropertyQuery>,
}

/// A validated [`ConversionQuery`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConversionSpec {
    /// The event that counts as conversion.
    pub goal: String,
    /// The event that enters; it may be the same, and then takes two events. Absent: whoever is active enters.
    pub after: Option<String>,
    /// The goal follows at most this many milliseconds after entry; 0 without an event that enters.
    pub window_ms: i64,
    /// Local days of entry.
    pub range: DayRange,
    /// What every event has to pass.
    pub filter: Filter,
    /// What the goal has to pass besides.
    pub goal_filter: Filter,
    /// What the event that enters has to pass besides.
    pub after_filter: Filter,
    /// The property whose values are counted instead of persons; the filter lets only events pass that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Property>,
    /// The numeric property of converting events.
    pub value: Option<Property>,
}

impl ConversionQuery {
    /// The spec, or everything that is wrong with the query.
    pub fn validate(&self, zone: &Zone, now_ms: i64) -> Result<ConversionSpec, Vec<SpecError>> {
        let mut errors = Vec::new();
        check_event_name("/goal", &self.goal, &mut errors);
        match &self.after {
            Some(after) => check_event_name("/after", after, &mut errors),
            None => {
                for (pointer, is_given) in [
                    ("/window", self.window.is_some()),
                    ("/after_filter", self.after_filter.is_some()),
                ] {
                    if is_given {
                        let detail = "only with `after`: without it whoever is active on a day enters";
                        errors.push(SpecError::new(pointer, "not_allowed", detail));
                    }
                }
            }
        }
        let group = self.group.as_ref();
        let group = group.map(|group| group.validate("/group", &mut errors));
        let value = self.value.as_ref();
        let value = value.map(|property| property.validate("/value", &mut errors));
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
            filter: all.having(group.as_ref()),
            goal_filter: goal,
            after_filter: after,
            goal: self.goal.clone(),
            after: self.after.clone(),
            window_ms: match self.after {
                Some(_) => time::window(self.window.as_deref(), &mut errors),
                None => 0,
            },
            group,
            value,
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
    /// The funnel behind it: the facts it needs, and the total. None without an event that enters.
    pub fn funnel(&self, zone: &Zone) -> Option<FunnelSpec> {
        let step = |event: &str, filter: &Filter| FunnelStep {
            events: vec![Alternative {
                event: event.to_owned(),
                filter: filter.clone(),
            }],
            ..FunnelStep::of(&[])
        };
        let after = self.after.as_deref()?;
        let steps = vec![
            step(after, &self.after_filter),
            step(&self.goal, &self.goal_filter),
        ];
        Some(FunnelSpec {
            filter: self.filter.clone(),
            entity: match self.group {
                Some(_) => Entity::Group,
                None => Entity::Person,
            },
            group: self.group.clone(),
            view: View::Trend(Interval::Day, WeekStart::default()),
            ..FunnelSpec::plain(steps, self.window_ms, self.range.instants(zone))
        })
    }

    /// The local days of entry that exist.
    pub fn days(&self, zone: &Zone) -> Vec<Bucket> {
        time::buckets(
            zone,
            self.range.instants(zone),
            Interval::Day,
            WeekStart::default(),
        )
    }

    /// The events that convert.
    pub fn goals(&self) -> Selection {
        let goals = Selection::of(Some(&self.goal)).within(&self.goal_filter);
        goals.within(&self.filter)
    }

    /// The events that enter.
    pub fn entries(&self) -> Selection {
        let entries = Selection::of(self.after.as_deref()).within(&self.after_filter);
        entries.within(&self.filter)
    }
}

/// Conversion by local day of entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConversionReport {
    /// One for each local day of the range that exists.
    pub days: Vec<ConversionDay>,
    /// The whole range in one run: a person who enters on several days counts once.
    pub total: FunnelOverall,
    /// The conversion window, in milliseconds; 0 without an event that enters.
    pub window_ms: i64,
    /// What the conversions of the total are worth; absent unless asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ConversionValue>,
}

/// Conversion of those who entered on one local day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"date": "2026-11-23", "entered": 120, "converted": 18, "rate": 0.15, "final": true}))]
pub struct ConversionDay {
    /// The local day of entry.
    #[schema(value_type = String, format = Date)]
    pub date: Day,
    /// Persons who entered on it; without an event that enters, who were active.
    pub entered: u64,
    /// Those of them who converted within the window, on whatever day.
    pub converted: u64,
    /// `converted / entered`; null when nobody entered.
    pub rate: Option<f64>,
    /// Whether everybody had their whole window: the day and one window more are over.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// What the conversions are worth; absent unless asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ConversionValue>,
}

/// Gathers conversion, one person at a time.
#[derive(Debug)]
pub struct ConversionTally {
    funnel: FunnelTally,
}

impl ConversionTally {
    /// A tally of nobody so far, by the [`ConversionSpec::funnel`].
    pub fn new(funnel: &FunnelSpec, zone: &Zone) -> ConversionTally {
        ConversionTally {
            funnel: FunnelTally::new(funnel, zone),
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
                value: None,
            })
        };
        ConversionReport {
            days: points.filter_map(day).collect(),
            total: funnel.overall,
            window_ms: funnel.window_ms,
            value: None,
        }
    }

    /// The report of a goal among the active.
    pub fn of_goal(spec: &ConversionSpec, zone: &Zone, now_ms: i64, facts: &GoalFacts) -> ConversionReport {
        let worth = |value: ConversionValue| spec.value.is_some().then_some(value);
        let day = |bucket: &Bucket| {
            let found = facts.days.get(&bucket.start).copied().unwrap_or_default();
            Some(ConversionDay {
                date: bucket.date?,
                entered: found.active,
                converted: found.converted,
                rate: rate(found.converted, found.active),
                is_final: bucket.end <= now_ms,
                value: worth(found.value),
            })
        };
        let total = facts.total;
        ConversionReport {
            days: spec.days(zone).iter().filter_map(day).collect(),
            total: FunnelOverall {
                entered: total.active,
                converted: total.converted,
                rate: rate(total.converted, total.active),
                median_ms: None,
            },
            window_ms: 0,
            value: worth(total.value),
        }
    }

    /// The same with what the conversions are worth.
    pub fn worth(mut self, values: ConversionValues) -> ConversionReport {
        let (days, total) = values.finish();
        for (day, value) in self.days.iter_mut().zip(days) {
            day.value = Some(value);
        }
        self.value = Some(total);
        self
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
        assert_eq!(errors, [("/window", "not_allowed"), ("/to", "not_a_day_start")]);
    }

    #[test]
    fn reports_leave_with_dates_and_without_rounding() {
        let spec = ConversionSpec {
            goal: "B".to_owned(),
            after: Some("A".to_owned()),
            window_ms: 10,
            range: DayRange {
                from: Day(0),
                to: Day(1),
            },
            filter: Filter::everything(),
            goal_filter: Filter::everything(),
            after_filter: Filter::everything(),
            group: None,
            value: None,
        };
        let funnel = spec.funnel(&Zone::utc()).unwrap();
        let mut tally = ConversionTally::new(&funnel, &Zone::utc());
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
