//! What can be asked of a funnel.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::Zone;
use crate::metrics::time::{self, TimeRange};
use crate::metrics::{SpecError, accepted, check_event_name};

/// The fewest steps of a funnel.
pub const MIN_STEPS: usize = 2;
/// The most steps of a funnel.
pub const MAX_STEPS: usize = 20;
/// The most alternative events of one step.
pub const MAX_ALTERNATIVES: usize = 10;

/// A question about a funnel, as a person writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "steps": [{"event": "view_item"}, {"event": "add_to_cart"}, {"events": ["purchase", "subscribe"], "name": "paid"}],
    "window": "7d", "from": "2026-11-01", "to": "2026-12-01"
}))]
pub struct FunnelQuery {
    /// 2 to 20 steps, in order.
    #[serde(default)]
    #[schema(required = true, min_items = 2, max_items = 20)]
    pub steps: Vec<StepQuery>,
    /// Conversion window, from the first step to the last: `30s`, `30m`, `12h`, `7d`, `2w`, `1mo` (fixed lengths, at
    /// most 366 d). Default: 7 days.
    #[serde(default)]
    #[schema(example = "7d")]
    pub window: Option<String>,
    /// Start of the range in which the first step has to fall: a local date or an instant. Default: 30 days before
    /// `to`.
    #[serde(default)]
    #[schema(example = "2026-11-01")]
    pub from: Option<String>,
    /// End of the range, not included; later steps may still follow. Default: tomorrow.
    #[serde(default)]
    #[schema(example = "2026-12-01")]
    pub to: Option<String>,
}

/// One step of a funnel: `{"event": "purchase"}`, or several events of which any will do:
/// `{"events": ["purchase", "subscribe"]}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"event": "add_to_cart"}))]
pub struct StepQuery {
    /// The event's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// At most 10 alternatives, instead of `event`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10)]
    pub events: Vec<String>,
    /// What to call the step. Default: its events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl StepQuery {
    /// The step of one event.
    pub fn event(name: impl Into<String>) -> StepQuery {
        StepQuery {
            event: Some(name.into()),
            ..StepQuery::default()
        }
    }
}

/// A validated [`FunnelQuery`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FunnelSpec {
    /// The steps, 2 to 20.
    pub steps: Vec<FunnelStep>,
    /// Completed if the last step is at most this many milliseconds after the first.
    pub window_ms: i64,
    /// The first step falls in `[from_ms, to_ms)`, UTC milliseconds; later steps may follow `to_ms`.
    pub from_ms: i64,
    /// End of the range, not included.
    pub to_ms: i64,
}

/// A step: any of its events will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FunnelStep {
    /// Event names, 1 to 10, all different.
    pub events: Vec<String>,
    /// What the asker calls it.
    pub name: Option<String>,
}

impl FunnelQuery {
    /// The spec, or everything that is wrong with the query.
    pub fn validate(&self, zone: &Zone, now_ms: i64) -> Result<FunnelSpec, Vec<SpecError>> {
        let mut errors = Vec::new();
        let n = self.steps.len();
        if !(MIN_STEPS..=MAX_STEPS).contains(&n) {
            let code = if n < MIN_STEPS { "too_few" } else { "too_many" };
            let detail = format!("a funnel has {MIN_STEPS} to {MAX_STEPS} steps, this one has {n}");
            errors.push(SpecError::new("/steps", code, detail));
        }
        let steps = self
            .steps
            .iter()
            .take(MAX_STEPS)
            .enumerate()
            .map(|(i, step)| step.validate(&format!("/steps/{i}"), &mut errors))
            .collect();
        let window_ms = time::window(self.window.as_deref(), &mut errors);
        let range = time::time_range(
            self.from.as_deref(),
            self.to.as_deref(),
            zone,
            now_ms,
            &mut errors,
        );
        let spec = FunnelSpec {
            steps,
            window_ms,
            from_ms: range.from_ms,
            to_ms: range.to_ms,
        };
        accepted(spec, errors)
    }
}

