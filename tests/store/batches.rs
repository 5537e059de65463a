//! What the worker's state machine relies on.

use footfall::event::Event;
use footfall::store::batch::ExpectedEvents;
use footfall::store::{BatchName, InsertError, Store, StoreError, Table, Verdict};

use crate::world::{
    DAY, NOON, Random, count_deltas, deliver, event, name, options, random_events, sketch_deltas, sql,
    sql_as, store,
};

fn second_try(name: BatchName) -> BatchName {
    BatchName { attempt: 1, ..name }
}

#[tokio::test]
async fn migrations_run_once_and_a_changed_one_is_named() {
    let options = options();
    let store = Store::connect(options.clone()).await.expect("a store");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/clickhouse");
    let files = std::fs::read_dir(folder).expect("the migrations").count();
    assert_eq!(store.migrate().await.expect("first").len(), files);
    assert_eq!(store.migrate().await, Ok(vec![]));
    let again = Store::connect(options).await.expect("a store");
    assert_eq!(again.migrate().await, Ok(vec![]));
    let say = async |checksum: &str| {
        let change = format!("ALTER TABLE migrations UPDATE checksum = '{checksum}' WHERE version = 3");
        sql(&store, &format!("{change} SETTINGS mutations_sync = 1")).await;
    };
    // Tables of events that were laid with larger granules serve as well.
    say("6038511f7cc419b883821ec98219bd8583aa8387f047ad4d74c923c609282705").await;
    assert_eq!(store.migrate().await, Ok(vec![]));
    say("x").await;
    let file = "0003_events.sql".to_owned();
    assert_eq!(store.migrate().await, Err(StoreError::ChangedMigration { file }));
}

#[tokio::test]
async fn a_database_name_that_needs_quoting_is_refused() {
    let mut options = options();
    options.database = "foot`; DROP".into();
    let error = Store::connect(options).await.err().expect("refused");
    assert!(matches!(error, StoreError::InvalidDatabaseName(_)));
}

#[tokio::test]
async fn a_repeated_insert_is_harmless_and_another_batch_of_the_same_rows_is_not() {
    let store = store().await;
    let events = random_events(&mut Random(1), 50);
    for _ in 0..3 {
        deliver(&store, &name(0, 1), &events).await;
    }
    assert_eq!(sql(&store, "SELECT count() FROM events").await, "50");
    assert_eq!(sql(&store, "SELECT sum(count) FROM count_deltas").await, "50");
    deliver(&store, &name(0, 2), &events).await;
    assert_eq!(sql(&store, "SELECT count() FROM events").await, "100");
    assert_eq!(store.max_batch(0).await, Ok(Some(2)));
    assert_eq!(store.max_batch(1).await, Ok(None));
}

#[tokio::test]
async fn one_insert_of_the_largest_batch_is_one_part_in_each_month() {
    let store = store().await;
    let mut events: Vec<Event> = (0..199_000).map(|n| event("view", "ann", NOON + n)).collect();
    events.extend((0..1_000).map(|n| event("view", "ann", NOON - 20 * DAY + n)));
    store
        .insert_events(&name(0, 1), &events, None)
        .await
        .expect("events");
    let parts = format!(
        "SELECT partition, sum(rows) FROM system.parts WHERE database = '{}' AND table = 'events' \
         AND level = 0 GROUP BY partition HAVING count() = 1 ORDER BY partition",
        store.database()
    );
    assert_eq!(sql(&store, &parts).await, "202610\t1000\n202611\t199000");
    let expected = ExpectedEvents::of(&events);
    assert_eq!(
        store.verify_events(&name(0, 1), &expected).await,
        Ok(Verdict::Whole)
    );
    // a retry is dropped whole
    store
        .insert_events(&name(0, 1), &events, None)
        .await
        .expect("events");
    assert_eq!(
        store.verify_events(&name(0, 1), &expected).await,
        Ok(Verdict::Whole)
    );
}

#[tokio::test]
async fn verify_sees_what_is_missing_and_what_is_too_much() {
    let store = store().await;
    let events = random_events(&mut Random(2), 40);
    let (name, expected) = (name(3, 9), ExpectedEvents::of(&events));
    let differs = |expected, found| Ok(Verdict::Differs { expected, found });
    assert_eq!(store.verify_events(&name, &expected).await, differs(40, 0));
    store
        .insert_events(&name, &events[..30], Some("0-30"))
        .await
        .expect("events");
    assert_eq!(store.verify_events(&name, &expected).await, differs(40, 30));
    store
        .insert_events(&name, &events[30..], Some("30-40"))
        .await
        .expect("events");
    assert_eq!(store.verify_events(&name, &expected).await, Ok(Verdict::Whole));
    store
        .insert_events(&second_try(name), &events[..1], None)
        .await
        .expect("events");
    assert_eq!(store.verify_events(&name, &expected).await, differs(40, 41));

    let (counts, sketches) = (count_deltas(&events), sketch_deltas(&events));
    store.insert_count_deltas(&name, &counts).await.expect("counts");
    store
        .insert_sketch_deltas(&name, &sketches)
        .await
        .expect("sketches");
    assert_eq!(store.verify_counts(&name, 40).await, Ok(Verdict::Whole));
    assert_eq!(store.verify_counts(&name, 41).await, differs(41, 40));
    let n = sketches.len() as u64;
    assert_eq!(store.verify_sketches(&name, n).await, Ok(Verdict::Whole));
    assert_eq!(store.verify_sketches(&name, n - 1).await, differs(n - 1, n));
}

