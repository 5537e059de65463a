//! Composition: settings in, a running installation out. The one place that knows every room.

pub mod adopt;
mod attach;
pub mod audit;
pub mod backup;
pub mod demo;
pub mod doctor;
mod http;
pub mod letters;
mod rooms;
mod secrets;
mod serve;
mod watch;
mod zone_change;
mod zones;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Role};
use crate::engines::Engines;
use crate::stream::APPEND_TIMEOUT;
use crate::telemetry;
use crate::worker::Worker;
use crate::worker::cohorts::Refresher;
use crate::worker::deliver::{DeliverOptions, Deliverer};
use crate::worker::remove::{self, Remover};
use crate::worker::roll::{RollOptions, Roller};

pub use attach::attach;
pub use http::{MetricsPage, document, router};
pub use rooms::{Rooms, open};
use zones::Zones;

/// Ports that are tried when the wanted one is taken.
const PORTS_TRIED: u16 = 20;
/// How long the worker may take to finish its batch when we stop, after the requests have had their eight seconds:
/// 23 seconds together. A batch that is cut off is finished at the next start.
const WORK_ENDS_WITHIN: Duration = Duration::from_secs(15);

/// A running installation.
pub struct App {
    /// Base address, such as `http://127.0.0.1:8080`.
    pub url: String,
    /// Its rooms.
    pub rooms: Rooms,
    engines: Engines,
    stop_serving: CancellationToken,
    stop_working: CancellationToken,
    serving: JoinHandle<()>,
    working: JoinHandle<anyhow::Result<()>>,
    keys_running: JoinHandle<()>,
    stop_noting: CancellationToken,
    noting: JoinHandle<()>,
}

impl App {
    /// Starts the roles of the settings on rooms that [`open`] connected.
    pub async fn start(config: &Config, engines: Engines, rooms: Rooms) -> anyhow::Result<App> {
        let metrics = telemetry::start_metrics()?;
        let (stop_serving, stop_working) = (CancellationToken::new(), CancellationToken::new());
        tokio::spawn(telemetry::keep_up(metrics.clone(), stop_serving.clone()));
        let keys_running = tokio::spawn({
            let (keys, stop) = (rooms.keys.clone(), stop_serving.clone());
            async move { keys.run(stop.cancelled_owned()).await }
        });
        let working = tokio::spawn({
            let (rooms, stop) = (rooms.clone(), stop_working.clone());
            let works = config.roles.contains(&Role::Worker);
            let options = DeliverOptions {
                max_rows: config.batch_rows,
                lease_ttl: Duration::from_secs(config.lease_s),
                ..DeliverOptions::default()
            };
            let every = Duration::from_secs(config.cohort_refresh_min * 60);
            async move {
                if works {
                    work(rooms, options, every, stop).await?;
                } else {
                    stop.cancelled().await;
                }
                Ok(())
            }
        });
        let stop_noting = CancellationToken::new();
        let noting = tokio::spawn({
            let (rooms, stop) = (rooms.clone(), stop_noting.clone());
            async move { rooms.notes.run(rooms.stream, rooms.clock, stop).await }
        });
        let listener = listen(config.listen).await?;
        let address = listener.local_addr().context("reading our own address")?;
        let metrics = MetricsPage {
            handle: metrics,
            public: config.metrics_public,
        };
        let routes = http::router(&rooms, &config.roles, Some(metrics), stop_serving.clone());
        let serving = tokio::spawn(serve::serve(listener, routes, stop_serving.clone()));
        Ok(App {
            url: format!("http://{address}"),
            rooms,
            engines,
            stop_serving,
            stop_working,
            serving,
            working,
            keys_running,
            stop_noting,
            noting,
        })
    }

