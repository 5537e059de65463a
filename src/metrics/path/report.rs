//! What is answered about paths.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::spec::{Mode, NodeKind, ShownKind};
use crate::metrics::time::Moment;

/// What people did after something, before it, or between two things, as a graph of nodes by position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PathsReport {
    /// Which part of a session is a path.
    pub mode: Mode,
    /// What a node is.
    pub nodes: NodeKind,
    /// What a path is counted as.
    pub counted: PathCounted,
    /// How many paths there are: the sum of the first position.
    pub paths: u64,
    /// Start of the range in which sessions begin (of a funnel: in which the first step falls).
    #[schema(value_type = String, format = DateTime)]
    pub from: Moment,
    /// End of the range, not included.
    #[schema(value_type = String, format = DateTime)]
    pub to: Moment,
    /// Whether only late events can change it: all sessions of the range (the windows of all who entered the funnel)
    /// are over.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// The positions that somebody came to; the first one is the anchor's. In `before` the second lies before the
    /// first.
    pub positions: Vec<PathPosition>,
    /// From the nodes of each position to those of the next, the largest first.
    pub edges: Vec<PathEdge>,
    /// A page of the persons behind a number, if one is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<PathList>,
}

/// What a path is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PathCounted {
    /// A person: their earliest session that has such a path.
    Persons,
    /// A session.
    Sessions,
    /// What the funnel counts: a person, a pair of person and values, or an attempt.
    Chains,
}

/// A position of the graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PathPosition {
    /// From 1.
    pub position: usize,
    /// Paths that come so far.
    pub count: u64,
    /// The largest nodes, ordered by count, then by the bytes of their labels; `Other` is the last.
    pub nodes: Vec<PathNode>,
}

/// A node of a position: `count` is the sum of its edges to the next position, `drop_off`, `arrived` and `beyond`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"label": "/pricing", "kind": "node", "count": 120, "drop_off": 31, "arrived": 0, "beyond": 0}))]
pub struct PathNode {
    /// The event's name, the page's path, the step, `… 3 more` or `Other`.
    pub label: String,
    /// What it is.
    pub kind: ShownKind,
    /// Paths that have it here.
    pub count: u64,
    /// Of them those that end here: nothing follows. In `before`: nothing came before.
    pub drop_off: u64,
    /// Of them those that are at their end here: the second anchor of `between`, the next step of a funnel.
    pub arrived: u64,
    /// Of them those that go on beyond the last position.
    pub beyond: u64,
}

/// Paths from a node to one of the next position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"position": 1, "from": 0, "to": 2, "count": 17}))]
pub struct PathEdge {
    /// The position of the first, from 1.
    pub position: usize,
    /// Its place among that position's nodes, from 0.
    pub from: usize,
    /// The place of the other among the next position's, from 0.
    pub to: usize,
    /// How many.
    pub count: u64,
}

/// A page of the persons behind a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PathList {
    /// How many there are on all pages: the chart's number.
    pub total: u64,
    /// In a stable order.
    pub rows: Vec<PathRow>,
    /// The next page's `cursor`; null on the last.
    pub next: Option<String>,
}

/// A person (in totals: one of their sessions) behind a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PathRow {
    /// The person's number, in hexadecimal.
    pub actor: String,
    /// Who it is: an id under which the events came.
    pub distinct_id: Option<String>,
    /// When the path's first node was; in `before` that is the anchor.
    #[schema(value_type = String, format = DateTime)]
    pub at: Moment,
    /// The path, as far as there are positions.
    pub path: Vec<String>,
}
