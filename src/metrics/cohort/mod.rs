//! Cohorts: which persons are meant, by what they did, by what is known of them, or by a list.
//!
//! A definition is a tree of `and`, `or` and `not` over rules. Each rule is told by facts about one person
//! ([`Evidence`]: how often, when first, when last, which value), so that a membership can be explained:
//!
//! - `did`: so many events of a selection, within a time. Copies of an event count once.
//! - `first`: the first event ever of a selection falls within a time.
//! - `sequence`: 2 to 5 selections, one after the other in the total order, each by an event of its own, all within a
//!   time; the last at most `within` after the first (inclusive, as a funnel's window). Each event of the last
//!   selection that ends such a chain is one time.
//! - a property of the person, as it is at the evaluation.
//!
//! Who has no event at all is nobody, so `not` is meant among the persons of the project.
//!
//! # When
//!
//! Times are judged at the evaluation. `last_days` of n are the n existing local days of the project that end with the
//! day of evaluation, that day included; `from` and `to` are a half-open range, either end may be left out; neither
//! means ever.

#[cfg(test)]
mod cases;
mod check;
mod explain;
mod query;
mod spec;

pub use explain::{Explained, RuleVerdict};
pub use query::RuleQuery;
pub use spec::{CohortSpec, Evidence, Leaf, Node, Rule, Span, Times, What, When};

/// The most children of one `and` or `or`.
pub const MAX_CHILDREN: usize = 20;
/// The deepest nesting of `and`, `or` and `not`.
pub const MAX_DEPTH: usize = 5;
/// The most rules of one cohort.
pub const MAX_RULES: usize = 20;
/// The most steps of a sequence.
pub const MAX_SEQUENCE: usize = 5;
/// The most days of `last_days`.
pub const MAX_LAST_DAYS: u32 = 3_650;
/// The highest number of times that a rule may name.
pub const MAX_TIMES: u32 = 1_000_000;
