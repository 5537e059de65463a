//! The command line.

use std::process::ExitCode;

use clap::Parser;
use footfall::engines::{self, EngineCommand};

/// Product analytics that a team runs itself.
#[derive(Debug, Parser)]
#[command(name = "footfall", version)]
enum Cli {
    /// An engine as a process of ours. Started by `serve`, not by hand.
    #[command(subcommand, hide = true)]
    Engine(EngineCommand),
}

fn main() -> ExitCode {
    match Cli::parse() {
        Cli::Engine(command) => engines::run(&command),
    }
}
