//! Which ClickHouse an embedded engine is: the library, or a program from the PATH.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::directory::write_private;
use super::{EngineError, EngineOptions};

/// The library's file, and where `deploy/engines` installs it (from the folder that the source is in).
const FILE: &str = "libchdb.so";
const PACKAGE: &str = "deploy/engines/node_modules/@chdb/lib-linux-x64-gnu";
/// The oldest server whose grants know a database pattern and whose inserts know our settings.
const OLDEST_SERVER: (u32, u32) = (25, 3);

/// What runs as the embedded ClickHouse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `libchdb.so`.
    Library(PathBuf),
    /// A `clickhouse` program.
    Server(PathBuf),
}

/// Chooses: an explicit library, else what made the directory, else `clickhouse` from the PATH, else the
/// library in its usual places. What was chosen is written down in the directory, so that installing or
/// removing a ClickHouse does not move a running installation to another engine.
pub(super) fn find(options: &EngineOptions, directory: &Path) -> Result<Kind, EngineError> {
    let note = directory.join("made-by");
    let made_by = std::fs::read_to_string(&note).unwrap_or_default();
    let kind = if options.chdb_library.is_some() || made_by.trim() == "library" {
        Kind::Library(find_library(options)?)
    } else if let Some(version) = server_version() {
        if version < OLDEST_SERVER && made_by.trim() != "server" {
            tracing::warn!(?version, oldest = ?OLDEST_SERVER, "the clickhouse on the PATH is too old, trying libchdb");
            Kind::Library(find_library(options)?)
        } else {
            Kind::Server("clickhouse".into())
        }
    } else if made_by.trim() == "server" {
        return Err(EngineError::Missing {
            what: format!("the program clickhouse, which made {},", directory.display()),
            remedy: "put it on the PATH again, or choose a library with FOOTFALL_CHDB_LIBRARY".into(),
        });
    } else {
        Kind::Library(find_library(options)?)
    };
    let name = match kind {
        Kind::Library(_) => "library",
        Kind::Server(_) => "server",
    };
    if made_by.trim() != name {
        write_private(&note, name)?;
    }
    Ok(kind)
}

/// The library: the explicit path, beside the program, in `../lib/footfall` of the program, in the source tree.
pub(super) fn find_library(options: &EngineOptions) -> Result<PathBuf, EngineError> {
    let candidates: Vec<PathBuf> = match &options.chdb_library {
        Some(path) => vec![path.clone()],
        None => {
            let beside = options.program.parent().unwrap_or(Path::new("."));
            vec![
                beside.join(FILE),
                beside.join("../lib/footfall").join(FILE),
                Path::new(PACKAGE).join(FILE),
            ]
        }
    };
    let found = candidates.iter().find(|path| path.is_file());
    if let Some(path) = found.and_then(|path| path.canonicalize().ok()) {
        return Ok(path);
    }
    let looked: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
    let here = cfg!(all(target_os = "linux", target_arch = "x86_64"));
    Err(EngineError::Missing {
        what: format!("an embedded ClickHouse (libchdb.so at {})", looked.join(", ")),
        remedy: if here {
            "get it with `make engines`, or set FOOTFALL_CLICKHOUSE_URL to a ClickHouse server".into()
        } else {
            "the library exists for Linux on x86-64 only: put a `clickhouse` program on the PATH, or set \
             FOOTFALL_CLICKHOUSE_URL to a ClickHouse server"
                .into()
        },
    })
}

/// Version of the `clickhouse` on the PATH, if there is one.
pub(super) fn server_version() -> Option<(u32, u32)> {
    let output = Command::new("clickhouse")
        .args(["server", "--version"])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.split("version ").nth(1)?;
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}
