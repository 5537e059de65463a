//! The numbers of some sessions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Session, VisitSpec};
use crate::event::{Day, Zone};
use crate::metrics::rate;
use crate::metrics::time::{Bucket, Moment, bucket_of};

/// What some sessions come to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "visitors": 812, "sessions": 1043, "views": 3120, "views_per_session": 2.99, "bounces": 391, "bounce_rate": 0.375,
    "mean_duration_ms": 94210.5, "median_duration_ms": 31000.0
}))]
pub struct VisitFigures {
    /// Distinct persons.
    pub visitors: u64,
    /// Sessions; in a web overview visits.
    pub sessions: u64,
    /// Page views.
    pub views: u64,
    /// Page views per session; null without sessions. So for all below.
    pub views_per_session: Option<f64>,
    /// Sessions with one page view and under 10 seconds.
    pub bounces: u64,
    /// Bounces per session.
    pub bounce_rate: Option<f64>,
    /// The mean of last minus first event.
    pub mean_duration_ms: Option<f64>,
    /// The middle value, or the mean of the two middle ones.
    pub median_duration_ms: Option<f64>,
}

/// The sessions that begin in one bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VisitPoint {
    /// The bucket's first instant.
    #[schema(value_type = String, format = DateTime)]
    pub start: Moment,
    /// The local date that a day starts, or a week's or month's first; hours and minutes have none.
    #[schema(value_type = Option<String>, format = Date)]
    pub date: Option<Day>,
    /// Its numbers.
    #[serde(flatten)]
    pub figures: VisitFigures,
    /// Whether the range covers only a part of the bucket.
    pub partial: bool,
    /// Whether it is over. Sessions that were under way at its end may go on for up to 24 hours.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Those of the bucket of the range before that stands beside it; absent without comparison, or where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<VisitFigures>,
}

/// The range before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VisitsBefore {
    /// Its first instant.
    #[schema(value_type = String, format = DateTime)]
    pub from: Moment,
    /// The instant after its last.
    #[schema(value_type = String, format = DateTime)]
    pub to: Moment,
    /// Up to where `total` counts: while the range is open, the same minute of the range before.
    #[schema(value_type = String, format = DateTime)]
    pub until: Moment,
    /// What it came to until then.
    pub total: VisitFigures,
}

/// Sessions as they are added up, person by person.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    visitors: u64,
    sessions: u64,
    views: u64,
    bounces: u64,
    duration_ms: u64,
    /// Who was counted last.
    last: u64,
    /// Every duration, where the median is asked for.
    durations: Vec<u32>,
}

impl Sums {
    /// Adds a session. The sessions of a person come one after the other.
    pub(super) fn add(&mut self, session: &Session) {
        self.views(session, session.views);
    }

    /// The same with all durations kept.
    pub(super) fn add_with_median(&mut self, session: &Session) {
        self.add(session);
        self.durations.push(session.duration_ms);
    }

    /// Adds a session of which so many views count.
    pub(super) fn views(&mut self, session: &Session, views: u32) {
        if self.sessions == 0 || self.last != session.person {
            self.visitors += 1;
            self.last = session.person;
        }
        self.sessions += 1;
        self.views += u64::from(views);
        self.bounces += u64::from(session.is_bounce());
        self.duration_ms += u64::from(session.duration_ms);
    }

    /// How many sessions.
    pub(super) fn sessions(&self) -> u64 {
        self.sessions
    }

    /// How many persons.
    pub(super) fn visitors(&self) -> u64 {
        self.visitors
    }

    pub(super) fn figures(mut self) -> VisitFigures {
        let n = self.sessions;
        VisitFigures {
            visitors: self.visitors,
            sessions: n,
            views: self.views,
            views_per_session: rate(self.views, n),
            bounces: self.bounces,
            bounce_rate: rate(self.bounces, n),
            mean_duration_ms: rate(self.duration_ms, n),
            median_duration_ms: median(&mut self.durations),
        }
    }
}

