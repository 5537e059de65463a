//! One engine per directory: an advisory lock (`flock`) on a file in it, with the holder's pid inside.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::EngineError;

/// Holds a directory for as long as this value, or any process that inherited its descriptor, lives.
#[derive(Debug)]
pub struct DirectoryLock {
    file: File,
}

/// The pid that holds the lock of `directory`, or held it last.
pub(super) fn holder(directory: &Path) -> Option<u32> {
    std::fs::read_to_string(directory.join("lock"))
        .ok()?
        .strip_suffix('\n')?
        .parse()
        .ok()
}

/// The process that holds the lock of `directory` right now, as it wrote itself down.
pub(super) fn held_by(directory: &Path) -> Option<String> {
    let mut file = File::open(directory.join("lock")).ok()?;
    // A shared lock, given back at once: a server that starts this moment waits for it.
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        _ => return None,
    }
    let mut pid = String::new();
    file.read_to_string(&mut pid).ok()?;
    Some(pid.trim().to_owned())
}

impl DirectoryLock {
    /// Takes the lock of `directory`, waiting up to `patience` for a holder that is about to end.
    ///
    /// # Errors
    /// [`EngineError::InUse`] names the holder's pid.
    pub fn take(directory: &Path, patience: Duration) -> Result<Self, EngineError> {
        let path = directory.join("lock");
        let failed = |cause| EngineError::File {
            path: path.clone(),
            cause,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        let deadline = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    file.read_to_string(&mut holder).map_err(failed)?;
                    return Err(EngineError::InUse {
                        directory: directory.to_path_buf(),
                        pid: holder.trim().to_owned(),
                    });
                }
                Err(TryLockError::Error(cause)) => return Err(failed(cause)),
            }
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { file })
    }

    /// Lets programs that this process starts from now on hold the lock too, for as long as they live.
    ///
    /// # Errors
    /// When the descriptor's flags cannot be changed.
    pub fn share_with_children(&self) -> Result<(), EngineError> {
        rustix::io::fcntl_setfd(&self.file, rustix::io::FdFlags::empty())
            .map_err(|errno| EngineError::System("share the directory's lock", errno.into()))
    }
}
