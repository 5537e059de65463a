//! The program on a temporary data directory, and somebody who uses it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::Options;
use super::body::NAMES;
use super::process::Usage;

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "correct horse battery";
/// Longest start: engines, migrations, and what the last life left to read back.
const START: Duration = Duration::from_secs(120);
/// Longest graceful stop.
const STOP: Duration = Duration::from_secs(60);

/// A data directory of its own.
pub struct Installation {
    folder: tempfile::TempDir,
    binary: PathBuf,
    serve: Vec<String>,
}

/// The program, running.
pub struct Running {
    child: Child,
    pid: u32,
    /// Host and port.
    pub address: String,
    http: reqwest::Client,
    log: PathBuf,
}

/// A project to send to.
pub struct Project {
    id: String,
    pub write_key: String,
    token: String,
}

impl Installation {
    /// A new folder; it goes with this value.
    pub fn new(options: &Options) -> anyhow::Result<Installation> {
        Ok(Installation {
            folder: tempfile::Builder::new().prefix("footfall-bench-").tempdir()?,
            binary: options.binary.clone(),
            serve: options.serve.split_whitespace().map(str::to_owned).collect(),
        })
    }

    /// Starts `footfall serve` on it.
    pub async fn start(&self, arguments: &[&str]) -> anyhow::Result<Running> {
        let log = self.folder.path().join("log");
        let library = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("deploy/engines/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so");
        let mut command = Command::new(&self.binary);
        command.arg("serve").args(arguments).args(&self.serve);
        command.args(["--listen", "127.0.0.1:0", "--data-dir"]);
        command.arg(self.folder.path().join("data"));
        if library.exists() {
            command.arg("--chdb-library").arg(library);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(&log)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", self.binary.display()))?;
        let pid = child.id().context("it just started")?;
        let mut lines = BufReader::new(child.stdout.take().context("a pipe")?).lines();
        let listens = async {
            while let Some(line) = lines.next_line().await? {
                if let Some((_, address)) = line.split_once("listens on http://") {
                    return Ok(address.trim().to_owned());
                }
            }
            bail!("the program ended before it listened")
        };
        let address = tokio::time::timeout(START, listens)
            .await
            .unwrap_or_else(|_| bail!("no start"));
        Ok(Running {
            address: address.with_context(|| last_words(&log))?,
            child,
            pid,
            http: reqwest::Client::new(),
            log,
        })
    }
}

impl Running {
    /// Pid of the main process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What all its processes have used; `reset` starts the peaks of memory anew.
    pub fn usage(&self, reset: bool) -> Usage {
        Usage::of_tree(self.pid, reset)
    }

    /// Makes a project, and an account before the first one.
    pub async fn project(&self, name: &str) -> anyhow::Result<Project> {
        let sign_in = json!({ "email": EMAIL, "password": PASSWORD });
        let entered = match self.post("/v1/auth/login", "", &sign_in).await {
            Ok(entered) => entered,
            Err(_) => {
                let first = json!({ "email": EMAIL, "password": PASSWORD, "name": "Ada",
                    "organization": "Bench", "project": "First", "timezone": "Europe/Berlin" });
                self.post("/v1/auth/register", "", &first).await?
            }
        };
        let token = text(&entered["access_token"])?;
        let me = self.get("/v1/me", &token).await?;
        let new = json!({ "organization_id": me["organizations"][0]["id"], "name": name,
            "timezone": "Europe/Berlin" });
        let project = self.post("/v1/projects", &token, &new).await?;
        Ok(Project {
            id: text(&project["id"])?,
            write_key: text(&project["write_key"])?,
            token,
        })
    }

    /// Waits until so many of the project's events are counted, and answers how long that took.
    ///
    /// # Errors
    /// When more are counted, or not as many within `longest`.
    pub async fn stored(
        &self,
        project: &Project,
        events: u64,
        longest: Duration,
    ) -> anyhow::Result<Duration> {
        let names: Vec<String> = NAMES.iter().map(|name| format!("event={name}")).collect();
        let path = format!("/v1/projects/{}/trends?{}", project.id, names.join("&"));
        let started = Instant::now();
        loop {
            let answer = self.get(&path, &project.token).await?;
            let series = answer["data"]["series"].as_array().context("series")?;
            let counted: u64 = series.iter().filter_map(|series| series["total"].as_u64()).sum();
            if counted == events {
                return Ok(started.elapsed());
            }
            ensure!(
                counted < events,
                "{events} events were acknowledged, {counted} are counted"
            );
            ensure!(
                started.elapsed() < longest,
                "{counted} of {events} events are counted\n{}",
                last_words(&self.log)
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Number of the project's rows in the raw table: the lines of its export.
    pub async fn raw_rows(&self, project: &Project) -> anyhow::Result<u64> {
        let path = format!("/v1/projects/{}/export", project.id);
        let request = self.http.get(self.url(&path)).bearer_auth(&project.token);
        let mut answer = request.send().await?.error_for_status()?;
        let mut lines = 0;
        while let Some(chunk) = answer.chunk().await? {
            lines += chunk.iter().filter(|&&byte| byte == b'\n').count() as u64;
        }
        Ok(lines)
    }

    /// Asks it to stop and waits for its end.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid)
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.context("a pid")?, rustix::process::Signal::TERM)?;
        let status = tokio::time::timeout(STOP, self.child.wait())
            .await
            .context("it does not stop")??;
        ensure!(status.success(), "{status}\n{}", last_words(&self.log));
        Ok(())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.http.post(self.url(path)).bearer_auth(token).json(body);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    async fn get(&self, path: &str, token: &str) -> anyhow::Result<Value> {
        let request = self.http.get(self.url(path)).bearer_auth(token);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }
}

fn text(value: &Value) -> anyhow::Result<String> {
    Ok(value
        .as_str()
        .with_context(|| format!("{value} is no text"))?
        .to_owned())
}

fn last_words(log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
