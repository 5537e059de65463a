//! Commands against an installation that runs, one that is stopped, and one that was killed.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use footfall::engines::Engines;

use super::processes::{alive, descendants, kill, library, options, redis, sql, until};

/// A server on this directory, without waiting for it.
fn server(data: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_footfall"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data)
        .arg("--chdb-library")
        .arg(library())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

async fn note(engines: &Engines, key: &str) {
    let mut connection = redis(engines.redis_url()).await.expect("redis");
    let set = redis::cmd("SET")
        .arg(key)
        .arg("yes")
        .query_async(&mut connection)
        .await;
    let () = set.expect("set");
}

async fn noted(engines: &Engines, key: &str) -> bool {
    let mut connection = redis(engines.redis_url()).await.expect("redis");
    let found: Option<String> = redis::cmd("GET")
        .arg(key)
        .query_async(&mut connection)
        .await
        .expect("get");
    found.is_some()
}

#[tokio::test]
async fn commands_join_a_running_server_and_start_engines_where_none_runs() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    // At once: the commands come while it starts, and wait for it.
    let mut serving = server(&data);
    until("the server has the directory", async || {
        std::fs::read_to_string(data.join("redis/lock"))
            .ok()
            .filter(|pid| !pid.is_empty())
    })
    .await;
    let (first, second) = tokio::join!(Engines::attach(options(&data)), Engines::attach(options(&data)));
    let (first, second) = (first.expect("joined"), second.expect("joined"));
    for engines in [&first, &second] {
        assert!(
            engines.are_joined() && engines.pids().is_empty(),
            "nothing was started"
        );
        assert!(engines.redis_is_embedded());
        let at = engines.clickhouse();
        assert_eq!(sql(at, &at.writer, "SELECT 1").await, Ok("1".into()));
    }
    note(&first, "by-a-command").await;
    first.stop().await;
    assert!(noted(&second, "by-a-command").await, "the engines run on");
    second.stop().await;

    let pid = i32::try_from(serving.id()).expect("a pid");
    let family = descendants(pid);
    assert_eq!(family.len(), 3, "clickhouse, the shim, redis-server");
    kill(pid);
    serving.wait().expect("reaped");
    assert!(
        data.join("engines.json").exists(),
        "it had no time to take it away"
    );
    let alone = Engines::attach(options(&data)).await.expect("started");
    assert!(
        !family.iter().any(|&pid| alive(pid)),
        "those of the killed server are gone"
    );
    assert_eq!(alone.pids().len(), 2);
    assert!(noted(&alone, "by-a-command").await);

    // While that command works another one waits, and then has engines of its own.
    let waiting = tokio::spawn(Engines::attach(options(&data)));
    note(&alone, "by-the-first").await;
    assert!(!waiting.is_finished());
    alone.stop().await;
    drop(alone);
    let next = waiting.await.expect("no panic").expect("its turn");
    assert!(noted(&next, "by-the-first").await);
    next.stop().await;
}

#[tokio::test]
async fn engines_with_addresses_need_no_data_directory() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut options = options(&dir.path().join("none"));
    options.clickhouse_url = Some("http://ann:pw@127.0.0.1:1/shop".into());
    options.redis_url = Some("redis://127.0.0.1:1".into());
    let engines = Engines::attach(options).await.expect("nothing to start");
    assert_eq!(engines.clickhouse().database, "shop");
    assert!(!engines.redis_is_embedded());
    assert!(!dir.path().join("none").exists());
}
