//! Compactions, rebuilds and clean-ups change where the numbers come from, never the numbers.

use std::collections::BTreeMap;

use footfall::event::{Day, Event, Zone};
use footfall::metrics::sketch::UserSketch;
use footfall::store::Store;
use footfall::store::compact::{Dropped, Kind, Outcome};

use crate::world::{
    DAY, NOON, PROJECT, Random, count_deltas, deliver, event, naive_actors, naive_counts, name,
    random_events, sql, sql_as, store,
};

fn days() -> Vec<Day> {
    let first = Day::of_utc(NOON);
    (0..5).map(|n| first.plus(n)).collect()
}

async fn read_counts(store: &Store) -> BTreeMap<(String, u32), u64> {
    let facts = store.counts(PROJECT, None, 0, u32::MAX).await.expect("counts");
    let rows = facts.rows.into_iter();
    rows.map(|row| ((row.event, row.bucket), row.count)).collect()
}

async fn read_actors(store: &Store, event: &str) -> BTreeMap<Day, u64> {
    let facts = store
        .day_sketches(PROJECT, event, Day(0), Day(60_000))
        .await
        .expect("sketches");
    let mut days: BTreeMap<Day, UserSketch> = BTreeMap::new();
    for (day, bytes) in facts.rows {
        let sketch = UserSketch::decode(&bytes).expect("a sketch");
        days.entry(day).or_default().merge(&sketch);
    }
    days.into_iter()
        .map(|(day, mut sketch)| (day, sketch.count()))
        .collect()
}

/// The rollups say what a naive pass over all events says.
async fn assert_true(store: &Store, events: &[Event], when: &str) {
    assert_eq!(read_counts(store).await, naive_counts(events), "counts {when}");
    let actors = naive_actors(events);
    for event in ["", "view", "add", "buy", "$identify"] {
        let naive: BTreeMap<Day, u64> = actors
            .iter()
            .filter(|((name, _), _)| name == event)
            .map(|((_, day), who)| (*day, who.len() as u64))
            .collect();
        assert_eq!(
            read_actors(store, event).await,
            naive,
            "actors of {event:?} {when}"
        );
    }
}

#[tokio::test]
async fn numbers_are_the_same_before_between_and_after_compactions_and_rebuilds() {
    for seed in 1..=3 {
        let mut random = Random(seed);
        let (store, zone) = (store().await, Zone::parse("Europe/Berlin").expect("a zone"));
        let mut events = Vec::new();
        // by shard: batches inserted, and of those committed (what a cut may name)
        let (mut inserted, mut committed) = ([0_u64; 3], vec![0_u64; 3]);
        let mut generation = 0;
        // drawn, but its roller was stopped before it read anything
        let mut late: Option<(u64, Vec<u64>, Day)> = None;
        for step in 0..30 {
            let day = *random.pick(&days());
            generation += 1;
            let what = match random.below(9) {
                0..=3 => {
                    let shard = random.below(3) as usize;
                    // a worker has one batch at a time: the last one is committed before the next begins
                    committed[shard] = inserted[shard];
                    inserted[shard] += 1;
                    let n = 1 + random.below(20);
                    let batch = random_events(&mut random, n);
                    deliver(&store, &name(shard as u16, inserted[shard]), &batch).await;
                    events.extend(batch);
                    "after a batch"
                }
                4 => {
                    store
                        .compact_counts(PROJECT, day, generation, &committed)
                        .await
                        .expect("counts");
                    store
                        .compact_sketches(PROJECT, day, generation, &committed)
                        .await
                        .expect("sketches");
                    "after a compaction"
                }
                5 => {
                    let other = generation;
                    generation += 1;
                    let (a, b) = tokio::join!(
                        store.compact_counts(PROJECT, day, generation, &committed),
                        store.rebuild_counts(PROJECT, day, other, &committed),
                    );
                    a.and(b).expect("counts");
                    let (a, b) = tokio::join!(
                        store.rebuild_sketches(PROJECT, day, &zone, generation, &committed),
                        store.compact_sketches(PROJECT, day, other, &committed),
                    );
                    a.and(b).expect("sketches");
                    "after two rollers at once"
                }
                6 => {
                    store
                        .rebuild_counts(PROJECT, day, generation, &committed)
                        .await
                        .expect("counts");
                    store
                        .rebuild_sketches(PROJECT, day, &zone, generation, &committed)
                        .await
                        .expect("sketches");
                    "after a rebuild"
                }
                7 => match late.take() {
                    None => {
                        late = Some((generation, committed.clone(), day));
                        "after a roller was stopped"
                    }
                    Some((old, cuts, day)) => {
                        store
                            .compact_counts(PROJECT, day, old, &cuts)
                            .await
                            .expect("counts");
                        store
                            .compact_sketches(PROJECT, day, old, &cuts)
                            .await
                            .expect("sketches");
                        "after a late roller"
                    }
                },
                _ => {
                    store.drop_behind(Kind::Counts, 0).await.expect("clean-up");
                    store.drop_behind(Kind::Sketches, 0).await.expect("clean-up");
                    "after a clean-up"
                }
            };
            assert_true(&store, &events, &format!("{what} (seed {seed}, step {step})")).await;
        }
        assert_eq!(store.differences(PROJECT).await, Ok(vec![]));
    }
}

