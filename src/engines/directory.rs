//! Folders and files that only their owner may read.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::EngineError;

/// Makes the folder (and those above it) with mode 0700; one that is there stays as it is.
pub(super) fn create_private(path: &Path) -> Result<(), EngineError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(EngineError::file(path))
}

/// The same in a folder that everybody may write to: refused when somebody else made it first.
pub(super) fn create_private_in_public(path: &Path) -> Result<(), EngineError> {
    create_private(path)?;
    let made = std::fs::symlink_metadata(path).map_err(EngineError::file(path))?;
    if made.is_dir() && made.uid() == rustix::process::getuid().as_raw() && made.mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(EngineError::file(path)(std::io::Error::other(
        "belongs to somebody else or is open to others; remove it, or choose a shorter --data-dir",
    )))
}

/// Replaces a file with mode 0600, whole or not at all.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), EngineError> {
    let new = path.with_extension("new");
    // A leftover of a crash may have another mode.
    let _ = std::fs::remove_file(&new);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&new, path))
        .map_err(EngineError::file(path))
}

/// Reads a secret, or makes it, once: of two processes that come first together, one wins.
pub(super) fn read_or_create(
    path: &Path,
    make: impl FnOnce() -> Result<String, EngineError>,
) -> Result<String, EngineError> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        other => return other.map_err(EngineError::file(path)),
    }
    let new = path.with_extension(format!("new-{}", std::process::id()));
    write_private(&new, &make()?)?;
    // A hard link fails when the name is taken, and what is linked is whole.
    let linked = std::fs::hard_link(&new, path);
    let _ = std::fs::remove_file(&new);
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(EngineError::file(path)(error)),
        _ => std::fs::read_to_string(path).map_err(EngineError::file(path)),
    }
}
