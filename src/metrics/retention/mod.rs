//! Retention: of those who started in a local hour, day, week or month, who came back when.
//!
//! A *return* is a different event than the start, later in the total order. A *cell* is one period, or a bracket of
//! several, of one cohort; it is complete once its time is over for everybody in the cohort, and only complete cells
//! enter the mean. Periods are counted by the calendar (differences of local days, weeks, months; hours by what
//! elapsed since the cohort's hour began) or roll from each person's own start.

pub mod calendar;
mod report;
mod spec;
mod split;
mod tally;

pub use report::{
    RetentionCell, RetentionCohort, RetentionColumn, RetentionMean, RetentionReport, RetentionSplit, SplitOf,
};
pub use spec::{RetentionClock, RetentionEntry, RetentionQuery, RetentionRule, RetentionSpec, RetentionUnit};
pub use tally::{RetentionTally, ReturnEvent};
