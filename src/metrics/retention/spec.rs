//! What can be asked of retention.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::Zone;
use crate::metrics::filter::{self, Filter, FilterQuery, Property, PropertyQuery};
use crate::metrics::selection::{Selection, SelectionQuery};
use crate::metrics::time::{self, TimeRange, WeekStart};
use crate::metrics::{SpecError, accepted};

/// The most returns that may be asked for in one period.
pub const MAX_MINIMUM: u32 = 1_000;
/// The most brackets.
pub const MAX_BRACKETS: usize = 30;
/// The most cells (rows times cells of a row) in one table.
pub const MAX_CELLS: usize = 10_000;
/// The most cells in an answer that is broken down, over all its tables.
pub const MAX_SPLIT_CELLS: usize = 50_000;

/// A question about retention, as a person writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "start": {"event": "signup"}, "return": {"events": ["purchase", "subscribe"]}, "unit": "week", "periods": 8,
    "from": "2026-10-05", "to": "2026-11-30"
}))]
pub struct RetentionQuery {
    /// What puts a person into a cohort. Default: any event that counts as activity.
    #[serde(default)]
    pub start: SelectionQuery,
    /// What counts as coming back. Default: any event that counts as activity.
    #[serde(default, rename = "return")]
    pub returns: SelectionQuery,
    /// Start of the range in which the start event has to fall: a local date or an instant. Default: 30 days before
    /// `to`.
    #[serde(default)]
    #[schema(example = "2026-10-05")]
    pub from: Option<String>,
    /// End of that range, not included; returns may follow. Default: tomorrow.
    #[serde(default)]
    #[schema(example = "2026-11-30")]
    pub to: Option<String>,
    /// Length of a period, and of a cohort.
    #[serde(default)]
    pub unit: RetentionUnit,
    /// The last period: periods run from 0 to this one. At most 168 hours, 90 days, 53 weeks or 24 months.
    /// Default: 24 hours, 14 days, 8 weeks or 6 months.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 168, example = 8)]
    pub periods: Option<u32>,
    /// Edges of groups of periods, ascending, instead of `periods`: `[0, 1, 3, 7]` asks for period 0, periods 1 to 2
    /// and periods 3 to 6. 2 to 31 edges.
    #[serde(default)]
    #[schema(min_items = 2, max_items = 31)]
    pub brackets: Option<Vec<u32>>,
    /// Which start event of a person counts.
    #[serde(default)]
    pub entry: RetentionEntry,
    /// When a person is retained.
    #[serde(default)]
    pub rule: RetentionRule,
    /// How periods are measured.
    #[serde(default)]
    pub clock: RetentionClock,
    /// How many returns a period (or bracket) needs, 1 to 1,000. Default: 1.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000)]
    pub minimum: Option<u32>,
    /// First day of a week, for the unit `week`.
    #[serde(default)]
    pub week_start: WeekStart,
    /// Only events that pass count, as starts and as returns.
    #[serde(default)]
    pub filter: Option<FilterQuery>,
    /// The property whose values are counted instead of persons, such as `{"property": "$groups.company"}`. Events without
    /// a value are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<PropertyQuery>,
    /// A property whose value at the start splits each cohort: at most one.
    #[serde(default)]
    #[schema(max_items = 1)]
    pub breakdown: Vec<PropertyQuery>,
    /// How many of its values are shown, 1 to 200; the rest is "Other". Default: 25.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 200)]
    pub breakdown_limit: Option<u32>,
}

/// The length of a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetentionUnit {
    /// Elapsed hours of 60 minutes; a cohort is a local hour.
    Hour,
    /// Local days (rolling: 24 hours).
    #[default]
    Day,
    /// Seven local dates (rolling: 168 hours).
    Week,
    /// Calendar months (rolling: 30 days).
    Month,
}

/// Which start event of a person counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetentionEntry {
    /// The first one ever, if it lies in the range.
    FirstEver,
    /// The first one in the range.
    #[default]
    FirstInRange,
    /// The first one in each cohort: a person may be in several.
    Recurring,
}

/// When a person is retained in a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetentionRule {
    /// Returned in that period.
    #[default]
    On,
    /// Returned in that period or a later one.
    OnOrAfter,
    /// Returned in every period from 1 to that one.
    Streak,
}

/// How periods are measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetentionClock {
    /// By the calendar: period 1 of a day is the next local day. Days that do not exist are not counted.
    #[default]
    Calendar,
    /// From the person's own start event: period 1 of a day begins 24 hours after it.
    Rolling,
}

