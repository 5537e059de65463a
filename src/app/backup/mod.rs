//! `footfall backup` and `footfall restore`: an embedded installation as a folder, whole and of one moment.
//!
//! The three engines agree at a boundary only: no batch open, no rollup being written ([`crate::stream::pause`]).
//! So the workers are paused there while each engine copies itself, then they go on. The endpoint never stops:
//! events that it takes meanwhile wait in the stream and are either in the copy of the stream, to be delivered
//! after a restore, or younger than the backup.
//!
//! ```text
//! <folder>/manifest.json    what it is, with the size and SHA-256 of each file
//! <folder>/clickhouse.tar   ClickHouse's own BACKUP of the database
//! <folder>/redis.rdb        Redis's own snapshot: stream, plans, counters, windows
//! <folder>/meta.sqlite      accounts, projects, keys
//! <folder>/signing-secret   what access tokens are signed with
//! ```

mod files;
mod manifest;
pub mod restore;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};

use super::{Rooms, attach::attach};
use crate::config::Config;
use crate::stream::EventStream;
use crate::stream::pause::PAUSE_TTL;
use manifest::Manifest;

/// Names in the folder.
const CLICKHOUSE: &str = "clickhouse.tar";
const REDIS: &str = "redis.rdb";
const META: &str = "meta.sqlite";
const SECRET: &str = "signing-secret";

/// How long a batch or a rollup under way may take to end. A rollup's note of a killed server runs this long.
const STILL_WITHIN: Duration = Duration::from_secs(330);

/// Between two looks at what still moves.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What was copied.
#[derive(Clone, Debug)]
pub struct Copied {
    /// Rows of the raw table.
    pub events: u64,
    /// Rows of the stream that wait to be delivered.
    pub waiting: u64,
    /// Bytes of the folder.
    pub bytes: u64,
    /// How long the workers were asked to rest.
    pub paused: Duration,
}

/// Copies the installation into the new folder `to`, whether a server runs on it or not.
///
/// # Errors
/// An installation that is not all embedded, a folder that is there, engines that cannot copy themselves. Nothing is
/// left of a copy that failed, and the workers go on.
pub async fn backup(config: &Config, to: &Path) -> anyhow::Result<Copied> {
    all_embedded(config)?;
    ensure!(
        config.data_dir.join("clickhouse").is_dir(),
        "there is no installation in {}",
        config.data_dir.display()
    );
    ensure!(
        !to.exists(),
        "{} is there already; a backup goes into a new folder",
        to.display()
    );
    let partial = files::beside(to, "partial")?;
    files::create_new(&partial)?;
    let copied = async {
        let (engines, rooms) = attach(config).await?;
        let copied = at_boundary(config, &rooms, &partial).await;
        rooms.meta.close().await;
        engines.stop().await;
        copied
    }
    .await;
    match copied {
        Ok(copied) => {
            files::sync_folder(&partial)?;
            std::fs::rename(&partial, to).with_context(|| format!("naming {}", to.display()))?;
            Ok(copied)
        }
        Err(error) => {
            files::remove_folder(&partial);
            Err(error)
        }
    }
}

/// Only an installation whose engines are all ours can be copied by us.
fn all_embedded(config: &Config) -> anyhow::Result<()> {
    let external = [
        ("FOOTFALL_CLICKHOUSE_URL", &config.clickhouse_url),
        ("FOOTFALL_REDIS_URL", &config.redis_url),
        ("FOOTFALL_DATABASE_URL", &config.database_url),
    ];
    match external.iter().find(|(_, url)| url.is_some()) {
        None => Ok(()),
        Some((name, _)) => bail!(
            "{name} is set: backup and restore are for installations whose engines are all embedded; engines of your \
             own are copied with their own tools, all at a moment when no worker runs"
        ),
    }
}

