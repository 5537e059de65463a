//! Sessions by looking at all events of each person, device and id, one after the other.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::trend::clock::{Walked, walk};
use super::{People, fraction, wall_clock};
use crate::event::{Day, Event, Zone, actor_of};
use crate::metrics::session;
use crate::metrics::time::{Interval, Moment, TimeRange};
use crate::metrics::trend::{Compare, GroupKind};
use crate::metrics::visit::{
    Dimension, ListedSession, SessionGroup, SessionPage, SessionPlace, SessionsReport, SessionsSpec,
    VisitFigures, VisitPoint, VisitSpec, VisitsBefore, WebReport, WebRow, WebSpec, WebTable,
};

const MINUTE: i64 = 60_000;

/// Somebody's session: its events in total order.
#[derive(Clone, Debug)]
struct Visit<'a> {
    person: u64,
    events: Vec<&'a Event>,
}

impl Visit<'_> {
    fn start(&self) -> i64 {
        self.events[0].ts
    }

    fn duration(&self) -> i64 {
        self.events[self.events.len() - 1].ts - self.start()
    }

    fn views(&self) -> Vec<&Event> {
        let names = ["page_view", "pageview", "$pageview", "page"];
        let views = self
            .events
            .iter()
            .filter(|event| names.contains(&event.event.as_str()));
        views.copied().collect()
    }

    fn is_bounce(&self) -> bool {
        self.views().len() == 1 && self.duration() < 10_000
    }

    /// Its values: one, but of pages as many as it saw.
    fn values(&self, by: Dimension) -> Vec<Option<String>> {
        let set = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let bare = |host: &str| host.strip_prefix("www.").unwrap_or(host).to_owned();
        let (first, views) = (self.events[0], self.views());
        let one = match by {
            Dimension::Source if !first.utm_source.is_empty() => set(&first.utm_source),
            Dimension::Source if bare(&first.referrer_host) == bare(&first.host) => None,
            Dimension::Source => set(&bare(&first.referrer_host)),
            Dimension::Referrer => set(&first.referrer_host),
            Dimension::Medium => set(&first.utm_medium),
            Dimension::Campaign => set(&first.utm_campaign),
            Dimension::Page => {
                let pages: BTreeSet<_> = views.iter().map(|view| set(&view.path)).collect();
                return pages.into_iter().collect();
            }
            Dimension::EntryPage => views.first().and_then(|view| set(&view.path)),
            Dimension::ExitPage => views.last().and_then(|view| set(&view.path)),
            Dimension::Host => set(&first.host),
            Dimension::Country => set(&first.country),
            Dimension::Region => set(&first.region),
            Dimension::City => set(&first.city),
            Dimension::Device => set(&first.device),
            Dimension::Browser => set(&first.browser),
            Dimension::Os => set(&first.os),
        };
        vec![one]
    }
}

/// All sessions of a project that a question chooses, of all times.
fn chosen<'a>(spec: &VisitSpec, people: &People<'a>) -> Vec<Visit<'a>> {
    let properties = people.properties();
    let mut by_device: BTreeMap<(u64, &str, u64), Vec<&Event>> = BTreeMap::new();
    for event in people.events() {
        let whose = (people.person(event), event.device_id.as_str(), event.session);
        by_device.entry(whose).or_default().push(event);
    }
    let mut found: Vec<Visit> = Vec::new();
    for ((person, _, given), mut events) in by_device {
        events.sort_by_key(|event| (event.ts, event.seq, event.id));
        let mut last: Option<Visit> = None;
        for event in events {
            let goes_on = last.as_ref().is_some_and(|visit| {
                let before = visit.events[visit.events.len() - 1];
                let silent = given == 0 && event.ts - before.ts >= 30 * MINUTE;
                !silent && event.ts - visit.start() < 24 * 60 * MINUTE
            });
            match &mut last {
                Some(visit) if goes_on => visit.events.push(event),
                _ => {
                    found.extend(last.take());
                    last = Some(Visit {
                        person,
                        events: vec![event],
                    });
                }
            }
        }
        found.extend(last);
    }
    let of = |event: &Event| &properties[&people.person(event)];
    found.retain(|visit| {
        let first = visit.events[0];
        let some = visit
            .events
            .iter()
            .any(|event| spec.filter.matches(event, of(event)));
        let has = |by: Dimension, values: &Vec<Option<String>>| {
            visit.values(by).iter().any(|value| values.contains(value))
        };
        some && spec.first_filter.matches(first, of(first))
            && (!spec.with_page_view || !visit.views().is_empty())
            && spec.only.iter().all(|only| has(only.by, &only.values))
    });
    found
}

fn within<'v, 'a>(visits: &'v [Visit<'a>], range: TimeRange) -> Vec<&'v Visit<'a>> {
    visits
        .iter()
        .filter(|visit| range.contains(visit.start()))
        .collect()
}