impl StepQuery {
    fn validate(&self, pointer: &str, errors: &mut Vec<SpecError>) -> FunnelStep {
        let events: Vec<String> = match &self.event {
            Some(name) => vec![name.clone()],
            None => self.events.clone(),
        };
        if self.event.is_some() && !self.events.is_empty() {
            errors.push(SpecError::new(
                format!("{pointer}/events"),
                "conflict",
                "give either event or events, not both",
            ));
        } else if events.is_empty() {
            errors.push(SpecError::new(
                format!("{pointer}/event"),
                "required",
                "name the step's event",
            ));
        } else if events.len() > MAX_ALTERNATIVES {
            errors.push(SpecError::new(
                format!("{pointer}/events"),
                "too_many",
                format!(
                    "a step has at most {MAX_ALTERNATIVES} alternatives, this one has {}",
                    events.len()
                ),
            ));
        }
        for (i, name) in events.iter().enumerate() {
            let at = match self.event {
                Some(_) => format!("{pointer}/event"),
                None => format!("{pointer}/events/{i}"),
            };
            check_event_name(&at, name, errors);
            if events[..i].contains(name) {
                errors.push(SpecError::new(
                    at,
                    "duplicate",
                    format!("{name:?} is listed twice"),
                ));
            }
        }
        if let Some(name) = &self.name {
            check_event_name(&format!("{pointer}/name"), name, errors);
        }
        FunnelStep {
            events,
            name: self.name.clone(),
        }
    }
}

impl FunnelStep {
    /// What to call the step: its name, else its events.
    pub fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.events.join(" or "))
    }
}

impl FunnelSpec {
    /// Where the first step has to fall.
    pub fn entry_range(&self) -> TimeRange {
        TimeRange {
            from_ms: self.from_ms,
            to_ms: self.to_ms,
        }
    }

    /// Where every event that can matter lies: the range and one window beyond.
    pub fn facts_range(&self) -> TimeRange {
        TimeRange {
            from_ms: self.from_ms,
            to_ms: self.to_ms + self.window_ms,
        }
    }

    /// The distinct event names in the order in which the steps name them first. A
    /// [`StepEvent`](super::StepEvent)'s `name_index` is the 1-based place in it: 200 at most.
    pub fn event_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.steps.iter().flat_map(|step| &step.events) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: serde_json::Value) -> Result<FunnelSpec, Vec<(String, &'static str)>> {
        let query: FunnelQuery = serde_json::from_value(json).unwrap();
        query
            .validate(&Zone::utc(), 1_795_000_000_000)
            .map_err(|errors| errors.into_iter().map(|e| (e.pointer, e.code)).collect())
    }

    #[test]
    fn defaults_are_a_week_and_30_days() {
        let spec = check(serde_json::json!({"steps": [{"event": "a"}, {"event": "b"}]})).unwrap();
        assert_eq!(spec.window_ms, 7 * 86_400_000);
        assert_eq!(spec.to_ms - spec.from_ms, 30 * 86_400_000);
        assert_eq!(spec.facts_range().to_ms, spec.to_ms + spec.window_ms);
    }

    #[test]
    fn names_are_listed_once_in_the_order_of_the_steps() {
        let spec = check(serde_json::json!({"steps": [
            {"events": ["b", "a"]}, {"event": "a"}, {"event": "c", "name": "done"}]}))
        .unwrap();
        assert_eq!(spec.event_names(), ["b", "a", "c"]);
        let labels: Vec<String> = spec.steps.iter().map(FunnelStep::label).collect();
        assert_eq!(labels, ["b or a", "a", "done"]);
    }

    #[test]
    fn what_is_wrong_is_named_by_pointer() {
        let error = |pointer: &str, code| (pointer.to_owned(), code);
        let steps = vec![serde_json::json!({"event": "a"}); 21];
        assert_eq!(
            check(serde_json::json!({"steps": steps})),
            Err(vec![error("/steps", "too_many")])
        );
        assert_eq!(
            check(serde_json::json!({
                "steps": [
                    {"event": "a", "events": ["b"]}, {}, {"events": ["x", ""]}, {"events": ["x", "x"]},
                    {"event": "a".repeat(201)}, {"events": (0..11).map(|n| n.to_string()).collect::<Vec<_>>()}],
                "window": "400d", "from": "2026-99-01"})),
            Err(vec![
                error("/steps/0/events", "conflict"),
                error("/steps/1/event", "required"),
                error("/steps/2/events/1", "required"),
                error("/steps/3/events/1", "duplicate"),
                error("/steps/4/event", "name_too_long"),
                error("/steps/5/events", "too_many"),
                error("/window", "out_of_range"),
                error("/from", "invalid_time"),
            ])
        );
        assert_eq!(
            check(serde_json::json!({"steps": []})),
            Err(vec![error("/steps", "too_few")])
        );
    }

    #[test]
    fn unknown_fields_are_refused() {
        let with = |json| {
            serde_json::from_value::<FunnelQuery>(json)
                .unwrap_err()
                .to_string()
        };
        assert!(with(serde_json::json!({"steps": [], "widnow": "7d"})).contains("widnow"));
        assert!(with(serde_json::json!({"steps": [{"evnt": "a"}]})).contains("evnt"));
    }
}
