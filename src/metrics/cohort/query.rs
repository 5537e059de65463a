//! Rules as a person writes them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::metrics::filter::Op;
use crate::metrics::selection::SelectionQuery;

/// Who belongs to a cohort: `{"and": […]}`, `{"or": […]}` (1 to 20 members), `{"not": …}`, nested at most 5 deep, over at
/// most 20 rules. A rule is one of `did`, `first`, `sequence` and `person`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"and": [
    {"did": {"event": "purchase"}, "at_least": 3, "last_days": 90},
    {"not": {"sequence": [{"event": "view_item"}, {"event": "refund"}], "within": "7d"}},
    {"person": "plan", "op": "is", "value": "club"}
]}))]
pub struct RuleQuery {
    /// All of these hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion, min_items = 1, max_items = 20)]
    pub and: Option<Vec<RuleQuery>>,
    /// At least one of these holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion, min_items = 1, max_items = 20)]
    pub or: Option<Vec<RuleQuery>>,
    /// This does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    pub not: Option<Box<RuleQuery>>,
    /// The person did it: how often and when say the other members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did: Option<SelectionQuery>,
    /// The person did it for the first time ever within the time given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<SelectionQuery>,
    /// The person did these, 2 to 5, one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 2, max_items = 5)]
    pub sequence: Option<Vec<SelectionQuery>>,
    /// A property of the person, as it is at the evaluation; `op` and `value` as in filters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "plan")]
    pub person: Option<String>,
    /// `did`: at least so often. Default: once, unless `at_most` or `exactly` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 1_000_000)]
    pub at_least: Option<u32>,
    /// `did`: at most so often. 0: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 1_000_000)]
    pub at_most: Option<u32>,
    /// `did`: exactly so often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 1_000_000)]
    pub exactly: Option<u32>,
    /// Within so many local days of the project that end with the day of evaluation, that day included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3650, example = 30)]
    pub last_days: Option<u32>,
    /// From a local date or an instant on, instead of `last_days`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-11-01")]
    pub from: Option<String>,
    /// Up to a local date or an instant, not included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-12-01")]
    pub to: Option<String>,
    /// `sequence`: the last at most so long after the first: `30m`, `12h`, `7d`, at most 366 days. Default: `7d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "7d")]
    pub within: Option<String>,
    /// `person`: what is asked of the property. Default: `is`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<Op>,
    /// `person`: what to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}
