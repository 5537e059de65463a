//! ClickHouse is killed at the very moment when it renames a part into place, by `strace` from outside.
//!
//! A plain MergeTree writes a block's id into its deduplication log before it renames the block's part. Killed
//! between the two, it comes back with the id and without the rows, and drops the retry without a word. VERIFY sees
//! that rows are missing and the repair inserts them under another try; without VERIFY they are lost.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use footfall::engines::Engines;

use super::case::Case;
use super::controls::Figures;
use super::harness::*;
use super::until;

const PATIENCE: Duration = Duration::from_secs(60);

/// Kills of one ClickHouse; at the sixth end within a minute its supervisor gives it up.
const KILLS: u32 = 5;

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

    /// Whether the process was killed, and at the renaming of which path.
    fn sprung(&mut self) -> Option<String> {
        let ended = self.strace.try_wait().expect("our child").is_some();
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let killed = log.contains("killed by SIGKILL");
        let last = log.lines().rfind(|line| line.contains("rename"));
        (ended && killed).then(|| {
            eprintln!("{log}");
            last.unwrap_or_default().to_owned()
        })
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

/// What a trial came to.
#[derive(Debug)]
struct Trial {
    /// The renames that were forced to fail, as strace saw them.
    renames: Vec<String>,
    figures: Figures,
}

/// Delivers one batch while ClickHouse is killed at its `nth` rename, and then at the `again`-th one of its next
/// life. Fewer renames than that: fewer kills.
async fn trial(engines: &Engines, nth: u32, again: Option<u32>, left_out: &str) -> Result<Trial, String> {
    let case = Case::of(World::on(engines, 1).await);
    let mut worker = case.start("worker", "", left_out);
    worker.says("shard taken").await;
    let mut renames = Vec::new();
    let pid = clickhouse(engines).expect("a ClickHouse");
    let mut trap = Trap::set(&case, pid, nth).await?;
    let all = case.send(120).await;
    let mut next = again;
    until("the batch is committed", PATIENCE, async || {
        if let Some(rename) = trap.sprung() {
            renames.push(rename);
            worker.freezes();
            case.world.answers().await;
            if let Some(again) = next.take() {
                let pid = clickhouse(engines).expect("a ClickHouse");
                trap = Trap::set(&case, pid, again).await.expect("as before");
            } else {
                trap.log.clear();
            }
            worker.wakes();
        }
        let counters = case.world.stream.shard_counters(0).await.expect("counters");
        (counters.rows_waiting == 0).then_some(())
    })
    .await;
    drop(trap);
    case.world.answers().await;
    let figures = Figures::of(&case.world, &all).await;
    if left_out.is_empty() {
        case.world.holds_exactly(&all).await;
    }
    Ok(Trial { renames, figures })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clickhouse_killed_at_the_rename_of_any_part_loses_and_doubles_nothing() {
    let engines = start_in("faults-rename").await;
    for nth in 1..=KILLS {
        let trial = trial(&engines, nth, None, "").await;
        eprintln!("{nth}: {trial:?}");
    }
}
