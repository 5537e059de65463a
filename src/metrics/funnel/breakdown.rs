//! Which value of a property a chain stands for.

use super::Values;
use super::spec::Attribution;
use crate::metrics::funnel::matcher::Link;

/// A chain's place in a breakdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slice {
    /// A value, by its number in [`Values`].
    Value(u32),
    /// No event that was asked has the property.
    None,
    /// The optional step was not taken.
    Skipped,
    /// The chain did not come to the step.
    DidNotReach,
    /// Not the same value at every step.
    Mixed,
    /// Values beyond the limit.
    Other,
}

impl Slice {
    /// The slice of a chain, whose links are in order. `value` of an event by its place; 0: missing.
    pub fn of(attribution: Attribution, chain: &[Link], value: impl Fn(usize) -> u32) -> Slice {
        let value = |link: &Link| value(link.event);
        let known = |value: u32| {
            if value == 0 {
                Slice::None
            } else {
                Slice::Value(value)
            }
        };
        let mut values = chain.iter().map(&value).filter(|value| *value != 0);
        match attribution {
            Attribution::First => known(values.next().unwrap_or(0)),
            Attribution::Last => known(values.next_back().unwrap_or(0)),
            Attribution::Step(step) => match chain.iter().find(|link| link.step == step) {
                Some(link) => known(value(link)),
                None if chain.iter().any(|link| link.step > step) => Slice::Skipped,
                None => Slice::DidNotReach,
            },
            Attribution::All => {
                let first = chain.first().map_or(0, &value);
                match chain.iter().all(|link| value(link) == first) {
                    true => known(first),
                    false => Slice::Mixed,
                }
            }
        }
    }

    /// What it is called in the answer.
    pub fn label(self, values: &Values) -> String {
        match self {
            Slice::Value(number) => values.text(number).unwrap_or_default().to_owned(),
            Slice::None => "(none)".to_owned(),
            Slice::Skipped => "(skipped)".to_owned(),
            Slice::DidNotReach => "(did not reach)".to_owned(),
            Slice::Mixed => "(mixed)".to_owned(),
            Slice::Other => "Other".to_owned(),
        }
    }

    /// Whether it is a value, of which only the largest are shown.
    pub fn is_value(self) -> bool {
        matches!(self, Slice::Value(_))
    }
}
