//! The report of a web overview.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::figures::{Layout, Sums};
use super::{
    BOUNCE, Chunk, Columns, Dimension, PAGE_VIEWS, Session, VisitFigures, VisitPoint, VisitsBefore, WebSpec,
};
use crate::event::Zone;
use crate::metrics::time::Interval;

/// The visits of a range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebReport {
    /// Width of a point.
    pub interval: Interval,
    /// What counts as a bounce, in words.
    #[schema(example = "one page view and under 10 seconds")]
    pub bounce: String,
    /// The names of events that count as page views.
    pub page_views: Vec<String>,
    /// The whole range. `sessions` are visits.
    pub total: VisitFigures,
    /// The range before, where it is compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<VisitsBefore>,
    /// Each bucket that the range touches.
    pub points: Vec<VisitPoint>,
    /// As asked for.
    pub tables: Vec<WebTable>,
}

/// The visits by value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebTable {
    /// By what.
    pub by: Dimension,
    /// How many values there are, a missing one included.
    pub values: u64,
    /// The values with the most visitors, then visits; ties by text, missing last.
    pub rows: Vec<WebRow>,
}

/// The visits with one value. Of `page`: those that saw it, and the views of this page only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "value": "search.example", "visitors": 201, "visits": 244, "views": 690, "bounce_rate": 0.41, "mean_duration_ms": 81230.0
}))]
pub struct WebRow {
    /// The value; null where it is missing ("Direct / None" of sources).
    pub value: Option<String>,
    /// Distinct persons.
    pub visitors: u64,
    /// Visits.
    pub visits: u64,
    /// Page views.
    pub views: u64,
    /// The share of visits with one page view and under 10 seconds.
    pub bounce_rate: Option<f64>,
    /// The mean of last minus first event.
    pub mean_duration_ms: Option<f64>,
}

impl WebReport {
    /// The report; the tables are made elsewhere ([`WebTable::of`]), so that they can be made side by side.
    pub fn new(
        spec: &WebSpec,
        zone: &Zone,
        now_ms: i64,
        chunks: &[Chunk],
        tables: Vec<WebTable>,
    ) -> WebReport {
        let visits = &spec.visits;
        let layout = Layout::new(visits, zone);
        let mut laid = layout.nothing();
        for session in chunks.iter().flat_map(|chunk| &chunk.sessions) {
            layout.add(visits, session, &mut laid);
        }
        let (total, points, previous) = layout.report(visits, now_ms, laid);
        WebReport {
            interval: visits.interval,
            bounce: BOUNCE.to_owned(),
            page_views: PAGE_VIEWS.map(str::to_owned).to_vec(),
            total,
            previous,
            points,
            tables,
        }
    }
}

impl WebTable {
    /// One of the tables.
    pub fn of(spec: &WebSpec, by: Dimension, chunks: &[Chunk], columns: &Columns) -> WebTable {
        let mut sums = OfTexts::new(columns.texts.len());
        let of_range = |session: &&Session| spec.visits.range.contains(session.start_ms);
        let mut seen: Vec<u32> = Vec::new();
        for chunk in chunks {
            for session in chunk.sessions.iter().filter(of_range) {
                if by != Dimension::Page {
                    sums.of(session.value(by, chunk, columns)).add(session);
                    continue;
                }
                seen.clear();
                seen.extend(session.pages(chunk));
                seen.sort_unstable();
                for views in seen.chunk_by(|a, b| a == b) {
                    sums.of(views[0]).views(session, views.len() as u32);
                }
            }
        }
        let mut found = sums.found;
        let rank = |(number, sums): &(u32, Sums)| {
            let text = columns.texts.text(*number);
            let most = std::cmp::Reverse((sums.visitors(), sums.sessions()));
            (most, text.is_none(), text)
        };
        let values = found.len() as u64;
        found.sort_unstable_by(|a, b| rank(a).cmp(&rank(b)));
        found.truncate(spec.table_rows as usize);
        let row = |(number, sums): (u32, Sums)| {
            let figures = sums.figures();
            WebRow {
                value: columns.texts.text(number).map(str::to_owned),
                visitors: figures.visitors,
                visits: figures.sessions,
                views: figures.views,
                bounce_rate: figures.bounce_rate,
                mean_duration_ms: figures.mean_duration_ms,
            }
        };
        WebTable {
            by,
            values,
            rows: found.into_iter().map(row).collect(),
        }
    }
}

/// Sums of the texts that occur: of millions that a question may know, a table has some.
struct OfTexts {
    /// Of each text one more than its place among those that occur; 0: it does not.
    places: Vec<u32>,
    found: Vec<(u32, Sums)>,
}

impl OfTexts {
    fn new(texts: usize) -> OfTexts {
        OfTexts {
            places: vec![0; texts],
            found: Vec::new(),
        }
    }

    fn of(&mut self, number: u32) -> &mut Sums {
        let place = &mut self.places[number as usize];
        if *place == 0 {
            self.found.push((number, Sums::default()));
            *place = self.found.len() as u32;
        }
        &mut self.found[*place as usize - 1].1
    }
}
