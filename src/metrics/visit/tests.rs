//! Sessions as they come from events, beside the naive twin.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::event::{Event, Zone, actor_of};
use crate::metrics::filter;
use crate::metrics::oracle::{self, People, worlds};
use crate::metrics::session;
use crate::metrics::turning::Turning;

const MINUTE: i64 = 60_000;

/// Everything that is read of the events of `spec`, in the order in which the store sends it or in another.
fn chunks(
    spec: &VisitSpec,
    columns: &mut Columns,
    people: &People,
    // Those who are read again, of all time and with ids.
    again: Option<&[u64]>,
) -> Vec<Chunk> {
    let (with_ids, is_all) = (again.is_some(), again.is_some());
    let facts = spec.facts_range();
    let since_ms = if is_all { 0 } else { facts.from_ms };
    let properties = people.properties();
    let mut persons: BTreeMap<u64, Vec<VisitEvent>> = BTreeMap::new();
    // In two parts, as if two threads had read them.
    let (first, mut parts) = (columns.parts(), [ColumnPart::default(), ColumnPart::default()]);
    let wanted = |event: &&&Event| again.is_none_or(|again| again.contains(&people.person(event)));
    for (n, event) in people.events().iter().filter(wanted).enumerate() {
        let part = &mut parts[n % 2];
        if !(since_ms..facts.to_ms).contains(&event.ts) {
            continue;
        }
        let whose = people.person(event);
        let person = &properties[&whose];
        let is_page = PAGE_VIEWS.contains(&event.event.as_str());
        let bits = [
            (is_page, flag::PAGE),
            (spec.filter.matches(event, person), flag::PASSES),
            (spec.first_filter.matches(event, person), flag::PASSES_FIRST),
            (event.session != 0, flag::HAS_ID),
        ];
        let row = Columns::row(first + n % 2, part.rows());
        for (column, text) in [
            (Column::Path, if is_page { &event.path } else { "" }),
            (Column::Host, &event.host),
            (Column::ReferrerHost, &event.referrer_host),
            (Column::UtmSource, &event.utm_source),
            (Column::UtmMedium, &event.utm_medium),
            (Column::UtmCampaign, &event.utm_campaign),
            (Column::Country, &event.country),
            (Column::Region, &event.region),
            (Column::City, &event.city),
            (Column::Device, &event.device),
            (Column::Browser, &event.browser),
            (Column::Os, &event.os),
        ] {
            let number = columns.texts.number(text);
            part.extend(column, [number].into_iter());
        }
        if with_ids {
            part.extend_ids(&[event.id.as_u128()]);
        }
        part.complete(1);
        persons.entry(whose).or_default().push(VisitEvent {
            person: whose,
            key: session::key(actor_of(&event.device_id), event.session),
            at: VisitEvent::at((event.ts - since_ms).unsigned_abs(), event.seq.into()),
            row,
            flags: bits.iter().filter(|(has, _)| *has).map(|(_, bit)| bit).sum(),
        });
    }
    for part in parts {
        columns.add(part);
    }
    columns.settle();
    let fold = Fold::new(spec, columns, since_ms, is_all);
    let mut chunks = vec![Chunk::default(), Chunk::default()];
    for (n, mut events) in persons.into_values().enumerate() {
        events.sort_by_key(|event| (event.key, event.at));
        fold.person(&events, &mut chunks[n % 2]);
    }
    chunks
}

/// The sessions of all, as they are gathered: who is put aside is read again.
fn gathered(spec: &VisitSpec, events: &[Event]) -> (Vec<Chunk>, Columns) {
    let mut columns = Columns::default();
    let people = People::from(events);
    let mut found = chunks(spec, &mut columns, &people, None);
    let aside: Vec<u64> = found
        .iter()
        .flat_map(|chunk| chunk.restless.iter().chain(&chunk.unordered))
        .copied()
        .collect();
    let again = chunks(spec, &mut columns, &people, Some(&aside));
    assert!(
        again
            .iter()
            .all(|chunk| chunk.restless.is_empty() && chunk.unordered.is_empty())
    );
    found.extend(again);
    (found, columns)
}

