//! A worker is killed or frozen at every step of a batch; the next one finishes the batch.

use footfall::event::Event;

use super::case::{Case, Fault, run_all};
use super::harness::*;

/// Steps of a batch in their order, as points.
pub const STEPS: &[&str] = &[
    "deliver.before_plan",
    "deliver.after_plan",
    "deliver.before_insert.events",
    "insert.before_end.events",
    "deliver.after_insert.events",
    "deliver.before_insert.count_deltas",
    "insert.before_end.count_deltas",
    "deliver.after_insert.count_deltas",
    "deliver.before_insert.actor_days",
    "insert.before_end.actor_days",
    "deliver.after_insert.actor_days",
    "deliver.before_insert.identity_edges",
    "deliver.after_insert.identity_edges",
    "learn.after_queue",
    "learn.after_map",
    "deliver.before_insert.profiles",
    "deliver.after_insert.profile_properties",
    "deliver.before_insert.sketch_deltas",
    "insert.before_end.sketch_deltas",
    "deliver.after_insert.sketch_deltas",
    "deliver.before_insert.ledger",
    "insert.before_end.ledger",
    "deliver.after_insert.ledger",
    "deliver.before_insert.client_sequences",
    "deliver.after_insert.client_sequences",
    "deliver.before_insert.late_days",
    "deliver.after_insert.late_days",
    "deliver.before_commit",
    "deliver.after_commit",
    "announce.after_raise",
];

/// The same for a batch with rows that ClickHouse refuses: point and passing.
pub const PIECES: &[(&str, u32)] = &[
    ("deliver.after_split", 1),
    ("deliver.before_piece", 1),
    ("deliver.before_piece", 2),
    ("deliver.before_piece", 9),
    ("deliver.before_insert.count_deltas", 1),
    ("deliver.before_commit", 1),
];

/// Strikes a worker at the point; more events come; the next worker finishes; the frozen one wakes up.
async fn struck(case: Case, fault: Fault, point: &str, n: u32, mut all: Vec<Event>) {
    let rev = case.world.stream.rev(SHOP).await.unwrap();
    let mut first = case.start("worker", &fault.at(point, n), "");
    fault.strikes(&mut first, point).await;
    // A batch that was not written down would be larger now.
    all.extend(case.send(40).await);
    case.world.lease_runs_out(0).await;
    let second = case.worker();
    case.drained().await;
    assert!(
        case.world.stream.rev(SHOP).await.unwrap() > rev,
        "readers are told"
    );
    case.world.holds_exactly(&all).await;
    if fault == Fault::Frozen {
        // By its own clock its lease is young: it goes on until it is told.
        first.wakes();
        first.says("shard lost").await;
        case.world.holds_exactly(&all).await;
        all.extend(case.send(10).await);
        case.drained().await;
        case.world.holds_exactly(&all).await;
    }
    drop(second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_struck_at_any_step_of_a_batch_loses_and_doubles_nothing() {
    let mut cases = Vec::new();
    for &point in STEPS {
        for fault in Fault::BOTH {
            cases.push((format!("{point}: {fault:?}"), async move {
                let case = Case::new(1).await;
                let mut all = case.send(60).await;
                all.extend(case.send(30).await);
                struck(case, fault, point, 1, all).await;
            }));
        }
    }
    run_all(4, cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_struck_while_it_bisects_loses_and_doubles_nothing() {
    let mut cases = Vec::new();
    for &(point, n) in PIECES {
        for fault in Fault::BOTH {
            cases.push((format!("{point} at passing {n}: {fault:?}"), async move {
                let case = Case::new(1).await;
                let poison = "ALTER TABLE events ADD CONSTRAINT poison CHECK event != 'poison'";
                case.world.sql(poison).await;
                let good = events(SHOP, 40);
                let mut sent = good.clone();
                for place in [0, 17, 18] {
                    sent.insert(place, event(SHOP, "poison", "person-1", NOW, 0));
                }
                case.append(SHOP, sent).await;
                struck(case, fault, point, n, good).await;
            }));
        }
    }
    run_all(4, cases).await;
}
