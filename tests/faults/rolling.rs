//! A roller is killed or frozen while it compacts or rebuilds a day, before and after the switch; the next one
//! rolls, the frozen one wakes up with its old generation in its hands. No number changes.
//!
//! Rollers look every ten seconds, so these cases mostly wait, all at once.

use std::collections::BTreeSet;
use std::time::Duration;

use footfall::event::{Day, Event};
use footfall::stream::rebuild::{Rebuild, RollupKind};

use super::case::{Case, Fault, run_all};
use super::harness::*;
use super::until;

/// While the deltas of a day become a generation.
const COMPACTION: &[&str] = &[
    "compact.after_generation.counts",
    "roll.before_switch.counts",
    "roll.after_switch.counts",
    "compact.after_generation.sketches",
    "roll.before_switch.sketches",
    "roll.after_switch.sketches",
];

/// While a day is computed anew from raw events.
const REBUILD: &[&str] = &[
    "rebuild.after_generation.counts",
    "roll.before_switch.counts",
    "roll.after_switch.counts",
    "rebuild.before_finish.counts",
    "rebuild.after_generation.sketches",
    "roll.before_switch.sketches",
    "roll.after_switch.sketches",
    "rebuild.before_finish.sketches",
];

/// Its look is over.
const LOOKED: &str = "roll.after_look";

/// A shop with some batches in its tables, received days ago, so that their deltas are due.
async fn stored(case: &Case) -> Vec<Event> {
    case.shop().await;
    let deliverer = case.world.deliverer();
    let mut all = Vec::new();
    for n in [60, 30, 20] {
        all.extend(case.send(n).await);
        case.world.drain(&deliverer).await;
    }
    all
}

/// Asks for a rebuild of every day with events, as due as can be. Also for one that a dead roller has claimed.
async fn ask_for_rebuilds(case: &Case, all: &[Event]) {
    let days: BTreeSet<Day> = all.iter().map(|event| event.local_day).collect();
    let kinds = [RollupKind::Counts, RollupKind::Sketches];
    let of_day = |&day: &Day| {
        kinds.map(|kind| Rebuild {
            project: SHOP,
            kind,
            day,
        })
    };
    let rebuilds: Vec<Rebuild> = days.iter().flat_map(of_day).collect();
    let queued = case.world.stream.queue_rebuilds(&rebuilds, NOW).await;
    queued.expect("queued");
}

/// Strikes a roller at the point, lets the next one look, wakes the frozen one up.
async fn struck(case: Case, fault: Fault, point: &str, rebuilds: &[Event], holds: Vec<Event>) {
    let faults = format!("{},{LOOKED}:1:stop", fault.at(point, 1));
    let mut first = case.start("worker", &faults, "");
    fault.strikes(&mut first, point).await;
    case.world.roll_runs_out(SHOP).await;
    if !rebuilds.is_empty() {
        ask_for_rebuilds(&case, rebuilds).await;
    }
    let mut second = case.start("worker", &Fault::Frozen.at(LOOKED, 1), "");
    second.freezes_at(LOOKED).await;
    case.world.rollups_hold(SHOP, &holds).await;
    if fault == Fault::Frozen {
        first.wakes();
        first.freezes_at(LOOKED).await;
        case.world.rollups_hold(SHOP, &holds).await;
    }
}

/// Nobody helps: what a frozen or killed roller had in hand is done by the next in less than a minute and a half.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_roller_had_that_fell_silent_is_rebuilt_soon() {
    let mut cases = Vec::new();
    for point in [
        "rebuild.after_generation.counts",
        "rebuild.before_finish.sketches",
    ] {
        for fault in Fault::BOTH {
            cases.push((format!("{point}: {fault:?}"), async move {
                let case = Case::new(1).await;
                let all = stored(&case).await;
                ask_for_rebuilds(&case, &all).await;
                let mut first = case.start("worker", &fault.at(point, 1), "");
                fault.strikes(&mut first, point).await;
                let _second = case.worker();
                until("the days are counted", Duration::from_secs(90), async || {
                    let left = case.world.stream.rebuilds_waiting().await.expect("a queue");
                    (left == 0).then_some(())
                })
                .await;
                case.world.rollups_hold(SHOP, &all).await;
            }));
        }
    }
    let at_a_time = cases.len();
    run_all(at_a_time, cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roller_struck_before_or_after_the_switch_changes_no_number() {
    let mut cases = Vec::new();
    for (rebuild, points) in [(false, COMPACTION), (true, REBUILD)] {
        for &point in points {
            for fault in Fault::BOTH {
                let what = if rebuild { "rebuild" } else { "compaction" };
                cases.push((format!("{what}, {point}: {fault:?}"), async move {
                    let case = Case::new(1).await;
                    let all = stored(&case).await;
                    if !rebuild {
                        return struck(case, fault, point, &[], all).await;
                    }
                    // Somebody's events are gone, as after an erasure: only a rebuild takes them off the rollups.
                    for gone in ["events WHERE distinct_id =", "actor_days WHERE actor = xxh3"] {
                        case.world.sql(&format!("DELETE FROM {gone} ('person-3')")).await;
                    }
                    let left = all.iter().filter(|event| event.distinct_id != "person-3");
                    let left = left.cloned().collect();
                    ask_for_rebuilds(&case, &all).await;
                    struck(case, fault, point, &all, left).await;
                }));
            }
        }
    }
    let at_a_time = cases.len();
    run_all(at_a_time, cases).await;
}
