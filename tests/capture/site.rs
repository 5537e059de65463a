//! An installation with one project, as far as tracking goes.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use footfall::capture::{CaptureLedger, CaptureState, Limits, router};
use footfall::clock::Clock;
use footfall::event::{Event, Zone};
use footfall::meta::{KeyKind, KeyRegistry, Meta, Registration};
use footfall::stream::{EventStream, StreamOptions};
use serde_json::Value;
use tower::ServiceExt;
use uuid::Uuid;

use crate::harness::{NOW, Redis, TTL, owner};

pub struct Site {
    pub meta: Meta,
    pub keys: KeyRegistry,
    pub clock: Clock,
    pub project: Uuid,
    /// The project's write key.
    pub key: String,
    stream: EventStream,
    routes: Router,
    _dir: tempfile::TempDir,
    /// Last: the rest speaks to it.
    _redis: Redis,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Accepted, duplicates, rejected.
    pub fn counts(&self) -> (u64, u64, u64) {
        let of = |name: &str| {
            self.body[name]
                .as_u64()
                .unwrap_or_else(|| panic!("{}", self.body))
        };
        (of("accepted"), of("duplicates"), of("rejected"))
    }

    /// Status and code of a problem document.
    pub fn problem(&self) -> (u16, &str) {
        assert_eq!(self.header("content-type"), "application/problem+json");
        (self.status, self.body["code"].as_str().unwrap())
    }
}

impl Site {
    pub async fn open() -> Site {
        Site::open_with(Limits::default(), |_| {}).await
    }

    pub async fn open_with(limits: Limits, change: impl FnOnce(&mut StreamOptions)) -> Site {
        let redis = Redis::start().await;
        let mut options = redis.options();
        change(&mut options);
        let stream = EventStream::connect(&options).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let meta = Meta::connect(&format!("sqlite:{}", dir.path().join("meta.sqlite").display()))
            .await
            .unwrap();
        meta.migrate(NOW).await.unwrap();
        let registration = Registration {
            email: "ada@example.com".into(),
            password_hash: "x".into(),
            name: "Ada".into(),
            organization: "Acme".into(),
            project: Some("Shop".into()),
            zone: Zone::parse("Europe/Berlin").unwrap(),
        };
        let project = meta
            .register(registration, false, NOW)
            .await
            .unwrap()
            .project
            .unwrap();
        let keys = KeyRegistry::new(meta.clone());
        let clock = Clock::fixed(NOW);
        let state = CaptureState::new(
            stream.clone(),
            keys.clone(),
            meta.clone(),
            clock.clone(),
            limits,
            CaptureLedger::default(),
        );
        Site {
            keys,
            clock,
            project: project.id,
            key: project.write_key.unwrap(),
            stream,
            routes: router(state),
            meta,
            _dir: dir,
            _redis: redis,
        }
    }

    pub async fn secret_key(&self) -> String {
        let key = self
            .meta
            .create_key(self.project, KeyKind::Secret, "server", NOW)
            .await
            .unwrap();
        key.key.unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.routes.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        }
    }

    /// Posts a body to `/v1/events` and what follows it, with the write key.
    pub async fn post(&self, more: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(format!("/v1/events{more}"))
            .header("authorization", format!("Bearer {}", self.key))
            .body(body.into())
            .unwrap();
        self.send(request).await
    }

    /// Every row that a worker would store. What the stream counts agrees with what is in it.
    pub async fn rows(&self) -> Vec<Event> {
        let books = self.stream.books().await.unwrap();
        for check in footfall::audit::of_stream(&books) {
            assert!(check.holds(), "{}", check.detail());
        }
        let got = self
            .stream
            .acquire(0, &owner("reader"), TTL)
            .await
            .unwrap()
            .unwrap();
        let entries = self
            .stream
            .read_range(0, &got.done, None, 200_000, 64 << 20)
            .await
            .unwrap();
        self.stream.release(&got.lease).await.unwrap();
        entries.iter().flat_map(|entry| entry.kept().unwrap()).collect()
    }
}
