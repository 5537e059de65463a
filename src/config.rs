//! Settings: command line, then `FOOTFALL_*` environment, then defaults. The one place that reads the environment.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

/// A job that one process may do. The roles share nothing but the engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Takes events into the stream.
    Capture,
    /// Carries events from the stream into ClickHouse and keeps the rollups.
    Worker,
    /// Answers questions, serves the dashboard.
    Api,
}

/// Everything that an installation can set. Secrets come from the environment or the data directory.
#[derive(Clone, Debug, Args)]
pub struct Config {
    /// Where the embedded engines and the installation's secrets live.
    #[arg(long, env = "FOOTFALL_DATA_DIR", default_value = "footfall-data")]
    pub data_dir: PathBuf,

    /// Address to listen on: `0.0.0.0:8080`, `localhost:8080`, or `8080` for `127.0.0.1:8080`. When the port is taken, the next free one of the following 20 is used.
    #[arg(long, env = "FOOTFALL_LISTEN", default_value = "127.0.0.1:8080", value_parser = listen_address)]
    pub listen: SocketAddr,

    /// Jobs of this process.
    #[arg(
        long,
        env = "FOOTFALL_ROLES",
        value_delimiter = ',',
        default_value = "capture,worker,api"
    )]
    pub roles: Vec<Role>,

    /// ClickHouse over HTTP (`http://user:password@host:8123/database`); unset: an embedded one is started.
    #[arg(long, env = "FOOTFALL_CLICKHOUSE_URL", hide_env_values = true)]
    pub clickhouse_url: Option<String>,

    /// Redis (`redis://host:6379/0`); unset: an embedded one is started.
    #[arg(long, env = "FOOTFALL_REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,

    /// Prefix of every Redis key, `[a-z0-9:_-]*`, so that installations can share a Redis.
    #[arg(long, env = "FOOTFALL_REDIS_PREFIX", default_value = "ff:", value_parser = redis_prefix)]
    pub redis_prefix: String,

    /// PostgreSQL (`postgres://…`) or SQLite (`sqlite:path`); unset: `meta.sqlite` in the data directory.
    #[arg(long, env = "FOOTFALL_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,

    /// `libchdb.so` of the npm package `@chdb/lib-linux-x64-gnu` 26.7 or newer, for the embedded ClickHouse.
    #[arg(long, env = "FOOTFALL_CHDB_LIBRARY")]
    pub chdb_library: Option<PathBuf>,

    /// The redis-server program of the embedded Redis; unset: the one on the PATH.
    #[arg(long, env = "FOOTFALL_REDIS_SERVER")]
    pub redis_server: Option<PathBuf>,

    /// Shards of the stream: fixed for the life of an installation. Unset: 4 with the embedded Redis, else 16.
    #[arg(long, env = "FOOTFALL_SHARDS", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub shards: Option<u16>,

    /// Seconds for which an event id that comes again in another request is recognised, in whole generations: for one
    /// to two windows. 0 turns it off: then only a whole request that is sent again is recognised.
    #[arg(long, env = "FOOTFALL_DEDUP_WINDOW_S", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub dedup_window_s: u64,

    /// Memory of the embedded Redis in MB; what would go beyond it is refused with 503. Unset: an eighth of the
    /// machine's, within 256 and 4096.
    #[arg(long, env = "FOOTFALL_REDIS_MAX_MEMORY_MB", value_parser = clap::value_parser!(u64).range(16..=1_048_576))]
    pub redis_max_memory_mb: Option<u64>,

    /// Replicas of an external Redis that must have confirmed an event before it is answered 200, and each step of a
    /// worker before the next. With fewer, events are refused with 503 and workers wait.
    #[arg(long, env = "FOOTFALL_REDIS_MIN_REPLICAS", default_value_t = 0, requires = "redis_url", value_parser = clap::value_parser!(u16).range(..=16))]
    pub redis_min_replicas: u16,

    /// Rows of a batch into ClickHouse, at most. Whole requests: a request with more rows is a batch of its own.
    #[arg(long, env = "FOOTFALL_BATCH_ROWS", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..=200_000))]
    pub batch_rows: u64,

    /// Seconds after which another worker takes over the shards of one that fell silent. Shorter than an engine's
    /// hiccup, shards change hands for nothing.
    #[arg(long, env = "FOOTFALL_LEASE_S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub lease_s: u64,

    /// Entries (a request, or several small ones that came together) that a stream shard holds before the tracking
    /// endpoint answers 503. Each holds memory of Redis.
    #[arg(long, env = "FOOTFALL_STREAM_REQUESTS", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub stream_requests: u64,

    /// Megabytes of answers that the api role remembers, until something of their project changes. 0 turns it off.
    #[arg(long, env = "FOOTFALL_ANSWER_CACHE_MB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(..=65_536))]
    pub answer_cache_mb: u64,

    /// Megabytes of decoded sketches that the api role keeps, so that active users need no query. A year of one event
    /// name takes six at most.
    #[arg(long, env = "FOOTFALL_SKETCHBOOK_MB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(..=65_536))]
    pub sketchbook_mb: u64,

    /// Megabytes for sessions that questions about them share; 0: every question reads events.
    #[arg(long, env = "FOOTFALL_VISITBOOK_MB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(..=65_536))]
    pub visitbook_mb: u64,

    /// Minutes after which the members of a cohort are looked for again.
    #[arg(long, env = "FOOTFALL_COHORT_REFRESH_MIN", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=1_440))]
    pub cohort_refresh_min: u64,

    /// Signs access tokens: at least 32 characters that nobody can guess, the same for every node. Unset: made at the
    /// first start and kept in the data directory.
    #[arg(long, env = "FOOTFALL_SIGNING_SECRET", hide_env_values = true)]
    pub signing_secret: Option<String>,

    /// Log filter in tracing's syntax (`info`, `footfall=debug`).
    #[arg(long, env = "FOOTFALL_LOG", default_value = "info,sqlx=warn")]
    pub log: String,

    /// Write the log as JSON, one object a line.
    #[arg(long, env = "FOOTFALL_LOG_JSON", default_value_t = false, value_parser = BoolishValueParser::new())]
    pub log_json: bool,

    /// Let anybody register an account. Without it only the first one may (set-up), the rest are invited.
    #[arg(long, env = "FOOTFALL_OPEN_SIGNUP", default_value_t = false, value_parser = BoolishValueParser::new())]
    pub open_signup: bool,

    /// Answer /metrics to everybody. Without it only programs on this machine are answered, without a proxy between.
    #[arg(long, env = "FOOTFALL_METRICS_PUBLIC", default_value_t = false)]
    pub metrics_public: bool,
}

