//! Questions about sessions as a person writes them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    DEFAULT_TABLE_ROWS, Dimension, MAX_ONLY, MAX_ONLY_VALUES, MAX_TABLE_ROWS, Only, SessionListQuery,
    SessionsSpec, VisitSpec, WebSpec,
};
use crate::event::Zone;
use crate::metrics::filter::{
    DEFAULT_BREAKDOWN_LIMIT, Filter, FilterQuery, MAX_VALUE_CHARS, breakdown_limit,
};
use crate::metrics::time::{self, FIRST_DAY, Interval, MAX_POINTS, WeekStart};
use crate::metrics::trend::{Compare, CompareWith};
use crate::metrics::{SpecError, accepted};

/// Values of a dimension, as tables show them: `{"by": "source", "values": ["search.example", null]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"by": "entry_page", "values": ["/pricing"]}))]
pub struct OnlyQuery {
    /// Of what.
    pub by: Dimension,
    /// 1 to 50 values, of which any will do; null: missing ("Direct / None", "(none)").
    #[schema(min_items = 1, max_items = 50)]
    pub values: Vec<Option<String>>,
}

/// The overview of a web site: visits (sessions with a page view), who made them, where they came from and what they saw.
///
/// A visit belongs to the range and the point in which it begins and is read to its end. A bounce is a visit with one
/// page view and under 10 seconds. Since a visit is one person's on one device, no `group` is counted here; a filter
/// tells the visits of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "from": "2026-11-01", "to": "2026-12-01", "compare": "previous",
    "only": [{"by": "source", "values": ["search.example"]}], "tables": ["page", "country"]
}))]
pub struct WebQuery {
    /// Start of the range in which visits begin: a local date or an instant. Default: 30 days before `to`.
    #[serde(default)]
    #[schema(example = "2026-11-01")]
    pub from: Option<String>,
    /// End of that range, not included. Default: tomorrow.
    #[serde(default)]
    #[schema(example = "2026-12-01")]
    pub to: Option<String>,
    /// Width of a point.
    #[serde(default)]
    pub interval: Interval,
    /// First day of a week, for the interval `week`.
    #[serde(default)]
    pub week_start: WeekStart,
    /// `previous`: beside each number the one of the range before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<CompareWith>,
    /// Only visits with at least one event (of any kind) that passes. The whole visit counts then, also what does not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterQuery>,
    /// Only visits whose first event passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_filter: Option<FilterQuery>,
    /// Only visits with these values of the tables; at most 10, all of which have to hold. `page`: visits that saw it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10)]
    pub only: Vec<OnlyQuery>,
    /// The tables. Default: `source`, `campaign`, `page`, `entry_page`, `exit_page`, `country`, `device`, `browser` and
    /// `os`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 14)]
    pub tables: Vec<Dimension>,
    /// The most rows of a table, 1 to 500. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 500)]
    pub table_limit: Option<u32>,
}

/// Sessions over time: how many, how long, how many bounced, and which.
///
/// A session is what one person did on one device under the id that the client gave, else without a silence of 30
/// minutes, and at most 24 hours long. It belongs to the range and the point in which it begins and is read to its end.
/// Since it is one person's on one device, no `group` is counted here; a filter tells the sessions of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "from": "2026-11-01", "to": "2026-12-01", "interval": "week", "breakdown": "source", "breakdown_limit": 5,
    "first_filter": {"property": "$device", "value": "mobile"}
}))]
pub struct SessionsQuery {
    /// Start of the range in which sessions begin: a local date or an instant. Default: 30 days before `to`.
    #[serde(default)]
    #[schema(example = "2026-11-01")]
    pub from: Option<String>,
    /// End of that range, not included. Default: tomorrow.
    #[serde(default)]
    #[schema(example = "2026-12-01")]
    pub to: Option<String>,
    /// Width of a point.
    #[serde(default)]
    pub interval: Interval,
    /// First day of a week, for the interval `week`.
    #[serde(default)]
    pub week_start: WeekStart,
    /// `previous`: beside each number the one of the range before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<CompareWith>,
    /// Only sessions with at least one event that passes. The whole session counts then, also what does not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterQuery>,
    /// Only sessions whose first event passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_filter: Option<FilterQuery>,
    /// Only sessions with these values; at most 10, all of which have to hold. `page`: sessions that saw it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10)]
    pub only: Vec<OnlyQuery>,
    /// Only sessions with a page view: the visits of the web overview.
    #[serde(default)]
    pub with_page_view: bool,
    /// Numbers for each of its values too; not `page`, of which a session has several. Values are ranked by sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakdown: Option<Dimension>,
    /// How many values a breakdown shows, 1 to 200; the rest is measured anew as "Other". Default: 25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 200)]
    pub breakdown_limit: Option<u32>,
    /// The sessions themselves, the latest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<SessionListQuery>,
}

