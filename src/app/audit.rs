//! `footfall audit`: whether everything adds up, for whoever runs the installation.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use uuid::Uuid;

use super::{Rooms, attach};
use crate::api::audit::Audit;
use crate::audit::{AuditOptions, AuditReport, Auditor};
use crate::config::Config;

/// What to audit.
#[derive(Clone, Debug, Args)]
pub struct AuditArgs {
    #[command(flatten)]
    pub config: Config,

    /// Only this project's days. Shards are always looked at, all of them.
    #[arg(long)]
    pub project: Option<Uuid>,

    /// Print JSON, with every day.
    #[arg(long)]
    pub json: bool,
}

/// Prints what was found; fails if an invariant is broken.
pub async fn run(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let (engines, rooms) = attach(&args.config).await?;
    let found = ask(&rooms, args).await;
    rooms.meta.close().await;
    drop(rooms);
    engines.stop().await;
    Ok(if found? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn ask(rooms: &Rooms, args: &AuditArgs) -> anyhow::Result<bool> {
    let number = match args.project {
        Some(id) => {
            let project = rooms.meta.project(id).await?;
            Some(
                project
                    .with_context(|| format!("there is no project {id}"))?
                    .number,
            )
        }
        None => None,
    };
    let now = rooms.clock.now_ms();
    let report = audit(rooms, &AuditOptions::asked(number, now.unsigned_abs())).await?;
    if args.json {
        let shown = Audit::new(&report, args.project, now);
        println!("{}", serde_json::to_string_pretty(&shown)?);
    } else {
        print!("{report}");
        println!(
            "{}",
            if report.holds() {
                "everything adds up"
            } else {
                "something does not add up"
            }
        );
    }
    Ok(report.holds())
}

/// Audits an installation as the options say.
///
/// # Errors
/// When an engine does not answer, or not within the cost.
pub async fn audit(rooms: &Rooms, options: &AuditOptions) -> anyhow::Result<AuditReport> {
    let zones: HashMap<_, _> = rooms.meta.project_zones().await?.into_iter().collect();
    let zone_of = Arc::new(move |project| zones.get(&project).cloned());
    let auditor = Auditor::new(rooms.stream.clone(), rooms.store.clone(), zone_of);
    Ok(auditor.audit(options).await?)
}
