//! What a funnel is asked for: the validated vocabulary of SEMANTICS 1.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::listing::Actors;
use crate::metrics::filter::{Filter, Property};
use crate::metrics::session;
use crate::metrics::time::{Interval, TimeRange, WeekStart};

/// The fewest steps of a funnel.
pub const MIN_STEPS: usize = 2;
/// The most steps of a funnel.
pub const MAX_STEPS: usize = 20;
/// The most alternative events of one step.
pub const MAX_ALTERNATIVES: usize = 10;
/// The most exclusions of a funnel.
pub const MAX_EXCLUSIONS: usize = 10;
/// The most properties that are held constant.
pub const MAX_HELD: usize = 3;
/// The most windows of a sweep.
pub const MAX_WINDOWS: usize = 50;
/// The most persons of one page of actors.
pub const MAX_ACTORS: usize = 1_000;
/// The most names that strict order ignores.
pub const MAX_IGNORED: usize = 50;
/// The longest time within which events may count as simultaneous: a minute.
pub const MAX_TIE_MS: i64 = 60_000;
/// What strict order ignores unless told otherwise.
pub const IGNORED: [&str; 3] = ["$identify", "$heartbeat", "$autocapture"];

/// A validated [`FunnelQuery`](super::FunnelQuery).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FunnelSpec {
    /// The steps, 2 to 20.
    pub steps: Vec<FunnelStep>,
    /// How the steps follow each other.
    pub order: Order,
    /// Completed if the last step is at most this many milliseconds after the first.
    pub window_ms: i64,
    /// The window is the session instead: `window_ms` is then the longest a session can be.
    pub by_session: bool,
    /// The longest time between two steps of a chain.
    pub max_gap_ms: Option<i64>,
    /// The first step falls in `[from_ms, to_ms)`, UTC milliseconds; later steps may follow `to_ms`.
    pub from_ms: i64,
    /// End of the range, not included.
    pub to_ms: i64,
    /// What has to fall in the range.
    pub range_applies_to: RangeAppliesTo,
    /// Whose steps are put together.
    pub entity: Entity,
    /// The property whose values are the groups, for [`Entity::Group`].
    pub group: Option<Property>,
    /// What is counted.
    pub count: Count,
    /// Which entries open an attempt.
    pub reentry: Reentry,
    /// The same value at every step.
    pub hold: Vec<Property>,
    /// What must not happen on the way.
    pub exclusions: Vec<Exclusion>,
    /// What becomes of those to whom it does.
    pub on_exclusion: OnExclusion,
    /// Events with the same `floor(ts / tie_ms)` are simultaneous; 0: none are.
    pub tie_ms: i64,
    /// Names that strict order does not see.
    pub ignore_events: Vec<String>,
    /// What every event has to pass.
    pub filter: Filter,
    /// Numbers by the value of a property.
    pub breakdown: Option<Breakdown>,
    /// What is shown beside the steps.
    pub view: View,
    /// Whether those who did not convert are told why.
    pub why_not: bool,
    /// A page of the persons behind a number.
    pub actors: Option<Actors>,
    /// Whose habits the fields were set by.
    pub preset: Option<Preset>,
}

/// A step: any of its alternatives will do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FunnelStep {
    /// 1 to 10.
    pub events: Vec<Alternative>,
    /// What the asker calls it.
    pub name: Option<String>,
    /// May be left out.
    pub optional: bool,
}

/// An event name and what such an event has to pass.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alternative {
    /// The event's name.
    pub event: String,
    /// What it has to pass besides.
    pub filter: Filter,
}

/// What must not happen between two steps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Exclusion {
    /// Any of these.
    pub events: Vec<Alternative>,
    /// From this step on (from 0), …
    pub after: usize,
    /// … and before this one (from 0).
    pub before: usize,
}

/// How the steps follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// One after the other, with anything in between.
    #[default]
    Sequential,
    /// One directly after the other.
    Strict,
    /// In any order.
    Any,
}

/// What has to fall in the range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RangeAppliesTo {
    /// The first step.
    #[default]
    Entry,
    /// Every event.
    All,
}

/// Whose steps are put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Entity {
    /// Those of a person.
    #[default]
    Person,
    /// Those of one session.
    Session,
    /// Those of everybody with the same value of the `group` property.
    Group,
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// Each entity once.
    #[default]
    Unique,
    /// Each attempt.
    Total,
}

/// Which entries open an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reentry {
    /// Every one.
    #[default]
    Any,
    /// The first one only.
    First,
}

/// What an exclusion does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnExclusion {
    /// Ends the attempt; the steps that it reached stay counted.
    #[default]
    Stop,
    /// Takes the entity out of every step, unless another attempt as deep is clean.
    Drop,
}

/// Numbers by the value of a property.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Breakdown {
    /// The property.
    pub property: Property,
    /// At which step of the reported chain it is read.
    pub attribution: Attribution,
    /// The most values; the rest is one.
    pub limit: usize,
}

/// At which step of the reported chain a property is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Attribution {
    /// The first value there is.
    #[default]
    First,
    /// The last value there is.
    Last,
    /// At one step (from 0).
    Step(usize),
    /// At every step, where it has to be the same.
    All,
}

