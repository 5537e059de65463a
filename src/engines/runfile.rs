//! Where the engines of a running server are, for commands that join it.
//!
//! The file `engines.json` in the data directory holds addresses and passwords, so only its owner may read it.
//! Its writer holds a lock on it (`flock`) for as long as it lives: what a killed server left is recognized by
//! the missing lock, whatever became of its pid.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::EngineError;
use super::address::ClickHouseAddress;

/// A reader holds its lock for the time of a look.
const LOOKED_AT_FOR: Duration = Duration::from_secs(2);

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Running {
    /// Where ClickHouse is, and who we are there.
    pub clickhouse: ClickHouseAddress,
    /// Where Redis is.
    pub redis_url: String,
    /// Whether Redis is the embedded one.
    pub redis_embedded: bool,
}

/// The file of a server that runs. Dropping it lets go of the lock, so that what it says counts no longer.
#[derive(Debug)]
pub(super) struct RunFile {
    path: PathBuf,
    _locked: File,
}

fn path_in(data_dir: &Path) -> PathBuf {
    data_dir.join("engines.json")
}

impl RunFile {
    /// Says where the engines are. The caller holds their directories, so no other server has this file.
    pub fn publish(data_dir: &Path, running: &Running) -> Result<Self, EngineError> {
        let path = path_in(data_dir);
        let failed = |cause| EngineError::file(&path)(cause);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        let deadline = Instant::now() + LOOKED_AT_FOR;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(failed(error.into())),
            }
        }
        let text = serde_json::to_vec(running).map_err(|error| failed(error.into()))?;
        file.set_len(0)
            .and_then(|()| file.write_all(&text))
            .map_err(failed)?;
        Ok(Self { path, _locked: file })
    }

    /// Takes the file away: the engines are about to end.
    pub fn withdraw(&self) {
        // Without its lock it counts for nothing anyway.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Running {
    /// What the server that runs on this directory says; none when none runs, or while it is still starting.
    pub fn find(data_dir: &Path) -> Option<Running> {
        let mut file = File::open(path_in(data_dir)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {}
            _ => return None,
        }
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts_as_long_as_its_writer_lives_and_only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let running = Running {
            clickhouse: ClickHouseAddress::parse("http://rw:secret@127.0.0.1:9123/footfall").unwrap(),
            redis_url: "redis+unix:///tmp/redis.sock".into(),
            redis_embedded: true,
        };
        assert_eq!(Running::find(dir.path()), None);
        let file = RunFile::publish(dir.path(), &running).unwrap();
        assert_eq!(Running::find(dir.path()), Some(running.clone()));
        let mode = std::fs::metadata(path_in(dir.path()))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(file);
        assert_eq!(Running::find(dir.path()), None, "what a killed server leaves");
        let next = RunFile::publish(dir.path(), &running).unwrap();
        assert_eq!(Running::find(dir.path()), Some(running));
        next.withdraw();
        assert_eq!(Running::find(dir.path()), None);
    }
}
