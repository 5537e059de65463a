//! A selection of events as a condition, and whom they count for.

use super::filter::{Bind, condition, value};
use crate::event::flag;
use crate::metrics::filter::Property;
use crate::metrics::selection::Selection;

/// The selection as a boolean over the columns of `events`. `{project:UInt32}` has to be bound.
pub(super) fn selected(selection: &Selection, bind: &mut Bind) -> String {
    let named = match selection.events.as_slice() {
        [] => format!("bitAnd(flags, {}) = 0", bind.integer(flag::NOT_ACTIVITY.into())),
        names => format!("event IN {}", bind.texts(names)),
    };
    match selection.filter.is_everything() {
        true => named,
        false => format!("({named} AND {})", condition(&selection.filter, bind)),
    }
}

/// Whom an event counts for, as a number over the columns of `people`: its person, or the value that stands for a group.
/// Events without the value have to be left out by what they are selected by. Do not call it `person` in a statement:
/// conditions about persons mean the column.
pub(super) fn entity(group: Option<&Property>, bind: &mut Bind) -> String {
    match group {
        Some(property) => format!("xxh3(assumeNotNull({}))", value(property, bind)),
        None => "person".to_owned(),
    }
}
