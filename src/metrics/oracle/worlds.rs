//! Small random worlds: few people, few names, few seconds, so that ties, overlaps and copies are common.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use uuid::Uuid;

use crate::event::{Event, ProjectNumber, Zone, actor_of, flag};
use crate::metrics::filter::{PersonProperties, Property, value_of};
use crate::metrics::funnel::plan::mark;
use crate::metrics::funnel::spec::Alternative;
use crate::metrics::funnel::{
    FunnelReport, FunnelSpec, FunnelStep, FunnelTally, StepEvent, StepMark, Values,
};
use crate::metrics::oracle::People;
use crate::metrics::time::TimeRange;
use crate::metrics::trend::group_key;

/// The same worlds every time, so that a test run can be repeated.
pub fn seeded(worlds: u32) -> ProptestConfig {
    ProptestConfig {
        cases: worlds,
        rng_seed: RngSeed::Fixed(20_111_230),
        failure_persistence: None,
        max_global_rejects: worlds.saturating_mul(4).max(1_024),
        max_local_rejects: worlds.saturating_mul(16).max(65_536),
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

/// An instant or, of every third one, the start of its local day: what is over is over to the millisecond.
pub fn moment(zone: &Zone, ts: i64) -> i64 {
    match ts.div_euclid(900_000) % 3 {
        0 => zone.day_start(zone.local_day(ts)),
        _ => ts,
    }
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

/// Events at the given times, of 1 to `people` people; ids are in no order, and some events come twice. Some people
/// are known by a device first and say later who they are, and now and then the device is somebody else's.
pub fn events(
    people: usize,
    count: std::ops::Range<usize>,
    times: impl Strategy<Value = i64> + Clone,
) -> impl Strategy<Value = Vec<Event>> {
    let names = prop::sample::select(vec!["A", "A", "B", "B", "C", "D", "X", "$identify"]);
    let ids = prop_oneof![
        6 => Just((false, true)),
        1 => Just((true, false)),
        1 => Just((true, true)),
    ];
    let one = (
        (0..people, ids, prop::bool::weighted(0.15)),
        names,
        times,
        0..3_u32,
        any::<u64>(),
        prop::bool::weighted(0.1),
    );
    prop::collection::vec(one, count).prop_map(move |drawn| {
        let mut events = Vec::new();
        for (n, (who, name, ts, seq, id, twice)) in drawn.into_iter().enumerate() {
            let id = u128::from(id) << 64 | n as u128;
            let (person, (on_device, by_user), is_shared) = who;
            let device = format!("d{}", (person + usize::from(is_shared)) % people);
            let mut event = event(&format!("p{person}"), name, ts, seq, id);
            if on_device {
                event.device_id = device;
            }
            if !by_user {
                event.user_id.clear();
                event.distinct_id.clone_from(&event.device_id);
            }
            events.extend(twice.then(|| event.clone()));
            events.push(event);
        }
        events
    })
}

/// The same events, three of four for one of two companies.
pub fn for_companies(mut events: Vec<Event>) -> Vec<Event> {
    for event in &mut events {
        // A copy that is sent again says the same.
        let company = match event.id.as_u128() >> 64 & 3 {
            0 => continue,
            1 => "one",
            _ => "two",
        };
        event.props = serde_json::json!({"$groups": {"company": company}}).to_string();
    }
    events
}

/// What is counted: persons, or companies.
pub fn group() -> impl Strategy<Value = Option<Property>> {
    let company = Property::Event("$groups.company".to_owned());
    prop::sample::select(vec![None, None, Some(company)])
}

/// Whom an event counts for, by the number that the store gives them; nobody without a value.
pub fn number(people: &People<'_>, event: &Event, group: Option<&Property>) -> Option<u64> {
    match group {
        Some(group) => {
            let value = value_of(group, event, &PersonProperties::default())?;
            Some(group_key(&[Some(value)]))
        }
        None => Some(people.person(event)),
    }
}

/// How many worlds a test tries: `FOOTFALL_WORLDS`, as `make worlds` says it, else so many.
pub fn count(usual: u32) -> u32 {
    option_env!("FOOTFALL_WORLDS")
        .and_then(|text| text.parse().ok())
        .unwrap_or(usual)
}

/// The same events of people who are known by one id each: if one goes, the others are whose they were.
pub fn by_one_id(mut events: Vec<Event>) -> Vec<Event> {
    for event in &mut events {
        event.device_id.clear();
        event.user_id.clone_from(&event.distinct_id);
    }
    events
}

/// The same with values, sessions and devices.
pub fn rich() -> impl Strategy<Value = Vec<Event>> {
    let values = prop::collection::vec((0..4_u8, 0..3_u8, 0..3_u8, 0..2_u8), 32);
    (seconds(), values).prop_map(|(mut events, values)| {
        for (event, (p, g, session, device)) in events.iter_mut().zip(values.into_iter().cycle()) {
            // a copy that is sent again says the same
            let mut props = serde_json::Map::new();
            if p < 3 {
                props.insert("p".to_owned(), ["x", "y", "z"][usize::from(p)].into());
            }
            if g < 2 {
                props.insert("g".to_owned(), g.into());
            }
            event.props = serde_json::Value::Object(props).to_string();
            event.session = u64::from(session);
            if device == 1 && event.device_id.is_empty() {
                event.device_id = "phone".to_owned();
            }
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
    (steps, 1..=9_i64, 0..=3_i64, 6..=14_i64).prop_map(|(steps, window, from, to)| {
        let range = TimeRange {
            from_ms: from * 1_000,
            to_ms: to * 1_000,
        };
        let steps = steps.iter().map(|names| FunnelStep::of(names)).collect();
        FunnelSpec::plain(steps, window * 1_000, range)
    })
}

/// The events of each person (or group) that matter, in total order and marked, as the store would send them; and
/// every other event, which it would not.
pub fn step_events(spec: &FunnelSpec, events: &[Event]) -> (BTreeMap<u64, Vec<StepEvent>>, Values) {
    let mut values = Values::default();
    let people = People::from(events);
    let properties = people.properties();
    let mut persons: BTreeMap<u64, Vec<StepEvent>> = BTreeMap::new();
    let inside = people.events().iter();
    for event in inside.filter(|event| spec.facts_range().contains(event.ts)) {
        let number_of_person = people.person(event);
        let person = &properties[&number_of_person];
        let mut number = |property: &Property| values.number(value_of(property, event, person).as_deref());
        let mut held = [0; 3];
        for (held, property) in held.iter_mut().zip(&spec.hold) {
            *held = number(property);
        }
        let value = spec
            .breakdown
            .as_ref()
            .map_or(0, |breakdown| number(&breakdown.property));
        let owner = match &spec.group {
            Some(group) => {
                let number = number(group);
                values.group(number)
            }
            None => number_of_person,
        };
        if spec.group.is_some() && owner == 0 {
            continue;
        }
        persons.entry(owner).or_default().push(StepEvent {
            ts: event.ts,
            seq: event.seq,
            id: event.id.as_u128(),
            marks: marks(spec, event, person),
            session: event.session,
            device: actor_of(&event.device_id),
            held,
            value,
        });
    }
    for events in persons.values_mut() {
        events.sort_unstable_by_key(|event| (event.ts, event.seq, event.id));
    }
    (persons, values)
}

/// What an event is to a funnel, as the store's SQL says it.
fn marks(spec: &FunnelSpec, event: &Event, person: &PersonProperties) -> u32 {
    if !spec.filter.matches(event, person) {
        return 0;
    }
    let is_one_of = |alternatives: &[Alternative]| {
        let mut alternatives = alternatives.iter();
        alternatives.any(|one| one.event == event.event && one.filter.matches(event, person))
    };
    let steps = spec.steps.iter().enumerate();
    let steps = steps
        .filter(|(_, step)| is_one_of(&step.events))
        .map(|(i, _)| mark::step(i));
    let exclusions = spec.exclusions.iter().enumerate();
    let exclusions = exclusions
        .filter(|(_, exclusion)| is_one_of(&exclusion.events))
        .map(|(i, _)| mark::exclusion(i));
    let counts = if spec.ignore_events.contains(&event.event) {
        0
    } else {
        mark::COUNTS
    };
    steps.chain(exclusions).fold(counts, |marks, mark| marks | mark)
}

/// The fast path's funnel, in one tally or gathered by several.
pub fn tally(spec: &FunnelSpec, zone: &Zone, now_ms: i64, events: &[Event]) -> FunnelReport {
    let (persons, values) = step_events(spec, events);
    let mut whole = FunnelTally::new(spec, zone);
    let mut halves = [FunnelTally::new(spec, zone), FunnelTally::new(spec, zone)];
    for (n, (person, events)) in persons.iter().enumerate() {
        whole.add(*person, events);
        halves[n % 2].add(*person, events);
    }
    let report = whole.finish(&values, now_ms);
    let [mut one, other] = halves;
    one.absorb(other);
    assert_eq!(
        report,
        one.finish(&values, now_ms),
        "two tallies together mean the same"
    );
    if !spec.needs_ids() {
        let by_marks = tally_of_marks(spec, zone, &persons);
        assert_eq!(report, by_marks.finish(&values, now_ms), "marks mean the same");
    }
    report
}

/// The tally of persons who come as marks, and with ids only where nothing else tells the order.
fn tally_of_marks(spec: &FunnelSpec, zone: &Zone, persons: &BTreeMap<u64, Vec<StepEvent>>) -> FunnelTally {
    let mut tally = FunnelTally::new(spec, zone);
    for (person, events) in persons {
        let mark = |event: &StepEvent| {
            let (ts, place) = (event.ts.unsigned_abs(), event.seq.into());
            StepMark::new(*person, ts, place, event.marks, event.value)
        };
        let marks: Vec<StepMark> = events.iter().map(mark).collect();
        tally.add_marks(&marks);
    }
    for person in tally.take_put_aside() {
        tally.add(person, &persons[&person]);
    }
    tally
}