impl WebQuery {
    /// The spec, or everything that is wrong with the query.
    pub fn validate(&self, zone: &Zone, now_ms: i64) -> Result<WebSpec, Vec<SpecError>> {
        let mut errors = Vec::new();
        let asked = Asked {
            range: (self.from.as_deref(), self.to.as_deref()),
            interval: (self.interval, self.week_start),
            compare: self.compare,
            filters: (self.filter.as_ref(), self.first_filter.as_ref()),
            only: &self.only,
            with_page_view: true,
        };
        let visits = asked.spec(zone, now_ms, 1, &mut errors);
        for (n, table) in self.tables.iter().enumerate() {
            if self.tables[..n].contains(table) {
                let detail = "this table is asked for twice";
                errors.push(SpecError::new(format!("/tables/{n}"), "duplicate", detail));
            }
        }
        let table_rows = self.table_limit.unwrap_or(DEFAULT_TABLE_ROWS);
        if !(1..=MAX_TABLE_ROWS).contains(&table_rows) {
            let detail = format!("a table shows 1 to {MAX_TABLE_ROWS} rows");
            errors.push(SpecError::new("/table_limit", "out_of_range", detail));
        }
        let tables = match self.tables.as_slice() {
            [] => Dimension::OVERVIEW.to_vec(),
            tables => tables.to_vec(),
        };
        let spec = WebSpec {
            visits,
            tables,
            table_rows,
        };
        accepted(spec, errors)
    }
}

impl SessionsQuery {
    /// The spec, or everything that is wrong with the query.
    pub fn validate(&self, zone: &Zone, now_ms: i64) -> Result<SessionsSpec, Vec<SpecError>> {
        let mut errors = Vec::new();
        let limit = breakdown_limit(self.breakdown_limit, DEFAULT_BREAKDOWN_LIMIT, &mut errors);
        if self.breakdown == Some(Dimension::Page) {
            let detail = "a session has several pages: break down by `entry_page` or `exit_page`";
            errors.push(SpecError::new("/breakdown", "not_allowed", detail));
        }
        let asked = Asked {
            range: (self.from.as_deref(), self.to.as_deref()),
            interval: (self.interval, self.week_start),
            compare: self.compare,
            filters: (self.filter.as_ref(), self.first_filter.as_ref()),
            only: &self.only,
            with_page_view: self.with_page_view,
        };
        // Beside the values that are shown there may be "(none)" and "Other".
        let groups = self.breakdown.map_or(1, |_| limit as usize + 3);
        let visits = asked.spec(zone, now_ms, groups, &mut errors);
        let spec = SessionsSpec {
            visits,
            breakdown: self.breakdown,
            breakdown_limit: limit,
            list: self.list.as_ref().map(|list| list.validate(&mut errors)),
        };
        accepted(spec, errors)
    }
}

/// What both kinds ask.
struct Asked<'a> {
    range: (Option<&'a str>, Option<&'a str>),
    interval: (Interval, WeekStart),
    compare: Option<CompareWith>,
    filters: (Option<&'a FilterQuery>, Option<&'a FilterQuery>),
    only: &'a [OnlyQuery],
    with_page_view: bool,
}

impl Asked<'_> {
    fn spec(&self, zone: &Zone, now_ms: i64, groups: usize, errors: &mut Vec<SpecError>) -> VisitSpec {
        let range = time::time_range(self.range.0, self.range.1, zone, now_ms, errors);
        let mut filter = |query: Option<&FilterQuery>, pointer| match query {
            Some(query) => query.validate(pointer, zone, errors),
            None => Filter::everything(),
        };
        let mut spec = VisitSpec {
            interval: self.interval.0,
            week_start: self.interval.1,
            filter: filter(self.filters.0, "/filter"),
            first_filter: filter(self.filters.1, "/first_filter"),
            with_page_view: self.with_page_view,
            ..VisitSpec::all(range)
        };
        spec.only = only(self.only, errors);
        if !errors.is_empty() {
            return spec;
        }
        // To the minute, so that whoever asks within it gets the same answer, remembered.
        let minute_ms = now_ms - now_ms.rem_euclid(60_000);
        spec.compare = self
            .compare
            .map(|CompareWith::Previous| Compare::with_previous(range, spec.week_start, zone, minute_ms));
        if zone.local_day(spec.earliest_ms()) < FIRST_DAY {
            let detail = format!("the range before would start before {FIRST_DAY}");
            errors.push(SpecError::new("/compare", "out_of_range", detail));
        }
        let points = spec.buckets(zone, range).len() * groups;
        if points > MAX_POINTS {
            let detail = format!("an answer has at most {MAX_POINTS} points, this one would have {points}");
            errors.push(SpecError::new("/interval", "too_many_points", detail));
        }
        spec
    }
}

fn only(queries: &[OnlyQuery], errors: &mut Vec<SpecError>) -> Vec<Only> {
    if queries.len() > MAX_ONLY {
        let detail = format!("at most {MAX_ONLY} of them");
        errors.push(SpecError::new("/only", "too_many", detail));
    }
    let mut found = Vec::new();
    for (n, only) in queries.iter().take(MAX_ONLY).enumerate() {
        let values = format!("/only/{n}/values");
        if only.values.is_empty() {
            errors.push(SpecError::new(
                values.clone(),
                "required",
                "name at least one value",
            ));
        }
        if only.values.len() > MAX_ONLY_VALUES {
            let detail = format!("at most {MAX_ONLY_VALUES} values");
            errors.push(SpecError::new(values.clone(), "too_many", detail));
        }
        for (at, value) in only.values.iter().enumerate() {
            let chars = value.as_deref().map_or(1, |text| text.chars().count());
            if !(1..=MAX_VALUE_CHARS).contains(&chars) {
                let detail = format!("1 to {MAX_VALUE_CHARS} characters, or null for a missing value");
                errors.push(SpecError::new(format!("{values}/{at}"), "out_of_range", detail));
            }
        }
        found.push(Only {
            by: only.by,
            values: only.values.clone(),
        });
    }
    found
}
