//! The numbers of a funnel, as they leave.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::times::TimeReport;
use super::why::{Reason, WhyNot};
use crate::event::Day;
use crate::metrics::time::Moment;

/// How far persons came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FunnelReport {
    /// The steps, in order.
    pub steps: Vec<FunnelStepReport>,
    /// From the first step to the last.
    pub overall: FunnelOverall,
    /// The conversion window, in milliseconds; of a funnel within sessions, the longest that a session can be.
    pub window_ms: i64,
    /// The first step lies at or after this instant.
    #[schema(value_type = String, format = DateTime)]
    pub from: Moment,
    /// The first step lies before this instant.
    #[schema(value_type = String, format = DateTime)]
    pub to: Moment,
    /// Whether everybody had their whole window: the range and one window more are over.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// What the numbers count.
    pub counted: Counted,
    /// By the value of a property: the largest first, then the values beyond the limit as `Other`, then those
    /// without a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakdown: Option<Vec<FunnelSlice>>,
    /// By time of entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trend: Option<Vec<FunnelPoint>>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeReport>,
    /// Conversion for each of several windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepReport>,
    /// Those who entered and did not convert, by reason; reasons of nobody are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<Vec<ReasonCount>>,
    /// A page of the persons behind a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actors: Option<ActorPage>,
    /// What the preset cannot reproduce of the product whose habits it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset_limits: Option<Vec<String>>,
}

/// What the numbers of a funnel count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Persons, each once.
    Persons,
    /// Sessions, each once.
    Sessions,
    /// Groups, each once.
    Groups,
    /// Pairs of an entity and the values held constant.
    Pairs,
    /// Attempts.
    Attempts,
}

/// One step of a funnel. In any order: how many came to complete this many steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "index": 2, "name": "add_to_cart", "events": ["add_to_cart"], "optional": false, "reached": 310, "dropped": 120,
    "rate_from_start": 0.31, "rate_from_previous": 0.31, "drop_off_rate": 0.387,
    "median_from_previous_ms": 94000.0, "median_from_start_ms": 94000.0
}))]
pub struct FunnelStepReport {
    /// The step's number, from 1.
    pub index: usize,
    /// The step's name, else its events; in any order `2 of 3 completed`.
    pub name: String,
    /// The events of which any satisfies the step; none in any order.
    pub events: Vec<String>,
    /// Whether it may be left out. Depth, rates and drop-offs count the other steps only.
    #[serde(default)]
    pub optional: bool,
    /// Those who came at least this far; of an optional step, those whose reported chain has it.
    pub reached: u64,
    /// Those who came exactly this far: they did not reach the next mandatory step. 0 at the last.
    pub dropped: u64,
    /// `reached` over that of the first step; null when nobody entered.
    pub rate_from_start: Option<f64>,
    /// `reached` over that of the mandatory step before; null at the first step, and when nobody reached the one
    /// before.
    pub rate_from_previous: Option<f64>,
    /// `dropped / reached`; null at the last step, at optional ones, and when nobody reached this one.
    pub drop_off_rate: Option<f64>,
    /// Median time since the mandatory step before; null at the first step, and when nobody reached this one.
    pub median_from_previous_ms: Option<f64>,
    /// Median time since the first step; null at the first step, and when nobody reached this one.
    pub median_from_start_ms: Option<f64>,
}

/// A funnel from its first step to its last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"entered": 1000, "converted": 190, "rate": 0.19, "median_ms": 1260000.0}))]
pub struct FunnelOverall {
    /// Those who did the first step in range.
    pub entered: u64,
    /// Those who completed every step within the window.
    pub converted: u64,
    /// `converted / entered`; null when nobody entered.
    pub rate: Option<f64>,
    /// Median time from the first step to the last; null when nobody converted.
    pub median_ms: Option<f64>,
}

/// The funnel of one value of a property.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FunnelSlice {
    /// The value; `Other`, `(none)`, `(skipped)`, `(did not reach)` or `(mixed)`.
    pub value: String,
    /// Those who reached each step; of an optional step, those whose chain has it.
    pub reached: Vec<u64>,
    /// `reached` of each step over that of the mandatory step before. Null where the value was read later, and when
    /// nobody reached the one before.
    pub rates: Vec<Option<f64>>,
    /// From the first step to the last.
    pub overall: FunnelOverall,
}

/// The funnel of those who entered in one bucket of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FunnelPoint {
    /// Where the bucket starts.
    #[schema(value_type = String, format = DateTime)]
    pub start: Moment,
    /// The first local date of a day, week or month; null for hours.
    #[schema(value_type = Option<String>, format = Date)]
    pub date: Option<Day>,
    /// Those who came at least to each mandatory step.
    pub reached: Vec<u64>,
    /// The first of them.
    pub entered: u64,
    /// The last of them.
    pub converted: u64,
    /// `converted / entered`; null when nobody entered.
    pub rate: Option<f64>,
    /// Whether everybody had their whole window: the bucket and one window more are over.
    #[serde(rename = "final")]
    pub is_final: bool,
}

/// Conversion for each of several windows, from one pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SweepReport {
    /// The windows, the shortest first.
    pub windows: Vec<SweepWindow>,
    /// Those who did everything, in more than the question's window.
    pub near_misses: NearMisses,
}

/// Conversion within one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SweepWindow {
    /// Its length.
    pub window_ms: i64,
    /// Those who would convert.
    pub converted: u64,
    /// `converted` over those who entered; null when nobody did.
    pub rate: Option<f64>,
}

/// Those who did everything, in more than the question's window but no more than the longest one of the sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NearMisses {
    /// How many.
    pub count: u64,
    /// The middle one was so much over the window; null without any.
    pub median_over_ms: Option<f64>,
    /// The nearest was so much over.
    pub least_over_ms: Option<u64>,
}

/// How many did not convert for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReasonCount {
    /// What stopped their deepest attempt first.
    pub reason: Reason,
    /// How many.
    pub count: u64,
    /// The same by the step that was not reached; steps of nobody are left out.
    pub steps: Vec<ReasonAtStep>,
}

/// How many one reason kept from one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReasonAtStep {
    /// The step that was not reached, from 1.
    pub step: usize,
    /// How many.
    pub count: u64,
}

/// A page of the persons behind a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActorPage {
    /// How many there are on all pages: the chart's number.
    pub total: u64,
    /// In a stable order.
    pub actors: Vec<ActorRow>,
    /// The next page's `cursor`; null on the last.
    pub next: Option<String>,
}

/// One entity (in totals: one attempt) behind a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActorRow {
    /// The person's number, in hexadecimal; empty for a group.
    pub actor: String,
    /// Who it is: the id under which the events came; null for a group.
    pub distinct_id: Option<String>,
    /// The group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The values held constant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<String>,
    /// Mandatory steps reached.
    pub depth: usize,
    /// The reported chain.
    pub chain: Vec<ChainStep>,
    /// Why it went no further, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<WhyNot>,
}

/// A step on a reported chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChainStep {
    /// The step, from 1.
    pub step: usize,
    /// When it was done.
    #[schema(value_type = String, format = DateTime)]
    pub at: Moment,
    /// The event.
    pub event_id: uuid::Uuid,
}
