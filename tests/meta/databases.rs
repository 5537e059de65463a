//! A fresh control database per test: a SQLite file, or a database in a PostgreSQL that this process starts
//! once and that ends with it.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use footfall::meta::Meta;
use sqlx::any::install_default_drivers;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// 2026-11-23T10:15:00Z.
pub const NOW: i64 = 1_795_428_900_000;

/// An empty database.
pub struct Database {
    pub url: String,
    _directory: Option<TempDir>,
}

impl Database {
    pub async fn sqlite() -> Database {
        let directory = TempDir::new().unwrap();
        Database {
            url: format!("sqlite:{}", directory.path().join("meta.sqlite").display()),
            _directory: Some(directory),
        }
    }

    pub async fn postgresql() -> Database {
        static NAMES: AtomicU32 = AtomicU32::new(0);
        let server = server().await;
        let name = format!("t{}", NAMES.fetch_add(1, Ordering::Relaxed));
        let mut connection = AnyConnection::connect(&server.url("postgres")).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut connection)
            .await
            .unwrap();
        Database {
            url: server.url(&name),
            _directory: None,
        }
    }

    /// Runs SQL behind the product's back.
    pub async fn run(&self, statement: &str) {
        install_default_drivers();
        let mut connection = AnyConnection::connect(&self.url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
    }

    /// Opened and migrated.
    pub async fn meta(&self) -> Meta {
        let meta = Meta::connect(&self.url).await.unwrap();
        meta.migrate(NOW).await.unwrap();
        meta
    }
}

struct Server {
    socket_directory: PathBuf,
    /// Holds the server's lifeline, the pipe to its input: the server ends when it closes, however we die.
    process: Mutex<Child>,
}

impl Server {
    fn url(&self, database: &str) -> String {
        format!(
            "postgres://footfall@localhost/{database}?host={}",
            self.socket_directory.display()
        )
    }
}

/// Runs as PostgreSQL's user, since the server refuses to be root. Waits on its input: at the end of it (we are
/// gone) the server is stopped and the directory removed.
const SCRIPT: &str = r#"
    "$BIN/initdb" -D "$DIR/data" -U footfall --auth=trust -E UTF8 --locale=C.UTF-8 -N >"$DIR/log" 2>&1
    "$BIN/postgres" -D "$DIR/data" -k "$DIR" -c listen_addresses= -c fsync=off -c synchronous_commit=off \
        -c full_page_writes=off -c max_connections=300 -c shared_buffers=32MB </dev/null >>"$DIR/log" 2>&1 &
    cat >/dev/null
    # TERM: the shell starts its background jobs deaf to INT, and so is a server that has only just begun.
    kill -TERM $!
    for _ in $(seq 100); do kill -0 $! 2>/dev/null || break; sleep 0.1; done
    kill -KILL $! 2>/dev/null
    rm -rf "$DIR"
"#;

async fn server() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER.get_or_init(start).await
}

async fn start() -> Server {
    install_default_drivers();
    let binaries = binaries();
    // Under /tmp whatever TMPDIR says: a socket's path has at most 107 characters.
    let directory = TempDir::with_prefix_in("ff-pg-", "/tmp").unwrap().keep();
    let mut command = Command::new("sh");
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        let (uid, gid) = unprivileged();
        chown(&directory, Some(uid), Some(gid)).unwrap();
        command = Command::new("setpriv");
        command.args([
            &format!("--reuid={uid}"),
            &format!("--regid={gid}"),
            "--clear-groups",
            "sh",
        ]);
    }
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o700)).unwrap();
    let child = command
        .args(["-c", SCRIPT])
        .env("BIN", binaries)
        .env("DIR", &directory)
        .current_dir("/")
        .stdin(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let server = Server {
        socket_directory: directory,
        process: Mutex::new(child),
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while AnyConnection::connect(&server.url("postgres")).await.is_err() {
        if Instant::now() > deadline || server.process.lock().unwrap().try_wait().unwrap().is_some() {
            let log = std::fs::read_to_string(server.socket_directory.join("log")).unwrap_or_default();
            panic!("PostgreSQL did not come up:\n{log}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server
}

/// Where `initdb` and `postgres` are: Debian keeps them off the PATH.
fn binaries() -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = debian
        .chain(std::env::split_paths(&path))
        .filter(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
        .collect();
    found.sort();
    found
        .pop()
        .expect("no PostgreSQL server on this machine; get one with: apt-get install -y postgresql")
}

fn unprivileged() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    ["postgres", "nobody"]
        .iter()
        .find_map(|wanted| {
            let line = users
                .lines()
                .find(|line| line.split(':').next() == Some(wanted))?;
            let mut fields = line.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        })
        .expect("a user postgres or nobody")
}

/// Runs each test of the calling module on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite { $(#[tokio::test] async fn $test() { super::$test(crate::databases::Database::sqlite().await).await })* }
        mod postgresql { $(#[tokio::test] async fn $test() { super::$test(crate::databases::Database::postgresql().await).await })* }
    };
}

pub(crate) use on_both;
