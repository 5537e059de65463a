//! The report of sessions over time.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::figures::{Laid, Layout};
use super::{
    BOUNCE, Chunk, Columns, PAGE_VIEWS, SessionPage, SessionsSpec, VisitFigures, VisitPoint, VisitsBefore,
    list,
};
use crate::event::Zone;
use crate::metrics::time::Interval;
use crate::metrics::trend::GroupKind;

/// The sessions of a range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionsReport {
    /// Width of a point.
    pub interval: Interval,
    /// What counts as a bounce, in words.
    #[schema(example = "one page view and under 10 seconds")]
    pub bounce: String,
    /// The names of events that count as page views.
    pub page_views: Vec<String>,
    /// The whole range.
    pub total: VisitFigures,
    /// The range before, where it is compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<VisitsBefore>,
    /// Each bucket that the range touches.
    pub points: Vec<VisitPoint>,
    /// The values of the breakdown: the most sessions first, ties by text; then those without a value, then the rest.
    /// Sessions add up to the total, visitors need not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<SessionGroup>,
    /// The page of the list, if one is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<SessionPage>,
}

/// The sessions with one value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionGroup {
    /// Whether it is a value, a missing one or the rest.
    pub kind: GroupKind,
    /// The value; null where it is missing and of the rest.
    pub value: Option<String>,
    /// The whole range.
    pub total: VisitFigures,
    /// The range before, where it is compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<VisitsBefore>,
    /// Each bucket that the range touches.
    pub points: Vec<VisitPoint>,
}

impl SessionsReport {
    /// The report.
    pub fn new(
        spec: &SessionsSpec,
        zone: &Zone,
        now_ms: i64,
        chunks: &[Chunk],
        columns: &Columns,
    ) -> SessionsReport {
        let visits = &spec.visits;
        let layout = Layout::new(visits, zone);
        let mut laid = layout.nothing();
        for session in chunks.iter().flat_map(|chunk| &chunk.sessions) {
            layout.add(visits, session, &mut laid);
        }
        let (total, points, previous) = layout.report(visits, now_ms, laid);
        SessionsReport {
            interval: visits.interval,
            bounce: BOUNCE.to_owned(),
            page_views: PAGE_VIEWS.map(str::to_owned).to_vec(),
            total,
            previous,
            points,
            groups: groups(spec, &layout, now_ms, chunks, columns),
            list: spec.list.map(|list| list::page(visits, list, chunks, columns)),
        }
    }
}

/// What the number of a text is shown as.
const OTHER: usize = 0;
const NONE: usize = 1;

fn groups(
    spec: &SessionsSpec,
    layout: &Layout,
    now_ms: i64,
    chunks: &[Chunk],
    columns: &Columns,
) -> Vec<SessionGroup> {
    let Some(by) = spec.breakdown else {
        return Vec::new();
    };
    let visits = &spec.visits;
    let mut counts = vec![0_u64; columns.texts.len()];
    let all = || {
        let of = |chunk: &'_ Chunk| chunk.sessions.len();
        chunks
            .iter()
            .flat_map(move |chunk| (0..of(chunk)).map(move |n| (chunk, &chunk.sessions[n])))
    };
    for (chunk, session) in all() {
        if visits.range.contains(session.start_ms) {
            counts[session.value(by, chunk, columns) as usize] += 1;
        }
    }
    let mut ranked: Vec<u32> = (1..)
        .zip(&counts[1..])
        .filter(|(_, n)| **n > 0)
        .map(|(n, _)| n)
        .collect();
    ranked.sort_unstable_by_key(|n| (std::cmp::Reverse(counts[*n as usize]), columns.texts.text(*n)));
    ranked.truncate(spec.breakdown_limit as usize);
    let mut places = vec![OTHER; columns.texts.len()];
    places[0] = NONE;
    for (n, number) in ranked.iter().enumerate() {
        places[*number as usize] = n + 2;
    }
    let mut laid: Vec<Laid> = vec![layout.nothing(); ranked.len() + 2];
    for (chunk, session) in all() {
        let place = places[session.value(by, chunk, columns) as usize];
        layout.add(visits, session, &mut laid[place]);
    }
    let mut laid = laid.into_iter();
    let (other, none) = (laid.next(), laid.next());
    let texts = ranked.iter().map(|n| columns.texts.text(*n).map(str::to_owned));
    let values = texts.zip(laid).map(|(text, laid)| (GroupKind::Value, text, laid));
    let rest = [(GroupKind::None, none), (GroupKind::Other, other)];
    let rest = rest
        .into_iter()
        .filter_map(|(kind, laid)| Some((kind, None, laid?)));
    let group = |(kind, value, laid): (GroupKind, Option<String>, Laid)| {
        let is_shown = kind == GroupKind::Value || laid.is_something();
        let (total, points, previous) = layout.report(visits, now_ms, laid);
        is_shown.then_some(SessionGroup {
            kind,
            value,
            total,
            previous,
            points,
        })
    };
    values.chain(rest).filter_map(group).collect()
}