#[tokio::test]
async fn a_reader_never_sees_a_compaction_half_done() {
    let store = store().await;
    let mut random = Random(99);
    let mut events = Vec::new();
    for batch in 1..=8 {
        let rows = random_events(&mut random, 100);
        deliver(&store, &name(0, batch), &rows).await;
        events.extend(rows);
    }
    let expected = naive_counts(&events);
    let actors = read_actors(&store, "").await;
    let roller = {
        let store = store.clone();
        tokio::spawn(async move {
            for generation in 1..=20 {
                for day in days() {
                    let cuts = [generation.min(8)];
                    store
                        .compact_counts(PROJECT, day, generation, &cuts)
                        .await
                        .expect("counts");
                    store
                        .compact_sketches(PROJECT, day, generation, &cuts)
                        .await
                        .expect("sketches");
                }
            }
        })
    };
    let mut reads = 0;
    while !roller.is_finished() {
        assert_eq!(read_counts(&store).await, expected, "read {reads}");
        assert_eq!(read_actors(&store, "").await, actors, "read {reads}");
        reads += 1;
    }
    roller.await.expect("the roller");
    assert!(reads > 10, "only {reads} reads beside the roller");
}

#[tokio::test]
async fn a_roller_that_was_overtaken_changes_nothing() {
    let store = store().await;
    let day = Day::of_utc(NOON);
    let (first, second) = (event("view", "ann", NOON), event("view", "bob", NOON + 1));
    deliver(&store, &name(0, 1), std::slice::from_ref(&first)).await;
    let switched = Outcome::Switched { rows: 1 };
    assert_eq!(store.compact_counts(PROJECT, day, 5, &[1]).await, Ok(switched));
    // drawn earlier, comes later
    assert_eq!(
        store.compact_counts(PROJECT, day, 4, &[1]).await,
        Ok(Outcome::Overtaken)
    );
    assert_eq!(
        store.rebuild_counts(PROJECT, day, 5, &[1]).await,
        Ok(Outcome::Overtaken)
    );
    // cuts of before: what the base includes stays included once
    deliver(&store, &name(0, 2), std::slice::from_ref(&second)).await;
    assert_eq!(store.compact_counts(PROJECT, day, 6, &[2]).await, Ok(switched));
    assert_eq!(store.compact_counts(PROJECT, day, 7, &[0]).await, Ok(switched));
    assert_eq!(read_counts(&store).await, naive_counts(&[first, second]));
    assert_eq!(store.highest_generation().await, Ok(7));
}

#[tokio::test]
async fn rows_of_a_generation_without_its_switch_mean_nothing() {
    let store = store().await;
    let only = event("view", "ann", NOON);
    deliver(&store, &name(0, 1), std::slice::from_ref(&only)).await;
    let bucket = only.quarter_hour();
    sql(
        &store,
        &format!("INSERT INTO counts VALUES (7, 'view', {bucket}, 3, 1000)"),
    )
    .await;
    assert_eq!(
        read_counts(&store).await,
        naive_counts(std::slice::from_ref(&only))
    );
    let day = only.day();
    for generation in [4, 5] {
        let compacted = store.compact_counts(PROJECT, day, generation, &[1]).await;
        assert_eq!(compacted, Ok(Outcome::Switched { rows: 1 }));
    }
    store.drop_behind(Kind::Counts, 0).await.expect("clean-up");
    assert_eq!(
        sql(&store, "SELECT count() FROM counts").await,
        "1",
        "the orphan went"
    );
    assert_eq!(sql(&store, "SELECT count() FROM count_deltas").await, "0");
    assert_eq!(read_counts(&store).await, naive_counts(&[only]));
}

#[tokio::test]
async fn nothing_is_removed_before_its_successor_is_old_enough() {
    let store = store().await;
    let only = event("view", "ann", NOON);
    deliver(&store, &name(0, 1), std::slice::from_ref(&only)).await;
    store
        .compact_counts(PROJECT, only.day(), 1, &[1])
        .await
        .expect("a compaction");
    let dropped = store.drop_behind(Kind::Counts, 600).await.expect("clean-up");
    assert_eq!(dropped, Dropped::default());
    assert_eq!(sql(&store, "SELECT count() FROM count_deltas").await, "1");
}