fn figures(visits: &[&Visit]) -> VisitFigures {
    let people: BTreeSet<u64> = visits.iter().map(|visit| visit.person).collect();
    let views: usize = visits.iter().map(|visit| visit.views().len()).sum();
    let bounces = visits.iter().filter(|visit| visit.is_bounce()).count();
    let mut durations: Vec<i64> = visits.iter().map(|visit| visit.duration()).collect();
    durations.sort_unstable();
    let n = durations.len();
    let total: i64 = durations.iter().sum();
    VisitFigures {
        visitors: people.len() as u64,
        sessions: n as u64,
        views: views as u64,
        views_per_session: fraction(views, n),
        bounces: bounces as u64,
        bounce_rate: fraction(bounces, n),
        mean_duration_ms: (n > 0).then(|| total as f64 / n as f64),
        median_duration_ms: (n > 0).then(|| (durations[(n - 1) / 2] + durations[n / 2]) as f64 / 2.0),
    }
}

fn points(spec: &VisitSpec, zone: &Zone, now_ms: i64, visits: &[Visit]) -> Vec<VisitPoint> {
    let has_dates = !matches!(spec.interval, Interval::Hour | Interval::Minute);
    let interval = (spec.interval, spec.week_start);
    let current = walk(interval, zone, spec.range);
    let before = spec
        .compare
        .map(|compare| (compare, walk(interval, zone, compare.previous)));
    let of = |range: TimeRange, bucket: &Walked| {
        let part = TimeRange {
            from_ms: bucket.start.max(range.from_ms),
            to_ms: bucket.end.min(range.to_ms),
        };
        figures(&within(visits, part))
    };
    let point = |n: usize| {
        let bucket = &current[n];
        let beside = before.as_ref().and_then(|(compare, before)| {
            let same = beside(zone, compare, has_dates, &current, before, n)?;
            Some(of(compare.previous, &before[same]))
        });
        VisitPoint {
            start: Moment(bucket.start),
            date: has_dates.then(|| Day::from_date(bucket.date)),
            figures: of(spec.range, bucket),
            partial: bucket.start < spec.range.from_ms || bucket.end > spec.range.to_ms,
            is_final: bucket.end.min(spec.range.to_ms) <= now_ms,
            previous: beside,
        }
    };
    (0..current.len()).map(point).collect()
}

/// The bucket of the range before that stands beside one: by place, and hours of whole days by what the clock shows.
fn beside(
    zone: &Zone,
    compare: &Compare,
    has_dates: bool,
    current: &[Walked],
    before: &[Walked],
    n: usize,
) -> Option<usize> {
    if has_dates || !compare.by_date {
        return (n < before.len()).then_some(n);
    }
    let label = |buckets: &[Walked], n: usize| {
        let day = |n: usize| {
            let earlier = buckets.iter().filter(|other| other.date < buckets[n].date);
            earlier.map(|other| other.date).collect::<BTreeSet<_>>().len()
        };
        let time = |n: usize| wall_clock(zone, buckets[n].start).time();
        let repeated = (0..n)
            .filter(|m| day(*m) == day(n) && time(*m) == time(n))
            .count();
        (day(n), time(n), repeated)
    };
    (0..before.len()).find(|m| label(before, *m) == label(current, n))
}

fn previous(spec: &VisitSpec, visits: &[Visit]) -> Option<VisitsBefore> {
    let compare = spec.compare?;
    let counted = TimeRange {
        from_ms: compare.previous.from_ms,
        to_ms: compare.until_ms,
    };
    Some(VisitsBefore {
        from: Moment(compare.previous.from_ms),
        to: Moment(compare.previous.to_ms),
        until: Moment(compare.until_ms),
        total: figures(&within(visits, counted)),
    })
}

/// The web overview over a project's events.
pub fn web<'a>(spec: &WebSpec, zone: &Zone, now_ms: i64, events: impl Into<People<'a>>) -> WebReport {
    let people = &events.into();
    let all = chosen(&spec.visits, people);
    let visits = within(&all, spec.visits.range);
    let table = |by: Dimension| {
        let mut values: BTreeSet<(bool, Option<String>)> = BTreeSet::new();
        for visit in &visits {
            values.extend(visit.values(by).into_iter().map(|value| (value.is_none(), value)));
        }
        let row = |value: &Option<String>| {
            let having: Vec<&Visit> = visits
                .iter()
                .filter(|visit| visit.values(by).contains(value))
                .copied()
                .collect();
            let of = figures(&having);
            let seen = having.iter().flat_map(|visit| visit.views());
            let seen = seen
                .filter(|view| value.as_deref().unwrap_or("") == view.path)
                .count();
            WebRow {
                value: value.clone(),
                visitors: of.visitors,
                visits: of.sessions,
                views: if by == Dimension::Page {
                    seen as u64
                } else {
                    of.views
                },
                bounce_rate: of.bounce_rate,
                mean_duration_ms: of.mean_duration_ms,
            }
        };
        let mut rows: Vec<WebRow> = values.iter().map(|(_, value)| row(value)).collect();
        // Stable: ties stay by text, missing last.
        rows.sort_by_key(|row| Reverse((row.visitors, row.visits)));
        rows.truncate(spec.table_rows as usize);
        WebTable {
            by,
            values: values.len() as u64,
            rows,
        }
    };
    WebReport {
        interval: spec.visits.interval,
        bounce: "one page view and under 10 seconds".to_owned(),
        page_views: ["page_view", "pageview", "$pageview", "page"]
            .map(str::to_owned)
            .to_vec(),
        total: figures(&visits),
        previous: previous(&spec.visits, &all),
        points: points(&spec.visits, zone, now_ms, &all),
        tables: spec.tables.iter().map(|by| table(*by)).collect(),
    }
}