async fn at_boundary(config: &Config, rooms: &Rooms, folder: &Path) -> anyhow::Result<Copied> {
    let stream = &rooms.stream;
    let owner = uuid::Uuid::new_v4().simple().to_string();
    ensure!(
        stream.pause(&owner).await?,
        "another backup has paused the workers; ask again when it has ended"
    );
    let since = Instant::now();
    let copied = tokio::select! {
        copied = copy(config, rooms, folder, &owner) => copied,
        () = keep(stream, &owner) => Err(anyhow!("the pause of the workers ran out: Redis was away for too long")),
    };
    let paused = since.elapsed();
    let resumed = stream.resume(&owner).await;
    let (manifest, waiting) = copied?;
    resumed.context("letting the workers go on")?;
    Ok(Copied {
        events: manifest.events,
        waiting,
        bytes: manifest.bytes(),
        paused,
    })
}

/// Prolongs the pause; returns when it is lost.
async fn keep(stream: &EventStream, owner: &str) {
    let mut kept = Instant::now();
    while kept.elapsed() < PAUSE_TTL {
        tokio::time::sleep(PAUSE_TTL / 6).await;
        match stream.prolong_pause(owner).await {
            Ok(true) => kept = Instant::now(),
            Ok(false) => return,
            Err(error) => tracing::debug!(%error, "the pause is prolonged a little later"),
        }
    }
}

async fn copy(config: &Config, rooms: &Rooms, folder: &Path, owner: &str) -> anyhow::Result<(Manifest, u64)> {
    let Rooms {
        stream, store, meta, ..
    } = rooms;
    still(stream).await?;
    let cuts = stream.cuts().await?;

    let archive = format!("{owner}.tar");
    let made = config.data_dir.join("clickhouse/data/backups").join(&archive);
    let clickhouse = async {
        store.backup_to(&archive).await.context("copying ClickHouse")?;
        files::carry(&made, &folder.join(CLICKHOUSE)).await
    };
    let redis = async {
        let snapshot: PathBuf = stream.snapshot().await.context("copying Redis")?;
        files::carry(&snapshot, &folder.join(REDIS)).await
    };
    let control = async {
        let copied = meta.copy_to(&folder.join(META)).await;
        copied.context("copying the control database")?;
        files::keep_private(&folder.join(META))
    };
    // The control database after Redis: a project made meanwhile may be known without events; events whose project's
    // number is not known yet would become those of the next project.
    let accounts = async {
        redis.await?;
        control.await
    };
    let all = futures_util::future::join(clickhouse, accounts).await;
    let ended = all.0.and(all.1);
    if ended.is_err() {
        let _ = std::fs::remove_file(&made);
    }
    ended?;
    std::fs::copy(config.data_dir.join(SECRET), folder.join(SECRET)).context("copying the signing secret")?;
    files::keep_private(&folder.join(SECRET))?;

    let events = store.events_stored().await?;
    let mut waiting = 0;
    for shard in 0..stream.shards() {
        waiting += stream.shard_counters(shard).await?.rows_waiting;
    }
    // The proof that nothing moved: the pause is still ours, and no shard is further than before.
    let unmoved = stream.prolong_pause(owner).await? && stream.moving().await?.is_still();
    ensure!(
        unmoved && stream.cuts().await? == cuts,
        "the workers moved while the engines were copied; try again"
    );
    let described = Manifest::of(
        folder,
        rooms.clock.now_ms(),
        cuts,
        events,
        &[CLICKHOUSE, REDIS, META, SECRET],
    );
    let manifest = described.await?;
    manifest.write(folder)?;
    Ok((manifest, waiting))
}

async fn still(stream: &EventStream) -> anyhow::Result<()> {
    let deadline = Instant::now() + STILL_WITHIN;
    loop {
        let moving = stream.moving().await?;
        if moving.is_still() {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "{} batches and {} rollups are under way since {} s: does a worker run, and does ClickHouse answer it? \
             (footfall doctor)",
            moving.batches,
            moving.rollers,
            STILL_WITHIN.as_secs()
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
