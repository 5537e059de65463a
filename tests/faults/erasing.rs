//! A worker is killed or frozen while it carries out an erasure; the next one finishes it. Whoever was to be
//! forgotten is gone from rows, rollups and sketches, nobody else is, and the books balance.

use std::time::Duration;

use footfall::clock::Clock;
use footfall::event::Event;
use footfall::meta::{ErasureState, Meta, NewErasure};
use uuid::Uuid;

use super::case::{Case, Fault, run_all};
use super::harness::*;
use super::until;

/// Steps of an erasure in their order.
const STEPS: &[&str] = &[
    "remove.before_advance.requested",
    "remove.before_advance.waiting",
    "removal.after_count",
    "removal.after_delete",
    "remove.before_advance.removing",
    "remove.before_advance.rebuilding",
    "remove.before_advance.verifying",
];

/// How long an erasure may take, its rebuilds included.
const PATIENCE: Duration = Duration::from_secs(90);

const FORGOTTEN: &str = "person-3";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_struck_in_the_middle_of_an_erasure_forgets_nobody_else() {
    let mut cases = Vec::new();
    for &point in STEPS {
        for fault in Fault::BOTH {
            cases.push((format!("{point}: {fault:?}"), async move {
                let mut case = Case::new(1).await;
                case.lease_s = 300;
                let project = case.shop().await.id;
                let mut all = Vec::new();
                for n in [60, 30] {
                    all.extend(case.send(n).await);
                    case.world.drain(&case.world.deliverer()).await;
                }
                struck(case, fault, point, project, all).await;
            }));
        }
    }
    run_all(4, cases).await;
}

/// Has somebody erased, strikes the worker at the point, lets the next one finish, wakes the frozen one up.
async fn struck(case: Case, fault: Fault, point: &str, project: Uuid, mut all: Vec<Event>) {
    let meta = Meta::connect(&case.meta_url()).await.expect("a control database");
    let what = NewErasure::Persons(vec![FORGOTTEN.to_owned()]);
    let now = Clock::system().now_ms();
    let asked = meta.request_erasure(project, what, "ada@example.com", now).await;
    let erasure = asked.expect("an erasure").0.id;

    let mut first = case.start("worker", &fault.at(point, 1), "");
    fault.strikes(&mut first, point).await;
    case.world.lease_runs_out(0).await;
    case.world.roll_runs_out(SHOP).await;
    case.world.remover_runs_out().await;
    let _second = case.worker();
    until("the erasure is done", PATIENCE, async || {
        let state = meta.erasure(project, erasure).await.expect("its state");
        (state.expect("an erasure").state == ErasureState::Done).then_some(())
    })
    .await;
    all.retain(|event| event.distinct_id != FORGOTTEN);
    forgotten(&case, &all).await;
    if fault == Fault::Frozen {
        first.wakes();
        // It learns that the shard is another's when something comes.
        all.push(event(SHOP, "view", "person-4", NOW, 0));
        case.append(SHOP, all[all.len() - 1..].to_vec()).await;
        first.says("belongs to another worker").await;
        case.drained().await;
        let state = meta.erasure(project, erasure).await.expect("its state");
        assert_eq!(
            state.expect("an erasure").state,
            ErasureState::Done,
            "it stays done"
        );
        forgotten(&case, &all).await;
    }
}

/// Exactly `left` is there, in rows, rollups, sketches and active days, and the books balance.
async fn forgotten(case: &Case, left: &[Event]) {
    let mut stored = case.world.stored_ids().await;
    let mut expected: Vec<Uuid> = left.iter().map(|event| event.id).collect();
    stored.sort_unstable();
    expected.sort_unstable();
    assert_eq!(stored, expected, "raw events");
    case.world.rollups_hold(SHOP, left).await;
    let report = case.world.audit().await;
    assert!(report.holds(), "{report}");
}