/// A validated [`RetentionQuery`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RetentionSpec {
    /// What puts a person into a cohort.
    pub start: Selection,
    /// What counts as coming back.
    #[serde(rename = "return")]
    pub returns: Selection,
    /// Where the start event has to fall.
    pub range: TimeRange,
    /// Length of a period.
    pub unit: RetentionUnit,
    /// The periods `[from, to)` of each cell of a row, in order.
    pub cells: Vec<(u32, u32)>,
    /// Which start event counts.
    pub entry: RetentionEntry,
    /// When a person is retained.
    pub rule: RetentionRule,
    /// How periods are measured.
    pub clock: RetentionClock,
    /// How many returns a cell needs.
    pub minimum: u32,
    /// First day of a week.
    pub week_start: WeekStart,
    /// The property whose values are counted instead of persons; only events that have one start or
    /// return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Property>,
    /// The property that splits the cohorts, and how many of its values are shown.
    pub breakdown: Option<(Property, u32)>,
}

impl RetentionUnit {
    /// Its length on the rolling clock, in milliseconds.
    pub fn ms(self) -> i64 {
        const HOUR_MS: i64 = 3_600_000;
        match self {
            RetentionUnit::Hour => HOUR_MS,
            RetentionUnit::Day => 24 * HOUR_MS,
            RetentionUnit::Week => 7 * 24 * HOUR_MS,
            RetentionUnit::Month => 30 * 24 * HOUR_MS,
        }
    }

    /// The last period that may be asked for.
    pub fn most_periods(self) -> u32 {
        match self {
            RetentionUnit::Hour => 168,
            RetentionUnit::Day => 90,
            RetentionUnit::Week => 53,
            RetentionUnit::Month => 24,
        }
    }

    fn default_periods(self) -> u32 {
        match self {
            RetentionUnit::Hour => 24,
            RetentionUnit::Day => 14,
            RetentionUnit::Week => 8,
            RetentionUnit::Month => 6,
        }
    }
}

impl RetentionQuery {
    /// The spec, or everything that is wrong with the query.
    pub fn validate(&self, zone: &Zone, now_ms: i64) -> Result<RetentionSpec, Vec<SpecError>> {
        let mut errors = Vec::new();
        let filter = match &self.filter {
            Some(filter) => filter.validate("/filter", zone, &mut errors),
            None => Filter::everything(),
        };
        let group = self.group.as_ref();
        let group = group.map(|group| group.validate("/group", &mut errors));
        let filter = filter.having(group.as_ref());
        let start = self.start.validate("/start", zone, &mut errors).within(&filter);
        let returns = self
            .returns
            .validate("/return", zone, &mut errors)
            .within(&filter);
        let breakdown = self.breakdown(&mut errors);
        let range = time::time_range(
            self.from.as_deref(),
            self.to.as_deref(),
            zone,
            now_ms,
            &mut errors,
        );
        let minimum = self.minimum.unwrap_or(1);
        if !(1..=MAX_MINIMUM).contains(&minimum) {
            let detail = format!("a period needs 1 to {MAX_MINIMUM} returns");
            errors.push(SpecError::new("/minimum", "out_of_range", detail));
        }
        let cells = self.cells(&mut errors);
        let spec = RetentionSpec {
            start,
            returns,
            range,
            unit: self.unit,
            cells,
            entry: self.entry,
            rule: self.rule,
            clock: self.clock,
            minimum,
            week_start: self.week_start,
            group,
            breakdown,
        };
        if errors.is_empty() {
            spec.check_size(zone, &mut errors);
        }
        accepted(spec, errors)
    }

    fn breakdown(&self, errors: &mut Vec<SpecError>) -> Option<(Property, u32)> {
        let limit = filter::breakdown_limit(self.breakdown_limit, filter::DEFAULT_BREAKDOWN_LIMIT, errors);
        if self.breakdown.len() > 1 {
            let detail = "retention is broken down by one property";
            errors.push(SpecError::new("/breakdown", "too_many", detail));
        }
        let property = self.breakdown.first()?.validate("/breakdown/0", errors);
        Some((property, limit))
    }

