//! Logs to standard error and the metrics recorder behind `/metrics`.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Durations are gathered one by one until they are summed up; nobody else does it where `/metrics` is not read.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Starts logging with a filter in tracing's syntax. `json` writes one JSON object a line, for collectors.
pub fn start_logs(filter: &str, json: bool) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| format!("{filter:?} is not a log filter"))?;
    let base = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let started = if json {
        base.json().try_init()
    } else {
        base.compact().try_init()
    };
    started.map_err(|error| anyhow::anyhow!("starting the log: {error}"))
}

/// Installs the process-wide metrics recorder, once. Render the handle for `/metrics`.
pub fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .install_recorder()
        .context("installing the metrics recorder")
}

/// Sums up what was measured, until `stop`: without it every duration stays in memory.
pub async fn keep_up(metrics: PrometheusHandle, stop: CancellationToken) {
    while tokio::time::timeout(UPKEEP_EVERY, stop.cancelled())
        .await
        .is_err()
    {
        metrics.run_upkeep();
    }
}
