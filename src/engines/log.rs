//! What an engine says: kept in a file in the data directory, and its last lines in memory.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Lines kept in memory for the message of an engine that gave up.
const LAST_LINES: usize = 30;
/// A longer log file is moved to `<name>.1`, over the one before.
const FILE_BYTES: u64 = 8 << 20;

/// The log of one engine over all its restarts.
#[derive(Debug)]
pub struct EngineLog {
    path: PathBuf,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    file: File,
    bytes: u64,
    last: VecDeque<String>,
}

impl EngineLog {
    /// Opens (or makes) the file at `path`; its folder must exist.
    pub fn open(path: &Path) -> std::io::Result<Arc<Self>> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Arc::new(Self {
            path: path.to_path_buf(),
            written: Mutex::new(Written {
                file,
                bytes,
                last: VecDeque::new(),
            }),
        }))
    }

    /// A pipe's writing end for the engine's stdout and stderr, and the thread that copies it until every
    /// holder closed it.
    pub fn pipe(self: &Arc<Self>) -> std::io::Result<(std::io::PipeWriter, JoinHandle<()>)> {
        let (reader, writer) = std::io::pipe()?;
        let log = Arc::clone(self);
        let copier = std::thread::Builder::new()
            .name("engine-log".into())
            .spawn(move || {
                let mut lines = BufReader::new(reader);
                let mut line = Vec::new();
                while matches!(lines.read_until(b'\n', &mut line), Ok(n) if n > 0) {
                    log.add(String::from_utf8_lossy(&line).trim_end());
                    line.clear();
                }
            })?;
        Ok((writer, copier))
    }

    /// Adds one line. A full disk costs the line in the file, never the engine.
    pub fn add(&self, line: &str) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.bytes > FILE_BYTES {
            let old = self.path.with_extension("log.1");
            if std::fs::rename(&self.path, old).is_ok()
                && let Ok(file) = OpenOptions::new().create(true).append(true).open(&self.path)
            {
                written.file = file;
                written.bytes = 0;
            }
        }
        if writeln!(written.file, "{line}").is_ok() {
            written.bytes += line.len() as u64 + 1;
        }
        if !line.trim().is_empty() {
            if written.last.len() == LAST_LINES {
                written.last.pop_front();
            }
            written.last.push_back(line.to_owned());
        }
    }

    /// The last lines, oldest first.
    pub fn last_lines(&self) -> Vec<String> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.last.iter().cloned().collect()
    }
}
