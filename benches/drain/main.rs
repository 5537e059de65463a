//! How fast one worker drains a backlog, what that costs, and how fresh answers are under load.
//!
//! ```sh
//! make bench-drain                                  # 3.6 million events, then 20 s at 10,000 events/s
//! make bench-drain ARGS="--events 1000000 --freshness-seconds 0"
//! ```
//!
//! CPU is the figure to trust on a shared machine: user and system time of each process, background merges
//! included.

mod backlog;
mod drain;
#[path = "../engines/mod.rs"]
mod engines;
mod freshness;
mod installation;

use clap::Parser;

/// What is measured.
#[derive(Clone, Debug, Parser)]
pub struct Arguments {
    /// Events of the backlog.
    #[arg(long, default_value_t = 3_600_000)]
    events: u64,
    /// Shards of the stream.
    #[arg(long, default_value_t = 4)]
    shards: u16,
    /// Seconds at 10,000 events a second for the freshness of answers; 0 leaves it out.
    #[arg(long, default_value_t = 20)]
    freshness_seconds: u64,
    /// Events a second meanwhile.
    #[arg(long, default_value_t = 10_000)]
    rate: u64,
    /// Cargo says that this is a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let installation = installation::Installation::start(arguments.shards).await?;
    if arguments.events > 0 {
        drain::measure(&installation, &arguments).await?;
    }
    if arguments.freshness_seconds > 0 {
        freshness::measure(&installation, &arguments).await?;
    }
    installation.stop().await;
    Ok(())
}
