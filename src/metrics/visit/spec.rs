//! Validated questions about sessions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Column, Dimension, LOOK_BACK_MS, SessionPlace};
use crate::event::Zone;
use crate::metrics::filter::Filter;
use crate::metrics::session::LONGEST_MS;
use crate::metrics::time::{self, Bucket, Interval, TimeRange, WeekStart};
use crate::metrics::trend::Compare;
use crate::metrics::turning::{Turning, end_of_bucket};

/// Sessions with one of some values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Only {
    /// Of what.
    pub by: Dimension,
    /// The values; `None`: missing.
    pub values: Vec<Option<String>>,
}

/// Which sessions, and how they are laid out in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VisitSpec {
    /// Where they begin.
    pub range: TimeRange,
    /// Width of a point.
    pub interval: Interval,
    /// First day of a week.
    pub week_start: WeekStart,
    /// With the range before.
    pub compare: Option<Compare>,
    /// At least one event passes.
    pub filter: Filter,
    /// The first event passes.
    pub first_filter: Filter,
    /// The session has one of the values of each.
    pub only: Vec<Only>,
    /// Only those with a page view.
    pub with_page_view: bool,
}

impl VisitSpec {
    /// All sessions of a range, by day.
    pub fn all(range: TimeRange) -> VisitSpec {
        VisitSpec {
            range,
            interval: Interval::Day,
            week_start: WeekStart::Monday,
            compare: None,
            filter: Filter::everything(),
            first_filter: Filter::everything(),
            only: Vec::new(),
            with_page_view: false,
        }
    }

    /// Whether sessions alone tell which of them are chosen, and no filter asks events.
    pub fn is_plain(&self) -> bool {
        self.filter.is_everything() && self.first_filter.is_everything()
    }

    /// From where on sessions are wanted.
    pub fn earliest_ms(&self) -> i64 {
        self.compare
            .map_or(self.range.from_ms, |compare| compare.previous.from_ms)
    }

    /// The events that may tell of the sessions: from well before, to find where they began, until the last has ended.
    pub fn facts_range(&self) -> TimeRange {
        TimeRange {
            from_ms: (self.earliest_ms() - LOOK_BACK_MS).max(0),
            to_ms: self.range.to_ms + LONGEST_MS,
        }
    }

    /// Whether a session that begins then is of the range, of the range before (`false`), or of none.
    pub fn side(&self, start_ms: i64) -> Option<bool> {
        if self.range.contains(start_ms) {
            return Some(true);
        }
        let compare = self.compare?;
        compare.previous.contains(start_ms).then_some(false)
    }

    /// The buckets of a range.
    pub fn buckets(&self, zone: &Zone, range: TimeRange) -> Vec<Bucket> {
        time::buckets(zone, range, self.interval, self.week_start)
    }

    fn columns(&self) -> impl Iterator<Item = Column> + '_ {
        self.only.iter().flat_map(|only| only.by.columns()).copied()
    }
}

impl Turning for VisitSpec {
    fn next_turn(&self, zone: &Zone, now_ms: i64) -> Option<i64> {
        if self.range.to_ms <= now_ms {
            return None;
        }
        let end = end_of_bucket(zone, now_ms, self.interval);
        Some(end.map_or(self.range.to_ms, |end| end.min(self.range.to_ms)))
    }
}

/// A validated web overview.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WebSpec {
    /// Which sessions; always with a page view.
    pub visits: VisitSpec,
    /// The tables.
    pub tables: Vec<Dimension>,
    /// The most rows of each.
    pub table_rows: u32,
}

impl WebSpec {
    /// The texts that it needs.
    pub fn columns(&self) -> Vec<Column> {
        let tables = self.tables.iter().flat_map(|table| table.columns()).copied();
        listed_once(tables.chain(self.visits.columns()))
    }
}

impl Turning for WebSpec {
    fn next_turn(&self, zone: &Zone, now_ms: i64) -> Option<i64> {
        self.visits.next_turn(zone, now_ms)
    }
}

/// A page of the list of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SessionList {
    /// Where the page before ended.
    pub after: Option<SessionPlace>,
    /// How many.
    pub limit: usize,
}

/// A validated question about sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionsSpec {
    /// Which sessions.
    pub visits: VisitSpec,
    /// Told apart by this, but not by `page`, of which a session has several.
    pub breakdown: Option<Dimension>,
    /// The most values shown.
    pub breakdown_limit: u32,
    /// Which of them are listed.
    pub list: Option<SessionList>,
}

impl SessionsSpec {
    /// The texts that it needs.
    pub fn columns(&self) -> Vec<Column> {
        let breakdown = self.breakdown.iter().flat_map(|by| by.columns()).copied();
        let listed = self.list.iter().flat_map(|_| LISTED).copied();
        listed_once(breakdown.chain(listed).chain(self.visits.columns()))
    }
}

/// What a list tells of each session.
const LISTED: &[Column] = &[
    Column::Path,
    Column::Host,
    Column::ReferrerHost,
    Column::UtmSource,
    Column::UtmMedium,
    Column::UtmCampaign,
    Column::Country,
    Column::Device,
    Column::Browser,
    Column::Os,
];

impl Turning for SessionsSpec {
    fn next_turn(&self, zone: &Zone, now_ms: i64) -> Option<i64> {
        self.visits.next_turn(zone, now_ms)
    }
}

fn listed_once(columns: impl Iterator<Item = Column>) -> Vec<Column> {
    let mut columns: Vec<Column> = columns.collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}
