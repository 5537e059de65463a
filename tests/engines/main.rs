//! The engines as real processes: they start, they end with us, they come back, they keep what they have.

mod access;
mod attaching;
mod processes;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use footfall::engines::child::{Child, Launch};
use footfall::engines::{EngineError, EngineOptions, Engines, ProcessError, checks};

use processes::{alive, descendants, kill, library, options, pid_of, redis, sql, until};

#[tokio::test]
async fn a_killed_engine_comes_back_with_its_data() {
    let dir = tempfile::tempdir().expect("a folder");
    let engines = Engines::start(options(dir.path())).await.expect("engines");
    let at = engines.clickhouse();
    for statement in [
        "CREATE DATABASE footfall_kept",
        "CREATE TABLE footfall_kept.t (x UInt32) ENGINE = MergeTree ORDER BY x",
        "INSERT INTO footfall_kept.t SELECT number FROM numbers(1000)",
    ] {
        sql(at, &at.writer, statement).await.expect(statement);
    }
    let before = pid_of(&engines, "clickhouse").expect("a pid");
    kill(before);
    let count = until("clickhouse answers again", async || {
        sql(at, &at.reader, "SELECT count() FROM footfall_kept.t")
            .await
            .ok()
    });
    assert_eq!(count.await, "1000");
    assert_ne!(pid_of(&engines, "clickhouse").expect("a pid"), before);

    // Both ways: the server alone, and the shim above it.
    for who in ["server", "shim"] {
        let key = format!("kept:{who}");
        let mut connection = redis(engines.redis_url()).await.expect("redis");
        let () = redis::cmd("SET")
            .arg(&key)
            .arg("yes")
            .query_async(&mut connection)
            .await
            .expect("set");
        let shim = pid_of(&engines, "redis").expect("a pid");
        let server = *descendants(shim).first().expect("a server under the shim");
        kill(if who == "server" { server } else { shim });
        until("the shim was replaced", async || {
            pid_of(&engines, "redis").filter(|&pid| pid != shim)
        })
        .await;
        let value: String = until("redis answers again", async || {
            let mut connection = redis(engines.redis_url()).await.ok()?;
            redis::cmd("GET")
                .arg(&key)
                .query_async(&mut connection)
                .await
                .ok()
        })
        .await;
        assert_eq!(value, "yes");
        assert!(!alive(server), "the server of before is gone");
    }
    let policy = footfall::engines::redis_policy_warnings(engines.redis_url()).await;
    assert_eq!(policy, Ok(vec![]), "what we start keeps its own rules");
    engines.stop().await;
    assert!(engines.pids().is_empty());

    // A later start, as after a reboot: other processes, the same passwords and data.
    let again = Engines::start(options(dir.path())).await.expect("engines");
    assert_eq!(again.clickhouse().writer, at.writer);
    let count = sql(
        again.clickhouse(),
        &at.reader,
        "SELECT count() FROM footfall_kept.t",
    )
    .await;
    assert_eq!(count, Ok("1000".into()));
    again.stop().await;
}

#[tokio::test]
async fn a_directory_in_use_is_refused_with_a_sentence() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("with a space");
    let engines = Engines::start(options(&data)).await.expect("engines");
    let mut connection = redis(engines.redis_url()).await.expect("redis");
    let () = redis::cmd("SET")
        .arg("k")
        .arg("v")
        .query_async(&mut connection)
        .await
        .expect("set");

    let error = Engines::start(options(&data)).await.err().expect("refused");
    let pid = pid_of(&engines, "clickhouse").expect("a pid");
    let sentence = error.to_string();
    assert!(
        matches!(error, EngineError::Process(ProcessError::Refused { .. })),
        "{error:?}"
    );
    assert!(
        sentence.contains("already in use by process") && sentence.contains(&pid.to_string()),
        "{sentence}"
    );

    // Its Redis answers on the socket that a second one would have, and is not taken for the second one.
    let redis_only = EngineOptions {
        clickhouse_url: Some("http://127.0.0.1:1".into()),
        ..options(&data)
    };
    let error = Engines::start(redis_only).await.err().expect("refused");
    let pid = pid_of(&engines, "redis").expect("a pid");
    assert!(
        error
            .to_string()
            .contains(&format!("already in use by process {pid}")),
        "{error}"
    );

    // The first one has noticed nothing.
    let value: String = redis::cmd("GET")
        .arg("k")
        .query_async(&mut connection)
        .await
        .expect("get");
    assert_eq!(value, "v");
    let at = engines.clickhouse();
    assert_eq!(sql(at, &at.reader, "SELECT 1").await, Ok("1".into()));
    engines.stop().await;
}

/// Not a test of its own: what [`engines_end_with_a_killed_parent`] starts and kills.
#[tokio::test]
#[ignore = "a parent to be killed, started by another test"]
async fn parent_to_be_killed() {
    let dir = std::env::var_os("FOOTFALL_TEST_DIR").expect("started by another test");
    let engines = Engines::start(options(Path::new(&dir))).await.expect("engines");
    std::fs::write(Path::new(&dir).join("ready"), "").expect("written");
    engines.failed().await;
}

