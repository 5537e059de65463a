//! Engines in a folder of their own, the api as a process beside them, and a project with a secret key.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use footfall::engines::Engines;
use footfall::event::ProjectNumber;
use footfall::store::{Credentials, Store, StoreOptions};
use footfall::stream::{EventStream, StreamOptions};
use serde_json::{Value, json};

use crate::engines::{self, process::Process};

const DATABASE: &str = "footfall_query";
const PREFIX: &str = "query:";
const SHARDS: u16 = 4;

/// Running engines.
pub struct Installation {
    folder: tempfile::TempDir,
    engines: Engines,
    pub store: Store,
    pub stream: EventStream,
    http: reqwest::Client,
}

/// The api, running, and what is asked about.
pub struct Api {
    child: Child,
    /// Host and port.
    pub address: String,
    pub project: String,
    pub number: ProjectNumber,
    pub secret: String,
}

impl Installation {
    /// Starts ClickHouse and Redis, and lays the tables.
    pub async fn start() -> anyhow::Result<Installation> {
        let folder = tempfile::Builder::new().prefix("footfall-bench-").tempdir()?;
        let engines = engines::start(folder.path()).await?;
        let at = engines.clickhouse();
        let account = |who: &footfall::engines::Credentials| Credentials {
            user: who.user.clone(),
            password: who.password.clone(),
        };
        let store = Store::connect(StoreOptions {
            url: at.url.clone(),
            database: DATABASE.to_owned(),
            writer: account(&at.writer),
            reader: account(&at.reader),
        })
        .await?;
        store.migrate().await?;
        let stream = EventStream::connect(&StreamOptions {
            url: engines.redis_url().to_owned(),
            prefix: PREFIX.to_owned(),
            shards: SHARDS,
            max_entries: 1_000_000,
            request_key_ttl_s: 86_400,
            dedup_window_s: 0,
            min_replicas: 0,
        })
        .await?;
        Ok(Installation {
            folder,
            engines,
            store,
            stream,
            http: reqwest::Client::new(),
        })
    }

    /// The engines' own processes.
    pub fn engines(&self) -> Vec<Process> {
        engines::processes(&self.engines)
    }

    /// Runs SQL written by hand; its answer as text.
    pub async fn sql(&self, statement: &str) -> anyhow::Result<String> {
        let at = self.engines.clickhouse();
        let admin = clickhouse::Client::default()
            .with_url(&at.url)
            .with_database(DATABASE)
            .with_user(&at.writer.user)
            .with_password(&at.writer.password);
        if !statement.starts_with("SELECT") {
            admin.query_raw(statement).execute().await.context("SQL")?;
            return Ok(String::new());
        }
        let mut answer = admin.query_raw(statement).fetch_bytes("TSV")?;
        let bytes = answer.collect().await.context("SQL")?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Starts the api role and makes a project.
    pub async fn api(&self) -> anyhow::Result<Api> {
        let at = self.engines.clickhouse();
        let host = at.url.trim_start_matches("http://");
        let url = format!(
            "http://{}:{}@{host}/{DATABASE}",
            at.writer.user, at.writer.password
        );
        let log = self.folder.path().join("api.log");
        let printed = self.folder.path().join("api.out");
        let mut child = Command::new(env!("CARGO_BIN_EXE_footfall"))
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--roles",
                "api",
                "--open-signup",
            ])
            .arg("--data-dir")
            .arg(self.folder.path().join("api"))
            .args(["--shards", &SHARDS.to_string(), "--redis-prefix", PREFIX])
            .env("FOOTFALL_CLICKHOUSE_URL", url)
            .env("FOOTFALL_REDIS_URL", self.engines.redis_url())
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&printed)?)
            .stderr(std::fs::File::create(&log)?)
            .spawn()
            .context("starting footfall serve")?;
        let deadline = Instant::now() + Duration::from_secs(60);
        let address = loop {
            let words = std::fs::read_to_string(&printed)?;
            if let Some((_, rest)) = words.split_once("http://") {
                break rest
                    .chars()
                    .take_while(|c| !c.is_whitespace() && *c != '/')
                    .collect::<String>();
            }
            if Instant::now() > deadline || child.try_wait()?.is_some() {
                bail!(
                    "footfall serve does not listen; its log:\n{}",
                    std::fs::read_to_string(&log)?
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let ask = async |path: &str, token: &str, body: Value| -> anyhow::Result<Value> {
            let url = format!("http://{address}{path}");
            let request = self.http.post(url).bearer_auth(token).json(&body);
            Ok(request.send().await?.error_for_status()?.json().await?)
        };
        let body = json!({"email": "ada@example.com", "password": "correct horse battery", "name": "Ada",
            "organization": "Acme", "project": "Web shop", "timezone": "UTC"});
        let session = ask("/v1/auth/register", "", body).await?;
        let token = session["access_token"].as_str().context("a token")?.to_owned();
        let me: Value = self
            .http
            .get(format!("http://{address}/v1/me"))
            .bearer_auth(&token)
            .send()
            .await?
            .json()
            .await?;
        let project = me["projects"][0]["id"].as_str().context("a project")?.to_owned();
        let number = me["projects"][0]["number"].as_u64().context("its number")? as u32;
        let path = format!("/v1/projects/{project}/keys");
        let key = ask(&path, &token, json!({"kind": "secret", "name": "Bench"})).await?;
        Ok(Api {
            child,
            address,
            project,
            number: ProjectNumber(number),
            secret: key["key"].as_str().context("a key")?.to_owned(),
        })
    }

    /// Stops the engines; the folder goes too.
    pub async fn stop(self) {
        self.engines.stop().await;
    }
}

impl Api {
    /// As a process to be measured.
    pub fn process(&self) -> Process {
        Process {
            name: "footfall",
            pid: self.child.id(),
        }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
