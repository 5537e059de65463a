//! Real engines and a look at the processes they are.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use footfall::engines::{ClickHouseAddress, Credentials, EngineOptions, Engines};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// `FOOTFALL_CHDB_LIBRARY`, else where `make engines` puts it.
pub fn library() -> PathBuf {
    std::env::var_os("FOOTFALL_CHDB_LIBRARY").map_or_else(
        || {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("deploy/engines/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so")
        },
        PathBuf::from,
    )
}

pub fn options(data_dir: &Path) -> EngineOptions {
    EngineOptions {
        program: env!("CARGO_BIN_EXE_footfall").into(),
        data_dir: data_dir.to_path_buf(),
        clickhouse_url: None,
        redis_url: None,
        chdb_library: Some(library()),
        redis_server: None,
        redis_max_memory: None,
    }
}

/// Waits for something that another process does.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited 30 s until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A statement over HTTP; the error is ClickHouse's text.
pub async fn sql(at: &ClickHouseAddress, who: &Credentials, statement: &str) -> Result<String, String> {
    let request = reqwest::Client::new()
        .post(&at.url)
        .header("X-ClickHouse-User", &who.user)
        .header("X-ClickHouse-Key", &who.password)
        .body(statement.to_owned());
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let ok = answer.status().is_success();
    let text = answer.text().await.map_err(|error| error.to_string())?;
    if ok { Ok(text.trim().to_owned()) } else { Err(text) }
}

pub async fn redis(url: &str) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
    redis::Client::open(url)?.get_multiplexed_async_connection().await
}

pub fn alive(pid: i32) -> bool {
    // A zombie that nobody reaps is not alive.
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let zombie = state
        .rsplit(") ")
        .next()
        .is_some_and(|rest| rest.starts_with('Z'));
    Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok()) && !zombie
}

pub fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).expect("a pid"), Signal::KILL).expect("it runs");
}

/// Every process below `pid`.
pub fn descendants(pid: i32) -> Vec<i32> {
    let children = std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let children = children.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<i32> = children
        .flat_map(|text| {
            text.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect();
    let deeper = children
        .iter()
        .flat_map(|&child| descendants(child))
        .collect::<Vec<_>>();
    children.into_iter().chain(deeper).collect()
}

pub fn pid_of(engines: &Engines, name: &str) -> Option<i32> {
    let pid = engines.pids().into_iter().find(|(engine, _)| *engine == name)?.1;
    i32::try_from(pid).ok()
}