#[tokio::test]
async fn engines_end_with_a_killed_parent() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut parent = Command::new(std::env::current_exe().expect("ourselves"))
        .args(["--ignored", "--exact", "parent_to_be_killed"])
        .env("FOOTFALL_TEST_DIR", dir.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("a parent");
    until("the engines are up", async || {
        dir.path().join("ready").exists().then_some(())
    })
    .await;
    let parent_pid = i32::try_from(parent.id()).expect("a pid");
    let children = descendants(parent_pid);
    assert_eq!(children.len(), 3, "clickhouse, the shim, redis-server");
    kill(parent_pid);
    parent.wait().expect("reaped");
    until("every child has ended", async || {
        (!children.iter().any(|&pid| alive(pid))).then_some(())
    })
    .await;

    // And nothing stands in the way of the next start.
    let engines = Engines::start(options(dir.path())).await.expect("engines");
    engines.stop().await;
}

#[tokio::test]
async fn the_kernel_ends_a_server_whose_shim_was_killed() {
    let dir = tempfile::tempdir().expect("a folder");
    let socket = dir.path().join("s");
    // No supervisor here that would clear up behind it.
    let mut shim = Command::new(env!("CARGO_BIN_EXE_footfall"))
        .args([
            "engine",
            "redis",
            "--server",
            "redis-server",
            "--max-memory",
            "64000000",
            "--directory",
        ])
        .arg(dir.path())
        .arg("--socket")
        .arg(&socket)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("a shim");
    until("it listens", async || {
        std::os::unix::net::UnixStream::connect(&socket).ok()
    })
    .await;
    let pid = i32::try_from(shim.id()).expect("a pid");
    let server = descendants(pid);
    assert_eq!(server.len(), 1);
    kill(pid);
    shim.wait().expect("reaped");
    until("the server has ended", async || (!alive(server[0])).then_some(())).await;
}

#[tokio::test]
async fn an_engine_that_keeps_ending_is_given_up_with_its_last_words() {
    let dir = tempfile::tempdir().expect("a folder");
    let launch = |script: &str, ready: bool| Launch {
        name: "redis",
        program: "/bin/sh".into(),
        args: ["-c", script].map(Into::into).into(),
        log: dir.path().join("redis.log"),
        ready: Box::new(move |_| ready),
        start_within: Duration::from_secs(5),
        stop_within: Duration::from_secs(5),
    };
    let error = Child::start(launch("echo no such option >&2; exit 3", false))
        .await
        .err()
        .expect("never up");
    assert!(error.to_string().contains("no such option"), "{error}");

    // Up for a moment, again and again.
    let child = Child::start(launch("echo disk is full; sleep 0.05; exit 1", true))
        .await
        .expect("up for a moment");
    let error = child.failed().await;
    assert!(
        matches!(&error, ProcessError::GaveUp { times: 6, .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("disk is full"), "{error}");

    // A deaf one is killed when its time is over.
    let mut deaf = launch("trap '' TERM; while :; do sleep 1; done", true);
    deaf.stop_within = Duration::from_millis(50);
    let child = Child::start(deaf).await.expect("up");
    let pid = i32::try_from(child.pid().expect("a pid")).expect("a pid");
    child.stop().await;
    assert!(!alive(pid));
}

#[tokio::test]
async fn a_long_data_directory_gets_a_short_socket() {
    let dir = tempfile::tempdir().expect("a folder");
    let deep = dir.path().join("a-rather-long-folder-name/".repeat(5));
    let mut options = options(&deep);
    options.clickhouse_url = Some("http://ann:pw@127.0.0.1:1/shop".into());
    let engines = Engines::start(options).await.expect("redis only");
    assert_eq!(engines.clickhouse().database, "shop");
    assert_eq!(engines.pids().len(), 1);
    let mut connection = redis(engines.redis_url()).await.expect("redis");
    let answer: String = redis::cmd("PING")
        .query_async(&mut connection)
        .await
        .expect("pong");
    assert_eq!(answer, "PONG");
    let () = redis::cmd("CONFIG")
        .arg("SET")
        .arg("appendfsync")
        .arg("everysec")
        .query_async(&mut connection)
        .await
        .expect("set");
    let warnings = footfall::engines::redis_policy_warnings(engines.redis_url())
        .await
        .expect("asked");
    assert!(
        warnings.len() == 1 && warnings[0].contains("everysec"),
        "{warnings:?}"
    );
    let used: Vec<String> = redis::cmd("CONFIG")
        .arg("GET")
        .arg("dir")
        .query_async(&mut connection)
        .await
        .expect("config");
    assert!(used[1].starts_with(&*deep.canonicalize().expect("made").to_string_lossy()));
    engines.stop().await;
    let socket = engines
        .redis_url()
        .trim_start_matches("redis+unix://")
        .trim_end_matches("?db=0");
    std::fs::remove_dir_all(Path::new(socket).parent().expect("a folder")).expect("ours to remove");
}

#[tokio::test]
async fn what_is_missing_is_named_with_the_command_that_gets_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut options = options(dir.path());
    options.chdb_library = Some(dir.path().join("libchdb.so"));
    options.redis_server = Some(dir.path().join("redis-server"));
    let error = Engines::start(options.clone())
        .await
        .err()
        .expect("missing")
        .to_string();
    assert!(
        error.contains("libchdb.so") && error.contains("make engines"),
        "{error}"
    );

    let found = checks(&options).await;
    let bad: Vec<_> = found
        .iter()
        .filter(|check| !check.ok)
        .map(|check| check.name)
        .collect();
    assert_eq!(bad, ["clickhouse", "redis"]);
    assert!(found.iter().all(|check| check.ok == check.remedy.is_none()));

    options.chdb_library = Some(library());
    options.redis_server = None;
    let found = checks(&options).await;
    assert!(found.iter().all(|check| check.ok), "{found:?}");
}
