//! From a person's events to their sessions.

use super::{BOUNCE_MS, Columns, Dimension, Only, SessionPlace, VisitSpec};
use crate::metrics::session::{goes_on, surely_begins};

/// Bits of [`VisitEvent::flags`].
pub mod flag {
    /// It is a page view.
    pub const PAGE: u8 = 1;
    /// It passes the question's filter.
    pub const PASSES: u8 = 2;
    /// It passes the question's filter of first events.
    pub const PASSES_FIRST: u8 = 4;
    /// The client gave it the id of a session.
    pub const HAS_ID: u8 = 8;
}

/// What tells sessions of an event; its texts are in [`Columns`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VisitEvent {
    /// Who.
    pub person: u64,
    /// [`crate::metrics::session::key`] of device and given id.
    pub key: u64,
    /// Milliseconds since the facts began, and then (16 bits) the place in its batch: what orders a person's events.
    pub at: u64,
    /// Its row in [`Columns`].
    pub row: u32,
    /// Bits of [`flag`].
    pub flags: u8,
}

impl VisitEvent {
    /// Time and place in the batch (those beyond the 65,535th are told apart by ids).
    pub fn at(since_start_ms: u64, seq: u64) -> u64 {
        since_start_ms << 16 | seq.min(0xffff)
    }

    fn ms(&self) -> i64 {
        (self.at >> 16).cast_signed()
    }

    fn is(&self, bit: u8) -> bool {
        self.flags & bit != 0
    }
}

/// A session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose.
    pub person: u64,
    /// Device and given id.
    pub key: u64,
    /// The first event, UTC milliseconds.
    pub start_ms: i64,
    /// Last minus first event.
    pub duration_ms: u32,
    /// Its events.
    pub events: u32,
    /// Its page views.
    pub views: u32,
    /// The row of its first event in [`Columns`].
    pub(super) first: u32,
    /// Where its pages begin in [`Chunk::pages`].
    pub(super) pages: u32,
}

impl Session {
    /// One page view and short.
    pub fn is_bounce(&self) -> bool {
        self.views == 1 && i64::from(self.duration_ms) < BOUNCE_MS
    }

    /// Its place in lists.
    pub fn place(&self) -> SessionPlace {
        SessionPlace {
            start_ms: std::cmp::Reverse(self.start_ms),
            person: self.person,
            key: self.key,
        }
    }

    /// The paths of its page views, in order.
    pub fn pages<'a>(&self, chunk: &'a Chunk) -> &'a [u32] {
        let pages = self.pages as usize..(self.pages + self.views) as usize;
        chunk.pages.get(pages).unwrap_or_default()
    }

    /// The number of the value that tells it; of `page`, the first page.
    pub fn value(&self, by: Dimension, chunk: &Chunk, columns: &Columns) -> u32 {
        match by {
            Dimension::Source => columns.source(self.first),
            Dimension::Page | Dimension::EntryPage => self.pages(chunk).first().copied().unwrap_or(0),
            Dimension::ExitPage => self.pages(chunk).last().copied().unwrap_or(0),
            other => match other.columns() {
                [column, ..] => columns.number(*column, self.first),
                [] => 0,
            },
        }
    }
}

/// The sessions of some persons, one person's after the other's.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    /// Those that the question chooses.
    pub sessions: Vec<Session>,
    /// The paths of their page views.
    pub pages: Vec<u32>,
    /// Persons whose sessions may have begun before the facts: everything they ever did has to be read.
    pub restless: Vec<u64>,
    /// Persons whose events only ids put into order.
    pub unordered: Vec<u64>,
}

/// How events become sessions.
#[derive(Clone, Debug)]
pub struct Fold<'a> {
    spec: &'a VisitSpec,
    columns: &'a Columns,
    chosen: Chosen,
    since_ms: i64,
    is_all: bool,
}

