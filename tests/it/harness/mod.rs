//! A world for each test: its own database, key prefix, control database and clock, served by the real router.

mod audit;
mod engines;
mod removal;
mod reply;
mod tenant;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use footfall::app::audit::audit;
use footfall::app::{MetricsPage, Rooms, router};
use footfall::audit::{AuditOptions, AuditReport};
use footfall::capture::CaptureLedger;
use footfall::clock::Clock;
use footfall::config::Role;
use footfall::event::{Day, ProjectNumber};
use footfall::meta::{KeyRegistry, Meta};
use footfall::serving::ServingLimits;
use footfall::stream::APPEND_TIMEOUT;
use footfall::stream::rebuild::{Rebuild, RollupKind};
use footfall::worker::deliver::{DeliverOptions, Delivered, Deliverer};
use footfall::worker::roll::{RollOptions, Rolled, Roller, ZoneKnown};
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

pub use reply::{Refusal, Reply, check, gzip, text};
pub use tenant::Tenant;

/// 2026-11-23T10:15:00Z.
pub const NOW: i64 = 1_795_428_900_000;

/// Several, so that every answer is put together from the batches of several shards.
const SHARDS: u16 = 3;

static WORLDS: AtomicU32 = AtomicU32::new(0);

/// An installation whose every step is driven by the test. End it with [`World::close`].
pub struct World {
    pub rooms: Rooms,
    /// Ends the live streams.
    pub stop: CancellationToken,
    routes: Router,
    said: audit::Said,
    closed: bool,
    _dir: TempDir,
}

impl World {
    /// An empty installation, at [`NOW`].
    pub async fn new() -> World {
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let name = format!("footfall_it_{number}_{}", std::process::id());
        let dir = TempDir::new().expect("a folder");
        let meta = Meta::connect(&format!("sqlite:{}", dir.path().join("meta.sqlite").display())).await;
        let meta = meta.expect("a control database");
        meta.migrate(NOW).await.expect("its tables");
        let rooms = Rooms {
            store: engines::store(&name).await,
            stream: engines::stream(&format!("it{number}:"), SHARDS).await,
            keys: KeyRegistry::new(meta.clone()),
            meta,
            notes: CaptureLedger::default(),
            clock: Clock::fixed(NOW),
            secret: vec![7; 32],
            open_signup: true,
            serving: ServingLimits::default(),
            demo_key: None,
        };
        let stop = CancellationToken::new();
        let roles = [Role::Capture, Role::Api];
        let metrics = MetricsPage {
            handle: engines::metrics(),
            public: false,
        };
        let routes = router(&rooms, &roles, Some(metrics), stop.clone());
        World {
            rooms,
            stop,
            routes,
            said: audit::Said::default(),
            closed: false,
            _dir: dir,
        }
    }

    /// Runs SQL behind the product's back.
    pub async fn sql(&self, statement: &str) {
        engines::sql(self.rooms.store.database(), statement).await;
    }

    /// The same installation by a process that remembers no answers.
    pub fn forgetful(&self) -> Router {
        let rooms = Rooms {
            serving: ServingLimits {
                answer_bytes: 0,
                sketch_bytes: 0,
                count_bytes: 0,
                visit_bytes: 0,
            },
            ..self.rooms.clone()
        };
        router(&rooms, &[Role::Api], None, self.stop.clone())
    }

