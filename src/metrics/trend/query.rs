//! Trends as a person writes them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::spec::{Measure, SeriesSpec, Span, TrendSpec};
use super::{Compare, CompareWith, Formula, MAX_ALTERNATIVES, MAX_ROLLING_DAYS, MAX_SERIES};
use crate::event::{QUARTER_HOUR_S, Zone};
use crate::metrics::filter::{
    DEFAULT_BREAKDOWN_LIMIT, Filter, FilterQuery, MAX_BREAKDOWN, PropertyQuery, breakdown_limit,
};
use crate::metrics::time::{self, FIRST_DAY, Interval, MAX_POINTS, TimeRange, WeekStart};
use crate::metrics::{SpecError, accepted, check_event_name};

/// A question about events over time: `events` for plain counts, or `series` for everything else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "series": [
        {"event": "purchase", "measure": "sum", "of": {"property": "$amount"}},
        {"event": "page_view", "measure": "persons", "filter": {"property": "$device", "value": "mobile"}}
    ],
    "formula": "A / B", "breakdown": [{"property": "$country"}], "breakdown_limit": 5,
    "interval": "week", "from": "2026-11-01", "to": "2026-12-01", "compare": "previous"
}))]
pub struct TrendsQuery {
    /// One series of counts for each event name, 1 to 20. Instead of `series`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20, example = json!(["page_view", "purchase"]))]
    pub events: Vec<String>,
    /// 1 to 20 series: A, B, … in formulas. Instead of `events`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20)]
    pub series: Vec<SeriesQuery>,
    /// Which events, of all series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterQuery>,
    /// Start of the range: a local date or an instant. Default: 30 days before `to`.
    #[serde(default)]
    #[schema(example = "2026-11-01")]
    pub from: Option<String>,
    /// End of the range, not included. Default: tomorrow.
    #[serde(default)]
    #[schema(example = "2026-12-01")]
    pub to: Option<String>,
    /// Width of a point. An answer has at most 10,000 points, all series and values together.
    #[serde(default)]
    pub interval: Interval,
    /// First day of a week, for the interval `week`.
    #[serde(default)]
    pub week_start: WeekStart,
    /// Up to 3 properties whose values get series of their own. The first series ranks the values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 3)]
    pub breakdown: Vec<PropertyQuery>,
    /// How many values a breakdown shows, 1 to 200; the rest is measured anew as "Other". Default: 25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 200)]
    pub breakdown_limit: Option<u32>,
    /// An expression over the series (`A / B * 100`) with `+`, `-`, `*`, `/` (or `−`, `×`, `÷`), numbers and parentheses;
    /// at most 200 characters. Dividing by 0 is null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "A / B")]
    pub formula: Option<String>,
    /// `previous`: beside each point the one of the range before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<CompareWith>,
}

/// One series of a trend.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"event": "purchase", "measure": "persons"}))]
pub struct SeriesQuery {
    /// The event's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// At most 10 alternatives, instead of `event`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10)]
    pub events: Vec<String>,
    /// What to call the series. Default: its events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which of the events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterQuery>,
    /// What is measured. Default: `count`.
    #[serde(default)]
    pub measure: Measure,
    /// The numeric property, for `sum`, `avg`, `min`, `max` and the percentiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<PropertyQuery>,
    /// Of `persons` and `per_person`: the property whose values are counted instead of persons, such as
    /// `{"property": "$groups.company"}`. Events without a value are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<PropertyQuery>,
    /// Of `persons`: distinct since the range's start, rather than within the bucket.
    #[serde(default)]
    pub cumulative: bool,
    /// Of `persons`, by day: distinct over so many local dates (2 to 90) that end with the point's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 2, maximum = 90)]
    pub rolling_days: Option<u32>,
}

/// Counts are kept per UTC quarter hour: refuses ranges that start or end within one.
pub fn check_quarter_hours(range: TimeRange, errors: &mut Vec<SpecError>) {
    for (pointer, ts) in [("/from", range.from_ms), ("/to", range.to_ms)] {
        if ts % (i64::from(QUARTER_HOUR_S) * 1000) != 0 {
            errors.push(SpecError::new(
                pointer,
                "not_a_quarter_hour",
                "events are counted per UTC quarter hour: the range has to start and end on one",
            ));
        }
    }
}

