//! A repair is itself struck, in each of its steps: the first worker's block was lost or doubled, the second one
//! repairs and is struck, the third finishes, the frozen second wakes up.

use super::case::{Case, Fault, run_all};

/// What became of the block that the first worker inserted.
#[derive(Clone, Copy, Debug)]
pub enum Damage {
    /// Noted in the deduplication log, never attached.
    Lost,
    /// There twice.
    Doubled,
}

impl Damage {
    /// Done behind the product's back.
    pub async fn happens(self, case: &Case, table: &str) {
        let statement = match self {
            Damage::Lost => format!("DELETE FROM {table} WHERE project > 0"),
            Damage::Doubled => format!("INSERT INTO {table} SELECT * FROM {table}"),
        };
        case.world.sql(&statement).await;
    }
}

/// Table, what happened to its block, and the step of the repair that is struck.
const REPAIRS: &[(&str, Damage, &str)] = &[
    ("events", Damage::Lost, "repair.before_try"),
    ("events", Damage::Lost, "repair.after_try"),
    ("events", Damage::Lost, "repair.before_delete"),
    ("events", Damage::Lost, "repair.after_delete"),
    ("events", Damage::Doubled, "repair.after_try"),
    ("events", Damage::Doubled, "repair.before_delete"),
    ("events", Damage::Doubled, "repair.after_delete"),
    ("count_deltas", Damage::Lost, "repair.after_try"),
    ("count_deltas", Damage::Doubled, "repair.before_delete"),
    ("count_deltas", Damage::Doubled, "repair.after_delete"),
    ("sketch_deltas", Damage::Lost, "repair.before_delete"),
    ("sketch_deltas", Damage::Doubled, "repair.after_delete"),
    ("actor_days", Damage::Lost, "repair.before_try"),
    ("actor_days", Damage::Lost, "repair.after_try"),
    ("actor_days", Damage::Lost, "repair.before_delete"),
    ("ledger", Damage::Lost, "repair.after_try"),
    ("ledger", Damage::Doubled, "repair.after_delete"),
];

/// A first worker that dies with its block of `table` inserted, which is then damaged.
pub async fn damaged(case: &Case, table: &str, damage: Damage) {
    let point = format!("deliver.after_insert.{table}");
    let mut first = case.start("worker", &Fault::Killed.at(&point, 1), "");
    first.dies_at(&point).await;
    damage.happens(case, table).await;
    case.world.lease_runs_out(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_struck_in_the_middle_of_a_repair_loses_and_doubles_nothing() {
    let mut cases = Vec::new();
    for &(table, damage, point) in REPAIRS {
        for fault in Fault::BOTH {
            cases.push((format!("{table} {damage:?}, {point}: {fault:?}"), async move {
                let mut case = Case::new(1).await;
                case.lease_s = 300;
                let mut all = case.send(70).await;
                damaged(&case, table, damage).await;
                let mut second = case.start("worker", &fault.at(point, 1), "");
                fault.strikes(&mut second, point).await;
                all.extend(case.send(20).await);
                case.world.lease_runs_out(0).await;
                let _third = case.worker();
                case.drained().await;
                case.world.holds_exactly(&all).await;
                if fault == Fault::Frozen {
                    second.wakes();
                    second.says("shard lost").await;
                    case.world.holds_exactly(&all).await;
                }
            }));
        }
    }
    run_all(4, cases).await;
}
