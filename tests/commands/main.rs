//! The commands of whoever runs an installation, on the real program: while its server runs, and while it does not.

#[path = "../engines/processes.rs"]
#[expect(
    dead_code,
    reason = "shared with the engines' tests; looks at processes are theirs"
)]
mod processes;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use footfall::engines::Engines;
use processes::{library, options, sql, until};
use serde_json::{Value, json};

/// The program on this directory.
fn footfall(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_footfall"));
    command
        .args(arguments)
        .args(["--listen", "127.0.0.1:0", "--log", "warn", "--data-dir"])
        .arg(data)
        .arg("--chdb-library")
        .arg(library())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    command
}

/// A server and its address.
struct Server {
    child: Child,
    url: String,
    http: reqwest::Client,
}

impl Server {
    fn start(data: &Path) -> Server {
        let mut child = footfall(data, &["serve"]).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let url = lines
            .find_map(|line| line.ok()?.strip_prefix("Footfall listens on ").map(str::to_owned))
            .expect("an address");
        Server {
            child,
            url,
            http: reqwest::Client::new(),
        }
    }

    async fn post(&self, path: &str, credential: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.url)).json(&body);
        let answer = request.bearer_auth(credential).send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    async fn get(&self, path: &str, credential: &str) -> Value {
        let request = self
            .http
            .get(format!("{}{path}", self.url))
            .bearer_auth(credential);
        let answer = request.send().await.expect("an answer");
        serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON")
    }

    fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        self.child.wait().expect("it ends");
    }
}

/// What a command printed, and whether it succeeded.
fn ask(data: &Path, arguments: &[&str]) -> (bool, String) {
    let Output { status, stdout, .. } = footfall(data, arguments).output().expect("it runs");
    (status.success(), String::from_utf8_lossy(&stdout).into_owned())
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("a text, not {value}"))
        .to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_and_audit_work_beside_a_server_and_without_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    let server = Server::start(&data);
    let owner = json!({"email": "ada@example.com", "password": "correct horse battery", "name": "Ada",
        "organization": "Acme", "project": "Shop", "timezone": "Europe/Berlin"});
    let token = text(&server.post("/v1/auth/register", "", owner).await["access_token"]);
    let project = server.get("/v1/me", &token).await["projects"][0].clone();
    let (id, key) = (text(&project["id"]), text(&project["write_key"]));
    let engines = Engines::attach(options(&data)).await.expect("joined");
    let at = engines.clickhouse();
    let run = async |statement: &str| sql(at, &at.writer, statement).await.expect(statement);
    run("ALTER TABLE footfall.events ADD CONSTRAINT poison CHECK event != 'poison'").await;

    let events: Vec<Value> = (0..30)
        .map(|n| json!({"event": if n == 7 { "poison" } else { "view" }, "user_id": format!("u-{}", n % 5)}))
        .collect();
    until("the key is known, and the events are taken", async || {
        let request = server
            .http
            .post(format!("{}/v1/events", server.url))
            .json(&events);
        let answer = request.bearer_auth(&key).send().await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
    let list = format!("/v1/projects/{id}/dead-letters");
    let letter = until("ClickHouse refused one", async || {
        let listed = server.get(&list, &token).await;
        Some(text(listed["data"].get(0)?.get("id")?))
    })
    .await;

    until("the metrics count it", async || {
        let page = server
            .http
            .get(format!("{}/metrics", server.url))
            .send()
            .await
            .ok()?;
        let page = page.text().await.ok()?;
        let counted = |line: &str| line.starts_with("footfall_dead_letters{") && line.ends_with(" 1");
        page.lines().any(counted).then_some(())
    })
    .await;
    let (ok, printed) = ask(&data, &["audit"]);
    assert!(ok && printed.contains("everything adds up"), "{printed}");
    let (ok, listed) = ask(&data, &["dead-letters", "list"]);
    let listed: Value = serde_json::from_str(listed.trim()).expect("one line of JSON");
    assert!(
        ok && listed["id"] == letter.as_str() && listed["event"] == "poison",
        "{listed}"
    );
    let (ok, shown) = ask(&data, &["dead-letters", "show", &letter]);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert!(ok && shown["event_json"]["distinct_id"] == "u-2", "{shown}");
    run("ALTER TABLE footfall.events DROP CONSTRAINT poison").await;
    let (ok, said) = ask(&data, &["dead-letters", "replay", "--all", "--project", &id]);
    assert!(ok && said == "1 replayed\n", "{said}");
    until("it is stored", async || {
        (run("SELECT count() FROM footfall.events").await == "30").then_some(())
    })
    .await;
    let (ok, said) = ask(&data, &["dead-letters", "discard", &letter]);
    assert!(!ok && said == "0 discarded\n", "there is none any more: {said}");

    engines.stop().await;
    server.stop();
    let (ok, printed) = ask(&data, &["audit", "--json", "--project", &id]);
    let report: Value = serde_json::from_str(&printed).expect("JSON");
    assert!(ok && report["holds"] == true, "{printed}");
    assert_eq!(report["days"][0]["events"], 30);
    assert_eq!(report["days"][0]["counted"], 30);

    // Somebody was at the tables.
    let engines = Engines::attach(options(&data)).await.expect("started");
    let at = engines.clickhouse();
    let damage = "DELETE FROM footfall.events WHERE id = (SELECT min(id) FROM footfall.events)";
    sql(at, &at.writer, damage).await.expect("deleted");
    engines.stop().await;
    drop(engines);
    let (ok, printed) = ask(&data, &["audit"]);
    assert!(!ok, "{printed}");
    for line in [
        "BROKEN  raw_rows",
        "BROKEN  counts",
        "30 counted",
        "something does not add up",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
}