impl TrendsQuery {
    /// The spec, or everything that is wrong with the query.
    pub fn validate(&self, zone: &Zone, now_ms: i64) -> Result<TrendSpec, Vec<SpecError>> {
        let mut errors = Vec::new();
        let series = self.series(zone, &mut errors);
        let range = time::time_range(
            self.from.as_deref(),
            self.to.as_deref(),
            zone,
            now_ms,
            &mut errors,
        );
        let filter = validated(self.filter.as_ref(), "/filter", zone, &mut errors);
        if self.breakdown.len() > MAX_BREAKDOWN {
            let detail = format!("a breakdown has at most {MAX_BREAKDOWN} properties");
            errors.push(SpecError::new("/breakdown", "too_many", detail));
        }
        let properties = self.breakdown.iter().take(MAX_BREAKDOWN).enumerate();
        let breakdown: Vec<_> = properties
            .map(|(n, property)| property.validate(&format!("/breakdown/{n}"), &mut errors))
            .collect();
        let limit = breakdown_limit(self.breakdown_limit, DEFAULT_BREAKDOWN_LIMIT, &mut errors);
        let formula = self.formula.as_deref().and_then(|text| {
            let formula = Formula::parse(text, series.len());
            let refused = |reason| errors.push(SpecError::new("/formula", "invalid_formula", reason));
            formula.map_err(refused).ok()
        });
        let mut spec = TrendSpec {
            series,
            filter,
            interval: self.interval,
            week_start: self.week_start,
            range,
            breakdown,
            breakdown_limit: limit,
            formula,
            compare: None,
        };
        if errors.is_empty() {
            spec.compare = self
                .compare
                .map(|CompareWith::Previous| Compare::with_previous(range, self.week_start, zone, now_ms));
            self.check_size(&spec, zone, &mut errors);
        }
        accepted(spec, errors)
    }

    fn series(&self, zone: &Zone, errors: &mut Vec<SpecError>) -> Vec<SeriesSpec> {
        if !self.events.is_empty() && !self.series.is_empty() {
            errors.push(SpecError::new(
                "/series",
                "ambiguous",
                "`events` or `series`, not both",
            ));
            return Vec::new();
        }
        let (pointer, n) = match self.series.len() {
            0 => ("/events", self.events.len()),
            n => ("/series", n),
        };
        if n == 0 {
            errors.push(SpecError::new(pointer, "required", "name at least one event"));
        } else if n > MAX_SERIES {
            let detail = format!("a trend has at most {MAX_SERIES} series, this one has {n}");
            errors.push(SpecError::new(pointer, "too_many", detail));
        }
        let mut series = Vec::new();
        check_names(&self.events, "/events", errors);
        for name in &self.events {
            let query = SeriesQuery {
                event: Some(name.clone()),
                ..SeriesQuery::default()
            };
            series.push(query.spec(Interval::Day, "/events", zone, &mut Vec::new()));
        }
        for (n, query) in self.series.iter().take(MAX_SERIES).enumerate() {
            series.push(query.spec(self.interval, &format!("/series/{n}"), zone, errors));
        }
        series
    }

    fn check_size(&self, spec: &TrendSpec, zone: &Zone, errors: &mut Vec<SpecError>) {
        // Beside the values that are shown there may be "(none)" and "Other".
        let values = match spec.breakdown.len() {
            0 => 1,
            _ => spec.breakdown_limit as usize + 2,
        };
        let points = spec.buckets(zone, spec.range).len() * spec.series.len() * values;
        if points > MAX_POINTS {
            errors.push(SpecError::new(
                "/interval",
                "too_many_points",
                format!("an answer has at most {MAX_POINTS} points, this one would have {points}"),
            ));
        }
        let before = spec.compare.map(|compare| compare.previous.from_ms);
        if before.is_some_and(|from_ms| zone.local_day(from_ms) < FIRST_DAY) {
            let detail = format!("the range before would start before {FIRST_DAY}");
            errors.push(SpecError::new("/compare", "out_of_range", detail));
        }
    }
}