fn median(durations: &mut [u32]) -> Option<f64> {
    if durations.is_empty() {
        return None;
    }
    let (middle, is_odd) = (durations.len() / 2, durations.len() % 2 == 1);
    let (below, upper, _) = durations.select_nth_unstable(middle);
    let upper = *upper;
    let lower = match below.iter().max() {
        Some(lower) if !is_odd => *lower,
        _ => upper,
    };
    Some((f64::from(lower) + f64::from(upper)) / 2.0)
}

/// The numbers of one group of sessions: of the range and its buckets, and of the range before.
pub(super) struct Layout {
    buckets: Vec<Bucket>,
    before: Vec<Bucket>,
    beside: Vec<Option<usize>>,
}

/// What one group of sessions came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Laid {
    total: Sums,
    points: Vec<Sums>,
    before: Sums,
    points_before: Vec<Sums>,
}

impl Laid {
    /// Whether there is a session in the range or in the one before.
    pub(super) fn is_something(&self) -> bool {
        let before = self.points_before.iter().any(|sums| sums.sessions > 0);
        self.total.sessions > 0 || before
    }
}

impl Layout {
    pub(super) fn new(spec: &VisitSpec, zone: &Zone) -> Layout {
        let buckets = spec.buckets(zone, spec.range);
        let before = spec
            .compare
            .map_or_else(Vec::new, |compare| spec.buckets(zone, compare.previous));
        let beside = spec.compare.map_or_else(Vec::new, |compare| {
            compare.beside(zone, spec.interval, &buckets, &before)
        });
        Layout {
            buckets,
            before,
            beside,
        }
    }

    /// No sessions.
    pub(super) fn nothing(&self) -> Laid {
        Laid {
            points: vec![Sums::default(); self.buckets.len()],
            points_before: vec![Sums::default(); self.before.len()],
            ..Laid::default()
        }
    }

    /// Adds a session to its range and bucket.
    pub(super) fn add(&self, spec: &VisitSpec, session: &Session, laid: &mut Laid) {
        let start = session.start_ms;
        match spec.side(start) {
            Some(true) => {
                laid.total.add_with_median(session);
                if let Some(bucket) = bucket_of(&self.buckets, start) {
                    laid.points[bucket].add_with_median(session);
                }
            }
            Some(false) => {
                if spec.compare.is_some_and(|compare| start < compare.until_ms) {
                    laid.before.add_with_median(session);
                }
                if let Some(bucket) = bucket_of(&self.before, start) {
                    laid.points_before[bucket].add_with_median(session);
                }
            }
            None => {}
        }
    }

    /// The numbers as they are reported.
    pub(super) fn report(
        &self,
        spec: &VisitSpec,
        now_ms: i64,
        laid: Laid,
    ) -> (VisitFigures, Vec<VisitPoint>, Option<VisitsBefore>) {
        let before: Vec<VisitFigures> = laid.points_before.into_iter().map(Sums::figures).collect();
        let points = self.buckets.iter().zip(laid.points).enumerate();
        let points = points.map(|(n, (bucket, sums))| VisitPoint {
            start: Moment(bucket.start),
            date: bucket.date,
            figures: sums.figures(),
            partial: bucket.start < spec.range.from_ms || spec.range.to_ms < bucket.end,
            is_final: bucket.end.min(spec.range.to_ms) <= now_ms,
            previous: self
                .beside
                .get(n)
                .copied()
                .flatten()
                .and_then(|at| before.get(at))
                .cloned(),
        });
        let previous = spec.compare.map(|compare| VisitsBefore {
            from: Moment(compare.previous.from_ms),
            to: Moment(compare.previous.to_ms),
            until: Moment(compare.until_ms),
            total: laid.before.figures(),
        });
        (laid.total.figures(), points.collect(), previous)
    }
}
