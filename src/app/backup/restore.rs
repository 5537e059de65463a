//! A backup becomes an installation again, in a directory that has none.

use std::path::Path;

use anyhow::{Context, ensure};

use super::manifest::Manifest;
use super::{CLICKHOUSE, META, REDIS, SECRET, all_embedded, files};
use crate::app::rooms::{Rooms, connect, engine_options, restoring_mark, store_options};
use crate::config::Config;
use crate::engines::Engines;
use crate::store::Store;

/// What a restored installation holds.
#[derive(Clone, Debug)]
pub struct Restored {
    /// Rows of the raw table.
    pub events: u64,
    /// When the backup was made, UTC milliseconds.
    pub created_at: i64,
    /// The version that made it.
    pub footfall: String,
}

/// Makes the backup in `from` the installation of the settings' data directory, which must be new or empty. It
/// ends stopped; `footfall serve` starts it.
///
/// # Errors
/// A damaged backup, a directory in use, engines that refuse. What an unfinished restore left is refused by
/// `serve`, and may be removed.
pub async fn restore(config: &Config, from: &Path) -> anyhow::Result<Restored> {
    all_embedded(config)?;
    let manifest = Manifest::read_and_check(from).await?;
    let data_dir = &config.data_dir;
    let empty = std::fs::read_dir(data_dir).map_or(true, |mut entries| entries.next().is_none());
    ensure!(
        empty,
        "{} is not empty: a backup is restored into a new directory (--data-dir)",
        data_dir.display()
    );
    lay_out(config, from)?;

    let engines = Engines::start(engine_options(config)?).await?;
    let restored = bring_in(config, &engines, &manifest).await;
    engines.stop().await;
    restored?;
    std::fs::remove_file(restoring_mark(data_dir)).context("removing the mark of an unfinished restore")?;
    Ok(Restored {
        events: manifest.events,
        created_at: manifest.created_at,
        footfall: manifest.footfall,
    })
}

/// Puts the files where the engines look for them.
fn lay_out(config: &Config, from: &Path) -> anyhow::Result<()> {
    let data_dir = &config.data_dir;
    if !data_dir.exists() {
        files::create_new(data_dir)?;
    }
    super::super::write_private(&restoring_mark(data_dir), b"a restore is not finished\n")?;
    let redis = data_dir.join("redis");
    let log = redis.join("appendonlydir");
    let archives = data_dir.join("clickhouse/data/backups");
    for folder in [
        &redis,
        &log,
        &data_dir.join("clickhouse"),
        &data_dir.join("clickhouse/data"),
        &archives,
    ] {
        files::create_new(folder)?;
    }
    // A snapshot is the base of an append-only log without anything appended.
    let base = "appendonly.aof.1.base.rdb";
    let copies = [
        (REDIS, log.join(base)),
        (META, data_dir.join(META)),
        (SECRET, data_dir.join(SECRET)),
        (CLICKHOUSE, archives.join(CLICKHOUSE)),
    ];
    for (name, to) in copies {
        std::fs::copy(from.join(name), &to).with_context(|| format!("writing {}", to.display()))?;
    }
    let manifest = format!("file {base} seq 1 type b\n");
    super::super::write_private(&log.join("appendonly.aof.manifest"), manifest.as_bytes())
}

async fn bring_in(config: &Config, engines: &Engines, manifest: &Manifest) -> anyhow::Result<()> {
    let store = Store::connect(store_options(engines)).await?;
    store
        .restore_from(CLICKHOUSE)
        .await
        .context("restoring ClickHouse")?;
    std::fs::remove_file(config.data_dir.join("clickhouse/data/backups").join(CLICKHOUSE))
        .context("removing the archive")?;
    // Also migrates what an older version made.
    let Rooms {
        store, stream, meta, ..
    } = connect(config, engines).await?;
    let (events, cuts) = (store.events_stored().await?, stream.cuts().await?);
    meta.close().await;
    ensure!(
        events == manifest.events && cuts == manifest.cuts,
        "the restored engines hold {events} events and batches {cuts:?}, the backup {} and {:?}",
        manifest.events,
        manifest.cuts
    );
    Ok(())
}
