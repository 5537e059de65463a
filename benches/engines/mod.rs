//! ClickHouse and Redis for a benchmark, as the product itself starts them, in a folder of their own.

use std::path::{Path, PathBuf};

use footfall::engines::{EngineOptions, Engines};

pub mod process;

use process::{Process, innermost};

/// Starts both. ClickHouse's library is that of `make engines`, or of `FOOTFALL_CHDB_LIBRARY`.
pub async fn start(folder: &Path) -> anyhow::Result<Engines> {
    let library = std::env::var_os("FOOTFALL_CHDB_LIBRARY").map_or_else(
        || {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("deploy/engines/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so")
        },
        PathBuf::from,
    );
    let options = EngineOptions {
        program: env!("CARGO_BIN_EXE_footfall").into(),
        data_dir: folder.join("engines"),
        clickhouse_url: None,
        redis_url: None,
        chdb_library: Some(library),
        redis_server: None,
        redis_max_memory: None,
    };
    Ok(Engines::start(options).await?)
}

/// The engines' own processes.
pub fn processes(engines: &Engines) -> Vec<Process> {
    let running = engines.pids().into_iter();
    running
        .map(|(name, pid)| Process {
            name,
            pid: innermost(pid),
        })
        .collect()
}
