//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use footfall::app::{self, App};
use footfall::config::Config;
use footfall::engines::{self, EngineCommand};
use footfall::telemetry;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Product analytics that a team runs itself.
#[derive(Debug, Parser)]
#[command(name = "footfall", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run an installation: the engines it needs, and the roles that were asked for.
    Serve(Config),
    /// Run an installation and fill a made-up shop through the real endpoint.
    Demo(app::demo::DemoArgs),
    /// Bring the tables up to date and end.
    Migrate(Config),
    /// Print the OpenAPI document.
    Openapi,
    /// Print the settings in force, secrets hidden.
    Config(Config),
    /// Copy an embedded installation into a folder, whether it runs or not. Events are taken meanwhile.
    Backup {
        /// The folder to make.
        to: PathBuf,
        #[command(flatten)]
        config: Config,
    },
    /// Make a backup the installation of a new data directory.
    Restore {
        /// The backup's folder.
        from: PathBuf,
        #[command(flatten)]
        config: Config,
    },
    /// Say what is wrong, in words. Ends with 1 if anything is.
    Doctor {
        /// Let Redis and ClickHouse go on together after one of them was replaced or restored from an older copy.
        /// Stop every server first.
        #[arg(long)]
        adopt: bool,
        #[command(flatten)]
        config: Config,
    },
    /// Say whether counters, raw events and rollups agree. Ends with 1 if they do not. Also while a server runs.
    Audit(app::audit::AuditArgs),
    /// Rows that ClickHouse refused: list, show, replay, discard them. Also while a server runs.
    #[command(subcommand)]
    DeadLetters(app::letters::LettersCommand),
    /// An engine as a process of ours. Started by `serve`, not by hand.
    #[command(subcommand, hide = true)]
    Engine(EngineCommand),
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    // An engine takes the main thread for itself, so it comes before any runtime.
    if let Command::Engine(command) = &command {
        return engines::run(command);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("footfall: starting the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(command)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("footfall: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(config) => {
            telemetry::start_logs(&config.log, config.log_json)?;
            let (engines, rooms) = app::open(&config).await?;
            let app = App::start(&config, engines, rooms).await?;
            println!("Footfall listens on {}", app.url);
            app.run().await?;
        }
        Command::Demo(args) => {
            telemetry::start_logs(&args.config.log, args.config.log_json)?;
            app::demo::run(args).await?;
        }
        Command::Migrate(config) => {
            telemetry::start_logs(&config.log, config.log_json)?;
            app::migrate(&config).await?;
        }
        Command::Openapi => println!("{}", app::document().to_pretty_json()?),
        Command::Config(config) => print!("{}", config.describe()),
        Command::Backup { to, config } => {
            telemetry::start_logs(&config.log, config.log_json)?;
            let copied = app::backup::backup(&config, &to).await?;
            println!(
                "{}: {} events stored and {} waiting, {:.1} MB; the workers rested {:.1} s",
                to.display(),
                copied.events,
                copied.waiting,
                copied.bytes as f64 / 1e6,
                copied.paused.as_secs_f64()
            );
        }
        Command::Restore { from, config } => {
            telemetry::start_logs(&config.log, config.log_json)?;
            let restored = app::backup::restore::restore(&config, &from).await?;
            println!(
                "{} holds the {} events of {}; start it with: footfall serve --data-dir {0}",
                config.data_dir.display(),
                restored.events,
                from.display(),
            );
        }
        Command::Doctor { adopt: false, config } => return app::doctor::run(&config).await,
        Command::Doctor { adopt: true, config } => {
            telemetry::start_logs(&config.log, config.log_json)?;
            print!("{}", app::adopt::described(&app::adopt::adopt(&config).await?));
        }
        Command::Audit(args) => {
            telemetry::start_logs(&args.config.log, args.config.log_json)?;
            return app::audit::run(&args).await;
        }
        Command::DeadLetters(command) => {
            let config = command.config();
            telemetry::start_logs(&config.log, config.log_json)?;
            return app::letters::run(&command).await;
        }
        Command::Engine(_) => unreachable!("an engine was started before the runtime"),
    }
    Ok(ExitCode::SUCCESS)
}