impl SeriesQuery {
    fn spec(&self, interval: Interval, at: &str, zone: &Zone, errors: &mut Vec<SpecError>) -> SeriesSpec {
        let events = match (&self.event, self.events.is_empty()) {
            (Some(name), true) => {
                check_event_name(&format!("{at}/event"), name, errors);
                vec![name.clone()]
            }
            (None, false) => {
                if self.events.len() > MAX_ALTERNATIVES {
                    let detail = format!("a series has at most {MAX_ALTERNATIVES} alternatives");
                    errors.push(SpecError::new(format!("{at}/events"), "too_many", detail));
                }
                check_names(&self.events, &format!("{at}/events"), errors);
                self.events.clone()
            }
            (None, true) => {
                errors.push(SpecError::new(
                    format!("{at}/event"),
                    "required",
                    "name the event",
                ));
                Vec::new()
            }
            (Some(_), false) => {
                let detail = "`event` or `events`, not both";
                errors.push(SpecError::new(format!("{at}/events"), "ambiguous", detail));
                Vec::new()
            }
        };
        let filter = validated(self.filter.as_ref(), &format!("{at}/filter"), zone, errors);
        let of = match (&self.of, self.measure.is_of_number()) {
            (Some(property), true) => Some(property.validate(&format!("{at}/of"), errors)),
            (None, false) => None,
            (None, true) => {
                let detail = "say of which property: {\"property\": \"…\"}";
                errors.push(SpecError::new(format!("{at}/of"), "required", detail));
                None
            }
            (Some(_), false) => {
                let detail = "`count`, `persons` and `per_person` are of no property";
                errors.push(SpecError::new(format!("{at}/of"), "not_allowed", detail));
                None
            }
        };
        let group = self
            .group
            .as_ref()
            .map(|group| group.validate(&format!("{at}/group"), errors));
        if group.is_some() && !matches!(self.measure, Measure::Persons | Measure::PerPerson) {
            let detail = "only `persons` and `per_person` count groups";
            errors.push(SpecError::new(format!("{at}/group"), "not_allowed", detail));
        }
        SeriesSpec {
            events,
            name: self.name.clone(),
            filter: filter.having(group.as_ref()),
            measure: self.measure,
            of,
            group,
            span: self.span(interval, at, errors),
        }
    }

    fn span(&self, interval: Interval, at: &str, errors: &mut Vec<SpecError>) -> Span {
        let mut wrong = |member: &str, code, detail: String| {
            errors.push(SpecError::new(format!("{at}/{member}"), code, detail));
        };
        let (span, member) = match (self.cumulative, self.rolling_days) {
            (false, None) => return Span::Bucket,
            (true, None) => (Span::Cumulative, "cumulative"),
            (_, Some(days)) => (Span::Rolling(days), "rolling_days"),
        };
        if self.measure != Measure::Persons {
            wrong(member, "not_allowed", "only `persons` have a span".to_owned());
        }
        if let Span::Rolling(days) = span {
            if self.cumulative {
                wrong(
                    member,
                    "ambiguous",
                    "`cumulative` or `rolling_days`, not both".to_owned(),
                );
            }
            if !(2..=MAX_ROLLING_DAYS).contains(&days) {
                wrong(member, "out_of_range", format!("2 to {MAX_ROLLING_DAYS} days"));
            }
            if interval != Interval::Day {
                let detail = "rolling persons are counted by the interval `day`".to_owned();
                wrong(member, "not_allowed", detail);
            }
        }
        span
    }
}

fn validated(query: Option<&FilterQuery>, pointer: &str, zone: &Zone, errors: &mut Vec<SpecError>) -> Filter {
    query.map_or_else(Filter::everything, |query| query.validate(pointer, zone, errors))
}

fn check_names(names: &[String], at: &str, errors: &mut Vec<SpecError>) {
    for (n, name) in names.iter().enumerate() {
        let pointer = format!("{at}/{n}");
        check_event_name(&pointer, name, errors);
        if names[..n].contains(name) {
            let detail = format!("{name:?} is listed twice");
            errors.push(SpecError::new(pointer, "duplicate", detail));
        }
    }
}
