//! What each rule is for: with the rule left out, the same fault loses or doubles events. A control that comes out
//! exact fails, because then the test above it proves nothing.

use std::collections::HashMap;

use footfall::event::Event;
use uuid::Uuid;

use super::case::{Case, Fault};
use super::harness::*;
use super::repairing::{Damage, damaged};

/// What the raw table holds of the acknowledged events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    pub acknowledged: usize,
    pub lost: usize,
    /// Rows beyond the first of an event.
    pub doubled: usize,
}

impl Figures {
    /// Compares the raw table with what was acknowledged.
    pub async fn of(world: &World, acknowledged: &[Event]) -> Figures {
        let stored = world.stored_ids().await;
        let mut times: HashMap<Uuid, usize> = HashMap::new();
        for id in stored {
            *times.entry(id).or_default() += 1;
        }
        let lost = acknowledged.iter().filter(|event| !times.contains_key(&event.id));
        Figures {
            acknowledged: acknowledged.len(),
            lost: lost.count(),
            doubled: times.values().map(|&n| n - 1).sum(),
        }
    }

    pub fn is_exact(self) -> bool {
        (self.lost, self.doubled) == (0, 0)
    }
}

/// Runs the same story with every rule and without one, and prints both.
async fn control(rule: &str, with: Figures, without: Figures) {
    eprintln!("control, {rule:?} left out: {without:?}; with it: {with:?}");
    assert!(with.is_exact(), "with every rule: {with:?}");
    assert!(
        !without.is_exact(),
        "{rule:?} left out changes nothing: {without:?}"
    );
}

/// The first worker's block is lost; the next one believes ClickHouse's yes.
pub async fn block_never_attached(left_out: &str) -> Figures {
    let case = Case::new(1).await;
    let all = case.send(120).await;
    damaged(&case, "events", Damage::Lost).await;
    let _next = case.start("worker", "", left_out);
    case.drained().await;
    Figures::of(&case.world, &all).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_verify_a_block_that_was_noted_but_never_attached_is_lost() {
    let with = block_never_attached("").await;
    control("verify", with, block_never_attached("verify").await).await;
}

/// Frozen before its repair's DELETE, the worker wakes up when its successor has committed the batch.
async fn late_delete(left_out: &str) -> Figures {
    let mut case = Case::new(1).await;
    case.lease_s = 300;
    let all = case.send(120).await;
    damaged(&case, "events", Damage::Lost).await;
    let point = "repair.before_delete";
    let mut second = case.start("worker", &Fault::Frozen.at(point, 1), left_out);
    second.freezes_at(point).await;
    case.world.lease_runs_out(0).await;
    let _third = case.start("worker", "", left_out);
    case.drained().await;
    case.world.holds_exactly(&all).await;
    second.wakes();
    second.says("shard lost").await;
    Figures::of(&case.world, &all).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_try_a_stalled_owner_deletes_what_its_successor_committed() {
    let with = late_delete("").await;
    control("repair_try", with, late_delete("repair_try").await).await;
}

/// Killed with a batch of two requests inserted; four more come, and the next worker takes other sizes.
async fn other_boundary(left_out: &str) -> Figures {
    let case = Case::new(1).await;
    let mut all = case.send(50).await;
    all.extend(case.send(50).await);
    let point = "deliver.after_insert.events";
    let mut first = case.start("worker", &Fault::Killed.at(point, 1), left_out);
    first.dies_at(point).await;
    for _ in 0..4 {
        all.extend(case.send(50).await);
    }
    case.world.lease_runs_out(0).await;
    let mut next = case.start("worker", "", left_out);
    if left_out == "plan" {
        // The tables know a batch that Redis does not.
        next.says("Redis went back in time").await;
    } else {
        case.drained().await;
    }
    Figures::of(&case.world, &all).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_plan_a_crash_changes_the_batch_under_its_token() {
    let with = other_boundary("").await;
    // A guard behind the guard: the shard stops before anything is lost for good.
    let guarded = other_boundary("plan").await;
    eprintln!("\"plan\" left out: the comparison of histories stops the shard at {guarded:?}");
    control("plan,history", with, other_boundary("plan,history").await).await;
}
