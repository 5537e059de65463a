//! `manifest.json`: what a backup holds, and how to see that it is whole.

use std::path::Path;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use super::files;

/// The layout of a backup's folder that this version writes and reads.
const FORMAT: u32 = 1;

const NAME: &str = "manifest.json";

/// A backup's description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    /// The version of Footfall that made it.
    pub footfall: String,
    /// When, in UTC milliseconds.
    pub created_at: i64,
    /// For each shard its last committed batch.
    pub cuts: Vec<u64>,
    /// Rows of the raw table.
    pub events: u64,
    files: Vec<Described>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Described {
    name: String,
    bytes: u64,
    sha256: String,
}

impl Manifest {
    /// Describes the files of a folder.
    pub async fn of(
        folder: &Path,
        created_at: i64,
        cuts: Vec<u64>,
        events: u64,
        names: &[&str],
    ) -> anyhow::Result<Manifest> {
        let mut described = Vec::new();
        for &name in names {
            let (bytes, sha256) = files::digest(&folder.join(name)).await?;
            described.push(Described {
                name: name.to_owned(),
                bytes,
                sha256,
            });
        }
        Ok(Manifest {
            format: FORMAT,
            footfall: env!("CARGO_PKG_VERSION").to_owned(),
            created_at,
            cuts,
            events,
            files: described,
        })
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Puts it into the folder.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        crate::app::write_private(&folder.join(NAME), &text)
    }

    /// Reads it, and compares every file with it.
    ///
    /// # Errors
    /// What is missing, unreadable or not as it was written.
    pub async fn read_and_check(folder: &Path) -> anyhow::Result<Manifest> {
        let path = folder.join(NAME);
        let text = std::fs::read(&path)
            .with_context(|| format!("{} is no backup: reading {NAME}", folder.display()))?;
        let manifest: Manifest =
            serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))?;
        ensure!(
            manifest.format == FORMAT,
            "this backup has format {}, this version reads {FORMAT}: restore it with Footfall {}",
            manifest.format,
            manifest.footfall
        );
        for file in &manifest.files {
            let (bytes, sha256) = files::digest(&folder.join(&file.name)).await?;
            ensure!(
                (bytes, &sha256) == (file.bytes, &file.sha256),
                "{} is damaged: it is not what {NAME} says",
                folder.join(&file.name).display()
            );
        }
        Ok(manifest)
    }
}