impl<'a> Fold<'a> {
    /// `since_ms`: from where on events were read; `is_all`: nothing is before it.
    pub fn new(spec: &'a VisitSpec, columns: &'a Columns, since_ms: i64, is_all: bool) -> Fold<'a> {
        Fold {
            spec,
            columns,
            chosen: Chosen::new(spec, columns),
            since_ms,
            is_all,
        }
    }

    /// Adds the sessions of one person, whose events come by [`VisitEvent::key`] and then by [`VisitEvent::at`].
    pub fn person(&self, events: &[VisitEvent], chunk: &mut Chunk) {
        let (sessions, pages) = (chunk.sessions.len(), chunk.pages.len());
        for same in events.chunk_by(|a, b| a.key == b.key) {
            if let Err(aside) = self.of_key(same, chunk) {
                chunk.sessions.truncate(sessions);
                chunk.pages.truncate(pages);
                match aside {
                    Aside::Restless => chunk.restless.push(events[0].person),
                    Aside::Unordered => chunk.unordered.push(events[0].person),
                }
                return;
            }
        }
    }

    /// The sessions of one device and id.
    fn of_key(&self, events: &[VisitEvent], chunk: &mut Chunk) -> Result<(), Aside> {
        let has_id = events[0].is(flag::HAS_ID);
        let earliest = self.spec.earliest_ms() - self.since_ms;
        let (mut from, mut last, mut is_known) = (0, 0, self.is_all);
        for (n, event) in events.iter().enumerate() {
            let ms = event.ms();
            is_known |= surely_begins(last, ms, has_id);
            if !is_known && ms >= earliest {
                return Err(Aside::Restless);
            }
            if n > 0 && !goes_on(events[from].ms(), last, ms, has_id) {
                self.session(&events[from..n], chunk)?;
                from = n;
            }
            last = ms;
        }
        self.session(&events[from..], chunk)
    }

    fn session(&self, events: &[VisitEvent], chunk: &mut Chunk) -> Result<(), Aside> {
        let start_ms = self.since_ms + events[0].ms();
        let spec = self.spec;
        let is_wanted = spec.side(start_ms).is_some()
            && (spec.filter.is_everything() || events.iter().any(|event| event.is(flag::PASSES)))
            && (!spec.with_page_view || events.iter().any(|event| event.is(flag::PAGE)));
        if !is_wanted {
            return Ok(());
        }
        if events.windows(2).all(|pair| pair[0].at < pair[1].at) {
            self.add(start_ms, events, chunk);
            return Ok(());
        }
        let mut ordered = Vec::with_capacity(events.len());
        for event in events {
            ordered.push((event.at, self.columns.id(event.row), *event));
        }
        if ordered.iter().any(|(_, id, _)| id.is_none()) {
            if self.depends_on_ids(events) {
                return Err(Aside::Unordered);
            }
        } else {
            ordered.sort_unstable_by_key(|(at, id, _)| (*at, *id));
        }
        let ordered: Vec<VisitEvent> = ordered.into_iter().map(|(.., event)| event).collect();
        self.add(start_ms, &ordered, chunk);
        Ok(())
    }

    /// Whether the first event, or the first or last page view, is one of several with the same place.
    fn depends_on_ids(&self, events: &[VisitEvent]) -> bool {
        let same =
            |a: Option<&VisitEvent>, b: Option<&VisitEvent>| a.zip(b).is_some_and(|(a, b)| a.at == b.at);
        let views = || events.iter().filter(|event| event.is(flag::PAGE));
        let (mut first, mut last) = (views(), views());
        same(events.first(), events.get(1))
            || same(first.next(), first.next())
            || same(last.next_back(), last.next_back())
    }

    /// Adds a session whose events are in order, if the question chooses it.
    fn add(&self, start_ms: i64, events: &[VisitEvent], chunk: &mut Chunk) {
        let (first, last) = (events[0], events[events.len() - 1]);
        if !self.spec.first_filter.is_everything() && !first.is(flag::PASSES_FIRST) {
            return;
        }
        let pages = chunk.pages.len();
        let path = |event: &VisitEvent| self.columns.number(super::Column::Path, event.row);
        let views = events.iter().filter(|event| event.is(flag::PAGE));
        chunk.pages.extend(views.map(path));
        let session = Session {
            person: first.person,
            key: first.key,
            start_ms,
            duration_ms: (last.ms() - first.ms()) as u32,
            events: events.len() as u32,
            views: (chunk.pages.len() - pages) as u32,
            first: first.row,
            pages: pages as u32,
        };
        if self.chosen.takes(&session, chunk, self.columns) {
            chunk.sessions.push(session);
        } else {
            chunk.pages.truncate(pages);
        }
    }
}

/// Sessions that have one of the values of each `only`.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    only: Vec<(Dimension, Vec<u32>)>,
}

impl Chosen {
    /// Those of a question; `columns` know the texts.
    pub(super) fn new(spec: &VisitSpec, columns: &Columns) -> Chosen {
        let numbers = |only: &Only| {
            let number = |value: &Option<String>| match value {
                Some(text) => columns.texts.find(text),
                None => Some(0),
            };
            (only.by, only.values.iter().filter_map(number).collect())
        };
        Chosen {
            only: spec.only.iter().map(numbers).collect(),
        }
    }

    /// Whether the session is one of them.
    pub(super) fn takes(&self, session: &Session, chunk: &Chunk, columns: &Columns) -> bool {
        let has = |by: Dimension, numbers: &[u32]| match by {
            Dimension::Page => session.pages(chunk).iter().any(|page| numbers.contains(page)),
            other => numbers.contains(&session.value(other, chunk, columns)),
        };
        self.only.iter().all(|(by, numbers)| has(*by, numbers))
    }
}

/// Why a person is put aside.
enum Aside {
    Restless,
    Unordered,
}
