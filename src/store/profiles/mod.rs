//! Persons and groups: who was seen, the properties that were written, and what questions read of both.
//!
//! `profiles`, `profile_properties` and `profile_adds` are sets that batches fill ([`crate::metrics::person`] says what
//! their rows mean), keyed by actor; whose an actor is says the override map when a question is asked. `fill` makes
//! the same rows from events that were stored before, or are left after a removal.

mod current;
mod fill;
mod groups;
mod list;
mod members;
mod timeline;

pub(super) use current::of_persons;
pub use fill::{Scope, Told, ToldEvents};
pub use groups::{GroupType, SeenGroup};
pub use list::{Listed, Search};
pub use members::{Member, Sight};
