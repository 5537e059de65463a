//! The groups of people that the demo's owner has already saved: one by what they did, one by the order in which they did
//! it, one by what is known of them.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};

/// The owner's account, on a server.
#[derive(Clone, Debug)]
pub struct Owner {
    /// Base address of the server, such as `http://127.0.0.1:8080`.
    pub url: String,
    pub email: String,
    pub password: String,
}

/// How often it is asked whether the past is in the tables, a quarter of a second apart: a minute in all.
const LOOKS: u32 = 240;

/// Saves the cohorts in the owner's first project, once what was sent can be asked about: they are computed when they
/// are saved. One that bears the name already is left as it is.
pub async fn save(owner: &Owner) -> anyhow::Result<()> {
    let client = reqwest::Client::new();
    let at = |path: &str| format!("{}{path}", owner.url);
    let read = async |request: reqwest::RequestBuilder| -> anyhow::Result<Value> {
        let answer = request.send().await?;
        let (status, body) = (answer.status(), answer.json().await?);
        match status.is_success() {
            true => Ok(body),
            false => bail!("the server answered {status}: {body}"),
        }
    };
    let login = json!({ "email": owner.email, "password": owner.password });
    let session = read(client.post(at("/v1/auth/login")).json(&login)).await?;
    let token = session["access_token"].as_str().context("an access token")?;
    let me = read(client.get(at("/v1/me")).bearer_auth(token)).await?;
    let project = me["projects"][0]["id"].as_str().context("a project")?;
    for _ in 0..LOOKS {
        let trends = at(&format!("/v1/projects/{project}/trends?event=purchase"));
        let answer = read(client.get(trends).bearer_auth(token)).await?;
        let warnings = answer["meta"]["warnings"].as_array().context("warnings")?;
        if warnings.iter().all(|warning| warning["code"] != "events_pending") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let cohorts = at(&format!("/v1/projects/{project}/cohorts"));
    let known = read(client.get(&cohorts).bearer_auth(token)).await?;
    let known = known["data"].as_array().context("a list of cohorts")?;
    for cohort in all() {
        if known.iter().all(|one| one["name"] != cohort["name"]) {
            read(client.post(&cohorts).bearer_auth(token).json(&cohort)).await?;
        }
    }
    Ok(())
}

fn all() -> [Value; 3] {
    [
        json!({
            "name": "Regular customers",
            "description": "Bought at least twice in the last 60 days.",
            "definition": { "did": { "event": "purchase" }, "at_least": 2, "last_days": 60 },
        }),
        json!({
            "name": "Left a cart behind",
            "description": "Put something into the cart in the last 30 days and bought nothing.",
            "definition": { "and": [
                { "did": { "event": "add_to_cart" }, "last_days": 30 },
                { "not": { "did": { "event": "purchase" }, "last_days": 30 } },
            ] },
        }),
        json!({
            "name": "Looked, then bought, on a paid plan",
            "description": "Viewed an item and bought afterwards; known, and not on the free plan.",
            "definition": { "and": [
                { "sequence": [{ "event": "view_item" }, { "event": "purchase" }] },
                { "person": "plan", "op": "is_not", "value": "free" },
                { "person": "plan", "op": "is_set" },
            ] },
        }),
    ]
}
