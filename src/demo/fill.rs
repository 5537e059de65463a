//! Sends the demo's past through the capture endpoint, exactly once however often it is interrupted.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::StreamExt;
use futures_util::stream;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hours::quotas;
use super::shop::Shop;
use crate::event::Zone;

/// Events in a request: well below the endpoint's limits of 1,000 events and 1 MB.
const BATCH: usize = 500;
/// Requests under way at once.
const IN_FLIGHT: usize = 4;
/// Tries of one request before the fill gives up: with the pauses between them about two minutes.
const TRIES: u32 = 40;

/// What to fill, and how far it has come. Kept in a file, so that a fill goes on where it was stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Seed of the made-up shop.
    pub seed: u64,
    /// The instant (UTC ms) at which the fill was begun: its last day ends here.
    pub begun_at: i64,
    /// Events in all.
    pub events: usize,
    /// Days in all, the last one being the day of `begun_at`.
    pub days: usize,
    /// Requests acknowledged without a gap from the first one on.
    pub acknowledged_requests: usize,
    /// Set when everything was acknowledged.
    pub finished: bool,
    /// Set when the owner's cohorts were saved: whoever deletes one is not given it again.
    #[serde(default)]
    pub cohorts_saved: bool,
}

impl Progress {
    /// Reads the file, or starts a new fill.
    pub fn load_or(path: &Path, fresh: Progress) -> anyhow::Result<Progress> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| {
                format!(
                    "{} is not a demo's progress; remove it to start over",
                    path.display()
                )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                fresh.save(path)?;
                Ok(fresh)
            }
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// Writes the file.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        let beside = path.with_extension("json.new");
        std::fs::write(&beside, serde_json::to_vec_pretty(self)?)
            .and_then(|()| std::fs::rename(&beside, path))
            .with_context(|| format!("writing {}", path.display()))
    }
}

/// Where a fill goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// Base address of the server, such as `http://127.0.0.1:8080`.
    pub url: String,
    /// Write key of the project.
    pub write_key: String,
    /// The project's zone, by whose days and hours the people live.
    pub zone: Zone,
}

/// Sends what is missing and shows a progress bar. Returns the number of events acknowledged in all.
pub async fn fill(target: &Target, state: &Path, fresh: Progress) -> anyhow::Result<usize> {
    let mut progress = Progress::load_or(state, fresh)?;
    if progress.finished {
        return Ok(progress.events);
    }
    let bar = ProgressBar::new(progress.events as u64).with_style(
        ProgressStyle::with_template("filling the demo {bar:32} {pos}/{len} events, {per_sec}, {eta} left")
            .context("progress bar")?,
    );
    let first = progress.acknowledged_requests;
    bar.set_position((first * BATCH).min(progress.events) as u64);
    let client = reqwest::Client::new();
    let mut missing = events(&progress, &target.zone).skip(first * BATCH);
    let mut number = first;
    let bodies = std::iter::from_fn(|| {
        let batch: Vec<Value> = missing.by_ref().take(BATCH).collect();
        let body = json!({
            "write_key": target.write_key,
            "request_id": format!("demo-{:x}-{number}", progress.seed),
            "context": { "library": { "name": "footfall-demo", "version": env!("CARGO_PKG_VERSION") } },
            "batch": batch,
        });
        number += 1;
        (!batch.is_empty()).then_some((batch.len(), body))
    });
    let mut answers = stream::iter(bodies)
        .map(|(count, body)| {
            let (client, url) = (client.clone(), target.url.clone());
            async move { send(&client, &url, &body).await.map(|()| count) }
        })
        .buffered(IN_FLIGHT);
    while let Some(count) = answers.next().await {
        bar.inc(count? as u64);
        progress.acknowledged_requests += 1;
        progress.save(state)?;
    }
    progress.finished = true;
    progress.save(state)?;
    bar.finish_and_clear();
    Ok(progress.events)
}

/// The events of the whole fill, made up day by day as they are asked for. The same progress gives the same
/// events.
fn events(progress: &Progress, zone: &Zone) -> impl Iterator<Item = Value> + use<> {
    let (zone, until) = (zone.clone(), progress.begun_at);
    let today = zone.local_day(until);
    let first = today.plus(1 - progress.days as i32);
    let passed = until - zone.day_start(today);
    let share = passed as f64 / (zone.day_start(today.plus(1)) - zone.day_start(today)) as f64;
    let mut shop = Shop::new(progress.seed, "https://shop.example", 0);
    quotas(progress.events, first, progress.days, share)
        .into_iter()
        .enumerate()
        .flat_map(move |(n, quota)| shop.day(first.plus(n as i32), &zone, quota, until))
}

/// Sends one request until it is acknowledged. Gives up at once when the server says the request is wrong.
pub async fn send(client: &reqwest::Client, url: &str, body: &Value) -> anyhow::Result<()> {
    let mut last = String::new();
    for attempt in 0..TRIES {
        match client
            .post(format!("{url}/v1/events"))
            .json(body)
            .timeout(Duration::from_secs(30))
            .send()
            .await
        {
            Ok(answer) if answer.status().as_u16() == 200 => {
                let answer: Value = answer.json().await.context("reading the endpoint's answer")?;
                let rejected = answer["rejected"].as_u64().unwrap_or(0);
                if rejected > 0 {
                    bail!(
                        "the endpoint rejected {rejected} of the demo's events: {}",
                        answer["results"]
                    );
                }
                return Ok(());
            }
            Ok(answer) if answer.status().is_client_error() && answer.status().as_u16() != 429 => {
                bail!(
                    "the endpoint refused the demo's events: {}",
                    answer.text().await.unwrap_or_default()
                );
            }
            Ok(answer) => last = answer.status().to_string(),
            Err(error) => last = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(100 * u64::from(attempt.min(49) + 1))).await;
    }
    bail!("the endpoint did not take the demo's events in {TRIES} tries; the last answer: {last}")
}