impl Config {
    /// The settings in force, a line each, with passwords hidden.
    pub fn describe(&self) -> String {
        let path = |path: &Option<PathBuf>| {
            path.as_ref()
                .map_or("(searched)".into(), |p| p.display().to_string())
        };
        let url = |url: &Option<String>| url.as_deref().map_or("(embedded)".into(), without_password);
        let roles: Vec<String> = self
            .roles
            .iter()
            .map(|role| format!("{role:?}").to_lowercase())
            .collect();
        let shards = self
            .shards
            .map_or("(4 embedded, else 16)".into(), |n| n.to_string());
        [
            ("data-dir", self.data_dir.display().to_string()),
            ("listen", self.listen.to_string()),
            ("roles", roles.join(",")),
            ("clickhouse-url", url(&self.clickhouse_url)),
            ("redis-url", url(&self.redis_url)),
            ("redis-prefix", self.redis_prefix.clone()),
            ("database-url", url(&self.database_url)),
            ("chdb-library", path(&self.chdb_library)),
            ("redis-server", path(&self.redis_server)),
            ("shards", shards),
            ("dedup-window-s", self.dedup_window_s.to_string()),
            (
                "redis-max-memory-mb",
                self.redis_max_memory_mb
                    .map_or("(an eighth of the machine's)".into(), |mb| mb.to_string()),
            ),
            ("redis-min-replicas", self.redis_min_replicas.to_string()),
            ("batch-rows", self.batch_rows.to_string()),
            ("lease-s", self.lease_s.to_string()),
            ("stream-requests", self.stream_requests.to_string()),
            ("answer-cache-mb", self.answer_cache_mb.to_string()),
            ("sketchbook-mb", self.sketchbook_mb.to_string()),
            ("visitbook-mb", self.visitbook_mb.to_string()),
            ("cohort-refresh-min", self.cohort_refresh_min.to_string()),
            (
                "signing-secret",
                self.signing_secret
                    .as_ref()
                    .map_or("(data directory)", |_| "***")
                    .into(),
            ),
            ("log", self.log.clone()),
            ("log-json", self.log_json.to_string()),
            ("open-signup", self.open_signup.to_string()),
            ("metrics-public", self.metrics_public.to_string()),
        ]
        .map(|(name, value)| format!("{name:<21}{value}\n"))
        .concat()
    }
}

