//! Questions: the order of people's events, exact actives, tenants, limits, and names that bite.

use std::collections::BTreeSet;

use footfall::event::{Day, Event, ProjectNumber, Zone, actor_of};
use footfall::metrics::active::{ActiveSpec, ActiveUsersQuery};
use footfall::metrics::funnel::plan::mark;
use footfall::metrics::funnel::{FunnelSpec, FunnelStep, FunnelTally, StepEvent, Values};
use footfall::metrics::time::TimeRange;
use footfall::store::Store;
use footfall::store::events::EventQuery;
use footfall::store::funnels::{MAX_NAMED, Piece, Scratch, Whose};
use footfall::store::rollups::quarter_hours;
use uuid::Uuid;

use crate::world::{DAY, NOON, PROJECT, Random, deliver, event, name, random_events, sql, store};

#[tokio::test]
async fn step_events_come_person_by_person_in_the_total_order() {
    let store = store().await;
    let mut random = Random(11);
    let mut events = random_events(&mut random, 400);
    for event in &mut events {
        // ties in time, in place, and ids that differ in either half
        event.ts = NOON + random.below(3) as i64;
        event.seq = random.below(2) as u32;
        let (high, low) = (random.below(4) << 62, random.below(4) << 62 | random.next() >> 8);
        event.id = Uuid::from_u64_pair(high, low);
    }
    deliver(&store, &name(0, 1), &events).await;

    let spec = funnel(&["buy", "view"], NOON, NOON + DAY);
    let mut expected: Vec<(u64, StepEvent)> = events
        .iter()
        .filter_map(|e| {
            let step = ["buy", "view"].iter().position(|n| *n == e.event)?;
            let event = StepEvent {
                ts: e.ts,
                seq: e.seq,
                id: e.id.as_u128(),
                marks: mark::step(step),
                ..StepEvent::default()
            };
            Some((e.actor(), event))
        })
        .collect();
    expected.sort_by_key(|(actor, e)| (*actor, e.ts, e.seq, e.id));

    let (mut found, rows_read) = persons(&store, &spec).await;
    found.sort_by_key(|(actor, _)| *actor);
    let distinct: BTreeSet<u64> = found.iter().map(|(actor, _)| *actor).collect();
    assert_eq!(distinct.len(), found.len(), "each person once");
    let found: Vec<(u64, StepEvent)> = found
        .into_iter()
        .flat_map(|(actor, events)| events.into_iter().map(move |event| (actor, event)))
        .collect();
    assert_eq!(found, expected);
    assert!(rows_read >= found.len() as u64);
}

/// A funnel of an event a step.
fn funnel(names: &[&str], from_ms: i64, to_ms: i64) -> FunnelSpec {
    let steps = names.iter().map(|name| FunnelStep::of(&[name])).collect();
    FunnelSpec::plain(steps, 0, TimeRange { from_ms, to_ms })
}

/// What the store says of a funnel's persons, and how many rows it read.
async fn persons(store: &Store, spec: &FunnelSpec) -> (Vec<(u64, Vec<StepEvent>)>, u64) {
    let mut values = Values::default();
    let facts = store.funnel_rows(PROJECT, spec, Whose::All, &mut values).await;
    let facts = facts.expect("events");
    let (mut found, mut scratch) = (Vec::new(), Scratch::default());
    for piece in &facts.pieces {
        piece.persons(&mut scratch, |person, events| {
            found.push((person, events.to_vec()))
        });
    }
    (found, facts.rows_read)
}

#[tokio::test]
async fn a_range_of_steps_is_half_open_to_the_millisecond() {
    let store = store().await;
    let at = |ms: i64| event("view", "ann", NOON + ms);
    deliver(&store, &name(0, 1), &[at(-1), at(0), at(999), at(1000)]).await;
    let (found, _) = persons(&store, &funnel(&["view"], NOON, NOON + 1000)).await;
    let times: Vec<i64> = found[0].1.iter().map(|e| e.ts - NOON).collect();
    assert_eq!((found.len(), times), (1, vec![0, 999]));
}

/// A tally of everybody in the pieces.
fn folded<T: Piece>(spec: &FunnelSpec, pieces: Vec<T>) -> FunnelTally {
    let (mut tally, mut scratch) = (FunnelTally::new(spec, &Zone::utc()), T::Scratch::default());
    pieces
        .into_iter()
        .for_each(|piece| piece.fold(&mut tally, &mut scratch));
    tally
}

