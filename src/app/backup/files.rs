//! Files of a backup: private, whole, on the disk.

use std::fs::{DirBuilder, File};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};

/// The name of a folder while it is not whole yet.
pub(super) fn beside(folder: &Path, word: &str) -> anyhow::Result<PathBuf> {
    let name = folder.file_name().context("a folder needs a name")?;
    let mut name = name.to_os_string();
    name.push(format!(".{word}"));
    Ok(folder.with_file_name(name))
}

/// Makes a folder that only we may read, with those above it.
pub(super) fn create_new(folder: &Path) -> anyhow::Result<()> {
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    }
    DirBuilder::new().mode(0o700).create(folder).with_context(|| {
        format!(
            "making {} (what an interrupted backup left may be removed)",
            folder.display()
        )
    })
}

/// Removes a folder that is of no use; one that cannot be removed is named in the log.
pub(super) fn remove_folder(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder) {
        tracing::warn!(folder = %folder.display(), %error, "not removed");
    }
}

/// Moves a file, also to another disk, and waits until it is there for good. Only we may read it then.
pub(super) async fn carry(from: &Path, to: &Path) -> anyhow::Result<()> {
    let (from, to) = (from.to_owned(), to.to_owned());
    let kept = to.clone();
    let carried = tokio::task::spawn_blocking(move || {
        if std::fs::rename(&from, &to).is_err() {
            std::fs::copy(&from, &to).and_then(|_| std::fs::remove_file(&from))?;
        }
        File::open(&to)?.sync_all()
    });
    carried.await?.context("moving a copy into the backup")?;
    keep_private(&kept)
}

/// Lets nobody else read the file.
pub(super) fn keep_private(file: &Path) -> anyhow::Result<()> {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("closing {} to others", file.display()))
}

/// Waits until the files and names of a folder are on the disk.
pub(super) fn sync_folder(folder: &Path) -> anyhow::Result<()> {
    let sync = || -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            File::open(entry?.path())?.sync_all()?;
        }
        File::open(folder)?.sync_all()
    };
    sync().with_context(|| format!("writing {} to the disk", folder.display()))
}

/// Size and SHA-256 in hex.
pub(super) async fn digest(file: &Path) -> anyhow::Result<(u64, String)> {
    let path = file.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let mut file = File::open(&path)?;
        let (mut hash, mut bytes) = (Sha256::new(), 0);
        let mut chunk = vec![0; 1 << 20];
        loop {
            let read = file.read(&mut chunk)?;
            if read == 0 {
                let hex = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
                return std::io::Result::Ok((bytes, hex));
            }
            bytes += read as u64;
            hash.update(&chunk[..read]);
        }
    });
    read.await?.with_context(|| format!("reading {}", file.display()))
}
