//! Somebody with a project, made over HTTP.

use footfall::event::{ProjectNumber, Zone};
use serde_json::{Value, json};

use super::{World, text};

pub const PASSWORD: &str = "correct horse battery";

/// An owner and one of their projects.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Access token of the owner. It runs out when the clock moves by 15 minutes; keys do not.
    pub token: String,
    pub organization: String,
    pub project: String,
    pub number: ProjectNumber,
    pub zone: Zone,
    /// Sends events.
    pub write: String,
    /// Reads the project.
    pub secret: String,
}

impl Tenant {
    /// A path below the project.
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/projects/{}{rest}", self.project)
    }
}

impl World {
    /// Somebody who registers, with a project in a zone.
    pub async fn owner(&self, email: &str, zone: &str) -> Tenant {
        let body = json!({"email": email, "password": PASSWORD, "name": "Ada", "organization": "Acme",
            "project": "Web shop", "timezone": zone});
        let session = self.ask("POST", "/v1/auth/register", "", body).await.expect(201);
        let token = text(&session["access_token"]);
        let me = self.get("/v1/me", &token).await.expect(200);
        self.tenant(token, &me["projects"][0]).await
    }

    /// Another project of the same organization.
    pub async fn project(&self, owner: &Tenant, name: &str, zone: &str) -> Tenant {
        let body = json!({"organization_id": owner.organization, "name": name, "timezone": zone});
        let created = self.ask("POST", "/v1/projects", &owner.token, body).await;
        self.tenant(owner.token.clone(), &created.expect(201)).await
    }

    async fn tenant(&self, token: String, project: &Value) -> Tenant {
        let id = text(&project["id"]);
        let body = json!({"kind": "secret", "name": "Report"});
        let path = format!("/v1/projects/{id}/keys");
        let key = self.ask("POST", &path, &token, body).await.expect(201);
        // At most a second old in a running installation.
        self.rooms.keys.refresh().await.expect("keys");
        let number = project["number"].as_u64().expect("a number");
        Tenant {
            token,
            organization: text(&project["organization_id"]),
            project: id,
            number: ProjectNumber(number as u32),
            zone: Zone::parse(&text(&project["timezone"])).expect("a zone"),
            write: text(&project["write_key"]),
            secret: text(&key["key"]),
        }
    }
}