    /// Runs until somebody asks us to stop or a part gives up; an error says which and why.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let ended = tokio::select! {
            signal = stop_signal() => {
                tracing::info!("{signal}: stopping");
                Ok(())
            }
            error = self.engines.failed() => Err(anyhow::anyhow!("{error}")),
            ended = &mut self.working => match ended {
                Ok(Ok(())) => Err(anyhow::anyhow!("the worker ended by itself")),
                Ok(Err(error)) => Err(error.context("the worker gave up")),
                Err(panic) => Err(anyhow::anyhow!("the worker broke: {panic}")),
            },
            ended = &mut self.serving => Err(anyhow::anyhow!("serving ended by itself: {ended:?}")),
        };
        self.stop().await;
        ended
    }

    /// Stops in order: no new requests, the workers finish their batch, then the engines.
    pub async fn stop(self) {
        self.stop_serving.cancel();
        if !self.serving.is_finished() {
            // It cuts off what lasts too long.
            let _ = self.serving.await;
        }
        // The last notes go before the workers do, so that they find them.
        self.stop_noting.cancel();
        if tokio::time::timeout(APPEND_TIMEOUT, self.noting).await.is_err() {
            tracing::warn!("the stream did not take the last notes for the ledger");
        }
        self.stop_working.cancel();
        if !self.working.is_finished()
            && tokio::time::timeout(WORK_ENDS_WITHIN, self.working)
                .await
                .is_err()
        {
            tracing::warn!("the worker did not finish its batch in time; the next start does");
        }
        self.keys_running.abort();
        self.rooms.meta.close().await;
        // ClickHouse waits five seconds for connections that are kept open, even idle ones.
        drop(self.rooms);
        self.engines.stop().await;
    }
}

/// The worker role until `stop`.
async fn work(
    rooms: Rooms,
    options: DeliverOptions,
    cohorts_every: Duration,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let zones = Zones::read(&rooms.meta).await?;
    let deliverer = Deliverer::new(rooms.stream.clone(), rooms.store.clone(), options)
        .with_control(remove::control(rooms.meta.clone()));
    let zone_of = {
        let zones = zones.clone();
        Arc::new(move |project| zones.known(project))
    };
    let roller = Roller::new(
        rooms.stream.clone(),
        rooms.store.clone(),
        zone_of,
        RollOptions::default(),
    );
    let remover = Remover::new(
        rooms.meta.clone(),
        rooms.stream.clone(),
        rooms.store.clone(),
        roller.clone(),
    );
    let refresher = Refresher::new(
        rooms.meta.clone(),
        rooms.stream.clone(),
        rooms.store.clone(),
        cohorts_every,
    );
    let worker = Worker::new(deliverer, roller, rooms.clock.clone());
    tokio::join!(
        worker.run(stop.clone()),
        watch::follow(&rooms, &zones, &stop),
        remover.run(&rooms.clock, stop.clone()),
        refresher.run(&rooms.clock, stop.clone()),
        zones.follow(&rooms.meta, stop.clone()),
        zone_change::follow(&rooms, stop.clone()),
    );
    Ok(())
}

/// Listens on the wanted address; when its port is taken, on the next free one, said aloud.
async fn listen(wanted: SocketAddr) -> anyhow::Result<TcpListener> {
    let mut address = wanted;
    for step in 0..=PORTS_TRIED {
        address.set_port(wanted.port().saturating_add(step));
        match TcpListener::bind(address).await {
            Ok(listener) => {
                if step > 0 {
                    tracing::warn!(
                        "port {} is taken; listening on {} instead",
                        wanted.port(),
                        address.port()
                    );
                }
                return Ok(listener);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error).with_context(|| format!("listening on {address}")),
        }
    }
    bail!(
        "ports {} to {} are all taken: choose another with --listen",
        wanted.port(),
        address.port()
    )
}

/// Waits for Ctrl-C or SIGTERM and says which it was.
pub async fn stop_signal() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::warn!(%error, "SIGTERM will not be heard");
            let _ = tokio::signal::ctrl_c().await;
            return "Ctrl-C";
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => "Ctrl-C",
        _ = terminate.recv() => "SIGTERM",
    }
}

/// Migrates everything and ends.
pub async fn migrate(config: &Config) -> anyhow::Result<()> {
    let (engines, rooms) = open(config).await?;
    rooms.meta.close().await;
    engines.stop().await;
    println!("everything is migrated");
    Ok(())
}

/// Writes a file that only we may read, in one step.
fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let beside = path.with_extension("new");
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&beside, path))
        .with_context(|| format!("writing {}", path.display()))
}
