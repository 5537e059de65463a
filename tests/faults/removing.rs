//! A worker is killed or frozen at every state of an erasure and between a shard's count, its deletion and its sum;
//! the next one finishes. Afterwards the person is gone, everybody else is there once, and the sums hold.

use std::time::Duration;

use footfall::event::Event;
use footfall::meta::{Erasure, ErasureState, Meta, NewErasure, Page};

use super::case::{Case, Fault, run_all};
use super::harness::*;
use super::until;

/// Points of an erasure in their order.
const POINTS: &[&str] = &[
    "remove.before_advance.requested",
    "remove.before_advance.waiting",
    "removal.after_count",
    "removal.after_delete",
    "remove.after_pairs",
    "remove.before_advance.removing",
    "remove.before_advance.rebuilding",
    "remove.before_advance.verifying",
];

const ERASED: &str = "person-3";

/// How long an erasure may take: its steps are a second apart, and parts are rewritten.
const PATIENCE: Duration = Duration::from_secs(150);

/// The only erasure, when it is done.
async fn done(meta: &Meta, project: uuid::Uuid) -> Erasure {
    until("the erasure is done", PATIENCE, async || {
        let mut erasures = meta
            .erasures(project, Page::first(2))
            .await
            .expect("erasures")
            .rows;
        assert_eq!(erasures.len(), 1);
        erasures
            .pop()
            .filter(|erasure| erasure.state == ErasureState::Done)
    })
    .await
}

async fn struck(case: Case, fault: Fault, point: &str) {
    case.shop().await;
    let mut all = case.send(120).await;
    case.world.drain(&case.world.deliverer()).await;
    // Some of it is on its way when it is asked for.
    all.extend(case.send(40).await);
    let meta = Meta::connect(&case.meta_url()).await.expect("a control database");
    let user = meta
        .credentials("ada@example.com")
        .await
        .expect("a user")
        .expect("Ada")
        .user
        .id;
    let project = meta
        .projects_of(user, Page::first(1))
        .await
        .expect("projects")
        .rows[0]
        .id;
    let what = NewErasure::Persons(vec![ERASED.to_owned()]);
    meta.request_erasure(project, what, "ada@example.com", NOW + 1_000)
        .await
        .expect("asked for");
    let gone = |event: &&Event| event.distinct_id == ERASED;
    let mut left: Vec<Event> = all.iter().filter(|event| !gone(event)).cloned().collect();

    let mut first = case.start("worker", &fault.at(point, 1), "");
    fault.strikes(&mut first, point).await;
    case.world.lease_runs_out(0).await;
    case.world.removing_runs_out().await;
    let second = case.worker();
    let erasure = done(&meta, project).await;
    case.world.holds_exactly(&left).await;
    let found = all.iter().filter(gone).count() as u64;
    let counters = case.world.stream.shard_counters(0).await.expect("counters");
    assert_eq!(counters.rows_removed, found);
    let certificate = erasure.certificate.clone().expect("a certificate");
    assert_eq!(certificate.counts_before.events, found);
    if fault == Fault::Frozen {
        // It goes on with the old state in its hands, and then delivers what comes.
        first.wakes();
        drop(second);
        case.world.lease_runs_out(0).await;
        let mut new = events(SHOP, 10);
        new.retain(|event| event.distinct_id != ERASED);
        case.append(SHOP, new.clone()).await;
        left.extend(new);
        case.drained().await;
        case.world.holds_exactly(&left).await;
        assert_eq!(done(&meta, project).await, erasure, "nothing changes any more");
    }
    meta.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_struck_at_any_state_of_an_erasure_leaves_it_to_the_next() {
    let mut cases = Vec::new();
    for &point in POINTS {
        for fault in Fault::BOTH {
            cases.push((format!("{point}: {fault:?}"), async move {
                struck(Case::new(1).await, fault, point).await;
            }));
        }
    }
    run_all(4, cases).await;
}
