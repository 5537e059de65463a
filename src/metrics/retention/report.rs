//! The retention table.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::calendar::Calendar;
use super::spec::{RetentionClock, RetentionEntry, RetentionRule, RetentionSpec, RetentionUnit};
use crate::event::Day;
use crate::metrics::rate;
use crate::metrics::time::{Bucket, Moment};

/// How many of those who started came back, by cohort and period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RetentionReport {
    /// Length of a period.
    pub unit: RetentionUnit,
    /// Which start event of a person counts.
    pub entry: RetentionEntry,
    /// When a person is retained.
    pub rule: RetentionRule,
    /// How periods are measured.
    pub clock: RetentionClock,
    /// How many returns a cell needs.
    pub minimum: u32,
    /// The periods of each column.
    pub columns: Vec<RetentionColumn>,
    /// One row for each local hour, day, week or month that the range touches, empty ones included.
    pub cohorts: Vec<RetentionCohort>,
    /// Sizes of all cohorts together; a person in several counts in each.
    pub size: u64,
    /// One for each column: all cohorts whose cell is complete, taken together.
    pub mean: Vec<RetentionMean>,
    /// The same by the breakdown's values at the start: those with the most persons first, then the rest, then those
    /// without a value. Absent unless asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakdown: Option<Vec<RetentionSplit>>,
}

/// The persons who started with one value of the breakdown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RetentionSplit {
    /// What they have in common.
    pub of: SplitOf,
    /// The value; "Other" and "(none)" for the rest and for those without one.
    pub value: String,
    /// Sizes of all cohorts together.
    pub size: u64,
    /// One row for each local hour, day, week or month that the range touches.
    pub cohorts: Vec<RetentionCohort>,
    /// One for each column.
    pub mean: Vec<RetentionMean>,
}

/// What the persons of a split have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SplitOf {
    /// A value.
    Value,
    /// A value that is not among those shown.
    Other,
    /// No value.
    None,
}

/// The periods of one column: from `from`, up to but not including `to`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"from": 1, "to": 2}))]
pub struct RetentionColumn {
    /// The first period.
    pub from: u32,
    /// The period after the last.
    pub to: u32,
}

/// Those who started in one local hour, day, week or month.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "start": "2026-11-15T23:00:00Z", "date": "2026-11-16", "size": 812, "partial": false, "complete": true,
    "cells": [{"retained": 812, "rate": 1.0, "complete": true}, {"retained": 164, "rate": 0.202, "complete": false}]
}))]
pub struct RetentionCohort {
    /// The cohort's first instant.
    #[schema(value_type = String, format = DateTime)]
    pub start: Moment,
    /// Its first local date; absent for hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub date: Option<Day>,
    /// Persons who started.
    pub size: u64,
    /// Whether the range covers only a part of it.
    pub partial: bool,
    /// Whether its hour, day, week or month is over: otherwise it still grows.
    pub complete: bool,
    /// One for each column.
    pub cells: Vec<RetentionCell>,
}

/// Who came back in one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RetentionCell {
    /// Persons who were retained; so far, while the cell is incomplete.
    pub retained: u64,
    /// `retained / size`; null for an empty cohort.
    pub rate: Option<f64>,
    /// Whether its periods are over for everybody in the cohort (rule `on_or_after`: all periods).
    pub complete: bool,
}

/// One column of all cohorts whose cell is complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"size": 5200, "retained": 1040, "rate": 0.2}))]
pub struct RetentionMean {
    /// Sum of their sizes.
    pub size: u64,
    /// Sum of those retained.
    pub retained: u64,
    /// `retained / size`; null where no such cohort has anybody.
    pub rate: Option<f64>,
}

/// A table: its rows, their sizes together, its means.
pub(super) struct Table {
    pub cohorts: Vec<RetentionCohort>,
    pub size: u64,
    pub mean: Vec<RetentionMean>,
}

/// Persons of one cohort as they are counted.
#[derive(Clone, Debug, Default)]
pub(super) struct CohortCount {
    pub size: u64,
    pub retained: Vec<u64>,
}

impl Table {
    pub fn new(spec: &RetentionSpec, calendar: &Calendar, as_of_ms: i64, counts: &[CohortCount]) -> Table {
        let rows = calendar.rows().iter().zip(counts).enumerate();
        let cohorts: Vec<RetentionCohort> = rows
            .map(|(row, (bucket, count))| cohort(spec, calendar, as_of_ms, row, (bucket, count)))
            .collect();
        Table {
            size: cohorts.iter().map(|cohort| cohort.size).sum(),
            mean: (0..spec.cells.len())
                .map(|column| mean(&cohorts, column))
                .collect(),
            cohorts,
        }
    }
}

impl RetentionReport {
    pub(super) fn new(
        spec: &RetentionSpec,
        whole: Table,
        breakdown: Option<Vec<RetentionSplit>>,
    ) -> RetentionReport {
        RetentionReport {
            unit: spec.unit,
            entry: spec.entry,
            rule: spec.rule,
            clock: spec.clock,
            minimum: spec.minimum,
            columns: spec
                .cells
                .iter()
                .map(|&(from, to)| RetentionColumn { from, to })
                .collect(),
            cohorts: whole.cohorts,
            size: whole.size,
            mean: whole.mean,
            breakdown,
        }
    }
}

fn cohort(
    spec: &RetentionSpec,
    calendar: &Calendar,
    as_of_ms: i64,
    row: usize,
    (bucket, count): (&Bucket, &CohortCount),
) -> RetentionCohort {
    let cell = |(column, &(_, end)): (usize, &(u32, u32))| {
        let end = match spec.rule {
            RetentionRule::OnOrAfter => spec.end_period(),
            RetentionRule::On | RetentionRule::Streak => end,
        };
        RetentionCell {
            retained: count.retained[column],
            rate: rate(count.retained[column], count.size),
            complete: calendar.over_at(row, end) <= as_of_ms,
        }
    };
    RetentionCohort {
        start: Moment(bucket.start),
        date: bucket.date,
        size: count.size,
        partial: bucket.start < spec.range.from_ms || bucket.end > spec.range.to_ms,
        complete: bucket.end <= as_of_ms,
        cells: spec.cells.iter().enumerate().map(cell).collect(),
    }
}

fn mean(cohorts: &[RetentionCohort], column: usize) -> RetentionMean {
    let complete = || cohorts.iter().filter(|cohort| cohort.cells[column].complete);
    let size = complete().map(|cohort| cohort.size).sum();
    let retained = complete().map(|cohort| cohort.cells[column].retained).sum();
    RetentionMean {
        size,
        retained,
        rate: rate(retained, size),
    }
}
