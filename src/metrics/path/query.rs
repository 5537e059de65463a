//! A question about paths, as a person writes it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::spec::{Mode, NodeKind, ShownKind};
use crate::metrics::filter::FilterQuery;
use crate::metrics::funnel::FunnelQuery;
use crate::metrics::funnel::spec::Count;

/// A question about paths: what people did after something, before it, or between two things, session by session.
///
/// Since a session is one person's on one device, no company or other group has paths; a filter tells those of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "mode": "after", "anchor": {"page": "/pricing"}, "nodes": "page", "steps": 5,
    "group": ["/product/*"], "exclude": [{"event": "$identify"}], "from": "2026-11-01", "to": "2026-12-01"
}))]
pub struct PathsQuery {
    /// `after` (default): from the first anchor of a session onward. `before`: from its last anchor backward.
    /// `between`: from its first anchor to the first later `until`; sessions without it are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The anchor. Default: any node, so that paths begin (or end) where sessions do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<MatcherQuery>,
    /// Where paths end, for `between`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<MatcherQuery>,
    /// What a node is: the name of an `event` (default), or the path of its `page`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodeKind>,
    /// Positions of the graph, the anchor's included: 2 to 20 (`between`: 3 to 20). Default: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 2, maximum = 20)]
    pub steps: Option<usize>,
    /// Nodes of a position, 1 to 50; the rest is `Other`. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 50)]
    pub top: Option<usize>,
    /// Start of the range in which a session has to begin: a local date or an instant. Default: 30 days before `to`.
    #[serde(default)]
    #[schema(example = "2026-11-01")]
    pub from: Option<String>,
    /// End of the range, not included; sessions are read to their end. Default: tomorrow.
    #[serde(default)]
    #[schema(example = "2026-12-01")]
    pub to: Option<String>,
    /// Whether consecutive identical nodes are one. Default: yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collapse: Option<bool>,
    /// `unique` (default): each person's earliest session that has such a path. `total`: every session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<Count>,
    /// Events that are left out, at most 50: what comes before and after them stands side by side.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 50)]
    pub exclude: Vec<MatcherQuery>,
    /// Rules that clean the paths of pages, at most 20, one after the other. A path that they leave empty is no node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20)]
    pub clean: Vec<CleanQuery>,
    /// Wildcards that group clean paths under their own text, at most 50: `/product/*`. The first that fits counts; a
    /// `*` stands for any characters, also none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 50, example = json!(["/product/*"]))]
    pub group: Vec<String>,
    /// What every event of a path has to pass. Sessions are derived before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterQuery>,
    /// Paths between two steps of a funnel, instead of `mode`, `anchor`, `until`, `count`, `from` and `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funnel: Option<Box<LinkQuery>>,
    /// A page of the persons behind a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<ListQuery>,
}

/// Events of a name, or of a page: `{"event": "sign_up"}` or `{"page": "/pricing"}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"event": "sign_up"}))]
pub struct MatcherQuery {
    /// The event's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The path of its page, as the graph shows it: after cleaning and grouping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}

/// Every match of a pattern in a path becomes a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"pattern": "/[0-9]+", "replace": "/:id"}))]
pub struct CleanQuery {
    /// A pattern (RE2) of at most 200 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub pattern: String,
    /// What stands in place of each match, as it is written. Default: nothing.
    #[serde(default)]
    pub replace: String,
}

/// Two steps of a funnel: the paths of those who came from the one to the next, or of those who came no further.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"query": {"steps": [{"event": "view_item"}, {"event": "purchase"}], "window": "7d"}, "step": 1}))]
pub struct LinkQuery {
    /// The funnel of persons, in order and with a window of time. What it would show beside its steps is left out.
    pub query: FunnelQuery,
    /// The mandatory step (from 1, not the last) at which paths begin.
    #[schema(minimum = 1, example = 1)]
    pub step: usize,
    /// `converted` (default): paths to the next mandatory step. `dropped`: of those who did not reach it, until their
    /// window was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<LinkOutcome>,
}

/// Whose paths between two steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkOutcome {
    /// Of those who came from the one to the other.
    #[default]
    Converted,
    /// Of those who came no further.
    Dropped,
}

/// A page of the persons behind a node, its drop-off, or an edge.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"position": 2, "node": {"label": "/pricing"}, "to": {"label": "/sign-up"}}))]
pub struct ListQuery {
    /// The position, from 1.
    #[schema(minimum = 1, example = 2)]
    pub position: usize,
    /// The node there, as the chart names it.
    pub node: NodeQuery,
    /// Only those who went on to this node of the next position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<NodeQuery>,
    /// Only those whose path ends at the node.
    #[serde(default)]
    pub drop_off: bool,
    /// How many, 1 to 1,000. Default: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// Where the page before ended: its `next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A node as a chart names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"label": "/pricing"}))]
pub struct NodeQuery {
    /// What it is called.
    pub label: String,
    /// What it is. Default: `node`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ShownKind>,
}
