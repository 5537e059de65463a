//! Redis full: what is refused, how fast, and that nothing acknowledged is lost.

use std::time::Duration;

use anyhow::ensure;

use super::installation::Installation;
use super::load::Load;
use super::process::Part;
use super::report::percentile;
use super::{DRAINED_WITHIN, Options};

/// Fills a Redis of so many MB without a worker, goes on sending, then starts again with a worker and counts.
pub async fn run(options: &Options, megabytes: u64) -> anyhow::Result<()> {
    let limit = megabytes.to_string();
    let memory = ["--redis-max-memory-mb", limit.as_str()];
    for &case in &options.cases {
        let installation = Installation::new(options)?;
        let running = installation
            .start(&[&memory[..], &["--roles", "capture,api"]].concat())
            .await?;
        let project = running.project("full").await?;
        let mut load = Load::connect(&running, &project, options, case).await?;
        // Until the first refusals, at the longest a minute, then for the time that was asked for.
        for _ in 0..60 {
            load.send_for(Duration::from_secs(1)).await;
            if load.counts().refused > 0 {
                break;
            }
        }
        ensure!(
            load.counts().refused > 0,
            "{megabytes} MB were not filled within a minute"
        );
        let full_after = load.counts().acknowledged;
        load.send_for(Duration::from_secs(options.seconds)).await;
        let counts = load.counts();
        let latencies = load.latencies();
        let usage = running.usage(false);
        running.stop().await?;

        let running = installation.start(&memory).await?;
        load.move_to(&running.address);
        load.settle(Duration::from_secs(60)).await;
        let settled = load.counts();
        ensure!(
            settled.acknowledged == settled.sent,
            "some requests were refused for a minute"
        );
        running
            .stored(&project, settled.acknowledged, DRAINED_WITHIN)
            .await?;
        let rows = running.raw_rows(&project).await?;
        ensure!(
            rows == settled.acknowledged,
            "{} events were acknowledged, {rows} are stored",
            settled.acknowledged
        );
        running.stop().await?;
        println!(
            "{} a request, {} connections, Redis of {megabytes} MB without a worker\n\
             \x20 full after {full_after} events; then {} requests refused: p50 {:.2} ms, p99 {:.2} ms\n\
             \x20 taken before: p50 {:.2} ms, p99 {:.2} ms; without an answer: {}\n\
             \x20 memory: footfall {:.0} MB, redis {:.0} MB\n\
             \x20 after a start with a worker: {} acknowledged, {rows} stored",
            case.events,
            case.connections,
            counts.refused,
            percentile(&latencies.refused, 0.5),
            percentile(&latencies.refused, 0.99),
            percentile(&latencies.taken, 0.5),
            percentile(&latencies.taken, 0.99),
            counts.broken,
            usage.megabytes(Part::Footfall),
            usage.megabytes(Part::RedisServer),
            settled.acknowledged,
        );
    }
    Ok(())
}
