//! A data directory, and the program that runs on it: started, killed, started again.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::Signal;

use super::process::Process;
use super::until;

/// Longest start: engines, migrations, and what the last life left to read back.
pub const START: Duration = Duration::from_secs(120);
/// Longest graceful stop: requests, workers, then engines have their time one after the other, and need a
/// fraction of it.
pub const STOP: Duration = Duration::from_secs(40);

/// A data directory of its own and everything that ever ran on it.
pub struct Installation {
    folder: tempfile::TempDir,
}

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Victim {
    /// The main process and everything below it, at once: a machine's reset.
    Everything,
    /// The main process alone; its engines end because their pipe closes.
    Main,
    ClickHouse,
    RedisServer,
    /// The process between us and the redis-server.
    RedisShim,
}

/// A started program.
pub struct Running {
    child: Child,
    pub main: Process,
    output: Arc<Mutex<Vec<String>>>,
    log: PathBuf,
}

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

/// The program that is killed: `FOOTFALL_CRASH_BINARY`, else the one that was built for these tests.
pub fn program() -> PathBuf {
    let other = std::env::var_os("FOOTFALL_CRASH_BINARY");
    other.map_or_else(|| env!("CARGO_BIN_EXE_footfall").into(), PathBuf::from)
}

impl Installation {
    pub fn new() -> Installation {
        let folder = tempfile::Builder::new().prefix("footfall-crash-").tempdir();
        Installation {
            folder: folder.expect("a folder"),
        }
    }

    /// Where everything of it is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts a command on this data directory, in a process group of its own.
    pub fn start(&self, arguments: &[&str]) -> Running {
        self.start_at(&self.data(), "first", arguments, &[])
    }

    /// The same while another one runs on it.
    pub fn start_again(&self) -> Running {
        self.start_at(&self.data(), "second", &["serve"], &[])
    }

    /// The same on a data directory of this name beside it, with more environment.
    pub fn start_beside(&self, name: &str, arguments: &[&str], environment: &[(&str, String)]) -> Running {
        self.start_at(&self.folder.path().join(name), name, arguments, environment)
    }

    fn start_at(
        &self,
        data: &Path,
        name: &str,
        arguments: &[&str],
        environment: &[(&str, String)],
    ) -> Running {
        let log = self.folder.path().join(name).with_extension("log");
        let errors = OpenOptions::new().create(true).append(true).open(&log);
        let mut child = Command::new(program())
            .args(arguments)
            .args(["--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            .arg("--chdb-library")
            .arg(library())
            // A killed worker's shards are taken over sooner than by default.
            .env("FOOTFALL_LEASE_S", "2")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors.expect("a log file"))
            .process_group(0)
            .spawn()
            .expect("the program starts");
        let output = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let kept = Arc::clone(&output);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().expect("not poisoned").push(line);
            }
        });
        let main = Process::find(child.id()).expect("it was just started, and is not reaped");
        Running {
            child,
            main,
            output,
            log,
        }
    }

    /// Nothing that names the folder is left running.
    pub async fn nobody_is_left(&self) {
        until("every process has ended", Duration::from_secs(10), async || {
            Process::naming(self.folder.path()).is_empty().then_some(())
        })
        .await;
    }
}

impl Drop for Installation {
    /// A test that failed leaves nothing behind either.
    fn drop(&mut self) {
        for process in Process::naming(self.folder.path()) {
            process.signal(Signal::KILL);
        }
    }
}

impl Running {
    /// What follows `mark` in a line of its output, once it is there.
    pub async fn says(&mut self, mark: &str) -> String {
        until("the program says so", START, async || {
            let found = self.said(mark);
            if found.is_none()
                && let Some(status) = self.ended()
            {
                panic!("the program ended ({status}) before it said {mark:?}");
            }
            found
        })
        .await
    }

    /// The same if it is there already.
    pub fn said(&self, mark: &str) -> Option<String> {
        let output = self.output.lock().expect("not poisoned");
        output.iter().find_map(|line| {
            let (_, rest) = line.split_once(mark)?;
            Some(rest.trim().to_owned())
        })
    }

    /// Everything that it printed so far.
    pub fn lines(&self) -> Vec<String> {
        self.output.lock().expect("not poisoned").clone()
    }

    /// Sends a signal to a process of it.
    pub async fn signal(&self, victim: Victim, signal: Signal) {
        self.member(victim).await.signal(signal);
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our child")
    }

    /// Waits for its end by itself.
    pub async fn end(&mut self, within: Duration) -> ExitStatus {
        until("the program ends", within, async || self.ended()).await
    }

    /// Its log, with that of its earlier lives.
    pub fn whole_log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let log = self.whole_log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// The process of an engine, once there is one.
    async fn member(&self, victim: Victim) -> Process {
        let mark = match victim {
            Victim::Everything | Victim::Main => return self.main.clone(),
            Victim::ClickHouse => "engine clickhouse",
            Victim::RedisShim => "engine redis",
            Victim::RedisServer => "redis-server ",
        };
        until("the victim runs", START, async || {
            let family = self.main.descendants();
            family.into_iter().find(|process| match victim {
                Victim::RedisServer => process.command.starts_with(mark),
                _ => process.command.contains(mark),
            })
        })
        .await
    }

    /// Kills without a warning, and waits until whoever was hit is gone.
    pub async fn kill(&mut self, victim: Victim) {
        let target = self.member(victim).await;
        let mut hit = vec![target.clone()];
        if victim == Victim::Everything {
            hit.extend(target.descendants());
        }
        for process in &hit {
            process.signal(Signal::KILL);
        }
        if target == self.main {
            self.child.wait().expect("our child");
        }
        until("the killed are gone", Duration::from_secs(10), async || {
            (!hit.iter().any(Process::runs)).then_some(())
        })
        .await;
    }

    /// Asks it to stop, as Ctrl-C does, and waits for a clean end.
    pub async fn stop(&mut self, signal: Signal) {
        self.main.signal(signal);
        let status = self.end(STOP).await;
        assert!(status.success(), "{status}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the end of {}:\n{}", self.log.display(), self.last_words());
        }
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
