//! A question about a funnel, as a person writes it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::listing::ActorOutcome;
use super::spec::{Count, Entity, OnExclusion, Order, Preset, RangeAppliesTo, Reentry};
use super::why::Reason;
use crate::metrics::filter::{FilterQuery, PropertyQuery};
use crate::metrics::time::{Interval, WeekStart};

/// A question about a funnel.
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
    /// `sequential` (default): one after the other, with anything in between. `strict`: one directly after the other.
    /// `any`: in any order; then rows say how many of the steps were completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// Conversion window, from the first step to the last, end included: `30s`, `30m`, `12h`, `7d`, `2w`, `1mo` (fixed
    /// lengths, at most 366 d), or `session`. Default: 7 days.
    #[serde(default)]
    #[schema(example = "7d")]
    pub window: Option<String>,
    /// Longest time from one step to the next. Not together with exclusions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "1h")]
    pub max_gap: Option<String>,
    /// Start of the range in which the first step has to fall: a local date or an instant. Default: 30 days before
    /// `to`.
    #[serde(default)]
    #[schema(example = "2026-11-01")]
    pub from: Option<String>,
    /// End of the range, not included; later steps may still follow. Default: tomorrow.
    #[serde(default)]
    #[schema(example = "2026-12-01")]
    pub to: Option<String>,
    /// What has to fall in the range: the first step (`entry`, default) or `all` events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range_applies_to: Option<RangeAppliesTo>,
    /// Whose steps are put together: those of a `person` (default), of a `session`, or of everybody with the same
    /// value of `group`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<Entity>,
    /// The property whose values are the groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<PropertyQuery>,
    /// `unique` (default): each entity once. `total`: each attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<Count>,
    /// `any` (default): every first step opens an attempt. `first`: only the first one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reentry: Option<Reentry>,
    /// Up to 3 properties whose values have to be the same at every step. Results then count pairs of an entity and
    /// its values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 3)]
    pub hold: Vec<PropertyQuery>,
    /// What must not happen on the way, at most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10)]
    pub exclusions: Vec<ExclusionQuery>,
    /// What an exclusion does. `stop` (default): ends the attempt; what it reached stays counted. `drop`: takes the
    /// entity out of every step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_exclusion: Option<OnExclusion>,
    /// Events whose times are equal after division by this many milliseconds count as simultaneous and may be taken
    /// in any order. At most 60,000. Default 0: the order of arrival in the client's batch decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 0)]
    pub tie_ms: Option<i64>,
    /// Names that strict order does not see, at most 50. Default: `$identify`, `$heartbeat`, `$autocapture`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_events: Option<Vec<String>>,
    /// What every event has to pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterQuery>,
    /// Numbers by the value of a property: at most one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 1)]
    pub breakdown: Vec<PropertyQuery>,
    /// The most values of the breakdown, 1 to 200; the rest is `Other`. Default: 25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakdown_limit: Option<usize>,
    /// Where the breakdown reads the value on a chain: `first` value there is (default), `last`, `all` (the same at
    /// every step, else `(mixed)`), or `step:2` (at the second step).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "first")]
    pub attribution: Option<String>,
    /// What is shown beside the steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<ViewName>,
    /// Width of the points of `trend`. Default: a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// First day of a week, for `trend`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub week_start: Option<WeekStart>,
    /// The step from which `time` counts. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_from: Option<usize>,
    /// The step up to which `time` counts. Default: the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to: Option<usize>,
    /// The windows of `sweep`, at most 50. Default: twelve from 5 minutes to 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["1h", "1d", "7d"]))]
    pub windows: Option<Vec<String>>,
    /// Tells why those who entered did not convert: numbers by reason, and for each person on the page of actors.
    #[serde(default)]
    pub why_not: bool,
    /// A page of the persons behind a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actors: Option<ActorsQuery>,
    /// Another product's habits, for what is not given: `mixpanel` (only the first entry counts, events within 2
    /// seconds are simultaneous, 7 days), `amplitude` (every entry, 1 second, 1 day), `posthog` (every entry, 1
    /// millisecond, 14 days, exclusions drop). The answer says what each cannot reproduce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
}

/// One step of a funnel: `{"event": "purchase"}`, or several events of which any will do:
/// `{"events": ["purchase", "subscribe"]}`, or alternatives with a filter each:
/// `{"any_of": [{"event": "purchase", "filter": …}, {"event": "subscribe"}]}`.
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
    /// At most 10 alternatives with a filter each, instead of `event` and `events`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10)]
    pub any_of: Vec<AlternativeQuery>,
    /// What the step's event has to pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterQuery>,
    /// What to call the step. Default: its events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// May be left out; not the first or the last step.
    #[serde(default)]
    pub optional: bool,
}

/// An event and what it has to pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlternativeQuery {
    /// The event's name.
    #[serde(default)]
    #[schema(required = true)]
    pub event: String,
    /// What it has to pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterQuery>,
}

/// What must not happen between two mandatory steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"event": "refund", "after": 1, "before": 3}))]
pub struct ExclusionQuery {
    /// The event's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// At most 10 alternatives, instead of `event`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10)]
    pub events: Vec<String>,
    /// What the event has to pass to count as excluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterQuery>,
    /// From this step on (from 1). Default: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<usize>,
    /// And before this one. Default: the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<usize>,
}

/// What is shown beside the steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ViewName {
    /// Nothing.
    #[default]
    Steps,
    /// The funnel by time of entry.
    Trend,
    /// How long conversion takes.
    Time,
    /// Conversion for each of several windows.
    Sweep,
}

/// A page of the persons behind a number of the chart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"step": 2, "outcome": "dropped", "limit": 100}))]
pub struct ActorsQuery {
    /// The step, from 1; a mandatory one (in any order: how many steps were completed).
    pub step: usize,
    /// `converted` (default): came at least this far. `dropped`: came no further. `not_converted`: came at least this
    /// far, and not to the last step.
    #[serde(default)]
    pub outcome: ActorOutcome,
    /// Only those whom this stopped first; with `why_not`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most 1,000. Default: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
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
