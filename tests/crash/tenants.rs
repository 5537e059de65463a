//! Two tenants with three projects in zones far apart: who may send what where.

use footfall::event::ProjectNumber;
use footfall::meta::{KeyRegistry, Meta};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::client::text;
use super::cluster::Cluster;

/// A project that is sent to.
#[derive(Clone, Debug)]
pub struct Project {
    pub write_key: String,
    /// As ClickHouse and Redis know it.
    pub number: ProjectNumber,
    pub zone: TimeZone,
}

/// Registers them: two projects of one tenant, one of another.
pub async fn register(cluster: &Cluster) -> Vec<Project> {
    let mut found = Vec::new();
    for (tenant, zones) in [
        ("ada", &["Europe/Berlin", "America/New_York"][..]),
        ("bob", &["Asia/Kathmandu"]),
    ] {
        let body = json!({
            "email": format!("{tenant}@example.com"), "password": "correct horse battery", "name": tenant,
            "organization": tenant, "project": "Shop", "timezone": zones[0],
        });
        let token = text(&call(cluster, "POST", "/v1/auth/register", "", &body).await["access_token"]);
        let me = call(cluster, "GET", "/v1/me", &token, &Value::Null).await;
        for zone in &zones[1..] {
            let body = json!({
                "organization_id": me["organizations"][0]["id"], "name": zone, "timezone": zone,
            });
            call(cluster, "POST", "/v1/projects", &token, &body).await;
        }
        let me = call(cluster, "GET", "/v1/me", &token, &Value::Null).await;
        for project in me["projects"].as_array().expect("projects") {
            let zone = TimeZone::get(&text(&project["timezone"])).expect("a zone");
            found.push((text(&project["write_key"]), zone));
        }
    }
    let meta = Meta::connect(&cluster.meta_url())
        .await
        .expect("the control database");
    let keys = KeyRegistry::new(meta.clone());
    let mut projects = Vec::new();
    for (write_key, zone) in found {
        let key = keys.find(&write_key).await.expect("a look").expect("a key");
        projects.push(Project {
            write_key,
            number: key.project,
            zone,
        });
    }
    meta.close().await;
    projects
}

async fn call(cluster: &Cluster, method: &str, path: &str, token: &str, body: &Value) -> Value {
    let method = method.parse().expect("a method");
    let mut request = reqwest::Client::new().request(method, cluster.api.get() + path);
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    if !body.is_null() {
        request = request.json(body);
    }
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let body: Value = answer.json().await.expect("JSON");
    assert!(status.is_success(), "{path}: {status} {body}");
    body
}