/// Three people on two devices, with pages, sources and gaps of all lengths within three days.
fn visits() -> impl Strategy<Value = Vec<Event>> {
    let names = prop::sample::select(vec![
        "page_view",
        "page_view",
        "$pageview",
        "page",
        "A",
        "B",
        "$identify",
    ]);
    let gap = prop_oneof![
        Just(0),
        1..9_000_i64,
        9_000..11_000_i64,
        1..29 * MINUTE,
        (29 * MINUTE)..(31 * MINUTE),
        0..30 * 60 * MINUTE
    ];
    let one = (
        0..3_usize,
        names,
        gap,
        0..2_u32,
        any::<u64>(),
        0..3_u64,
        0..2_usize,
        prop::collection::vec(0..4_usize, 8),
    );
    prop::collection::vec(one, 1..30).prop_map(|drawn| {
        let mut ts = 40 * 24 * 60 * MINUTE;
        let mut events = Vec::new();
        for (n, (person, name, gap, seq, id, given, device, texts)) in drawn.into_iter().enumerate() {
            ts += gap;
            let mut event = worlds::event(
                &format!("p{person}"),
                name,
                ts,
                seq,
                u128::from(id) << 64 | n as u128,
            );
            event.session = given.saturating_sub(1);
            event.device_id = ["", "phone"][device].to_owned();
            let text = |n: usize, of: [&str; 4]| of[texts[n]].to_owned();
            event.path = text(0, ["/", "/a", "/b", ""]);
            event.host = text(1, ["shop.example", "www.shop.example", "shop.example", ""]);
            event.referrer_host = text(2, ["", "www.search.example", "search.example", "shop.example"]);
            event.utm_source = text(3, ["", "", "news", "search.example"]);
            event.utm_campaign = text(4, ["", "spring", "autumn", ""]);
            event.country = text(5, ["DE", "US", "", "DE"]);
            event.device = text(6, ["desktop", "mobile", "", ""]);
            event.props = text(7, ["{}", r#"{"p":"x"}"#, r#"{"p":"y"}"#, "{}"]);
            events.push(event);
        }
        events
    })
}

/// What all kinds ask.
fn spec() -> impl Strategy<Value = VisitSpec> {
    let interval = prop::sample::select(vec![
        Interval::Hour,
        Interval::Day,
        Interval::Week,
        Interval::Month,
    ]);
    let only = prop::sample::select(vec![
        None,
        None,
        None,
        Some((Dimension::Source, Some("search.example"))),
        Some((Dimension::Page, Some("/a"))),
        Some((Dimension::EntryPage, None)),
        Some((Dimension::Country, Some("DE"))),
        Some((Dimension::Campaign, Some("never"))),
    ]);
    let parts = (
        0..200_i64,
        1..200_i64,
        interval,
        prop::bool::ANY,
        prop::bool::ANY,
        only,
        0..4_u8,
    );
    parts.prop_map(
        |(from, hours, interval, with_page_view, compare, only, filtered)| {
            let from_ms = 40 * 24 * 60 * MINUTE + (from - 60) * 30 * MINUTE;
            let range = TimeRange {
                from_ms,
                to_ms: from_ms + hours * 30 * MINUTE,
            };
            let mut spec = VisitSpec::all(range);
            spec.interval = interval;
            spec.with_page_view = with_page_view;
            let now_ms = range.to_ms - 17 * MINUTE;
            spec.compare =
                compare.then(|| Compare::with_previous(range, spec.week_start, &Zone::utc(), now_ms));
            spec.only.extend(only.map(|(by, value)| Only {
                by,
                values: vec![value.map(str::to_owned), Some("unheard of".to_owned())],
            }));
            let is_x = || r#"{"property": "p", "value": "x"}"#;
            let is_page = || r#"{"event_name": true, "op": "in", "value": ["page_view", "A"]}"#;
            let parse = |text: &str| {
                let query: filter::FilterQuery = serde_json::from_str(text).unwrap();
                query.validate("", &Zone::utc(), &mut Vec::new())
            };
            if filtered == 1 {
                spec.filter = parse(is_x());
            }
            if filtered == 2 {
                spec.first_filter = parse(is_page());
            }
            spec
        },
    )
}

use crate::metrics::time::{Interval, TimeRange};
use crate::metrics::trend::Compare;

proptest! {
    #![proptest_config(worlds::seeded(worlds::count(600)))]

    #[test]
    fn a_web_overview_is_what_its_twin_says(events in visits(), visits in spec(), rows in 1..4_u32) {
        let zone = Zone::utc();
        let now_ms = visits.range.to_ms - 17 * MINUTE;
        let spec = WebSpec { visits, tables: EVERY.to_vec(), table_rows: rows };
        let (chunks, columns) = gathered(&spec.visits, &events);
        let tables = spec.tables.iter().map(|by| WebTable::of(&spec, *by, &chunks, &columns)).collect();
        let report = WebReport::new(&spec, &zone, now_ms, &chunks, tables);
        prop_assert_eq!(report, oracle::web(&spec, &zone, now_ms, &events));
    }

    #[test]
    fn sessions_are_what_their_twin_says(
        events in visits(), visits in spec(), by in prop::sample::select(EVERY.to_vec()), rows in 1..3_u32, limit in 1..5_usize,
    ) {
        let zone = Zone::utc();
        let now_ms = visits.range.to_ms - 17 * MINUTE;
        let list = SessionList { after: None, limit };
        let mut spec = SessionsSpec {
            visits, breakdown: Some(by).filter(|by| *by != Dimension::Page), breakdown_limit: rows, list: Some(list),
        };
        let (chunks, columns) = gathered(&spec.visits, &events);
        let mut listed = 0;
        loop {
            let report = SessionsReport::new(&spec, &zone, now_ms, &chunks, &columns);
            prop_assert_eq!(&report, &oracle::sessions(&spec, &zone, now_ms, &events));
            let page = report.list.unwrap();
            prop_assert_eq!(page.total, report.total.sessions, "a list is as long as its number");
            if !report.groups.is_empty() {
                let sum: u64 = report.groups.iter().map(|group| group.total.sessions).sum();
                prop_assert_eq!(sum, report.total.sessions);
            }
            let sum: u64 = report.points.iter().map(|point| point.figures.sessions).sum();
            prop_assert_eq!(sum, report.total.sessions);
            listed += page.sessions.len() as u64;
            let Some(next) = page.next else {
                prop_assert_eq!(listed, page.total);
                break;
            };
            spec.list = Some(SessionList { after: SessionPlace::of_cursor(&next), limit });
        }
    }
}

const EVERY: [Dimension; 14] = [
    Dimension::Source,
    Dimension::Referrer,
    Dimension::Medium,
    Dimension::Campaign,
    Dimension::Page,
    Dimension::EntryPage,
    Dimension::ExitPage,
    Dimension::Host,
    Dimension::Country,
    Dimension::Region,
    Dimension::City,
    Dimension::Device,
    Dimension::Browser,
    Dimension::Os,
];

/// The sessions of one visitor's page views, by path and second.
fn told(pages: &[(&str, i64)]) -> (VisitFigures, WebReport) {
    let at = 40 * 24 * 60 * MINUTE;
    let events: Vec<Event> = pages
        .iter()
        .zip(1..)
        .map(|((path, second), id)| {
            let mut event = worlds::event("ann", "page_view", at + second * 1000, 0, id);
            event.path = (*path).to_owned();
            event
        })
        .collect();
    let mut visits = VisitSpec::all(TimeRange {
        from_ms: at,
        to_ms: at + 24 * 60 * MINUTE,
    });
    visits.with_page_view = true;
    let spec = WebSpec {
        visits,
        tables: vec![Dimension::EntryPage, Dimension::ExitPage, Dimension::Page],
        table_rows: 10,
    };
    let (chunks, columns) = gathered(&spec.visits, &events);
    let tables = spec
        .tables
        .iter()
        .map(|by| WebTable::of(&spec, *by, &chunks, &columns))
        .collect();
    let report = WebReport::new(&spec, &Zone::utc(), at, &chunks, tables);
    (report.total.clone(), report)
}

#[test]
fn a_visit_of_one_page_is_a_bounce_and_the_next_one_half_an_hour_later_is_another() {
    let (total, report) = told(&[("/", 0), ("/", 1_800), ("/a", 1_809), ("/", 3_700)]);
    assert_eq!(
        (total.visitors, total.sessions, total.views, total.bounces),
        (1, 3, 4, 2)
    );
    assert_eq!(total.mean_duration_ms, Some(3_000.0));
    assert_eq!(total.median_duration_ms, Some(0.0));
    let rows = |n: usize| -> Vec<(&str, u64, u64)> {
        let rows = report.tables[n].rows.iter();
        rows.map(|row| (row.value.as_deref().unwrap_or("-"), row.visits, row.views))
            .collect()
    };
    assert_eq!(rows(0), [("/", 3, 4)]);
    assert_eq!(rows(1), [("/", 2, 2), ("/a", 1, 2)]);
    assert_eq!(rows(2), [("/", 3, 3), ("/a", 1, 1)]);
}

#[test]
fn cursors_come_back_as_they_went_and_others_are_refused() {
    let place = SessionPlace {
        start_ms: std::cmp::Reverse(1_795_428_900_123),
        person: u64::MAX,
        key: 7,
    };
    assert_eq!(SessionPlace::of_cursor(&place.cursor()), Some(place));
    for other in ["", "1-2", "1-2-3-4", "x-2-3", "1-2-g", "+1-2-3"] {
        assert_eq!(SessionPlace::of_cursor(other), None, "{other}");
    }
}

#[test]
fn between_two_turns_a_report_stays_as_it_is() {
    let zone = Zone::parse("Australia/Lord_Howe").unwrap();
    let mut now_ms = 1_775_300_000_000;
    let range = TimeRange {
        from_ms: now_ms,
        to_ms: now_ms + 30 * 60 * MINUTE,
    };
    let mut visits = VisitSpec::all(range);
    visits.interval = Interval::Hour;
    let (tables, table_rows) = (Vec::new(), 1);
    let spec = WebSpec {
        visits,
        tables,
        table_rows,
    };
    let report = |now_ms| WebReport::new(&spec, &zone, now_ms, &[], Vec::new());
    let mut turns = 0;
    while let Some(turn) = spec.next_turn(&zone, now_ms) {
        assert_eq!(report(now_ms), report(turn - 1));
        assert_ne!(report(turn - 1), report(turn));
        (now_ms, turns) = (turn, turns + 1);
    }
    assert!(turns >= 30 && report(now_ms) == report(now_ms + 400 * 24 * 60 * MINUTE));
}
