//! What can keep an engine from running, in sentences for the person who started us.

use std::path::PathBuf;

/// What became of an engine's process. Cheap enough to tell everybody who waits for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    /// The engine process refused to start for a reason that it said in one sentence.
    #[error("{name} did not start: {reason}")]
    Refused {
        /// Which engine.
        name: &'static str,
        /// Its sentence.
        reason: String,
    },
    /// The first start failed: the engine ended, or did not answer in time.
    #[error("{name} did not start: {why}; its last log lines:\n{}", log.join("\n"))]
    NotStarted {
        /// Which engine.
        name: &'static str,
        /// What happened.
        why: String,
        /// Its last words, oldest first.
        log: Vec<String>,
    },
    /// It ran and then kept ending.
    #[error("{name} ended {times} times within a minute and was given up; its last log lines:\n{}", log.join("\n"))]
    GaveUp {
        /// Which engine.
        name: &'static str,
        /// Unexpected ends within the last minute.
        times: usize,
        /// Its last words, oldest first.
        log: Vec<String>,
    },
}

/// Why an engine does not run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Another process holds the directory.
    #[error("the directory {} is already in use by process {pid}; stop that process or choose another --data-dir", directory.display())]
    InUse {
        /// The engine's directory.
        directory: PathBuf,
        /// The holder, as it wrote itself down.
        pid: String,
    },
    /// An engine process did not start, or would not stay.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A program or library that an embedded engine needs is not there.
    #[error("{what} was not found; {remedy}")]
    Missing {
        /// What is missing and where it was looked for.
        what: String,
        /// The command that gets it.
        remedy: String,
    },
    /// A URL that cannot be used.
    #[error("FOOTFALL_CLICKHOUSE_URL: {0}")]
    Url(String),
    /// A file or folder of the data directory.
    #[error("{}: {cause}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said. Not the error's `source`: the sentence has it already.
        cause: std::io::Error,
    },
    /// The data directory itself.
    #[error(
        "the data directory cannot be used: {0}; let this user write there, or choose another --data-dir"
    )]
    DataDirectory(String),
    /// The operating system refused something else.
    #[error("cannot {0}: {1}")]
    System(&'static str, std::io::Error),
}

impl EngineError {
    /// For `map_err` on file operations.
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |cause| Self::File { path, cause }
    }
}
