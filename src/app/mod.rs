//! Composition: settings in, a running installation out. The one place that knows every room.

mod attach;
pub mod demo;
pub mod doctor;
mod http;
mod secrets;
mod serve;
mod zone_change;
mod zones;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::capture::CaptureLedger;
use crate::clock::Clock;
use crate::config::{Config, Role};
use crate::engines::{ClickHouseAddress, EngineOptions, Engines};
use crate::meta::{KeyRegistry, Meta};
use crate::store::{Credentials, Store, StoreOptions};
use crate::stream::{APPEND_TIMEOUT, EventStream, StreamOptions};
use crate::telemetry;
use crate::worker::Worker;
use crate::worker::deliver::{DeliverOptions, Deliverer};
use crate::worker::remove::Remover;
use crate::worker::roll::{RollOptions, Roller};

pub use attach::attach;
pub use http::{MetricsPage, document, router};
use zones::Zones;

/// Shards of the stream beside an embedded Redis.
const EMBEDDED_SHARDS: u16 = 4;
/// Shards of the stream in a Redis of its own.
const EXTERNAL_SHARDS: u16 = 16;
/// A request that is sent again is recognized for a day.
const REQUEST_KEY_TTL_S: u64 = 86_400;
/// An event id that comes again in another request is recognized for an hour.
const DEDUP_WINDOW_S: u64 = 3_600;
/// Ports that are tried when the wanted one is taken.
const PORTS_TRIED: u16 = 20;
/// How long the worker may take to finish its batch when we stop, after the requests have had their eight seconds:
/// 23 seconds together. A batch that is cut off is finished at the next start.
const WORK_ENDS_WITHIN: Duration = Duration::from_secs(15);

/// The rooms of one installation, connected. Cheap to clone.
#[derive(Clone)]
pub struct Rooms {
    /// ClickHouse.
    pub store: Store,
    /// Redis.
    pub stream: EventStream,
    /// SQLite or PostgreSQL.
    pub meta: Meta,
    /// The keys that capture knows.
    pub keys: KeyRegistry,
    /// What capture notes for the ledger.
    pub notes: CaptureLedger,
    /// Tells the time.
    pub clock: Clock,
    /// Signs access tokens: 32 random bytes.
    pub secret: Vec<u8>,
    /// Whether anybody may register.
    pub open_signup: bool,
    /// Write key that the shop page at `/demo` uses when its address names none.
    pub demo_key: Option<String>,
}

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

/// Starts the engines that have no URL, migrates everything, and connects.
pub async fn open(config: &Config) -> anyhow::Result<(Engines, Rooms)> {
    check_urls(config)?;
    let engines = Engines::start(engine_options(config)?).await?;
    connected(config, engines).await
}

/// What can be seen to be wrong is said before anything runs.
fn check_urls(config: &Config) -> anyhow::Result<()> {
    if let Some(url) = &config.clickhouse_url {
        ClickHouseAddress::parse(url)?;
    }
    if let Some(url) = &config.database_url {
        Meta::check_url(url)?;
    }
    Ok(())
}

fn engine_options(config: &Config) -> anyhow::Result<EngineOptions> {
    Ok(EngineOptions {
        program: std::env::current_exe().context("finding our own program")?,
        data_dir: config.data_dir.clone(),
        clickhouse_url: config.clickhouse_url.clone(),
        redis_url: config.redis_url.clone(),
        chdb_library: config.chdb_library.clone(),
        redis_server: config.redis_server.clone(),
    })
}

/// The engines with the rooms on them; they are stopped again where the rooms cannot be connected.
async fn connected(config: &Config, engines: Engines) -> anyhow::Result<(Engines, Rooms)> {
    match connect(config, &engines).await {
        Ok(rooms) => Ok((engines, rooms)),
        Err(error) => {
            engines.stop().await;
            Err(error)
        }
    }
}

async fn connect(config: &Config, engines: &Engines) -> anyhow::Result<Rooms> {
    // Tables that a running server works on are its own to migrate, and it may be of another version.
    let migrates = !engines.are_joined();
    let meta = Meta::connect(&database_url(config)?)
        .await
        .context("opening the control database")?;
    if migrates {
        meta.migrate(Clock::system().now_ms())
            .await
            .context("migrating the control database")?;
    }
    let address = engines.clickhouse();
    let credentials = |who: &crate::engines::Credentials| Credentials {
        user: who.user.clone(),
        password: who.password.clone(),
    };
    let store = Store::connect(StoreOptions {
        url: address.url.clone(),
        database: address.database.clone(),
        writer: credentials(&address.writer),
        reader: credentials(&address.reader),
    })
    .await
    .context("connecting to ClickHouse")?;
    if migrates {
        store.migrate().await.context("migrating ClickHouse")?;
    }
    let default_shards = if engines.redis_is_embedded() {
        EMBEDDED_SHARDS
    } else {
        EXTERNAL_SHARDS
    };
    let stream = EventStream::connect(&StreamOptions {
        url: engines.redis_url().to_owned(),
        prefix: config.redis_prefix.clone(),
        shards: config.shards.unwrap_or(default_shards),
        max_entries: config.stream_requests,
        request_key_ttl_s: REQUEST_KEY_TTL_S,
        dedup_window_s: DEDUP_WINDOW_S,
    })
    .await
    .context("connecting to Redis")?;
    store
        .settle_shards(stream.shards())
        .await
        .context("checking the number of shards")?;
    let keys = KeyRegistry::new(meta.clone());
    keys.refresh().await.context("reading the keys")?;
    Ok(Rooms {
        secret: secrets::signing_secret(config.signing_secret.as_deref(), &config.data_dir)?,
        store,
        stream,
        meta,
        keys,
        notes: CaptureLedger::default(),
        clock: Clock::system(),
        open_signup: config.open_signup,
        demo_key: None,
    })
}

/// The control database: the one that was named, else a file in the data directory.
fn database_url(config: &Config) -> anyhow::Result<String> {
    match &config.database_url {
        Some(url) => Ok(url.clone()),
        None => {
            let path: PathBuf = config.data_dir.join("meta.sqlite");
            let path = path.to_str().context("the data directory's name is not UTF-8")?;
            Ok(format!("sqlite:{path}"))
        }
    }
}

impl App {
    /// Starts the roles of the settings on rooms that [`open`] connected.
    pub async fn start(config: &Config, engines: Engines, rooms: Rooms) -> anyhow::Result<App> {
        let metrics = telemetry::start_metrics()?;
        let (stop_serving, stop_working) = (CancellationToken::new(), CancellationToken::new());
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
            async move {
                if works {
                    work(rooms, options, stop).await?;
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
async fn work(rooms: Rooms, options: DeliverOptions, stop: CancellationToken) -> anyhow::Result<()> {
    let zones = Zones::read(&rooms.meta).await?;
    let deliverer = Deliverer::new(rooms.stream.clone(), rooms.store.clone(), options);
    let zone_of = {
        let zones = zones.clone();
        Arc::new(move |project| zones.of(project))
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
    let worker = Worker::new(deliverer, roller, rooms.clock.clone());
    tokio::join!(
        worker.run(stop.clone()),
        remover.run(&rooms.clock, stop.clone()),
        zones.follow(&rooms.meta, stop.clone()),
        zone_change::follow(&rooms, stop),
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