#[tokio::test]
async fn a_rebuild_under_another_zone_moves_people_to_their_new_days() {
    let store = store().await;
    // 23:30 UTC on 1 November is 00:30 on the 2nd in Berlin, and still the 1st in New York
    let late = event("view", "ann", NOON + 11 * 3_600_000 + 1_800_000);
    assert_eq!(late.local_day, Day::of_utc(NOON).plus(1));
    deliver(&store, &name(0, 1), std::slice::from_ref(&late)).await;
    let new_york = Zone::parse("America/New_York").expect("a zone");
    for (generation, day) in (1..).zip(days()) {
        store
            .rebuild_sketches(PROJECT, day, &new_york, generation, &[1])
            .await
            .expect("a rebuild");
    }
    let first = Day::of_utc(NOON);
    assert_eq!(read_actors(&store, "").await, BTreeMap::from([(first, 1)]));
    assert_eq!(store.data_days(PROJECT).await, Ok(Some((first, first))));
}

#[tokio::test]
async fn days_with_many_deltas_and_quiet_old_ones_are_candidates() {
    let store = store().await;
    let busy: Vec<Event> = (0..5).map(|n| event("view", "ann", NOON + n * 900_000)).collect();
    let quiet = event("view", "ann", NOON - DAY);
    deliver(&store, &name(0, 1), std::slice::from_ref(&quiet)).await;
    deliver(&store, &name(0, 2), &busy).await;
    let candidates = store
        .candidates(Kind::Counts, 3, 0, 10)
        .await
        .expect("candidates");
    assert_eq!(candidates.len(), 1);
    assert_eq!((candidates[0].day, candidates[0].deltas), (busy[0].day(), 5));
    let before = (NOON / 1000) as u32 - 3_600;
    let all = store
        .candidates(Kind::Counts, 3, before, 10)
        .await
        .expect("candidates");
    assert_eq!(all.len(), 2);
    store
        .compact_counts(PROJECT, busy[0].day(), 1, &[2])
        .await
        .expect("a compaction");
    store
        .compact_counts(PROJECT, quiet.day(), 2, &[2])
        .await
        .expect("a compaction");
    assert_eq!(store.candidates(Kind::Counts, 0, u32::MAX, 10).await, Ok(vec![]));
}

#[tokio::test]
async fn the_audit_names_the_day_on_which_raw_and_rollup_differ() {
    let store = store().await;
    let events = [event("view", "ann", NOON), event("view", "ann", NOON + DAY)];
    store
        .insert_events(&name(2, 1), &events, None)
        .await
        .expect("events");
    store
        .insert_count_deltas(&name(2, 1), &count_deltas(&events[..1]))
        .await
        .expect("counts");
    let differences = store.differences(PROJECT).await.expect("an audit");
    assert_eq!(differences.len(), 1);
    assert_eq!(
        (differences[0].day, differences[0].events, differences[0].counted),
        (events[1].day(), 1, 0)
    );
    assert_eq!(store.rows_by_shard().await, Ok(BTreeMap::from([(2, 2)])));
}

/// `store::rollups` stands on this: in one statement the table that is named first is looked at first. The
/// statement is held up between its two tables until both have got a row.
#[tokio::test]
async fn clickhouse_takes_snapshots_in_the_order_in_which_tables_are_named() {
    let store = store().await;
    for table in ["a", "b"] {
        let create = format!("CREATE TABLE {table} (x UInt32) ENGINE = MergeTree ORDER BY x");
        sql(&store, &create).await;
    }
    let id = format!("{}/events:s0:1:0", store.database());
    let statement = "SELECT h.n, r.n FROM (SELECT max(x) AS n FROM a WHERE x >= (SELECT toUInt32(sleep(3)))) AS h \
                     RIGHT JOIN (SELECT x AS n FROM b UNION ALL SELECT x AS n FROM b WHERE x = 0) AS r ON r.n = h.n \
                     SETTINGS query_plan_join_swap_table = 'true'";
    let held = sql_as(&store, &id, statement);
    let meanwhile = async {
        // long enough under way to hold in the pause
        let held_up =
            format!("SELECT count() FROM system.processes WHERE query_id = '{id}' AND elapsed > 0.5");
        while sql(&store, &held_up).await == "0" {}
        sql(&store, "INSERT INTO a VALUES (5)").await;
        sql(&store, "INSERT INTO b VALUES (5)").await;
    };
    let (found, ()) = tokio::join!(held, meanwhile);
    assert_eq!(found, "0\t5", "a as it was before the pause, b as it was after");
}
