//! Who may do what in the embedded ClickHouse.

use footfall::engines::{Credentials, Engines};

use crate::processes::{options, sql};

#[tokio::test]
async fn the_reader_reads_our_databases_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a folder");
    let engines = Engines::start(options(dir.path())).await.expect("engines");
    let at = engines.clickhouse();
    let (rw, ro) = (&at.writer, &at.reader);
    for statement in [
        "CREATE DATABASE IF NOT EXISTS footfall_shop",
        "CREATE TABLE footfall_shop.t (x UInt32, day Date) ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY x",
        "CREATE TABLE footfall_shop.r (x UInt32, v UInt32) ENGINE = ReplacingMergeTree(v) ORDER BY x",
        "INSERT INTO footfall_shop.t SELECT number, '2026-01-01' FROM numbers(10)",
        "INSERT INTO footfall_shop.t SELECT number, '2026-02-01' FROM numbers(10)",
        "SYSTEM STOP MERGES footfall_shop.t",
        "SYSTEM START MERGES footfall_shop.t",
        "DELETE FROM footfall_shop.t IN PARTITION 202602 WHERE x = 3 SETTINGS lightweight_deletes_sync = 2",
        "ALTER TABLE footfall_shop.t DELETE WHERE x = 4 SETTINGS mutations_sync = 2",
        "OPTIMIZE TABLE footfall_shop.t FINAL",
        "SELECT count() FROM system.parts WHERE database = 'footfall_shop'",
        "SELECT count() FROM system.processes",
        "KILL QUERY WHERE query_id = 'nothing' SYNC",
    ] {
        sql(at, rw, statement)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    let read = "SELECT count() FROM footfall_shop.t
        SETTINGS max_execution_time = 30, max_memory_usage = 8589934592, max_threads = 2, max_rows_to_read = 1000";
    assert_eq!(sql(at, ro, read).await, Ok("17".into()));

    for statement in [
        "INSERT INTO footfall_shop.t VALUES (1, '2026-01-01')",
        "CREATE TABLE footfall_shop.u (x UInt32) ENGINE = Memory",
        "CREATE DATABASE footfall_mine",
        "DROP TABLE footfall_shop.t",
        "TRUNCATE TABLE footfall_shop.t",
        "ALTER TABLE footfall_shop.t DELETE WHERE 1",
        "OPTIMIZE TABLE footfall_shop.t",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT count() FROM system.users",
        "SELECT count() FROM system.processes",
        "SELECT count() FROM system.parts_columns",
        "SELECT * FROM file('/etc/hostname', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1/', 'LineAsString')",
        "SELECT * FROM remote('127.0.0.1', 'system', 'one')",
        "KILL QUERY WHERE 1",
    ] {
        let error = sql(at, ro, statement).await.expect_err(statement);
        assert!(
            error.contains("ACCESS_DENIED") || error.contains("READONLY"),
            "{statement}: {error}"
        );
    }
    for statement in [
        "CREATE DATABASE other",
        "SELECT * FROM file('/etc/hostname', 'LineAsString')",
    ] {
        let error = sql(at, rw, statement).await.expect_err(statement);
        assert!(error.contains("ACCESS_DENIED"), "{statement}: {error}");
    }

    // The engine's own session needs no password, so nobody else may come in by its name.
    let nobody = Credentials {
        user: "default".into(),
        password: String::new(),
    };
    sql(at, &nobody, "SELECT 1").await.expect_err("default");
    let wrong = Credentials {
        user: "ro".into(),
        password: "guess".into(),
    };
    sql(at, &wrong, "SELECT 1").await.expect_err("a wrong password");
    let client = reqwest::Client::new();
    for url in [
        format!("{}/?query=SELECT+1", at.url),
        format!("{}/?query=SELECT+1&user=default", at.url),
    ] {
        let plain = client.get(&url).send().await.expect("an answer");
        assert!(!plain.status().is_success(), "{url}");
        let named = client
            .get(format!("{url}&user=default"))
            .header("X-ClickHouse-User", "ro")
            .send()
            .await;
        assert!(
            !named.expect("an answer").status().is_success(),
            "{url} with a header"
        );
    }

    for file in [
        "clickhouse/passwords",
        "clickhouse/users.xml",
        "clickhouse/config.xml",
    ] {
        let mode =
            std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(dir.path().join(file)).expect(file));
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    engines.stop().await;
}
