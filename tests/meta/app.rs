//! The routes of accounts, projects and keys on a fresh SQLite, asked without a network.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use footfall::api::{self, Accounts};
use footfall::clock::Clock;
use footfall::meta::{Meta, ZoneChange};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::databases::{Database, NOW};

pub const PASSWORD: &str = "correct horse battery";

pub struct App {
    pub meta: Meta,
    pub clock: Clock,
    pub zone_changes: Arc<Mutex<Vec<ZoneChange>>>,
    router: Router,
    _database: Database,
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Reply {
    /// The body, if the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// Asserts a problem document with this status and code.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!(
            (self.status.as_u16(), &self.body["code"]),
            (status, &json!(code)),
            "{}",
            self.body
        );
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["status"], status);
        for member in ["type", "title", "detail", "message"] {
            assert!(self.body[member].is_string(), "{member}: {}", self.body);
        }
        self.body
    }
}

impl App {
    pub async fn new() -> App {
        App::with_signup(false).await
    }

    pub async fn with_signup(open: bool) -> App {
        let database = Database::sqlite().await;
        let meta = database.meta().await;
        let clock = Clock::fixed(NOW);
        let zone_changes = Arc::new(Mutex::new(Vec::new()));
        let seen = zone_changes.clone();
        let accounts = Accounts::new(
            meta.clone(),
            clock.clone(),
            &[7; 32],
            open,
            Arc::new(move |change| {
                seen.lock().unwrap().push(change);
                Box::pin(async { Ok(()) })
            }),
        );
        App {
            router: api::finish(api::account_routes(), accounts),
            meta,
            clock,
            zone_changes,
            _database: database,
        }
    }

    pub async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap()
        };
        Reply {
            status,
            headers,
            body,
        }
    }

    /// A request with a JSON body (none when null) and a bearer credential (none when empty).
    pub async fn ask(&self, method: &str, path: &str, bearer: &str, body: Value) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if !bearer.is_empty() {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            request = request.header("content-type", "application/json");
            Body::from(body.to_string())
        };
        self.send(request.body(body).unwrap()).await
    }

    pub async fn get(&self, path: &str, bearer: &str) -> Reply {
        self.ask("GET", path, bearer, Value::Null).await
    }

    /// Registers somebody with organization and project; answers the session.
    pub async fn register(&self, email: &str) -> Value {
        let body = json!({"email": email, "password": PASSWORD, "name": "Ada", "organization": "Acme",
            "project": "Web shop", "timezone": "Europe/Berlin"});
        self.ask("POST", "/v1/auth/register", "", body).await.expect(201)
    }

    /// Registers somebody; answers access token, organization id and project id.
    pub async fn owner(&self, email: &str) -> (String, String, String) {
        let token = text(&self.register(email).await["access_token"]);
        let me = self.get("/v1/me", &token).await.expect(200);
        let (organization, project) = (&me["organizations"][0]["id"], &me["projects"][0]["id"]);
        (token, text(organization), text(project))
    }

    /// Adds a member with a role; answers its access token and user id.
    pub async fn member(&self, owner: &str, organization: &str, email: &str, role: &str) -> (String, String) {
        let body = json!({"email": email, "role": role, "password": PASSWORD});
        let path = format!("/v1/organizations/{organization}/members");
        let added = self.ask("POST", &path, owner, body).await.expect(201);
        let login = json!({"email": email, "password": PASSWORD});
        let session = self.ask("POST", "/v1/auth/login", "", login).await.expect(200);
        (text(&session["access_token"]), text(&added["user_id"]))
    }
}

/// A string of an answer.
#[track_caller]
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a text: {value}"))
        .to_owned()
}
