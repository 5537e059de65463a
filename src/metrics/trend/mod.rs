//! Events over time: what is counted or measured, per bucket of the project's clock.
//!
//! A question has up to 20 *series* (A, B, …), each a name (or several of which any will do), a filter and a
//! *measure*. Every point carries the number of events and the measure's value; the range as a whole does too, where
//! persons are distinct over the whole range, and averages and quantiles are of all its events: none of them is a sum
//! or a mean of the points.
//!
//! - **numeric property**: canonical texts that are finite numbers; events without one are left out of `sum`, `avg`,
//!   `min`, `max` and the quantiles, but count as events.
//! - **quantile**: exact, linear between the two nearest ranks (`h = (n − 1)·p`), as PERCENTILE.INC of spreadsheets.
//! - **breakdown**: the values of up to 3 properties. The first series ranks them over the range, by its measure when
//!   that is `count`, `persons` or `sum`, else by its events; ties by text, missing last. Beyond the limit they are
//!   measured anew as "Other"; events that lack every property are "(none)" and take no place in the ranking.
//! - **cumulative** and **rolling** persons are distinct over their span: from the range's start to the bucket's end,
//!   or over the n existing local dates that end with the bucket's.
//! - **previous**: see [`compare`].
//!
//! Plain counts come from the rollups ([`TrendSpec::is_plain`]), all else from raw events, one statement a series: every
//! value of the breakdown by bucket, of which [`rank`] finds those that are shown and [`fold`] makes the facts.

mod cells;
pub mod compare;
mod formula;
mod query;
mod report;
mod spec;
#[cfg(test)]
mod tests;

pub use cells::{Folded, TrendCell, fold, rank};
pub use compare::{Compare, CompareWith};
pub use formula::Formula;
pub use query::{SeriesQuery, TrendsQuery, check_quarter_hours};
pub use report::{
    FormulaSeries, GroupKind, PreviousPoint, PreviousRange, PreviousSeries, TrendGroup, TrendPoint,
    TrendReport, TrendSeries, shown_groups,
};
pub use spec::{
    At, Group, Measure, SeriesFacts, SeriesSpec, Span, TrendFact, TrendFacts, TrendSpec, group_key,
};

/// The most series in one answer.
pub const MAX_SERIES: usize = 20;
/// The most alternative events of one series.
pub const MAX_ALTERNATIVES: usize = 10;
/// The longest span of rolling persons, in local dates.
pub const MAX_ROLLING_DAYS: u32 = 90;
/// The longest formula, in characters.
pub const MAX_FORMULA_CHARS: usize = 200;