/// What is shown beside the steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub enum View {
    /// Nothing.
    #[default]
    Steps,
    /// By time of entry.
    Trend(Interval, WeekStart),
    /// The time from one step to another (from 0), as a histogram.
    Time(usize, usize),
    /// Conversion for each of these windows, in milliseconds, ascending.
    Sweep(Vec<i64>),
}

/// Another product's habits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Mixpanel.
    Mixpanel,
    /// Amplitude.
    Amplitude,
    /// PostHog.
    Posthog,
}

impl FunnelStep {
    /// The step of one of these events.
    pub fn of(events: &[&str]) -> FunnelStep {
        let alternative = |name: &&str| Alternative {
            event: (*name).to_owned(),
            filter: Filter::everything(),
        };
        FunnelStep {
            events: events.iter().map(alternative).collect(),
            name: None,
            optional: false,
        }
    }

    /// The names of its events.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for alternative in &self.events {
            if !names.contains(&alternative.event) {
                names.push(alternative.event.clone());
            }
        }
        names
    }

    /// What to call the step: its name, else its events.
    pub fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.names().join(" or "))
    }
}

impl FunnelSpec {
    /// The plain funnel: in order, every entry counts, persons, entry in range.
    pub fn plain(steps: Vec<FunnelStep>, window_ms: i64, range: TimeRange) -> FunnelSpec {
        FunnelSpec {
            steps,
            order: Order::default(),
            window_ms,
            by_session: false,
            max_gap_ms: None,
            from_ms: range.from_ms,
            to_ms: range.to_ms,
            range_applies_to: RangeAppliesTo::default(),
            entity: Entity::default(),
            group: None,
            count: Count::default(),
            reentry: Reentry::default(),
            hold: Vec::new(),
            exclusions: Vec::new(),
            on_exclusion: OnExclusion::default(),
            tie_ms: 0,
            ignore_events: IGNORED.map(str::to_owned).to_vec(),
            filter: Filter::everything(),
            breakdown: None,
            view: View::default(),
            why_not: false,
            actors: None,
            preset: None,
        }
    }

    /// Where the first step has to fall.
    pub fn entry_range(&self) -> TimeRange {
        TimeRange {
            from_ms: self.from_ms,
            to_ms: self.to_ms,
        }
    }

    /// The window, or the longest of a sweep.
    pub fn longest_window(&self) -> i64 {
        match &self.view {
            View::Sweep(windows) => windows.iter().copied().max().unwrap_or(0).max(self.window_ms),
            _ => self.window_ms,
        }
    }

    /// Where every event that can matter lies: the range and one window beyond. Two, where it is to be told by how
    /// much the window was missed; what came before, where sessions are derived; a tie group more at the front,
    /// since its events may come in any order.
    pub fn facts_range(&self) -> TimeRange {
        let before = if self.uses_sessions() {
            session::LOOK_BACK_MS
        } else {
            self.tie_ms
        };
        let windows = if self.why_not { 2 } else { 1 };
        let from_ms = (self.from_ms - before).max(0);
        if self.range_applies_to == RangeAppliesTo::All && !self.uses_sessions() && !self.why_not {
            return TimeRange {
                from_ms: self.from_ms.max(0),
                to_ms: self.to_ms,
            };
        }
        TimeRange {
            from_ms,
            to_ms: self.to_ms + windows * self.longest_window() + self.tie_ms,
        }
    }

    /// Whether sessions have to be derived.
    pub fn uses_sessions(&self) -> bool {
        self.by_session || self.entity == Entity::Session
    }

    /// Whether events that are neither steps nor exclusions matter.
    pub fn needs_every_event(&self) -> bool {
        self.order == Order::Strict || self.uses_sessions()
    }

    /// Whether the question needs more of an event than whose, when and what it is: its id, session, or other values.
    pub fn needs_ids(&self) -> bool {
        self.uses_sessions()
            || !self.hold.is_empty()
            || self.group.is_some()
            || self.actors.is_some()
            || self.why_not
    }

    /// The properties whose texts come with an event: those held constant, the breakdown's and the group's.
    pub fn texts(&self) -> impl Iterator<Item = &Property> {
        let breakdown = self.breakdown.as_ref().map(|breakdown| &breakdown.property);
        self.hold.iter().chain(breakdown).chain(&self.group)
    }

    /// Whether an event's name alone tells what it is.
    pub fn is_told_by_names(&self) -> bool {
        let steps = self.steps.iter().map(|step| &step.events);
        let exclusions = self.exclusions.iter().map(|exclusion| &exclusion.events);
        let mut all = steps.chain(exclusions).flatten();
        self.filter.is_everything() && all.all(|alternative| alternative.filter.is_everything())
    }

    /// The distinct names of steps and exclusions, in the order in which they are named first.
    pub fn event_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let steps = self.steps.iter().map(|step| &step.events);
        let exclusions = self.exclusions.iter().map(|exclusion| &exclusion.events);
        for alternative in steps.chain(exclusions).flatten() {
            if !names.contains(&alternative.event) {
                names.push(alternative.event.clone());
            }
        }
        names
    }

    /// Places (from 0) of the mandatory steps.
    pub fn mandatory(&self) -> Vec<usize> {
        (0..self.steps.len())
            .filter(|step| !self.steps[*step].optional)
            .collect()
    }
}
