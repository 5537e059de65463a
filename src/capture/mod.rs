//! The role that takes events in: HTTP to stream. Nothing is answered 200 before it is durable.
//!
//! A body is read under limits ([`Limits`]), decompressed, taken apart, and each event is judged by
//! [`crate::event::accept`]; what is accepted goes to the stream in one call. Peer addresses are not kept.

mod account;
mod answer;
mod body;
mod cors;
mod envelope;
mod keys;
mod ledger;
mod limit;
mod native;
mod prepare;
mod source;

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::http::{Method, Uri};
use axum::middleware::from_fn;
use axum::routing::post;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::clock::Clock;
use crate::meta::{KeyRegistry, Meta};
use crate::problem::Problem;
use crate::stream::EventStream;

pub use answer::{CaptureAnswer, EventResult, EventStatus};
pub use ledger::CaptureLedger;
pub use limit::Limits;

/// What the tracking routes need. Cheap to clone: the router does so for every request.
#[derive(Clone)]
pub struct CaptureState(Arc<Needs>);

impl Deref for CaptureState {
    type Target = Needs;

    fn deref(&self) -> &Needs {
        &self.0
    }
}

/// What stands behind a [`CaptureState`].
pub struct Needs {
    stream: EventStream,
    keys: KeyRegistry,
    meta: Meta,
    clock: Clock,
    limits: Limits,
    in_flight: limit::InFlight,
    ledger: CaptureLedger,
}

impl CaptureState {
    /// Takes events for the projects in `keys` into `stream`. Somebody must keep the registry fresh
    /// ([`KeyRegistry::run`]) and write the notes down ([`CaptureLedger::run`]); the use of keys is written down
    /// in `meta`.
    pub fn new(
        stream: EventStream,
        keys: KeyRegistry,
        meta: Meta,
        clock: Clock,
        limits: Limits,
        ledger: CaptureLedger,
    ) -> Self {
        Self(Arc::new(Needs {
            stream,
            keys,
            meta,
            clock,
            limits,
            in_flight: limit::InFlight::new(&limits),
            ledger,
        }))
    }
}

/// The tracking routes with their description: `POST /v1/events`, also with a slash at its end, because SDKs
/// take a redirect for delivery. They read their bodies themselves: no body limit and no decompression layer
/// may stand before them.
pub fn routes() -> OpenApiRouter<CaptureState> {
    OpenApiRouter::default()
        .routes(routes!(native::capture_events))
        .route("/v1/events/", post(native::capture_events))
}

/// The tracking routes, ready to be merged into a server's.
pub fn router(state: CaptureState) -> Router {
    let (router, _) = routes().with_state(state).split_for_parts();
    router
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn(cors::open_to_pages))
}

/// For methods that tracking does not take.
async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::method_not_allowed(method.as_str(), uri.path())
}