    fn cells(&self, errors: &mut Vec<SpecError>) -> Vec<(u32, u32)> {
        let most = self.unit.most_periods();
        let Some(edges) = &self.brackets else {
            let last = self.periods.unwrap_or(self.unit.default_periods());
            if !(1..=most).contains(&last) {
                let detail = format!("the last period is 1 to {most} with this unit");
                errors.push(SpecError::new("/periods", "out_of_range", detail));
            }
            return (0..=last.min(most)).map(|k| (k, k + 1)).collect();
        };
        if self.periods.is_some() {
            let detail = "give either periods or brackets, not both";
            errors.push(SpecError::new("/brackets", "conflict", detail));
        }
        if !(2..=MAX_BRACKETS + 1).contains(&edges.len()) {
            let detail = format!("1 to {MAX_BRACKETS} brackets, so 2 to {} edges", MAX_BRACKETS + 1);
            errors.push(SpecError::new("/brackets", "out_of_range", detail));
            return Vec::new();
        }
        for (i, pair) in edges.windows(2).enumerate() {
            if pair[0] >= pair[1] {
                let detail = "edges ascend, each beyond the one before";
                errors.push(SpecError::new(
                    format!("/brackets/{}", i + 1),
                    "out_of_range",
                    detail,
                ));
            }
        }
        let last = edges.len() - 1;
        if edges[last] > most + 1 {
            let detail = format!(
                "the last period is at most {most} with this unit, so the last edge {}",
                most + 1
            );
            errors.push(SpecError::new(
                format!("/brackets/{last}"),
                "out_of_range",
                detail,
            ));
        }
        edges.windows(2).map(|pair| (pair[0], pair[1])).collect()
    }
}

impl RetentionSpec {
    fn check_size(&self, zone: &Zone, errors: &mut Vec<SpecError>) {
        let cells = super::calendar::rows(self, zone).len() * self.cells.len();
        if cells > MAX_CELLS {
            let detail = format!("a table has at most {MAX_CELLS} cells, this one would have {cells}");
            errors.push(SpecError::new("/unit", "too_many_points", detail));
        }
        // The values shown, what has none, and the rest.
        let tables = self
            .breakdown
            .as_ref()
            .map_or(0, |(_, limit)| *limit as usize + 2);
        if cells * tables > MAX_SPLIT_CELLS {
            let detail = format!(
                "an answer that is broken down has at most {MAX_SPLIT_CELLS} cells, this one could have {}",
                cells * tables
            );
            errors.push(SpecError::new("/breakdown_limit", "too_many_points", detail));
        }
    }

    /// The first period behind the last one: the horizon is its start.
    pub fn end_period(&self) -> u32 {
        self.cells.last().map_or(1, |(_, end)| *end)
    }

    /// Whether start and return are the same events; then cell 0 is the cohort's size.
    pub fn returns_as_it_starts(&self) -> bool {
        self.start.same_as(&self.returns)
    }

    /// Where start events matter: the range, and with `first_ever` all that lies before it.
    pub fn start_range(&self) -> TimeRange {
        TimeRange {
            from_ms: match self.entry {
                RetentionEntry::FirstEver => 0,
                _ => self.range.from_ms,
            },
            to_ms: self.range.to_ms,
        }
    }

    /// Where returns matter: from the start of the range to the last horizon.
    pub fn return_range(&self, zone: &Zone) -> TimeRange {
        TimeRange {
            from_ms: self.range.from_ms,
            to_ms: super::calendar::Calendar::new(self, zone).last_horizon(),
        }
    }

    /// Whether it is all the answer needs in which buckets of the calendar people started: once in a period is enough
    /// and a return is another start, so that only those of later buckets are looked at and their order within one
    /// does not matter.
    pub fn by_buckets(&self) -> bool {
        self.returns_as_it_starts()
            && self.minimum == 1
            && self.clock == RetentionClock::Calendar
            && self.unit != RetentionUnit::Hour
            && self.breakdown.is_none()
    }

    /// Whether it is all the answer needs when people started: a return is another start, so that their order within one
    /// instant does not matter (the start itself stands for its own period).
    pub fn by_times(&self) -> bool {
        self.returns_as_it_starts() && self.breakdown.is_none()
    }

    /// Whether the buckets follow from the local days on which people were active at all.
    pub fn by_active_days(&self, zone: &Zone) -> bool {
        let is_day_start = |ts: i64| zone.day_start(zone.local_day(ts)) == ts;
        self.by_buckets()
            && self.start.is_any_activity()
            && is_day_start(self.range.from_ms)
            && is_day_start(self.range.to_ms)
    }
}