    /// Sends a request as it is.
    pub async fn raw(&self, request: Request<Body>) -> Reply {
        let path = request.uri().to_string();
        let response = self.routes.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a whole body");
        let reply = Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        };
        self.said.note(&path, &reply);
        reply
    }

    /// Sends a request and leaves the body as it comes.
    pub async fn open(&self, request: Request<Body>) -> axum::response::Response {
        self.routes.clone().oneshot(request).await.expect("infallible")
    }

    /// A request with a bearer credential (none when empty) and a JSON body (none when null).
    pub async fn ask(&self, method: &str, path: &str, credential: &str, body: Value) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if !credential.is_empty() {
            request = request.header("authorization", format!("Bearer {credential}"));
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            request = request.header("content-type", "application/json");
            Body::from(body.to_string())
        };
        self.raw(request.body(body).expect("a request")).await
    }

    pub async fn get(&self, path: &str, credential: &str) -> Reply {
        self.ask("GET", path, credential, Value::Null).await
    }

    /// Posts a body to the tracking endpoint.
    pub async fn post(&self, key: &str, body: impl Into<Body>) -> Reply {
        let request = Request::post("/v1/events").header("authorization", format!("Bearer {key}"));
        self.raw(request.body(body.into()).expect("a request")).await
    }

    /// Sends events of which every one is taken.
    #[track_caller]
    pub fn send<'a>(&'a self, key: &'a str, events: Value) -> impl Future<Output = ()> + 'a {
        let sent = events.as_array().map_or(1, Vec::len) as u64;
        let at = std::panic::Location::caller();
        async move {
            let reply = self.post(key, events.to_string()).await;
            assert_eq!(reply.status, 200, "{at}: {}", reply.text());
            assert_eq!(reply.json()["accepted"], sent, "{at}: {}", reply.text());
        }
    }

    /// Moves the clock.
    pub fn at(&self, now_ms: i64) {
        self.rooms.clock.set(now_ms);
    }

    /// Takes every shard and delivers what waits, in batches as large as may be.
    pub async fn deliver(&self) -> u64 {
        self.deliver_in(DeliverOptions::default().max_rows).await
    }

    /// The same in batches of about `rows` rows (whole requests). The number of batches.
    pub async fn deliver_in(&self, rows: u64) -> u64 {
        let options = DeliverOptions {
            max_rows: rows,
            ..DeliverOptions::default()
        };
        self.rooms
            .notes
            .flush(&self.rooms.stream, self.rooms.clock.now_ms())
            .await;
        let control = footfall::worker::remove::control(self.rooms.meta.clone());
        let deliverer = Deliverer::new(self.rooms.stream.clone(), self.rooms.store.clone(), options);
        let deliverer = deliverer.with_control(control);
        let mut batches = 0;
        for shard in 0..SHARDS {
            loop {
                match deliverer.deliver_once(shard).await.expect("delivered") {
                    Delivered::Batch { .. } => batches += 1,
                    Delivered::Nothing => break,
                    Delivered::Held => panic!("nobody else owns shards here"),
                }
            }
        }
        batches
    }

    /// Sends events and delivers them.
    #[track_caller]
    pub fn store<'a>(&'a self, key: &'a str, events: Value) -> impl Future<Output = ()> + 'a {
        let sent = self.send(key, events);
        async move {
            sent.await;
            self.deliver().await;
        }
    }

    /// One look of the roller, which compacts every day that has a delta.
    pub async fn roll(&self, now_ms: i64) -> Rolled {
        self.roller().await.roll_once(now_ms).await.expect("rolled")
    }

    /// Notes the names of everything that was delivered.
    pub async fn note_names(&self) {
        let roller = self.roller().await;
        roller.note_names().await.expect("names are noted");
    }

    async fn roller(&self) -> Roller {
        let zones: HashMap<_, _> = self
            .rooms
            .meta
            .project_zones()
            .await
            .expect("zones")
            .into_iter()
            .collect();
        let deleted = self.rooms.meta.deleted_projects().await.expect("projects");
        let options = RollOptions {
            more_than: 0,
            quiet_after: Duration::ZERO,
            grace: Duration::ZERO,
        };
        let (stream, store) = (self.rooms.stream.clone(), self.rooms.store.clone());
        let zone_of = Arc::new(move |project| match zones.get(&project).cloned() {
            Some(zone) => ZoneKnown::Is(zone),
            None if deleted.contains(&project) => ZoneKnown::Deleted,
            None => ZoneKnown::NotYet,
        });
        Roller::new(stream, store, zone_of, options)
    }

    /// Rolls until nothing is due.
    pub async fn settle(&self, now_ms: i64) -> Rolled {
        let mut all = Rolled::default();
        loop {
            let rolled = self.roll(now_ms).await;
            if rolled == Rolled::default() {
                return all;
            }
            all.compacted += rolled.compacted;
            all.rebuilt += rolled.rebuilt;
            all.overtaken += rolled.overtaken;
        }
    }

    /// As some minutes later: sketches of the days on which somebody's events changed hands are made anew.
    pub async fn count_anew(&self) {
        let later = self.rooms.clock.now_ms() + 300_000;
        let roller = self.roller().await;
        for _ in 0..100 {
            if roller.rebuild_due(later).await.expect("rebuilt") == Rolled::default() {
                return;
            }
        }
        panic!("there is always another day to count anew");
    }

    /// Computes the rollups of these days (UTC and local ones) anew from raw events.
    pub async fn rebuild(&self, project: ProjectNumber, days: &BTreeSet<Day>) {
        let kinds = [RollupKind::Counts, RollupKind::Sketches];
        let rebuilds: Vec<Rebuild> = days
            .iter()
            .flat_map(|&day| kinds.map(|kind| Rebuild { project, kind, day }))
            .collect();
        let now = self.rooms.clock.now_ms();
        // Due when everything received until then is settled.
        let due = now - APPEND_TIMEOUT.as_millis() as i64;
        let queued = self.rooms.stream.queue_rebuilds(&rebuilds, due).await;
        queued.expect("queued");
        let rolled = self.settle(now).await;
        assert_eq!((rolled.rebuilt, rolled.overtaken), (rebuilds.len() as u64, 0));
    }

    /// Rows that all tables of raw events hold, all projects together.
    pub async fn rows(&self) -> u64 {
        let shards = self.rooms.store.rows_by_shard().await.expect("rows");
        shards.values().sum()
    }

    /// Whether everything adds up, by one look.
    pub async fn audit(&self) -> AuditReport {
        let options = AuditOptions {
            looks: 1,
            ..AuditOptions::asked(None, 1)
        };
        audit(&self.rooms, &options).await.expect("an audit")
    }

    /// Ends the world: nothing waits, nothing died, and everything adds up.
    pub async fn close(mut self) {
        self.stop.cancel();
        self.count_anew().await;
        self.audit_ledger().await;
        let Rooms { stream, meta, .. } = &self.rooms;
        for shard in 0..SHARDS {
            let counters = stream.shard_counters(shard).await.expect("counters");
            assert_eq!(counters.rows_waiting, 0, "rows wait in shard {shard}");
            assert_eq!(stream.dead_letters(shard).await.expect("dead letters"), 0);
        }
        let waiting = stream.rebuilds_waiting().await.expect("rebuilds");
        assert_eq!(waiting, 0, "days wait to be rebuilt");
        let report = self.audit().await;
        assert!(report.holds(), "{report}");
        let open = report.checks.iter().any(|check| !check.unjudged.is_empty());
        assert!(!open, "nothing moves, so everything can be judged\n{report}");
        meta.close().await;
        self.closed = true;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !self.closed && !std::thread::panicking() {
            panic!("the test forgot world.close().await, so nobody looked whether it adds up");
        }
    }
}
