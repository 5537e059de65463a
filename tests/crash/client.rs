//! Somebody who uses the installation over HTTP: signs up, asks, exports. Its address may change with each start.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::until;

/// How long questions may take, and how long the worker may need for everything that waits: leases of a killed
/// worker run for ten seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where the installation is at the moment.
#[derive(Clone, Debug, Default)]
pub struct Address(Arc<Mutex<String>>);

impl Address {
    pub fn set(&self, url: String) {
        *self.0.lock().expect("not poisoned") = url;
    }

    pub fn get(&self) -> String {
        self.0.lock().expect("not poisoned").clone()
    }
}

/// One project and the right to read it.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    pub address: Address,
    bearer: String,
    /// Email and password.
    account: Value,
    pub project: String,
    pub write_key: String,
    /// The range that everything is asked for: `from=…&to=…`.
    pub range: String,
}

impl Client {
    /// Makes the first account of an installation, with a key that survives its tokens.
    pub async fn register(address: Address, range: String) -> Client {
        let body = json!({
            "email": "ada@example.com", "password": "correct horse battery", "name": "Ada",
            "organization": "Example", "project": "Shop", "timezone": "Europe/Berlin",
        });
        let mut client = Client::enter(address, "register", &body, range).await;
        let keys = format!("/v1/projects/{}/keys", client.project);
        let key = client
            .post(&keys, &json!({ "kind": "secret", "name": "crash" }))
            .await;
        client.bearer = text(&key["key"]);
        client
    }

    /// Signs in.
    pub async fn login(address: Address, email: &str, password: &str, range: String) -> Client {
        let body = json!({ "email": email, "password": password });
        Client::enter(address, "login", &body, range).await
    }

    async fn enter(address: Address, door: &str, body: &Value, range: String) -> Client {
        let mut client = Client {
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(30))
                .build()
                .expect("a client"),
            address,
            bearer: String::new(),
            account: json!({ "email": body["email"], "password": body["password"] }),
            project: String::new(),
            write_key: String::new(),
            range,
        };
        let entered = client.post(&format!("/v1/auth/{door}"), body).await;
        client.bearer = text(&entered["access_token"]);
        let me = client.get("/v1/me").await.expect("who we are");
        client.project = text(&me["projects"][0]["id"]);
        client.write_key = text(&me["projects"][0]["write_key"]);
        client
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self
            .http
            .post(self.address.get() + path)
            .bearer_auth(&self.bearer)
            .json(body);
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let body: Value = answer.json().await.expect("JSON");
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    /// Sends one event of a person.
    pub async fn track(&self, person: &str) {
        let event = json!({ "event": "visit", "user_id": person, "id": uuid::Uuid::new_v4() });
        let body = json!({ "write_key": self.write_key, "batch": [event] });
        let request = self.http.post(self.address.get() + "/v1/events").json(&body);
        assert_eq!(request.send().await.expect("an answer").status(), 200);
    }

    /// Erases a person, and waits for the certificate.
    pub async fn erase(&self, person: &str) {
        let owner = Client::enter(self.address.clone(), "login", &self.account, self.range.clone()).await;
        let erasures = format!("/v1/projects/{}/erasures", self.project);
        let body = json!({ "kind": "person", "distinct_ids": [person] });
        let asked = owner.post(&erasures, &body).await;
        let at = format!("{erasures}/{}", text(&asked["id"]));
        until("the certificate is there", PATIENCE, async || {
            owner
                .get(&at)
                .await
                .filter(|erasure| !erasure["certificate"].is_null())
        })
        .await;
    }

    /// What a GET answers; `None` while there is no 200.
    pub async fn get(&self, path: &str) -> Option<Value> {
        let answer = self.fetch(path).await?;
        serde_json::from_slice(&answer).ok()
    }

    async fn fetch(&self, path: &str) -> Option<Vec<u8>> {
        let request = self.http.get(self.address.get() + path).bearer_auth(&self.bearer);
        let answer = request.send().await.ok()?.error_for_status().ok()?;
        Some(answer.bytes().await.ok()?.to_vec())
    }

    /// A question about the whole range.
    pub async fn ask(&self, what: &str) -> Option<Value> {
        let sign = if what.contains('?') { '&' } else { '?' };
        self.get(&format!(
            "/v1/projects/{}/{what}{sign}{}",
            self.project, self.range
        ))
        .await
    }

    /// The audit, which is for owners who signed in.
    pub async fn audit(&self) -> Value {
        let entered = self.post("/v1/auth/login", &self.account).await;
        let path = format!("{}/v1/projects/{}/audit", self.address.get(), self.project);
        let request = self.http.get(path).bearer_auth(text(&entered["access_token"]));
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "an audit");
        answer.json().await.expect("JSON")
    }

    /// Every stored event, a line each.
    pub async fn export(&self) -> Vec<Value> {
        let path = format!("/v1/projects/{}/export?{}", self.project, self.range);
        let bytes = self.fetch(&path).await.expect("an export");
        let whole = bytes.is_empty() || bytes.ends_with(b"\n");
        assert!(whole, "the export broke off");
        let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        lines
            .map(|line| serde_json::from_slice(line).expect("a JSON line"))
            .collect()
    }

    /// Events that the rollups count; `None` while nobody answers.
    pub async fn counted(&self) -> Option<u64> {
        let names = self.ask("events/names?limit=1000").await?;
        let events = names["data"]["events"].as_array()?;
        Some(events.iter().filter_map(|event| event["count"].as_u64()).sum())
    }

    /// Waits until the rollups count more than they do now, or did at first: a worker works.
    pub async fn counts_more(&self) {
        let mut before = None;
        until("a worker stores something", PATIENCE, async || {
            let now = self.counted().await?;
            (now > *before.get_or_insert(now)).then_some(())
        })
        .await;
    }

    /// Waits until everything that was taken in before this moment is in the tables.
    pub async fn catches_up(&self) {
        let now = jiff::Timestamp::now();
        until("the answers are as of now", PATIENCE, async || {
            let names = self.ask("events/names").await?;
            let as_of: jiff::Timestamp = names["meta"]["as_of"].as_str()?.parse().ok()?;
            (as_of > now).then_some(())
        })
        .await;
    }

    /// Waits until nothing that was taken in waits for the tables any more.
    pub async fn quiet(&self) {
        until("nothing is pending", PATIENCE, async || {
            let names = self.ask("events/names").await?;
            let warnings = names["meta"]["warnings"].as_array()?;
            warnings
                .iter()
                .all(|warning| warning["code"] != "events_pending")
                .then_some(())
        })
        .await;
    }
}

/// A text member that must be there.
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("a text, not {value}"))
        .to_owned()
}
