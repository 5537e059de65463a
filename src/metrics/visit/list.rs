//! The sessions behind the numbers, page by page, the latest first.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Chunk, Columns, DEFAULT_LISTED, Dimension, MAX_LISTED, Session, SessionList, VisitSpec};
use crate::metrics::SpecError;
use crate::metrics::time::Moment;

/// A page of the list of sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"limit": 20}))]
pub struct SessionListQuery {
    /// How many, 1 to 500. Default: 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 500)]
    pub limit: Option<usize>,
    /// The page after this one: the `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A session's place in the list: by its beginning, the latest first; then by person and device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SessionPlace {
    /// When it began.
    pub start_ms: Reverse<i64>,
    /// The person's number.
    pub person: u64,
    /// [`super::super::session::key`] of device and given id.
    pub key: u64,
}

impl SessionPlace {
    /// As a cursor.
    pub fn cursor(self) -> String {
        format!("{}-{:x}-{:x}", self.start_ms.0, self.person, self.key)
    }

    /// From a cursor.
    pub fn of_cursor(cursor: &str) -> Option<SessionPlace> {
        let mut parts = cursor.split('-');
        let (start, person, key) = (parts.next()?, parts.next()?, parts.next()?);
        let number = |text| u64::from_str_radix(text, 16).ok();
        let place = SessionPlace {
            start_ms: Reverse(start.parse().ok()?),
            person: number(person)?,
            key: number(key)?,
        };
        (parts.next().is_none() && place.cursor() == cursor).then_some(place)
    }
}

impl SessionListQuery {
    /// The page that is wanted; what is wrong is added to `errors`.
    pub fn validate(&self, errors: &mut Vec<SpecError>) -> SessionList {
        let limit = self.limit.unwrap_or(DEFAULT_LISTED);
        if !(1..=MAX_LISTED).contains(&limit) {
            let detail = format!("a page lists 1 to {MAX_LISTED} sessions");
            errors.push(SpecError::new("/list/limit", "out_of_range", detail));
        }
        let after = self.cursor.as_deref().map(SessionPlace::of_cursor);
        if after == Some(None) {
            let detail = "this is no cursor of ours";
            errors.push(SpecError::new("/list/cursor", "invalid_cursor", detail));
        }
        SessionList {
            after: after.flatten(),
            limit,
        }
    }
}

/// Some of the sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionPage {
    /// How many there are on all pages: the number of sessions of the answer.
    pub total: u64,
    /// The latest first.
    pub sessions: Vec<ListedSession>,
    /// The next page's `cursor`; null on the last.
    pub next: Option<String>,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ListedSession {
    /// The person's number, in hexadecimal.
    pub actor: String,
    /// Who it was: an id under which the person's events came.
    pub distinct_id: Option<String>,
    /// Its first event.
    #[schema(value_type = String, format = DateTime)]
    pub start: Moment,
    /// Last minus first event.
    pub duration_ms: u64,
    /// Its events, page views included.
    pub events: u64,
    /// Its page views.
    pub views: u64,
    /// One page view and under 10 seconds.
    pub bounce: bool,
    /// The path of its first page view.
    pub entry_page: Option<String>,
    /// The path of its last page view.
    pub exit_page: Option<String>,
    /// Where it came from; null is "Direct / None".
    pub source: Option<String>,
    /// `utm_medium`.
    pub medium: Option<String>,
    /// `utm_campaign`.
    pub campaign: Option<String>,
    /// The country.
    pub country: Option<String>,
    /// The kind of device.
    pub device: Option<String>,
    /// The browser.
    pub browser: Option<String>,
    /// The operating system.
    pub os: Option<String>,
}

/// The page of the sessions of the range.
pub(super) fn page(spec: &VisitSpec, list: SessionList, chunks: &[Chunk], columns: &Columns) -> SessionPage {
    let of_range = |session: &&Session| spec.range.contains(session.start_ms);
    let all = chunks.iter().flat_map(|chunk| {
        chunk
            .sessions
            .iter()
            .filter(of_range)
            .map(move |session| (chunk, session))
    });
    let (mut total, mut found) = (0, Vec::new());
    for (chunk, session) in all {
        total += 1;
        let place = session.place();
        if list.after.is_none_or(|after| place > after) {
            found.push((place, chunk, session));
        }
    }
    // One more than the page has tells whether there is another.
    if found.len() > list.limit + 1 {
        found.select_nth_unstable_by_key(list.limit, |(place, ..)| *place);
        found.truncate(list.limit + 1);
    }
    found.sort_unstable_by_key(|(place, ..)| *place);
    let more = found.len() > list.limit;
    found.truncate(list.limit);
    let last = found.last().map(|(place, ..)| place.cursor());
    SessionPage {
        total,
        sessions: found
            .into_iter()
            .map(|(_, chunk, session)| listed(chunk, session, columns))
            .collect(),
        next: last.filter(|_| more),
    }
}

fn listed(chunk: &Chunk, session: &Session, columns: &Columns) -> ListedSession {
    let of = |by: Dimension| {
        let number = session.value(by, chunk, columns);
        columns.texts.text(number).map(str::to_owned)
    };
    ListedSession {
        actor: format!("{:016x}", session.person),
        distinct_id: None,
        start: Moment(session.start_ms),
        duration_ms: session.duration_ms.into(),
        events: session.events.into(),
        views: session.views.into(),
        bounce: session.is_bounce(),
        entry_page: of(Dimension::EntryPage),
        exit_page: of(Dimension::ExitPage),
        source: of(Dimension::Source),
        medium: of(Dimension::Medium),
        campaign: of(Dimension::Campaign),
        country: of(Dimension::Country),
        device: of(Dimension::Device),
        browser: of(Dimension::Browser),
        os: of(Dimension::Os),
    }
}
