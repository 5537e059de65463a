//! A selection of events as a condition.

use super::filter::{Bind, condition};
use crate::event::flag;
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
