//! The rooms of an installation: its engines started or found, its tables laid, everything connected.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::secrets;
use crate::capture::CaptureLedger;
use crate::clock::Clock;
use crate::config::Config;
use crate::engines::{ClickHouseAddress, EngineOptions, Engines};
use crate::meta::{KeyRegistry, Meta};
use crate::serving::ServingLimits;
use crate::store::{Credentials, Store, StoreOptions};
use crate::stream::{EventStream, StreamOptions};
use crate::worker::profiles::fill_once;

/// Shards of the stream beside an embedded Redis.
const EMBEDDED_SHARDS: u16 = 4;
/// Shards of the stream in a Redis of its own.
const EXTERNAL_SHARDS: u16 = 16;
/// A request that is sent again is recognized for a day.
const REQUEST_KEY_TTL_S: u64 = 86_400;

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
    /// How much memory answers may take.
    pub serving: ServingLimits,
    /// Write key that the shop page at `/demo` uses when its address names none.
    pub demo_key: Option<String>,
}

/// Starts the engines that have no URL, migrates everything, and connects.
pub async fn open(config: &Config) -> anyhow::Result<(Engines, Rooms)> {
    check_urls(config)?;
    let engines = Engines::start(engine_options(config)?).await?;
    connected(config, engines).await
}

/// What can be seen to be wrong is said before anything runs.
pub(super) fn check_urls(config: &Config) -> anyhow::Result<()> {
    anyhow::ensure!(
        !restoring_mark(&config.data_dir).exists(),
        "a restore into {} was not finished: remove the directory and restore again",
        config.data_dir.display()
    );
    if let Some(url) = &config.clickhouse_url {
        ClickHouseAddress::parse(url)?;
    }
    if let Some(url) = &config.database_url {
        Meta::check_url(url)?;
    }
    Ok(())
}

pub(super) fn engine_options(config: &Config) -> anyhow::Result<EngineOptions> {
    Ok(EngineOptions {
        program: std::env::current_exe().context("finding our own program")?,
        data_dir: config.data_dir.clone(),
        clickhouse_url: config.clickhouse_url.clone(),
        redis_url: config.redis_url.clone(),
        chdb_library: config.chdb_library.clone(),
        redis_server: config.redis_server.clone(),
        redis_max_memory: config.redis_max_memory_mb.map(|mb| mb << 20),
    })
}

/// The engines with the rooms on them; they are stopped again where the rooms cannot be connected.
pub(super) async fn connected(config: &Config, engines: Engines) -> anyhow::Result<(Engines, Rooms)> {
    match connect(config, &engines).await {
        Ok(rooms) => Ok((engines, rooms)),
        Err(error) => {
            engines.stop().await;
            Err(error)
        }
    }
}

pub(super) async fn connect(config: &Config, engines: &Engines) -> anyhow::Result<Rooms> {
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
    let store = Store::connect(store_options(engines))
        .await
        .context("connecting to ClickHouse")?;
    if migrates {
        store.migrate().await.context("migrating ClickHouse")?;
        fill_once(&store).await.context("reading profiles from events")?;
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
        dedup_window_s: config.dedup_window_s,
        min_replicas: config.redis_min_replicas,
    })
    .await
    .context("connecting to Redis")?;
    store
        .settle_shards(stream.shards())
        .await
        .context("checking the number of shards")?;
    // After a control database was restored from an older copy endpoints would never know what the stream asks for.
    let asked_for = stream.latest_tombstones().await.context("reading the stream")?;
    meta.version_at_least(asked_for)
        .await
        .context("writing the control database")?;
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
        serving: ServingLimits {
            answer_bytes: config.answer_cache_mb << 20,
            sketch_bytes: config.sketchbook_mb << 20,
            visit_bytes: config.visitbook_mb << 20,
            ..ServingLimits::default()
        },
        demo_key: None,
    })
}

pub(super) fn store_options(engines: &Engines) -> StoreOptions {
    let address = engines.clickhouse();
    let credentials = |who: &crate::engines::Credentials| Credentials {
        user: who.user.clone(),
        password: who.password.clone(),
    };
    StoreOptions {
        url: address.url.clone(),
        database: address.database.clone(),
        writer: credentials(&address.writer),
        reader: credentials(&address.reader),
    }
}

/// The file that stands in a data directory while a backup is being restored into it.
pub(super) fn restoring_mark(data_dir: &Path) -> PathBuf {
    data_dir.join("restoring")
}

/// The control database: the one that was named, else a file in the data directory.
pub(super) fn database_url(config: &Config) -> anyhow::Result<String> {
    match &config.database_url {
        Some(url) => Ok(url.clone()),
        None => {
            let path: PathBuf = config.data_dir.join("meta.sqlite");
            let path = path.to_str().context("the data directory's name is not UTF-8")?;
            Ok(format!("sqlite:{path}"))
        }
    }
}
