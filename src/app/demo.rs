//! `footfall demo`: an installation with a made-up shop in it.

use std::path::Path;

use anyhow::Context;
use clap::Args;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{App, Rooms, open, write_private};
use crate::config::Config;
use crate::demo::cohorts::{self, Owner};
use crate::demo::fill::{Progress, Target, fill};
use crate::demo::trickle::trickle;
use crate::event::Zone;
use crate::meta::{Page, Project, Registration, hash_password};

const EMAIL: &str = "demo@footfall.local";
const ZONE: &str = "Europe/Berlin";

/// What to fill.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    #[command(flatten)]
    pub config: Config,

    /// Events of the past to send. Only the first start of a data directory looks at it.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..=50_000_000))]
    pub events: u64,

    /// Days that they are spread over, today being the last.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=365))]
    pub days: u64,

    /// Seed of the made-up past: the same seed, events, days and end give the same events.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// The instant at which the past ends, as RFC 3339; now when absent. At most 400 days ago, less the days.
    #[arg(long, value_parser = instant)]
    pub ends: Option<i64>,

    /// Send no live traffic after the past.
    #[arg(long, default_value_t = false)]
    pub no_live: bool,
}

/// The demo owner's login, made at the first start and kept beside the data.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Login {
    email: String,
    password: String,
}

/// An instant of the command line, in UTC ms.
fn instant(text: &str) -> Result<i64, String> {
    let instant: jiff::Timestamp = text.parse().map_err(|error| format!("{error}"))?;
    Ok(instant.as_millisecond())
}

/// Runs the installation, fills the shop (going on where an earlier start was stopped), then keeps a little
/// live traffic going until Ctrl-C.
pub async fn run(args: DemoArgs) -> anyhow::Result<()> {
    let config = &args.config;
    let (engines, mut rooms) = open(config).await?;
    let (login, project) = match owner(&config.data_dir, &rooms).await {
        Ok(owner) => owner,
        Err(error) => {
            engines.stop().await;
            return Err(error);
        }
    };
    let write_key = project
        .write_key
        .clone()
        .context("the demo project has no write key any more")?;
    rooms.demo_key = Some(write_key.clone());
    rooms.keys.refresh().await?;
    let app = App::start(config, engines, rooms).await?;

    let target = Target {
        url: app.url.clone(),
        write_key: write_key.clone(),
        zone: project.zone(),
    };
    let now = app.rooms.clock.now_ms();
    let fresh = Progress {
        seed: args.seed,
        begun_at: args.ends.unwrap_or(now).min(now),
        events: args.events as usize,
        days: args.days as usize,
        acknowledged_requests: 0,
        finished: false,
        cohorts_saved: false,
    };
    let state = config.data_dir.join("demo-progress.json");
    let stop = CancellationToken::new();
    let traffic = {
        let (target, clock, stop) = (target.clone(), app.rooms.clock.clone(), stop.clone());
        let (url, live) = (app.url.clone(), !args.no_live);
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                filled = fill(&target, &state, fresh.clone()) => filled?,
            };
            let mut progress = Progress::load_or(&state, fresh)?;
            if !progress.cohorts_saved {
                let Login { email, password } = login.clone();
                let owner = Owner {
                    url: url.clone(),
                    email,
                    password,
                };
                // Whoever changed the password, say, has a shop without them: no reason to stop it.
                match cohorts::save(&owner).await {
                    Ok(()) => {
                        progress.cohorts_saved = true;
                        progress.save(&state)?;
                    }
                    Err(error) => tracing::warn!("the demo's cohorts are not saved: {error:#}"),
                }
            }
            welcome(&url, &login, &write_key);
            if live {
                trickle(target, clock, stop).await;
            }
            anyhow::Ok(())
        })
    };
    let watched = tokio::spawn({
        let stop = stop.clone();
        async move {
            let ended = traffic.await;
            if let Ok(Err(error)) = &ended {
                tracing::error!("{error:#}");
            }
            stop.cancelled().await;
        }
    });
    let ended = app.run().await;
    stop.cancel();
    let _ = watched.await;
    ended
}

/// The owner's login and project: made at the first start, found at the next ones.
async fn owner(data_dir: &Path, rooms: &Rooms) -> anyhow::Result<(Login, Project)> {
    let path = data_dir.join("demo-login.json");
    let login: Login = match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("reading {}", path.display()))?,
        Err(_) => {
            let login = Login {
                email: EMAIL.into(),
                password: uuid::Uuid::new_v4().simple().to_string()[..16].into(),
            };
            write_private(&path, &serde_json::to_vec_pretty(&login)?)?;
            login
        }
    };
    let now = rooms.clock.now_ms();
    let user = match rooms.meta.credentials(&login.email).await? {
        Some(known) => known.user.id,
        None => {
            let registration = Registration {
                email: login.email.clone(),
                password_hash: hash_password(login.password.clone()).await?,
                name: "Demo owner".into(),
                organization: "Footfall demo".into(),
                project: Some("Demo shop".into()),
                zone: Zone::parse(ZONE)?,
            };
            let registered = rooms.meta.register(registration, true, now).await?;
            registered.user.id
        }
    };
    let projects = rooms.meta.projects_of(user, Page::first(1)).await?;
    let project = projects
        .rows
        .into_iter()
        .next()
        .context("the demo's owner has no project any more")?;
    Ok((login, project))
}

fn welcome(url: &str, login: &Login, write_key: &str) {
    let snippet = crate::api::assets::snippet(url, write_key);
    println!(
        "\n  Footfall runs.\n\n  Dashboard  {url}\n  Email      {}\n  Password   {}\n  Shop       {url}/demo\n  API        {url}/docs\n  \
         Snippet    {snippet}\n\n  Ready. Ctrl-C ends it; the data stays.\n",
        login.email, login.password
    );
}
