//! Who a person is: from what was seen of ids to the person behind an actor (a stored number).
//!
//! # Meaning
//!
//! - An event that names a device and a user is an [`Edge`]. What a server says about a pair is a [`Ruling`]: two
//!   users are one person, a device and a user are not, and so on. Both are [`Fact`]s, and facts form a set.
//! - A device is joined to its earliest user, by `(ts, user)`, unless a ruling parts them; users are joined by
//!   rulings. Of a person's devices the first [`MAX_DEVICES`] by `(ts, user, device)` are joined.
//! - An event belongs to the person of its user, else of its device, until a user *of another person* was seen on
//!   the device: from that instant on what names no user belongs to the device's [`Person::Fresh`].
//! - A device that was put apart from its earliest user, or came after the cap, falls to nobody else: its events
//!   are its own, and that user counts as one of another person.
//! - An id that stands in a user's place anywhere is a user, and edges that name it as a device say nothing: both
//!   would have the same number, and a device must not take a user's events along. The same text in both places of
//!   one event is no edge.
//! - [`Verdict::Part`] about two users undoes their own merge. Where another way joins them, they stay joined.
//! - An erased person's edges are [`Marker`]s. They join nobody and count as another person's user. The device keeps
//!   its name in a marker only where it was not the erased person's. Known by nothing in clear, it has no events
//!   from before: there is nothing to split.
//!
//! [`IdentityGraph`] keeps all that up to date and says, for each fact, whose events changed hands and from when
//! ([`Change`]); [`IdentityGraph::preview`] says it beforehand. Questions need the [`Overrides`] only. The twin is
//! [`super::oracle::Persons`].
//!
//! # Where it lives
//!
//! Tables, all keyed by project first:
//!
//! - `identity_edges (device, user, ts)`, the earliest `ts` winning (`SimpleAggregateFunction(min)`), ordered by
//!   device, with a projection by user. A set like `actor_days`: a batch inserts its distinct pairs, again when in
//!   doubt, and stays a pure function of its entries. A worker leaves out pairs that it wrote lately.
//! - `identity_rulings (pair, at, verdict, by)`, appended by the API and by aliases with a server key; never
//!   changed, so that it says who joined whom, and when. Those calls go through [`IdentityGraph::admit`].
//! - `identity_markers (device, user, ts, is_first, clear)`, salted; the latest `clear` wins.
//! - `person_map (actor, person, split, deleted, version)`: the rows of [`Overrides`] as they change. One row an
//!   actor, so SQL needs no ASOF join, but a plain left one `m` of the latest rows, and ([`fresh_of`])
//!   `if(m.actor = 0, e.actor, if(e.ts < m.split, m.person, bitXor(e.actor, 0x243f6a8885a308d3)))`.
//!   Older versions stay as long as answers of then may be asked for.
//! - `persons`: properties, first and last seen, keyed by [`Person::number`]; what [`Change::moves`] names is read
//!   again from the events.
//!
//! What is stored by (actor, day) gets its person by [`Override::over`] the day; of the few actors who were split on
//! that very day the events are read.
//!
//! Memory: the API and the worker that rebuilds days keep the [`Overrides`] of active projects, read whole once and
//! then by `version > seen` whenever the project's revision was raised. Nobody keeps a whole graph. To learn facts
//! it is enough to know every fact that names an id *around* what is around the facts' ids, where around an id are
//! the users seen on it, those joined to them, and the devices of all these. Markers are learned first: a later one
//! looks for its device among all.
//!
//! # From an edge to an answer
//!
//! One worker holds the lease of a project's identity. After a commit that brought new pairs it reads the facts
//! around around them, learns the new ones, writes the changed rows under the next version, queues the
//! [`affected_days`] for a rebuild and raises the project's revision; questions that come then use the new map:
//! four small statements after the batch, well under a second. Should it die before the last step, the next holder
//! finds pairs behind the version's mark and does the same again: facts are a set. Days that wait for their rebuild
//! are answered with [`bounds`]; days with plain actors since the last rebuild with [`bounds_of_actors`], and are
//! rebuilt again when they are over.
//!
//! An erasure asks [`IdentityGraph::erase`] for the person's ids, takes the events attributed to them through the
//! removal gate like any other, writes the markers, and only then deletes edges and rulings that name the person:
//! whoever dies in between leaves both, and a marker beside its edge changes nothing for others. Map rows of the
//! person go as changed rows whose old versions are deleted; `persons` rows go too.

mod change;
mod component;
mod effect;
mod erase;
mod fact;
mod graph;
mod learn;
mod marker;
mod overrides;
mod person;
mod preview;
mod table;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod effects;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod worlds;

pub use change::{Change, Move, Outcome};
pub use component::MAX_DEVICES;
pub use effect::{Bounds, affected_days, bounds, bounds_of_actors};
pub use erase::Erased;
pub use fact::{Edge, Fact, Id, Named, Pair, Refused, Ruling, Verdict, alias};
pub use graph::IdentityGraph;
pub use marker::{Marker, Salt, Salted};
pub use overrides::{NEVER, Override, Overrides, Runs};
pub use person::{Attribution, Person, fresh_of};
pub use preview::Preview;
