//! What questions cost, over HTTP with a secret key, beside the best SQL that we could write by hand for the same.
//!
//! ```sh
//! make bench-query                                  # 20 million events
//! make bench-query EVENTS=5000000
//! ```
//!
//! Figures of one run stand beside each other; nothing is asserted. CPU is user and system time of the processes. The
//! load generator shares the cores with what it measures.

mod cases;
mod client;
mod data;
#[expect(dead_code, reason = "bench-drain watches memory too")]
#[path = "../engines/mod.rs"]
mod engines;
mod installation;
mod journeys;
mod people;
mod table;

use clap::Parser;

/// What is measured.
#[derive(Clone, Debug, Parser)]
pub struct Arguments {
    /// Events, of which the project that is asked about has 60 %.
    #[arg(long, default_value_t = 20_000_000)]
    events: u64,
    /// Connections that ask at once.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds that they ask.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Repetitions of what is computed each time.
    #[arg(long, default_value_t = 7)]
    repeat: usize,
    /// Only the parts whose names contain this: users, counts, visits, retention, paths, people.
    #[arg(long)]
    only: Option<String>,
    /// Cargo says that this is a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    /// Whether a part is wanted.
    fn wants(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| part.contains(only))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let installation = installation::Installation::start().await?;
    let measured = cases::measure(&installation, &arguments).await;
    installation.stop().await;
    measured
}
