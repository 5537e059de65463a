//! The drain of a backlog by one worker.

use std::time::{Duration, Instant};

use anyhow::ensure;
use footfall::clock::Clock;
use footfall::event::ProjectNumber;

use crate::Arguments;
use crate::backlog::{A_REQUEST, Backlog};
use crate::engines::process::{Peaks, Process, cpu, resident};
use crate::installation::{Installation, Rooms};

const PROJECT: ProjectNumber = ProjectNumber(1);
/// Nothing takes longer.
const PATIENCE: Duration = Duration::from_secs(600);
/// Background merges are over when ClickHouse used less than a tenth of a core for so long.
const QUIET: Duration = Duration::from_secs(2);

/// Fills the stream, starts a worker, waits until nothing is left, and prints what that took.
pub async fn measure(installation: &Installation, arguments: &Arguments) -> anyhow::Result<()> {
    let rooms = installation.rooms("drain").await?;
    rooms.store.settle_shards(rooms.stream.shards()).await?;
    let mut processes = installation.engines();

    let began = Instant::now();
    let now_ms = Clock::system().now_ms();
    let backlog = Backlog {
        project: PROJECT,
        events: arguments.events,
        now_ms,
    };
    let acknowledged = backlog.fill(&rooms.stream).await?;
    println!(
        "backlog           {acknowledged} events, {A_REQUEST} a request, {} shards, taken in {:.1} s; {}",
        arguments.shards,
        began.elapsed().as_secs_f64(),
        sizes(&processes)
    );

    let mut worker = installation.serve("drain", "worker")?;
    processes.push(worker.process("worker"));
    let before = cpu(&processes);
    let began = Instant::now();
    let mut peaks = Peaks::default();
    let mut first = None;
    loop {
        peaks.look(&processes);
        let committed = rooms.committed().await?;
        if committed > 0 && first.is_none() {
            first = Some(began.elapsed());
        }
        if committed >= acknowledged {
            break;
        }
        ensure!(
            began.elapsed() < PATIENCE,
            "only {committed} rows after {PATIENCE:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = began.elapsed();
    let drained = cpu(&processes);
    worker.url().await?;
    println!(
        "drained           in {:.2} s: {:.0} events/s (first commit {:.2} s after the worker's start)",
        took.as_secs_f64(),
        acknowledged as f64 / took.as_secs_f64(),
        first.unwrap_or_default().as_secs_f64()
    );
    table("CPU a row, drain  ", &processes, &before, &drained, acknowledged);
    quiet(&processes).await;
    table(
        "merges included   ",
        &processes,
        &before,
        &cpu(&processes),
        acknowledged,
    );
    let peak = |process: &Process| format!("{} {} MB", process.name, peaks.megabytes(process.name));
    println!("RSS peaks         {}", list(processes.iter().map(peak)));
    println!("stop              in {:.2} s", worker.stop().await?.as_secs_f64());
    holds(&rooms, acknowledged).await
}

/// Stored is what was acknowledged, in raw and rollups.
async fn holds(rooms: &Rooms, acknowledged: u64) -> anyhow::Result<()> {
    let stored = rooms.stored().await?;
    ensure!(
        stored == acknowledged,
        "{acknowledged} acknowledged, {stored} stored"
    );
    let differences = rooms.store.differences(PROJECT).await?;
    ensure!(differences.is_empty(), "raw and rollups differ: {differences:?}");
    println!("truth             {stored} stored = acknowledged; the count rollups agree");
    Ok(())
}

/// Waits until ClickHouse has nothing more to merge.
async fn quiet(processes: &[Process]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let before = cpu(processes);
        tokio::time::sleep(QUIET).await;
        let used: Duration = cpu(processes)
            .iter()
            .zip(&before)
            .map(|(now, then)| *now - *then)
            .sum();
        if used < QUIET / 10 || Instant::now() > deadline {
            return;
        }
    }
}

fn table(what: &str, processes: &[Process], before: &[Duration], after: &[Duration], rows: u64) {
    let a_row: Vec<f64> = before
        .iter()
        .zip(after)
        .map(|(before, after)| (*after - *before).as_secs_f64() * 1e6 / rows as f64)
        .collect();
    let each = processes
        .iter()
        .zip(&a_row)
        .map(|(process, cpu)| format!("{} {cpu:.2} us", process.name));
    println!("{what}{:.2} us: {}", a_row.iter().sum::<f64>(), list(each));
}

/// Resident sizes now.
pub fn sizes(processes: &[Process]) -> String {
    let size = |process: &Process| format!("{} {} MB", process.name, resident(process) >> 20);
    list(processes.iter().map(size))
}

fn list(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}
