//! ClickHouse is killed at the very moment when it renames a part into place, by `strace` from outside.
//!
//! A plain MergeTree writes a block's id into its deduplication log before it renames the block's part. Killed
//! between the two, it comes back with the id and without the rows, and drops the retry without a word. VERIFY sees
//! that rows are missing and the repair inserts them under another try; without VERIFY they are lost.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use footfall::engines::Engines;

use super::case::{Case, Fault};
use super::controls::{Figures, block_never_attached};
use super::harness::*;
use super::until;

const PATIENCE: Duration = Duration::from_secs(60);

/// Kills of one ClickHouse; at the sixth end within a minute its supervisor gives it up.
const KILLS: usize = 5;

/// A strace that kills a process at its n-th rename.
struct Trap {
    strace: Child,
    log: PathBuf,
}

impl Trap {
    /// Lies in wait; an error is what strace says when it may not.
    async fn set(case: &Case, pid: u32, nth: u32) -> Result<Trap, String> {
        let log = case.path(&format!("strace-{pid}-{nth}.log"));
        let said = case.path(&format!("strace-{pid}-{nth}.err"));
        let file = std::fs::File::create(&said).expect("a file");
        let strace = Command::new("strace")
            .args(["-f", "-p", &pid.to_string(), "-o"])
            .arg(&log)
            .args(["-e", "trace=rename,renameat,renameat2", "-e"])
            .arg(format!(
                "inject=rename,renameat,renameat2:signal=SIGKILL:when={nth}"
            ))
            .stdin(Stdio::null())
            .stderr(file)
            .spawn();
        let mut strace = strace.map_err(|error| format!("strace cannot be started: {error}"))?;
        let attached = until("strace is attached", PATIENCE, async || {
            let words = std::fs::read_to_string(&said).unwrap_or_default();
            match strace.try_wait().expect("our child") {
                Some(_) => Some(Err(words)),
                None => words.contains("attached").then_some(Ok(())),
            }
        })
        .await;
        attached.map(|()| Trap { strace, log })
    }

    /// The part whose renaming the process did not survive, once it is dead.
    fn sprung(&mut self) -> Option<String> {
        self.strace.try_wait().expect("our child")?;
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last = log
            .lines()
            .rfind(|line| line.contains("rename") && line.contains('"'));
        let target = last?.rsplit('"').nth(1)?;
        log.contains("killed by SIGKILL").then(|| target.to_owned())
    }
}

impl Drop for Trap {
    /// Detaches.
    fn drop(&mut self) {
        if let Ok(None) = self.strace.try_wait() {
            let pid = rustix::process::Pid::from_raw(self.strace.id().cast_signed());
            let _ = pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::INT));
            let _ = self.strace.wait();
        }
    }
}

fn clickhouse(engines: &Engines) -> Option<u32> {
    let pids = engines.pids();
    pids.iter()
        .find(|(name, _)| *name == "clickhouse")
        .map(|(_, pid)| *pid)
}

/// Where ClickHouse is killed: at the n-th rename after the worker came to this point, and so of a part that this
/// point's table gets.
#[derive(Clone, Copy, Debug)]
struct Kill {
    point: &'static str,
    table: &'static str,
    nth: u32,
}

const fn inserting(table: &'static str, point: &'static str, nth: u32) -> Kill {
    Kill { point, table, nth }
}

/// Every part of a batch of two months.
const PARTS: &[Kill] = &[
    inserting("events", "deliver.before_insert.events", 1),
    inserting("events", "deliver.before_insert.events", 2),
    inserting("count_deltas", "deliver.before_insert.count_deltas", 1),
    inserting("sketch_deltas", "deliver.before_insert.sketch_deltas", 1),
    inserting("actor_days", "deliver.before_insert.actor_days", 1),
    inserting("actor_days", "deliver.before_insert.actor_days", 2),
    inserting("ledger", "deliver.before_insert.ledger", 1),
    inserting("late_days", "deliver.before_insert.late_days", 1),
];

/// A repair of `events` of which the first month was attached: it removes that, and inserts both again.
const REPAIR: [Kill; 3] = [
    inserting("events", "repair.before_delete", 1),
    inserting("events", "repair.after_delete", 1),
    inserting("events", "repair.after_delete", 2),
];

/// Delivers one batch while ClickHouse is killed, once or twice. An error is why it cannot be.
async fn trial(engines: &Engines, kills: &[Kill], left_out: &str) -> Result<Figures, String> {
    let case = Case::on(engines, 1).await;
    for table in ["events", "actor_days"] {
        // A merge's rename is not the one that is meant.
        case.world.sql(&format!("SYSTEM STOP MERGES {table}")).await;
    }
    let faults: Vec<String> = kills.iter().map(|kill| Fault::Frozen.at(kill.point, 1)).collect();
    let mut worker = case.start("worker", &faults.join(","), left_out);
    let all = case.send(120).await;
    let mut killed = Vec::new();
    for kill in kills {
        worker.freezes_at(kill.point).await;
        case.world.answers().await;
        let pid = clickhouse(engines).expect("a ClickHouse");
        let mut trap = Trap::set(&case, pid, kill.nth).await?;
        worker.wakes();
        let part = until("ClickHouse is dead", PATIENCE, async || trap.sprung()).await;
        let part = case.world.part(&part).await;
        assert!(part.starts_with(kill.table), "{kill:?} hit {part}");
        killed.push(part);
    }
    case.drained().await;
    let figures = Figures::of(&case.world, &all).await;
    eprintln!(
        "killed at the rename of {}: {figures:?}",
        killed.join(", then of ")
    );
    if left_out.is_empty() {
        case.world.holds_exactly(&all).await;
    }
    drop(worker);
    let drop = format!("DROP DATABASE {} SYNC", case.world.database());
    case.world.sql(&drop).await;
    Ok(figures)
}

/// Runs trials, each lot on engines of its own: one that ends too often is given up. `false` where nobody may trace.
async fn trials(name: &str, trials: Vec<Vec<Kill>>) -> bool {
    let a_lot = KILLS / trials[0].len();
    for (number, lot) in trials.chunks(a_lot).enumerate() {
        let engines = start_in(&format!("faults-{name}-{number}")).await;
        for kills in lot {
            if let Err(why) = trial(&engines, kills, "").await {
                eprintln!("NOT TESTED: ClickHouse cannot be killed at a rename on this machine: {why}");
                return false;
            }
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clickhouse_killed_at_the_rename_of_any_part_of_a_batch_loses_and_doubles_nothing() {
    if !trials("rename", PARTS.iter().map(|&kill| vec![kill]).collect()).await {
        // The same state made by hand: the block's id is noted, its rows are not there. It is what VERIFY must
        // see; that a kill at the rename leads to this state is not shown then.
        let exact = block_never_attached("").await;
        assert!(exact.is_exact(), "{exact:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clickhouse_killed_again_at_a_rename_of_the_repair_loses_and_doubles_nothing() {
    trials(
        "repair",
        REPAIR.iter().map(|&again| vec![PARTS[1], again]).collect(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_verify_a_part_that_was_never_renamed_is_lost() {
    let engines = start_in("faults-unverified").await;
    match trial(&engines, &PARTS[..1], "verify").await {
        Err(why) => eprintln!("NOT TESTED: {why}; the control with a removed block stands for it"),
        Ok(control) => {
            eprintln!("control, \"verify\" left out: {control:?}");
            assert!(control.lost > 0, "VERIFY is needed: {control:?}");
        }
    }
}
