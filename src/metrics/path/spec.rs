//! What paths are asked for: the validated vocabulary of SEMANTICS 4.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::metrics::filter::{Filter, Pattern};
use crate::metrics::funnel::FunnelSpec;
use crate::metrics::funnel::spec::Count;
use crate::metrics::session;
use crate::metrics::time::TimeRange;

/// Positions of a graph unless told otherwise.
pub const STEPS: usize = 5;
/// The fewest positions; between two anchors one more.
pub const MIN_STEPS: usize = 2;
/// The most positions.
pub const MAX_STEPS: usize = 20;
/// Nodes of a position unless told otherwise.
pub const TOP: usize = 10;
/// The most nodes of a position.
pub const MAX_TOP: usize = 50;
/// The most exclusions.
pub const MAX_EXCLUSIONS: usize = 50;
/// The most rules that clean paths.
pub const MAX_RULES: usize = 20;
/// The most wildcards that paths are grouped by.
pub const MAX_GROUPS: usize = 50;
/// The longest path, wildcard or replacement in a question, in characters.
pub const MAX_PATH_CHARS: usize = 500;
/// The most persons of one page of a list.
pub const MAX_LISTED: usize = 1_000;

/// A validated [`PathsQuery`](super::PathsQuery).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PathSpec {
    /// Which part of a session is a path.
    pub mode: Mode,
    /// Where a path begins (before: ends). Nothing: any node will do.
    pub anchor: Option<Matcher>,
    /// Where a path between two ends.
    pub until: Option<Matcher>,
    /// What a node is.
    pub nodes: NodeKind,
    /// Positions of the graph, the anchor's included.
    pub steps: usize,
    /// Nodes that a position keeps.
    pub top: usize,
    /// Sessions that begin here.
    pub range: TimeRange,
    /// Consecutive identical nodes are one.
    pub collapse: bool,
    /// Each person once, or each session.
    pub count: Count,
    /// Events that are left out before anything is put beside anything.
    pub exclude: Vec<Matcher>,
    /// Rules that clean paths, one after the other.
    pub clean: Vec<CleanRule>,
    /// Wildcards by which clean paths are grouped: the first that fits.
    pub group: Vec<String>,
    /// What every event of a path has to pass.
    pub filter: Filter,
    /// The paths are those between two steps of a funnel.
    pub funnel: Option<Link>,
    /// A page of the persons behind a number.
    pub list: Option<Listed>,
}

/// Which part of a session is a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// From the first anchor onward.
    #[default]
    After,
    /// From the last anchor backward.
    Before,
    /// From the first anchor to the first later second one.
    Between,
}

/// What a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// An event's name.
    #[default]
    Event,
    /// The path of its page; events without a page are left out.
    Page,
}

/// Events of a name, or of a page as the graph would call it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Matcher {
    /// The event's name.
    Event(String),
    /// The path of its page, after cleaning and grouping.
    Page(String),
}

/// Every match of a pattern in a path becomes a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CleanRule {
    /// What is replaced. A match of nothing is none.
    pub pattern: Pattern,
    /// By what, as it is written.
    pub replace: String,
}

/// Two steps of a funnel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Link {
    /// The funnel; what it shows beside its steps is left out.
    pub funnel: FunnelSpec,
    /// The mandatory step (from 0) at which paths begin.
    pub step: usize,
    /// The next mandatory step, at which the paths of those who converted end.
    pub next: usize,
    /// Those who came no further, instead of those who converted.
    pub dropped: bool,
}

/// The persons behind which number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// The position, from 1.
    pub position: usize,
    /// The node there.
    pub node: NodeRef,
    /// Which of them.
    pub which: Which,
    /// Where the page before ended: a person's number and the place of the path.
    pub after: Option<(u64, u32)>,
    /// How many.
    pub limit: usize,
}

/// A node as a chart shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct NodeRef {
    /// What it is called.
    pub label: String,
    /// What it is.
    pub kind: ShownKind,
}

/// What a node of a chart is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ShownKind {
    /// An event's name or a page's path.
    #[default]
    Node,
    /// A step of the funnel.
    Step,
    /// Nodes that are not shown, before the end of a path between two.
    More,
    /// All nodes that the position does not keep.
    Other,
}

/// Which of the paths at a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Which {
    /// All of them.
    All,
    /// Those that end there.
    DropOff,
    /// Those that lead to a node of the next position.
    To(NodeRef),
}

impl PathSpec {
    /// Where every event that can matter lies: a session of the range is read to its end, and what came before tells
    /// where it began.
    pub fn facts_range(&self) -> TimeRange {
        match &self.funnel {
            Some(Link { funnel, .. }) => TimeRange {
                from_ms: (funnel.from_ms - funnel.tie_ms).max(0),
                to_ms: funnel.to_ms + funnel.window_ms + funnel.tie_ms,
            },
            None => TimeRange {
                from_ms: (self.range.from_ms - session::LOOK_BACK_MS).max(0),
                to_ms: self.range.to_ms + session::LONGEST_MS,
            },
        }
    }

    /// When nothing can be added any more but late events: all sessions of the range are over, or the windows of all
    /// who entered the funnel.
    pub fn final_from(&self) -> i64 {
        match &self.funnel {
            Some(link) => link.funnel.to_ms + link.funnel.window_ms,
            None => self.range.to_ms + session::LONGEST_MS,
        }
    }

    /// Whether names of events matter.
    pub fn needs_names(&self) -> bool {
        self.nodes == NodeKind::Event || self.matchers().any(|one| matches!(one, Matcher::Event(_)))
    }

    /// Whether pages matter.
    pub fn needs_pages(&self) -> bool {
        self.nodes == NodeKind::Page || self.matchers().any(|one| matches!(one, Matcher::Page(_)))
    }

    /// The names of events that it looks for, or leaves out.
    pub fn matched_events(&self) -> impl Iterator<Item = &str> {
        self.matchers().filter_map(|matcher| match matcher {
            Matcher::Event(name) => Some(name.as_str()),
            Matcher::Page(_) => None,
        })
    }

    fn matchers(&self) -> impl Iterator<Item = &Matcher> {
        let anchors = self.anchor.iter().chain(&self.until);
        anchors.chain(&self.exclude)
    }
}
