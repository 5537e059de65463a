//! Small random worlds: few people, few names, few seconds, so that ties, overlaps and copies are common.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use uuid::Uuid;

use crate::event::{Event, ProjectNumber, Zone, flag};
use crate::metrics::funnel::{FunnelReport, FunnelSpec, FunnelStep, FunnelTally, StepEvent};

/// The same worlds every time, so that a test run can be repeated.
pub fn seeded(worlds: u32) -> ProptestConfig {
    ProptestConfig {
        cases: worlds,
        rng_seed: RngSeed::Fixed(20_111_230),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Zones whose clocks do remarkable things, each with an instant just before one of them.
pub const TRANSITIONS: [(&str, &str); 10] = [
    ("Europe/Berlin", "2026-03-27T12:00:00Z"),
    ("Europe/Berlin", "2026-10-23T12:00:00Z"),
    ("Australia/Sydney", "2026-04-03T12:00:00Z"),
    ("Australia/Sydney", "2026-10-02T12:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-03T12:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-02T12:00:00Z"),
    ("Asia/Kathmandu", "2024-02-27T12:00:00Z"),
    ("Pacific/Apia", "2011-12-28T12:00:00Z"),
    ("America/Santiago", "2024-09-06T12:00:00Z"),
    ("UTC", "2025-12-30T12:00:00Z"),
];

/// One of [`TRANSITIONS`].
pub fn transition() -> impl Strategy<Value = (Zone, i64)> {
    prop::sample::select(TRANSITIONS.to_vec()).prop_map(|(zone, at)| {
        let at: jiff::Timestamp = at.parse().unwrap();
        (Zone::parse(zone).unwrap(), at.as_millisecond())
    })
}

/// An event with everything that metrics look at.
pub fn event(person: &str, name: &str, ts: i64, seq: u32, id: u128) -> Event {
    Event {
        project: ProjectNumber(1),
        event: name.to_owned(),
        ts,
        seq,
        id: Uuid::from_u128(id),
        received_at: ts,
        distinct_id: person.to_owned(),
        device_id: String::new(),
        user_id: person.to_owned(),
        session: 0,
        path: String::new(),
        host: String::new(),
        referrer_host: String::new(),
        utm_source: String::new(),
        utm_medium: String::new(),
        utm_campaign: String::new(),
        country: String::new(),
        region: String::new(),
        city: String::new(),
        browser: String::new(),
        os: String::new(),
        device: String::new(),
        lib: String::new(),
        amount: 0.0,
        currency: String::new(),
        props: "{}".to_owned(),
        flags: if name == "$identify" {
            flag::NOT_ACTIVITY
        } else {
            0
        },
        local_day: crate::event::Day::of_utc(ts),
    }
}

/// Events at the given times, of 1 to `people` people; ids are in no order, and some events come twice.
pub fn events(
    people: usize,
    count: std::ops::Range<usize>,
    times: impl Strategy<Value = i64> + Clone,
) -> impl Strategy<Value = Vec<Event>> {
    let names = prop::sample::select(vec!["A", "A", "B", "B", "C", "D", "$identify"]);
    let one = (
        0..people,
        names,
        times,
        0..3_u32,
        any::<u64>(),
        prop::bool::weighted(0.1),
    );
    prop::collection::vec(one, count).prop_map(|drawn| {
        let mut events = Vec::new();
        for (n, (person, name, ts, seq, id, twice)) in drawn.into_iter().enumerate() {
            let id = u128::from(id) << 64 | n as u128;
            let event = event(&format!("p{person}"), name, ts, seq, id);
            events.extend(twice.then(|| event.clone()));
            events.push(event);
        }
        events
    })
}

/// Two people within 13 seconds, half of the events on whole seconds.
pub fn seconds() -> impl Strategy<Value = Vec<Event>> {
    let times = prop_oneof![(0..13_i64).prop_map(|s| s * 1_000), 0..13_000_i64];
    events(2, 1..16, times.boxed())
}

/// Funnels of 2 to 4 steps over A, B, C with a window of a few seconds.
pub fn funnel_spec() -> impl Strategy<Value = FunnelSpec> {
    let names = prop::sample::subsequence(vec!["A", "B", "C"], 1..=2);
    let steps = prop::collection::vec(names, 2..=4);
    (steps, 1..=9_i64, 0..=3_i64, 6..=14_i64).prop_map(|(steps, window, from, to)| FunnelSpec {
        steps: steps
            .into_iter()
            .map(|names| FunnelStep {
                events: names.into_iter().map(str::to_owned).collect(),
                name: None,
            })
            .collect(),
        window_ms: window * 1_000,
        from_ms: from * 1_000,
        to_ms: to * 1_000,
    })
}

/// The rows that the store would stream, in the facts' range, each person's in total order; and, which the store
/// would not send, every other event under the index 0.
pub fn step_events(spec: &FunnelSpec, events: &[Event]) -> BTreeMap<u64, Vec<StepEvent>> {
    let names = spec.event_names();
    let index = |event: &Event| {
        names
            .iter()
            .position(|name| *name == event.event)
            .map_or(0, |i| i as u8 + 1)
    };
    let mut persons: BTreeMap<u64, Vec<StepEvent>> = BTreeMap::new();
    for event in events
        .iter()
        .filter(|event| spec.facts_range().contains(event.ts))
    {
        persons.entry(event.actor()).or_default().push(StepEvent {
            ts: event.ts,
            seq: event.seq,
            id: event.id.as_u128(),
            name_index: index(event),
        });
    }
    for events in persons.values_mut() {
        events.sort_unstable();
    }
    persons
}

/// The fast path's funnel, by either way of feeding it.
pub fn tally(spec: &FunnelSpec, now_ms: i64, events: &[Event]) -> FunnelReport {
    let persons = step_events(spec, events);
    let (mut whole, mut streamed) = (FunnelTally::new(spec), FunnelTally::new(spec));
    for (person, events) in &persons {
        whole.add_person(events);
        for event in events {
            streamed.push(*person, event);
        }
    }
    let report = whole.finish(now_ms);
    assert_eq!(report, streamed.finish(now_ms), "a stream of rows means the same");
    report
}