#[tokio::test]
async fn events_without_ids_and_with_them_are_the_same_funnel() {
    let store = store().await;
    // Few persons and few instants: many events at the same one.
    let mut events = random_events(&mut Random(11), 600);
    for (n, event) in events.iter_mut().enumerate() {
        event.ts = NOON + (event.ts - NOON).rem_euclid(4_000);
        event.seq = (n % 3) as u32;
    }
    deliver(&store, &name(0, 1), &events).await;
    let mut names: Vec<&str> = events.iter().map(|event| event.event.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let spec = FunnelSpec {
        window_ms: 60,
        ..funnel(&names[..2], NOON, NOON + 3_500)
    };
    let mut values = Values::default();
    let marks = store.funnel_marks(PROJECT, &spec, &mut values).await;
    let mut without = folded(&spec, marks.expect("marks").pieces);
    let unordered = without.take_put_aside();
    assert!(!unordered.is_empty(), "somebody did two things at once");
    let named = store
        .funnel_rows(PROJECT, &spec, Whose::Of(&unordered), &mut values)
        .await;
    without.absorb(folded(&spec, named.expect("rows").pieces));
    let rows = store.funnel_rows(PROJECT, &spec, Whose::All, &mut values).await;
    let with = folded(&spec, rows.expect("rows").pieces);
    let (without, with) = (without.finish(&values, NOON), with.finish(&values, NOON));
    assert!(with.overall.converted > 0 && with.overall.converted < with.overall.entered);
    assert_eq!(without, with);
}

#[tokio::test]
async fn as_many_persons_as_may_be_named_are_asked_for_at_once() {
    let store = store().await;
    let ann = event("view", "ann", NOON);
    deliver(&store, &name(0, 1), &[ann.clone(), event("view", "bob", NOON)]).await;
    let mut random = Random(3);
    let mut named: Vec<u64> = (1..MAX_NAMED)
        .map(|_| u64::MAX - random.below(u64::MAX / 2))
        .collect();
    named.push(ann.actor());
    let spec = funnel(&["view"], NOON, NOON + 1000);
    for whose in [Whose::Of(&named), Whose::OfAllTime(&named)] {
        let facts = store
            .funnel_rows(PROJECT, &spec, whose, &mut Values::default())
            .await;
        let mut found = Vec::new();
        for piece in &facts.expect("rows").pieces {
            piece.persons(&mut Scratch::default(), |person, _| found.push(person));
        }
        assert_eq!(found, [ann.actor()]);
    }
}

#[tokio::test]
async fn a_copy_that_was_delivered_again_is_the_same_event() {
    let store = store().await;
    let once = event("view", "ann", NOON);
    deliver(&store, &name(0, 1), std::slice::from_ref(&once)).await;
    deliver(&store, &name(0, 2), &[once]).await;
    let (found, _) = persons(&store, &funnel(&["view"], NOON, NOON + 1000)).await;
    assert_eq!(found[0].1.len(), 1);
}

/// Who was active by this event.
fn active(event: Option<&str>) -> ActiveSpec {
    let query = ActiveUsersQuery {
        event: event.map(str::to_owned),
        ..ActiveUsersQuery::default()
    };
    query.validate(&Zone::utc(), NOON).expect("valid")
}

#[tokio::test]
async fn exact_actives_are_the_days_of_the_asked_zone() {
    let store = store().await;
    let events = random_events(&mut Random(5), 300);
    deliver(&store, &name(0, 1), &events).await;
    for zone in ["Europe/Berlin", "America/New_York", "Asia/Kolkata"] {
        let zone = Zone::parse(zone).expect("a zone");
        let (from, to) = (Day::of_utc(NOON), Day::of_utc(NOON).plus(3));
        for only in [None, Some("buy"), Some("$identify")] {
            let counts = |e: &&Event| only.map_or(e.is_activity(), |name| e.event == name);
            let expected: BTreeSet<(u64, Day)> = events
                .iter()
                .filter(counts)
                .map(|e| (e.actor(), zone.local_day(e.ts)))
                .filter(|(_, day)| (from..to).contains(day))
                .collect();
            let mut stream = store
                .actor_day_rows(PROJECT, (from, to), &active(only), &zone)
                .await
                .expect("a stream");
            let (mut found, mut days) = (Vec::new(), Vec::new());
            while let Some((_, actor)) = stream.next_person(&mut days).await.expect("a person") {
                found.extend(days.iter().map(|day| (actor, *day)));
            }
            assert_eq!(
                found,
                expected.into_iter().collect::<Vec<_>>(),
                "{only:?} in {}",
                zone.name()
            );
        }
    }
}

#[tokio::test]
async fn no_question_reads_another_projects_rows() {
    let store = store().await;
    let mine = event("view", "ann", NOON);
    let mut foreign = random_events(&mut Random(6), 100);
    for event in &mut foreign {
        event.project = ProjectNumber(8);
    }
    deliver(&store, &name(0, 1), std::slice::from_ref(&mine)).await;
    store
        .insert_events(&name(0, 2), &foreign, None)
        .await
        .expect("events");
    for generation in 1..=2 {
        let project = ProjectNumber(6 + generation as u32);
        store
            .rebuild_counts(project, mine.day(), generation, &[2])
            .await
            .expect("counts");
        let zone = Zone::utc();
        store
            .rebuild_sketches(project, mine.day(), &zone, generation, &[2])
            .await
            .expect("sketches");
    }
    let (from, to) = (0, u32::MAX);
    let counts = store.counts(PROJECT, None, from, to).await.expect("counts");
    assert_eq!(counts.rows.iter().map(|row| row.count).sum::<u64>(), 1);
    let totals = store.event_totals(PROJECT, from, to, 10).await.expect("totals");
    assert_eq!(totals.rows, [("view".to_owned(), 1)]);
    let sketches = store
        .day_sketches(PROJECT, "", Day(0), Day(60_000))
        .await
        .expect("sketches");
    assert_eq!(sketches.rows.len(), 1);
    let (steps, _) = persons(&store, &funnel(&["view", "add", "buy", "$identify"], 0, NOON * 2)).await;
    let who: Vec<u64> = steps.iter().map(|(actor, _)| *actor).collect();
    assert_eq!(who, [actor_of("ann")]);
    let zone = Zone::utc();
    let day = mine.day();
    let mut days = store
        .actor_day_rows(PROJECT, (day, day.plus(9)), &active(None), &zone)
        .await
        .expect("a stream");
    assert_eq!(days.next().await, Ok(Some((0, actor_of("ann"), day))));
    assert_eq!(days.next().await, Ok(None));
    let everything = EventQuery {
        limit: 99,
        ..EventQuery::default()
    };
    let page = store.recent(PROJECT, &everything, NOON).await.expect("a page");
    assert_eq!(page.rows.len(), 1);
    assert_eq!(
        store
            .count_since(PROJECT, 0, 0, 0)
            .await
            .expect("a pulse")
            .rows
            .today,
        1
    );
    assert_eq!(store.data_days(ProjectNumber(9)).await, Ok(None));
    assert_eq!(store.first_day(ProjectNumber(9)).await, Ok(None));
    assert_eq!(store.first_day(PROJECT).await, Ok(Some(day)));
}

#[tokio::test]
async fn names_that_look_like_sql_are_only_names() {
    let store = store().await;
    let names: Vec<String> = [
        "it's",
        "a\\b",
        "tab\there",
        "line\nbreak",
        "100%",
        "{project:UInt32}",
        "what?",
        "ünïcødé 🐘",
        "\"q\"",
        "a','b",
        "]",
        "\\'",
        "nul\0l",
        "') OR 1 = 1 --",
    ]
    .map(String::from)
    .into();
    let events: Vec<Event> = names.iter().map(|n| event(n, n, NOON)).collect();
    deliver(&store, &name(0, 1), &events).await;
    for name in &names {
        let one = std::slice::from_ref(name);
        let counts = store
            .counts(PROJECT, Some(one), 0, u32::MAX)
            .await
            .expect("counts");
        let found: Vec<(&str, u64)> = counts.rows.iter().map(|r| (r.event.as_str(), r.count)).collect();
        assert_eq!(found, [(name.as_str(), 1)]);
        let sketches = store
            .day_sketches(PROJECT, name, Day(0), Day(60_000))
            .await
            .expect("sketches");
        assert_eq!(sketches.rows.len(), 1, "{name:?}");
        let query = EventQuery {
            event: Some(name.clone()),
            distinct_id: Some(name.clone()),
            limit: 5,
            ..EventQuery::default()
        };
        let page = store.recent(PROJECT, &query, NOON).await.expect("a page");
        assert_eq!(page.rows.len(), 1, "{name:?}");
        assert_eq!(page.rows[0].distinct_id, *name);
    }
    let each: Vec<&str> = names.iter().map(String::as_str).collect();
    let (steps, _) = persons(&store, &funnel(&each, NOON, NOON + 1)).await;
    for (actor, events) in &steps {
        let step = events[0].steps().next().expect("a step");
        assert_eq!(*actor, actor_of(&names[step]));
    }
    assert_eq!(steps.len(), names.len());
}

#[tokio::test]
async fn totals_are_the_busiest_names_of_the_range() {
    let store = store().await;
    let mut events: Vec<Event> = (0..5).map(|n| event("view", "ann", NOON + n)).collect();
    events.extend((0..3).map(|n| event("buy", "ann", NOON + n)));
    events.extend((0..3).map(|n| event("add", "ann", NOON + n)));
    events.push(event("view", "ann", NOON + DAY));
    deliver(&store, &name(0, 1), &events).await;
    let (from, to) = quarter_hours(NOON, NOON + DAY);
    let totals = store.event_totals(PROJECT, from, to, 2).await.expect("totals");
    assert_eq!(totals.rows, [("view".to_owned(), 5), ("add".to_owned(), 3)]);
    assert!(totals.rows_read > 0);
}

#[tokio::test]
async fn the_reader_cannot_write() {
    let store = store().await;
    deliver(&store, &name(0, 1), &[event("view", "ann", NOON)]).await;
    let mut options = crate::world::options();
    options.database = store.database().to_owned();
    options.writer = options.reader.clone();
    let reader = footfall::store::Store::connect(options)
        .await
        .expect("it may ask");
    assert!(
        reader
            .insert_events(&name(0, 2), &[event("view", "bob", NOON)], None)
            .await
            .is_err()
    );
    assert!(
        reader
            .repair(footfall::store::Table::Events, 0, 1, 9)
            .await
            .is_err()
    );
    assert_eq!(
        reader
            .counts(PROJECT, None, 0, u32::MAX)
            .await
            .expect("it may ask")
            .rows
            .len(),
        1
    );
    assert_eq!(sql(&store, "SELECT count() FROM events").await, "1");
}