#[tokio::test]
async fn the_same_number_of_rows_in_other_months_is_a_difference() {
    let store = store().await;
    let october = [
        event("view", "ann", NOON - 5 * DAY),
        event("view", "ann", NOON - 4 * DAY),
    ];
    let both = [october[0].clone(), event("view", "ann", NOON)];
    store
        .insert_events(&name(0, 1), &both, None)
        .await
        .expect("events");
    let verdict = store
        .verify_events(&name(0, 1), &ExpectedEvents::of(&october))
        .await;
    assert!(matches!(verdict, Ok(Verdict::Differs { .. })), "{verdict:?}");
}

#[tokio::test]
async fn repair_removes_only_older_tries_of_its_batch() {
    let store = store().await;
    let mut events = random_events(&mut Random(3), 30);
    events.push(event("view", "ann", NOON - 20 * DAY));
    let name = name(1, 4);
    let neighbours = [BatchName { batch: 5, ..name }, BatchName { shard: 2, ..name }];
    for who in [name, second_try(name), neighbours[0], neighbours[1]] {
        deliver(&store, &who, &events).await;
    }
    for table in [Table::Events, Table::CountDeltas, Table::SketchDeltas] {
        let before = sql(&store, &format!("SELECT count() FROM {}", table.name())).await;
        let each = before.parse::<u64>().expect("a number") / 4;
        assert_eq!(
            store.repair(table, 1, 4, 0).await,
            Ok(0),
            "{table:?}: no try is below 0"
        );
        assert_eq!(store.repair(table, 1, 4, 1).await, Ok(each), "{table:?}");
        assert_eq!(store.repair(table, 1, 4, 1).await, Ok(0), "{table:?}: again");
        let left = format!(
            "SELECT count(), min(try) FROM {} WHERE shard = 1 AND batch = 4",
            table.name()
        );
        assert_eq!(sql(&store, &left).await, format!("{each}\t1"));
        let others = format!(
            "SELECT count() FROM {} WHERE shard != 1 OR batch != 4",
            table.name()
        );
        assert_eq!(sql(&store, &others).await, (2 * each).to_string());
    }
    let expected = ExpectedEvents::of(&events);
    assert_eq!(
        store.verify_events(&second_try(name), &expected).await,
        Ok(Verdict::Whole)
    );
}

#[tokio::test]
async fn rows_that_the_table_does_not_take_are_refused_and_nothing_else_is() {
    let store = store().await;
    sql(
        &store,
        "ALTER TABLE events ADD CONSTRAINT no_poison CHECK event != 'poison'",
    )
    .await;
    let poison = [event("view", "ann", NOON), event("poison", "ann", NOON)];
    let refused = store.insert_events(&name(0, 1), &poison, None).await;
    assert!(
        matches!(refused, Err(InsertError::Refused { code: 469, .. })),
        "{refused:?}"
    );
    assert_eq!(sql(&store, "SELECT count() FROM events").await, "0");

    // 101 months in one insert
    let months: Vec<Event> = (0..101)
        .map(|n| event("view", "ann", NOON - n * 31 * DAY))
        .collect();
    let refused = store.insert_events(&name(0, 2), &months, None).await;
    assert!(
        matches!(refused, Err(InsertError::Refused { code: 252, .. })),
        "{refused:?}"
    );

    // not the rows' fault: the table is not there
    sql(&store, "RENAME TABLE events TO elsewhere").await;
    let gone = store.insert_events(&name(0, 3), &poison[..1], None).await;
    assert!(matches!(gone, Err(InsertError::Doubt(_))), "{gone:?}");

    let zero = store
        .insert_count_deltas(&name(0, 0), &count_deltas(&poison))
        .await;
    assert!(
        matches!(zero, Err(InsertError::Doubt(_))),
        "batch 0 lies behind every cut: {zero:?}"
    );
}

#[tokio::test]
async fn an_engine_that_is_not_there_leaves_the_insert_in_doubt() {
    let mut options = options();
    options.url = "http://127.0.0.1:9".into();
    let error = Store::connect(options).await.err().expect("no answer");
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn a_running_insert_is_found_by_its_batch() {
    let store = store().await;
    assert_eq!(store.query_running(Table::Events, 4, 4711).await, Ok(false));
    let slow = async {
        let id = format!("{}/events:s4:4711:0", store.database());
        let statement = "SELECT sleepEachRow(0.1) FROM numbers(30) SETTINGS max_block_size = 1 FORMAT Null";
        sql_as(&store, &id, statement).await
    };
    let seen = async {
        while !store
            .query_running(Table::Events, 4, 4711)
            .await
            .expect("an answer")
        {}
        assert_eq!(store.query_running(Table::Events, 4, 471).await, Ok(false));
        assert_eq!(store.query_running(Table::CountDeltas, 4, 4711).await, Ok(false));
    };
    tokio::select! { _ = slow => panic!("never seen"), () = seen => () };
}

#[tokio::test]
async fn an_installation_keeps_its_number_of_shards_and_its_incarnation() {
    let store = store().await;
    assert_eq!(store.settle_shards(4).await, Ok(()));
    assert_eq!(store.settle_shards(4).await, Ok(()));
    let differ = StoreError::ShardsDiffer {
        recorded: 4,
        asked: 16,
    };
    assert_eq!(store.settle_shards(16).await, Err(differ));
    assert_eq!(store.incarnation().await, Ok(None));
    store.record_incarnation(1).await.expect("recorded");
    store.record_incarnation(2).await.expect("recorded");
    assert_eq!(store.incarnation().await, Ok(Some(2)));
}
