//! An engine as a process of its own, which roles in other processes share: what an operator runs as a server.

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::installation::{START, library, program};
use super::process::Process;
use super::until;

/// A ClickHouse or a Redis that is started again on the same directory, at the same address.
pub struct Engine {
    name: &'static str,
    directory: PathBuf,
    arguments: Vec<String>,
    /// Our own program; a redis-server is its child.
    child: Option<Child>,
}

impl Engine {
    /// A ClickHouse; not started.
    pub fn clickhouse(folder: &Path) -> Engine {
        let directory = folder.join("clickhouse");
        let mut engine = Engine::new("clickhouse", directory);
        // Below the ports that the kernel gives to connections: nobody takes it while the engine is away.
        let port = (0..)
            .map(|_| fastrand::u16(20_000..32_000))
            .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
            .expect("a free port");
        engine.arguments.extend(["--port".into(), port.to_string()]);
        engine
            .arguments
            .extend(["--library".into(), library().display().to_string()]);
        engine
    }

    /// A redis-server with the policy of the embedded one, on a Unix socket; not started.
    pub fn redis(folder: &Path) -> Engine {
        let directory = folder.join("redis");
        let mut engine = Engine::new("redis", directory.clone());
        let socket = directory.join("redis.sock").display().to_string();
        engine.arguments.extend(["--socket".into(), socket]);
        let memory = (256_u64 << 20).to_string();
        let server = ["--server", "redis-server", "--max-memory", &memory];
        engine.arguments.extend(server.map(String::from));
        engine
    }

    fn new(name: &'static str, directory: PathBuf) -> Engine {
        std::fs::create_dir_all(&directory).expect("a folder");
        if name == "clickhouse" {
            let passwords = directory.join("passwords");
            std::fs::write(&passwords, "rw=crash-writes\nro=crash-reads\n").expect("passwords");
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&passwords, mode).expect("private");
        }
        let arguments = ["engine", name, "--directory"].map(String::from);
        let directory_text = directory.display().to_string();
        Engine {
            name,
            arguments: arguments.into_iter().chain([directory_text]).collect(),
            directory,
            child: None,
        }
    }

    /// Its folder.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where it is, as a role is told.
    pub fn url(&self) -> String {
        match self.name {
            "redis" => format!(
                "redis+unix://{}?db=0",
                self.directory.join("redis.sock").display()
            ),
            _ => format!("http://rw:crash-writes@127.0.0.1:{}/footfall", self.port()),
        }
    }

    /// A ClickHouse's address for programs.
    pub fn http(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    fn port(&self) -> &str {
        let at = self
            .arguments
            .iter()
            .position(|word| word == "--port")
            .expect("a port");
        &self.arguments[at + 1]
    }

    /// Starts it and waits until it answers.
    pub async fn start(&mut self) {
        assert!(self.child.is_none(), "{} runs", self.name);
        until("the engine starts", START, async || {
            if let Some(child) = &mut self.child
                && child.try_wait().expect("our child").is_some()
            {
                // The lock of the one before may be held until the kernel has cleared it away.
                self.child = None;
            }
            if self.child.is_none() {
                self.child = Some(self.spawn());
            }
            self.answers().await.then_some(())
        })
        .await;
    }

    fn spawn(&self) -> Child {
        let log = self.directory.with_extension("log");
        let log = || {
            let file = OpenOptions::new().create(true).append(true).open(&log);
            file.expect("a log file")
        };
        Command::new(program())
            .args(&self.arguments)
            // It ends when this pipe closes, so it never outlives the test.
            .stdin(Stdio::piped())
            .stdout(log())
            .stderr(log())
            .process_group(0)
            .spawn()
            .expect("the engine's process")
    }

    async fn answers(&self) -> bool {
        match self.name {
            "redis" => {
                let ping = async {
                    let mut connection = self.connection().await?;
                    redis::cmd("PING").exec_async(&mut connection).await
                };
                let answer = tokio::time::timeout(Duration::from_secs(1), ping).await;
                answer.is_ok_and(|pong| pong.is_ok())
            }
            _ => {
                let asked = self.client().query("SELECT 1").fetch_one::<u8>();
                let answer = tokio::time::timeout(Duration::from_secs(1), asked).await;
                answer.is_ok_and(|one| one.is_ok())
            }
        }
    }

    /// A client of ClickHouse that may do everything, in no database.
    pub fn client(&self) -> clickhouse::Client {
        clickhouse::Client::default()
            .with_url(self.http())
            .with_user("rw")
            .with_password("crash-writes")
    }

    /// A connection to Redis.
    pub async fn connection(&self) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
        let client = redis::Client::open(self.url())?;
        client.get_multiplexed_async_connection().await
    }

    /// The process that a signal must hit: the server itself.
    fn server(&self) -> Option<Process> {
        let process = Process::find(self.child.as_ref()?.id())?;
        if self.name == "clickhouse" {
            return Some(process);
        }
        let mut below = process.descendants().into_iter();
        below.find(|process| process.command.starts_with("redis-server"))
    }

    /// Sends the server a signal.
    pub fn signal(&self, signal: Signal) {
        self.server().expect("it runs").signal(signal);
    }

    /// Kills it without a warning.
    pub fn kill(&mut self) {
        if let Some(server) = self.server() {
            server.signal(Signal::KILL);
        }
        let Some(mut child) = self.child.take() else {
            return;
        };
        // The shim of a redis-server ends with its server; should it not, it must not live on either.
        if self.name == "clickhouse" {
            let _ = child.kill();
        } else {
            drop(child.stdin.take());
        }
        child.wait().expect("our child");
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.directory.with_extension("log");
            let log = std::fs::read_to_string(log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(10)..].join("\n");
            eprintln!("--- the end of the log of {}:\n{last}", self.name);
        }
        self.kill();
    }
}
