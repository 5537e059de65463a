//! What a project's events look like: their names, the properties they carry, and which of those names mean trouble.
//!
//! - **seen**: an event or property occurred with a value other than null. First and last seen are event times, over all
//!   events that are kept.
//! - **volume**: events of the last 30 local days, today included; **total**: of all time. Exact, from rollups.
//! - **share** of a property: the part of a *sample* that carries it. The sample is the newest [`SAMPLE`] events;
//!   while there are no more, it is all of them and nothing is sampled. Values are looked at in the sample only and
//!   stored nowhere, so that an erasure leaves none behind.
//! - **generated** name: it holds a number or an id, and [`GENERATED`] names or more differ in nothing else
//!   ([`generated`]): such names belong into a property.
//! - **high cardinality**: the values of a property are nearly all different, or there are more than
//!   [`MOST_VALUES`]: a breakdown by it tells little ([`is_high_cardinality`]).

mod names;
mod report;

pub use names::{Generated, generated, pattern_of};
pub use report::{NameFacts, PropertyFacts, Sample, Share, ValueCount, ValueType, is_high_cardinality};

/// Event names that are listed at most; the rest is counted.
pub const MOST_NAMES: usize = 2_000;
/// Properties that are listed at most; the rest is counted.
pub const MOST_PROPERTIES: usize = 5_000;
/// Names that differ in numbers and ids only, from which on they are called generated.
pub const GENERATED: usize = 20;
/// Local days of an event's volume.
pub const VOLUME_DAYS: i32 = 30;
/// Events that a sample holds at most.
pub const SAMPLE: u32 = 10_000;
/// Distinct values in a sample beyond which a property is of high cardinality.
pub const MOST_VALUES: u64 = 1_000;
/// Values in a sample from which on it matters that they are nearly all different.
pub const ENOUGH_VALUES: u64 = 100;
/// Values that are shown of each property.
pub const TOP_VALUES: u32 = 10;
/// The longest value that is shown or suggested, in characters.
pub const MAX_VALUE_CHARS: usize = 200;
