//! Visits: what came of sessions. How many there were, how long they took, how they began and ended, and where from.
//!
//! Sessions are those of [`super::session`]: derived once per person and device from all events, before filters and
//! ranges. A session belongs to the range and to the bucket of its *first* event and is read to its end, wherever
//! that lies.
//!
//! - **page view**: an event with one of the names in [`PAGE_VIEWS`].
//! - **visit**: of the web overview, a session with at least one page view. (A session without any, such as those of a
//!   server or of an application's background work, is a session but nobody saw a page.)
//! - **duration**: last minus first event.
//! - **bounce**: exactly one page view, and shorter than [`BOUNCE_MS`]. The rate is over all of the sessions.
//! - **entry** and **exit**: the paths of the first and of the last page view.
//! - **source**: where a session came from, told by its first event: `utm_source`, else the referrer's host without
//!   `www.`, else nothing, which dashboards call "Direct / None". A referrer on the event's own host is none: the session
//!   went on where an older one had fallen silent.
//! - **visitors**: distinct persons of the sessions, in each bucket and for each value anew, so neither adds up.
//!
//! # Choosing sessions
//!
//! A `filter` chooses the sessions of which at least one event passes, a `first_filter` those whose first event does,
//! and `only` those with one of some values of a [`Dimension`], as the tables show them. What is chosen is a
//! whole session: all of its events and page views count, also those that do not pass.
//!
//! # How it is computed
//!
//! Events come as narrow rows ([`VisitEvent`]) with their texts beside them as numbers ([`Columns`]). [`Fold`] makes
//! sessions of each person's, [`Chunk`] by [`Chunk`], and every report is read off the sessions.

mod columns;
mod dimension;
mod figures;
mod fold;
mod kept;
mod list;
mod query;
mod sessions;
mod spec;
#[cfg(test)]
mod tests;
mod web;

pub use columns::{Column, ColumnPart, Columns, Texts};
pub use dimension::Dimension;
pub use figures::{VisitFigures, VisitPoint, VisitsBefore};
pub use fold::{Chunk, Fold, Session, VisitEvent, flag};
pub use kept::Kept;
pub use list::{ListedSession, SessionListQuery, SessionPage, SessionPlace};
pub use query::{OnlyQuery, SessionsQuery, WebQuery};
pub use sessions::{SessionGroup, SessionsReport};
pub use spec::{Only, SessionList, SessionsSpec, VisitSpec, WebSpec};
pub use web::{WebReport, WebRow, WebTable};

/// The names of events that are page views: what our own SDK sends, Segment's and RudderStack's `page`, and PostHog's.
pub const PAGE_VIEWS: [&str; 4] = ["page_view", "pageview", "$pageview", "page"];

/// A session with one page view that took this long is no bounce.
pub const BOUNCE_MS: i64 = 10_000;

/// [`BOUNCE_MS`] in words, as answers state it.
pub const BOUNCE: &str = "one page view and under 10 seconds";

/// How far before a range events are read to find where its sessions began, in milliseconds: enough for everybody whose
/// id from the client was not in use for 24 hours before the range, and for everybody without one who was silent for
/// half an hour in two days. All events of the others are read.
pub const LOOK_BACK_MS: i64 = 2 * super::session::LONGEST_MS;

/// The most dimensions of one question's `only`.
pub const MAX_ONLY: usize = 10;
/// The most values of one of them.
pub const MAX_ONLY_VALUES: usize = 50;
/// How many values a table of the web overview shows unless told otherwise.
pub const DEFAULT_TABLE_ROWS: u32 = 10;
/// The most values that a table shows.
pub const MAX_TABLE_ROWS: u32 = 500;
/// How many sessions a page lists unless told otherwise.
pub const DEFAULT_LISTED: usize = 50;
/// The most sessions of a page.
pub const MAX_LISTED: usize = 500;
