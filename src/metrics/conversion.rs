//! Conversion of a goal after an event within a window, by local day of entry: the two-step funnel, run once for
//! each day and once for the whole range.
//!
//! A person who enters on several days appears in each of them, so days do not add up to the total.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::funnel::matcher::{Plan, Run};
use super::funnel::{FunnelOverall, FunnelSpec, FunnelStep, FunnelTally, StepEvent};
use super::time::{self, Bucket, DayRange, Interval, TimeRange, WeekStart};
use super::{SpecError, accepted, check_event_name, rate};
use crate::event::{Day, Zone};

/// A question about conversion, as a person writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
#[schema(example = json!({"goal": "purchase", "after": "view_item", "window": "7d", "from": "2026-11-01", "to": "2026-12-01"}))]
pub struct ConversionQuery {
    /// The event that counts as conversion.
    #[serde(default)]
    #[schema(required = true, example = "purchase")]
    #[param(required = true, example = "purchase")]
    pub goal: String,
    /// The event that enters.
    #[serde(default)]
    #[schema(required = true, example = "view_item")]
    #[param(required = true, example = "view_item")]
    pub after: String,
    /// How long after entry the goal still counts. Default: 7 days.
    #[serde(default)]
    #[schema(example = "7d")]
    #[param(example = "7d")]
    pub window: Option<String>,
    /// First local day of entry. Default: 30 days before `to`.
    #[serde(default)]
    #[schema(example = "2026-11-01")]
    #[param(example = "2026-11-01")]
    pub from: Option<String>,
    /// The local day after the last. Default: tomorrow.
    #[serde(default)]
    #[schema(example = "2026-12-01")]
    #[param(example = "2026-12-01")]
    pub to: Option<String>,
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
}

impl ConversionQuery {
    /// The spec, or everything that is wrong with the query.
    pub fn validate(&self, zone: &Zone, now_ms: i64) -> Result<ConversionSpec, Vec<SpecError>> {
        let mut errors = Vec::new();
        check_event_name("/goal", &self.goal, &mut errors);
        check_event_name("/after", &self.after, &mut errors);
        let spec = ConversionSpec {
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
        let range = self.range.instants(zone);
        let step = |event: &str| FunnelStep {
            events: vec![event.to_owned()],
            name: None,
        };
        FunnelSpec {
            steps: vec![step(&self.after), step(&self.goal)],
            window_ms: self.window_ms,
            from_ms: range.from_ms,
            to_ms: range.to_ms,
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
    plan: Plan,
    window_ms: i64,
    total: FunnelTally,
    days: Vec<Bucket>,
    entered: Vec<u64>,
    converted: Vec<u64>,
    person: Option<u64>,
    /// The runs of the person at hand that can still convert, by day.
    open: VecDeque<(usize, Run)>,
    /// The day of the latest run that was opened for the person at hand.
    opened: Option<usize>,
}

impl ConversionTally {
    /// A tally of nobody so far.
    pub fn new(spec: &ConversionSpec, zone: &Zone) -> ConversionTally {
        let funnel = spec.funnel(zone);
        let days = time::buckets(zone, funnel.entry_range(), Interval::Day, WeekStart::default());
        ConversionTally {
            plan: Plan::new(&funnel),
            window_ms: spec.window_ms,
            total: FunnelTally::new(&funnel),
            entered: vec![0; days.len()],
            converted: vec![0; days.len()],
            days,
            person: None,
            open: VecDeque::new(),
            opened: None,
        }
    }

    /// Takes the next row of a stream ordered by person, then in total order; `name_index` as in the
    /// [`ConversionSpec::funnel`].
    pub fn push(&mut self, person: u64, event: &StepEvent) {
        if self.person != Some(person) {
            self.forget();
            self.person = Some(person);
        }
        self.total.push(person, event);
        self.feed(event);
    }

    /// Takes all events of one person, in total order.
    pub fn add_person(&mut self, events: &[StepEvent]) {
        self.forget();
        self.total.add_person(events);
        for event in events {
            self.feed(event);
        }
        self.forget();
    }

    /// The report.
    pub fn finish(self, now_ms: i64) -> ConversionReport {
        let days = self.days.iter().zip(self.entered.iter().zip(&self.converted));
        ConversionReport {
            days: days
                .filter_map(|(bucket, (&entered, &converted))| {
                    Some(ConversionDay {
                        date: bucket.date?,
                        entered,
                        converted,
                        rate: rate(converted, entered),
                        is_final: bucket.end + self.window_ms <= now_ms,
                    })
                })
                .collect(),
            total: self.total.finish(now_ms).overall,
            window_ms: self.window_ms,
        }
    }

    fn feed(&mut self, event: &StepEvent) {
        self.open_day(event);
        // A day's latest entry lies before its end; after a window more none of its runs can convert.
        while let Some((day, _)) = self.open.front()
            && event.ts >= self.days[*day].end + self.window_ms
        {
            self.open.pop_front();
        }
        let (plan, converted) = (&self.plan, &mut self.converted);
        self.open.retain_mut(|(day, run)| {
            run.feed(plan, event);
            let done = run.depth() == 2;
            converted[*day] += u64::from(done);
            !done
        });
    }

    /// Opens the day's run when the person enters on it for the first time.
    fn open_day(&mut self, event: &StepEvent) {
        if !self.plan.may_enter(event) {
            return;
        }
        let Some(day) = time::bucket_of(&self.days, event.ts) else {
            return;
        };
        if self.opened != Some(day) {
            self.opened = Some(day);
            self.entered[day] += 1;
            let bucket = self.days[day];
            let entry = TimeRange {
                from_ms: bucket.start,
                to_ms: bucket.end,
            };
            self.open.push_back((day, Run::new(&self.plan, entry)));
        }
    }

    fn forget(&mut self) {
        self.person = None;
        self.open.clear();
        self.opened = None;
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
        };
        let mut tally = ConversionTally::new(&spec, &Zone::utc());
        let at = |ts, name_index| StepEvent {
            ts,
            seq: 0,
            id: u128::from(ts.unsigned_abs()),
            name_index,
        };
        tally.add_person(&[at(1, 1), at(4, 2)]);
        tally.add_person(&[at(1, 1), at(12, 2)]);
        tally.add_person(&[at(2, 1)]);
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