/// An address, a name with a port, or a port alone.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    let example =
        |why: &dyn std::fmt::Display| format!("{why}; write it as 127.0.0.1:8080, localhost:8080 or 8080");
    let found: Vec<SocketAddr> = text.to_socket_addrs().map_err(|error| example(&error))?.collect();
    // IPv4 first, as our own default and our printed address are.
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| example(&"this name has no address"))
}

fn redis_prefix(text: &str) -> Result<String, String> {
    let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | ':' | '_' | '-');
    if text.chars().all(allowed) {
        return Ok(text.to_owned());
    }
    Err("only a-z, 0-9, ':', '_' and '-' may occur".to_owned())
}

/// `scheme://user:password@host` without the password.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    match rest.rsplit_once('@') {
        Some((who, host)) if who.contains(':') => {
            let user = who.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:***@{host}")
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_to_listen_on_may_be_a_port_or_a_name() {
        let local: SocketAddr = "127.0.0.1:8080".parse().unwrap();
        assert_eq!(listen_address("127.0.0.1:8080"), Ok(local));
        assert_eq!(listen_address("8080"), Ok(local));
        assert_eq!(listen_address("localhost:8080"), Ok(local));
        assert!(listen_address("0.0.0.0").unwrap_err().contains("127.0.0.1:8080"));
    }

    #[test]
    fn switches_and_prefixes_are_read_before_anything_starts() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            config: Config,
        }
        let read = |args: &[&str]| <Line as clap::Parser>::try_parse_from([&["footfall"], args].concat());
        assert!(read(&["--open-signup"]).is_ok_and(|line| line.config.open_signup));
        assert!(read(&["--redis-prefix", "Shop "]).is_err());
        assert!(read(&["--batch-rows", "200000", "--lease-s", "1"]).is_ok());
        for beyond in [
            ["--batch-rows", "0"],
            ["--batch-rows", "200001"],
            ["--lease-s", "0"],
            ["--stream-requests", "0"],
        ] {
            assert!(read(&beyond).is_err(), "{beyond:?}");
        }
    }

    #[test]
    fn a_printed_url_never_shows_its_password() {
        assert_eq!(
            without_password("http://me:p@ss:word@host:8123/db"),
            "http://me:***@host:8123/db"
        );
        assert_eq!(without_password("redis://:secret@host"), "redis://:***@host");
        assert_eq!(without_password("postgres://me@host/db"), "postgres://me@host/db");
        assert_eq!(
            without_password("redis+unix:///run/redis.sock"),
            "redis+unix:///run/redis.sock"
        );
    }
}
