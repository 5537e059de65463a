//! What is known of persons and groups: the properties that events write, folded.
//!
//! # Meaning
//!
//! - An event writes properties of whoever did it: `$set` (a value), `$set_once` (a value that gives way to any
//!   `$set`), `$unset` (names), `$add` (numbers). `$group_set` and its kin with `$group_type` and `$group_key` write
//!   properties of a group, by the same rules. `$groups` names the groups that an event belongs to: type and key.
//! - Writes are put in order by `(ts, id)` of their events ([`Position`]). Within one event: `set_once`, `set`,
//!   `unset`, `add`.
//! - The *base* is the latest `set`, else the earliest `set_once`. An `unset` at or after the base takes it away. What
//!   was added at or after both is added to the base, in order: to 0 where there is none, to nothing where the base is
//!   no number. What came before the base or the `unset` is gone with what was before.
//! - So a property that was set once and then unset comes back with a `set` or an `add`, never with another
//!   `set_once`: that one was not the earliest.
//! - A null is a value like any other: it makes the property missing, and a `set_once` does not fill it.
//!
//! All of it is a set of writes: neither their order of arrival nor copies matter. [`Record`] is what has to be kept
//! of them; records of one property are merged like the writes they came from.

mod query;
mod record;
mod report;
mod write;

#[cfg(test)]
mod properties;

pub use query::{MAX_FOUND, PersonOrder, PersonPlace, PersonsQuery, PersonsSpec, SEARCHED};
pub use record::{Record, Stored};
pub use report::{GroupKey, KnownId, KnownProperty, PersonProfile, PersonRow, PersonsReport};
pub use write::{GROUP_MARKS, Op, Owner, PERSON_MARKS, Position, Write, Written};
