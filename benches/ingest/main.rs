//! How fast an installation takes events in, and what an event costs until it is stored.
//!
//!     make bench-ingest                                   # all cases
//!     make bench-ingest ARGS="--seconds 20 --case 1x512"  # one of them
//!     make bench-ingest ARGS="--back-pressure"            # Redis full: refusals, and that nothing is lost
//!
//! Starts the release binary on a temporary data directory with its own engines, makes an account, sends
//! events as fast as they are answered, and waits until all of them can be asked for. CPU is that of every
//! process of the installation over that whole time, per stored event: endpoint, Redis with its shim, worker,
//! ClickHouse, and the questions asked while waiting. The generator's own is shown beside it, not counted.
//! Each case ends with a count of the raw rows: as many as were acknowledged, or the bench fails.

mod body;
mod installation;
mod load;
mod pressure;
mod process;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::Parser;

use installation::Installation;
use load::Load;
use report::{Measured, Table};

/// Measures the way of events from the endpoint into the tables.
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// How long each case sends.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Cases as `<events a request>x<connections>`.
    #[arg(long = "case", default_values = ["1x512", "50x64"], value_parser = shape)]
    cases: Vec<Shape>,
    /// Event-id windows in seconds to measure with; 0 is off.
    #[arg(long, value_delimiter = ',', default_value = "3600,0")]
    windows: Vec<u64>,
    /// People among whom events are shared out.
    #[arg(long, default_value_t = 100_000)]
    people: u32,
    /// Fill a Redis of this many MB instead, without a worker, and see what is refused.
    #[arg(long, num_args = 0..=1, default_missing_value = "96", value_name = "MB")]
    back_pressure: Option<u64>,
    /// Threads of the generator.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Measure another build of the program.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_footfall"))]
    binary: PathBuf,
    /// Print the pid of the main process, and wait this many seconds before each case: time to attach a profiler.
    #[arg(long, default_value_t = 0)]
    pause: u64,
    /// More arguments for `footfall serve`, separated by blanks.
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    serve: String,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Events in a request, and connections that send requests one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    events: usize,
    connections: usize,
}

fn shape(text: &str) -> Result<Shape, String> {
    let read = || {
        let (events, connections) = text.split_once('x')?;
        Some(Shape {
            events: events.parse().ok().filter(|n| (1..=1000).contains(n))?,
            connections: connections.parse().ok().filter(|n| (1..=4096).contains(n))?,
        })
    };
    read().ok_or_else(|| format!("{text:?} is not like 50x64"))
}

/// Longest time until everything acknowledged can be asked for.
const DRAINED_WITHIN: Duration = Duration::from_secs(300);

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.threads)
        .enable_all()
        .build()?
        .block_on(async {
            match options.back_pressure {
                Some(megabytes) => pressure::run(&options, megabytes).await,
                None => run(&options).await,
            }
        })
}

async fn run(options: &Options) -> anyhow::Result<()> {
    let mut table = Table::default();
    for &window in &options.windows {
        let installation = Installation::new(options)?;
        let running = installation
            .start(&["--dedup-window-s", &window.to_string()])
            .await?;
        // The first inserts load code and make parts; nobody measures those.
        let warm = running.project("warm-up").await?;
        let mut load = Load::connect(&running, &warm, options, options.cases[0]).await?;
        load.send_for(Duration::from_secs(2)).await;
        running
            .stored(&warm, load.counts().acknowledged, DRAINED_WITHIN)
            .await?;
        drop(load);

        for &case in &options.cases {
            let name = format!("{} a request, {} connections", case.events, case.connections);
            let project = running.project(&name).await?;
            let mut load = Load::connect(&running, &project, options, case).await?;
            pause(options, &running, &name).await;
            let before = running.usage(true);
            let own_before = process::own_cpu();
            let took = load.send_for(Duration::from_secs(options.seconds)).await;
            let own = process::own_cpu() - own_before;
            let counts = load.counts();
            let drained = running
                .stored(&project, counts.acknowledged, DRAINED_WITHIN)
                .await?;
            let used = running.usage(false).since(&before);
            ensure!(
                counts.acknowledged == counts.sent,
                "{} of {} events were not acknowledged",
                counts.sent - counts.acknowledged,
                counts.sent
            );
            let rows = running.raw_rows(&project).await?;
            ensure!(
                rows == counts.acknowledged,
                "{} events were acknowledged, {rows} are stored",
                counts.acknowledged
            );
            table.add(Measured {
                case: name,
                window,
                counts,
                took,
                drained,
                used,
                own,
                latencies: load.latencies(),
            });
        }
        running.stop().await?;
    }
    print!("{table}");
    Ok(())
}

async fn pause(options: &Options, running: &installation::Running, what: &str) {
    if options.pause > 0 {
        println!("{what}: pid {}", running.pid());
        tokio::time::sleep(Duration::from_secs(options.pause)).await;
    }
}