/// The sessions over a project's events.
pub fn sessions<'a>(
    spec: &SessionsSpec,
    zone: &Zone,
    now_ms: i64,
    events: impl Into<People<'a>>,
) -> SessionsReport {
    let people = &events.into();
    let all = chosen(&spec.visits, people);
    let visits = within(&all, spec.visits.range);
    SessionsReport {
        interval: spec.visits.interval,
        bounce: "one page view and under 10 seconds".to_owned(),
        page_views: ["page_view", "pageview", "$pageview", "page"]
            .map(str::to_owned)
            .to_vec(),
        total: figures(&visits),
        previous: previous(&spec.visits, &all),
        points: points(&spec.visits, zone, now_ms, &all),
        groups: spec
            .breakdown
            .map_or_else(Vec::new, |by| groups(spec, by, zone, now_ms, &all)),
        list: spec.list.map(|list| {
            let mut rows: Vec<(SessionPlace, &Visit)> =
                visits.iter().map(|visit| (place(visit), *visit)).collect();
            rows.sort_by_key(|(place, _)| *place);
            rows.retain(|(place, _)| list.after.is_none_or(|after| *place > after));
            let shown = &rows[..rows.len().min(list.limit)];
            SessionPage {
                total: visits.len() as u64,
                sessions: shown.iter().map(|(_, visit)| listed(visit)).collect(),
                next: shown
                    .last()
                    .filter(|_| rows.len() > shown.len())
                    .map(|(place, _)| place.cursor()),
            }
        }),
    }
}

fn groups(spec: &SessionsSpec, by: Dimension, zone: &Zone, now_ms: i64, all: &[Visit]) -> Vec<SessionGroup> {
    let count = |value: &Option<String>| {
        let visits = within(all, spec.visits.range);
        visits
            .iter()
            .filter(|visit| visit.values(by)[0] == *value)
            .count()
    };
    let mut values: BTreeSet<Option<String>> = BTreeSet::new();
    for visit in within(all, spec.visits.range) {
        values.extend(visit.values(by).into_iter().filter(Option::is_some));
    }
    let mut values: Vec<Option<String>> = values.into_iter().collect();
    values.sort_by_key(|value| Reverse(count(value)));
    values.truncate(spec.breakdown_limit as usize);
    let group = |kind: GroupKind, value: Option<String>| {
        let is_of = |visit: &&Visit| {
            let own = &visit.values(by)[0];
            match kind {
                GroupKind::Value => *own == value,
                GroupKind::None => own.is_none(),
                GroupKind::Other => own.is_some() && !values.contains(own),
            }
        };
        let of: Vec<Visit> = all.iter().filter(is_of).cloned().collect();
        let ranges = [
            Some(spec.visits.range),
            spec.visits.compare.map(|compare| compare.previous),
        ];
        let found = ranges
            .into_iter()
            .flatten()
            .any(|range| !within(&of, range).is_empty());
        found.then(|| SessionGroup {
            kind,
            value,
            total: figures(&within(&of, spec.visits.range)),
            previous: previous(&spec.visits, &of),
            points: points(&spec.visits, zone, now_ms, &of),
        })
    };
    let shown = values.iter().map(|value| group(GroupKind::Value, value.clone()));
    let rest = [GroupKind::None, GroupKind::Other].map(|kind| group(kind, None));
    shown.chain(rest).flatten().collect()
}

fn place(visit: &Visit) -> SessionPlace {
    let first = visit.events[0];
    SessionPlace {
        start_ms: Reverse(first.ts),
        person: visit.person,
        key: session::key(actor_of(&first.device_id), first.session),
    }
}

fn listed(visit: &Visit) -> ListedSession {
    let of = |by: Dimension| visit.values(by)[0].clone();
    ListedSession {
        actor: format!("{:016x}", visit.person),
        distinct_id: None,
        start: Moment(visit.start()),
        duration_ms: visit.duration().unsigned_abs(),
        events: visit.events.len() as u64,
        views: visit.views().len() as u64,
        bounce: visit.is_bounce(),
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
