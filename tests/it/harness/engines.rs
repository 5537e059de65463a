//! The engines, started once for all tests of the process.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use footfall::engines::{EngineOptions, Engines};
use footfall::store::{Credentials, Store, StoreOptions};
use footfall::stream::{EventStream, StreamOptions};
use footfall::telemetry;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::OnceCell;

static ENGINES: OnceCell<Engines> = OnceCell::const_new();
static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Never stopped: they end with the process, whose pipe they hold.
async fn engines() -> &'static Engines {
    let start = async || {
        let data_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("it");
        let _ = std::fs::remove_dir_all(&data_dir);
        let options = EngineOptions {
            program: env!("CARGO_BIN_EXE_footfall").into(),
            data_dir,
            clickhouse_url: None,
            redis_url: None,
            chdb_library: Some(library()),
            redis_server: None,
            redis_max_memory: None,
        };
        Engines::start(options).await.expect("engines")
    };
    ENGINES.get_or_init(start).await
}

/// `FOOTFALL_CHDB_LIBRARY`, else where `make engines` puts it.
fn library() -> PathBuf {
    std::env::var_os("FOOTFALL_CHDB_LIBRARY").map_or_else(
        || {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("deploy/engines/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so")
        },
        PathBuf::from,
    )
}

/// A database of its own, with tables.
pub async fn store(database: &str) -> Store {
    let at = engines().await.clickhouse();
    let account = |who: &footfall::engines::Credentials| Credentials {
        user: who.user.clone(),
        password: who.password.clone(),
    };
    let store = Store::connect(StoreOptions {
        url: at.url.clone(),
        database: database.to_owned(),
        writer: account(&at.writer),
        reader: account(&at.reader),
    });
    let store = store.await.expect("ClickHouse");
    store.migrate().await.expect("tables");
    store
}

/// Runs SQL in a test's database behind the product's back.
pub async fn sql(database: &str, statement: &str) {
    let at = engines().await.clickhouse();
    let admin = clickhouse::Client::default()
        .with_url(&at.url)
        .with_user(&at.writer.user)
        .with_password(&at.writer.password)
        .with_database(database);
    admin
        .query(statement)
        .with_setting("lightweight_deletes_sync", "2")
        .execute()
        .await
        .expect(statement);
}

/// A stream of its own.
pub async fn stream(prefix: &str, shards: u16) -> EventStream {
    let options = StreamOptions {
        url: engines().await.redis_url().to_owned(),
        prefix: prefix.to_owned(),
        shards,
        max_entries: 100_000,
        request_key_ttl_s: 86_400,
        dedup_window_s: 3_600,
        min_replicas: 0,
    };
    EventStream::connect(&options).await.expect("Redis")
}

/// The process has one recorder.
pub fn metrics() -> PrometheusHandle {
    METRICS
        .get_or_init(|| telemetry::start_metrics().expect("the only recorder"))
        .clone()
}
