//! The whole HTTP surface: tracking, API, dashboard, operations, under one set of layers.

use std::any::Any;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics::SharedString;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::SwaggerUi;
use uuid::Uuid;

use super::{Rooms, zone_change};
use crate::api::questions::Questions;
use crate::api::{self, Accounts, ApiState, assets};
use crate::capture::{self, CaptureState};
use crate::config::Role;
use crate::problem::Problem;
use crate::worker::remove;

/// The dashboard runs only what we ship: no inline script, nothing from elsewhere.
const CONTENT_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; \
     form-action 'self'";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The OpenAPI document: the API and the tracking route, as served at `/openapi.json` and committed as
/// `openapi/footfall.json`.
pub fn document() -> OpenApi {
    let mut document = api::document();
    document.merge(capture::routes().into_openapi());
    document
}

/// What we have counted, and for whom.
#[derive(Clone)]
pub struct MetricsPage {
    /// The recorder.
    pub handle: PrometheusHandle,
    /// Answered to everybody; otherwise only to this machine.
    pub public: bool,
}

/// Every route of the given roles. `stop` ends the live streams, which would otherwise never end.
pub fn router(
    rooms: &Rooms,
    roles: &[Role],
    metrics: Option<MetricsPage>,
    stop: CancellationToken,
) -> Router {
    let mut routes = operations(rooms, metrics);
    if roles.contains(&Role::Api) {
        let accounts = Accounts::new(
            rooms.meta.clone(),
            rooms.clock.clone(),
            &rooms.secret,
            rooms.open_signup,
            zone_change::hook(rooms),
        );
        let control = remove::control(rooms.meta.clone());
        let questions = Questions::new(rooms.store.clone(), rooms.stream.clone(), rooms.serving, control);
        let state = ApiState {
            accounts,
            questions,
            stop,
        };
        let documents: Router = SwaggerUi::new("/docs").url("/openapi.json", document()).into();
        let files = assets::router(rooms.demo_key.clone())
            .layer(header_layer(header::CONTENT_SECURITY_POLICY, CONTENT_POLICY));
        routes = routes.merge(api::router(state)).merge(documents).merge(files);
    } else {
        routes = routes.fallback(api::error::no_such_route);
    }
    let compressed = DefaultPredicate::new().and(NotForContentType::const_new("text/event-stream"));
    // One stack of layers, not one after the other: each call of `Router::layer` costs every request a box.
    let routes = routes.layer(
        ServiceBuilder::new()
            .layer(middleware::map_request(refuse_odd_request_ids))
            .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
            .layer(TraceLayer::new_for_http())
            .layer(PropagateRequestIdLayer::new(REQUEST_ID))
            .layer(middleware::from_fn(count_requests))
            .layer(header_layer(
                header::REFERRER_POLICY,
                "strict-origin-when-cross-origin",
            ))
            .layer(header_layer(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .layer(CompressionLayer::new().compress_when(compressed))
            .layer(CatchPanicLayer::custom(broke)),
    );
    if !roles.contains(&Role::Capture) {
        return routes;
    }
    let tracking = capture::router(CaptureState::new(
        rooms.stream.clone(),
        rooms.keys.clone(),
        rooms.meta.clone(),
        rooms.clock.clone(),
        capture::Limits::default(),
        rooms.notes.clone(),
    ));
    // Without compression, which costs more than the sixty bytes of an answer, without a span, and in two layers.
    let layers = ServiceBuilder::new()
        .layer(middleware::from_fn(tracked))
        .layer(CatchPanicLayer::custom(broke));
    routes.merge(tracking.layer(layers))
}

/// What the layers of the other routes do, for tracking.
async fn tracked(request: Request, next: Next) -> Response {
    let request = refuse_odd_request_ids(request).await;
    let given = request.headers().get(REQUEST_ID).cloned();
    let id = given.or_else(|| HeaderValue::try_from(Uuid::new_v4().to_string()).ok());
    let mut response = count_requests(request, next).await;
    let headers = response.headers_mut();
    if let Some(id) = id {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

fn header_layer(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// Whether we live, whether we can work, and what we have counted.
fn operations(rooms: &Rooms, metrics: Option<MetricsPage>) -> Router {
    let mut routes = Router::new()
        .method_not_allowed_fallback(api::error::wrong_method)
        .route("/livez", get(|| async { "ok\n" }))
        .route("/healthz", get(ready))
        .route("/readyz", get(ready))
        .with_state(rooms.clone());
    if let Some(metrics) = metrics {
        let render = move |method: Method, uri: Uri, headers: HeaderMap, extensions: Extensions| {
            let metrics = metrics.clone();
            async move {
                if !metrics.public && !from_this_machine(&headers, &extensions) {
                    return api::error::no_such_route(method, uri).await.into_response();
                }
                let kind = "text/plain; version=0.0.4";
                ([(header::CONTENT_TYPE, kind)], metrics.handle.render()).into_response()
            }
        };
        routes = routes.route("/metrics", get(render));
    }
    routes
}

/// Whether the peer runs on this machine. A proxy beside us speaks for others, and says so.
fn from_this_machine(headers: &HeaderMap, extensions: &Extensions) -> bool {
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip"];
    let local = extensions
        .get::<ConnectInfo<SocketAddr>>()
        .is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback());
    local && !forwarded.iter().any(|name| headers.contains_key(*name))
}

/// 200 when every engine answers within two seconds, else 503 naming those that do not.
async fn ready(State(rooms): State<Rooms>) -> Response {
    let within = Duration::from_secs(2);
    let now = rooms.clock.now_ms();
    let (store, stream, meta) = tokio::join!(
        tokio::time::timeout(within, rooms.store.ping()),
        tokio::time::timeout(within, rooms.stream.as_of(now)),
        tokio::time::timeout(within, rooms.meta.ping()),
    );
    let silent: Vec<&str> = [
        ("ClickHouse", matches!(store, Ok(Ok(_)))),
        ("Redis", matches!(stream, Ok(Ok(_)))),
        ("the control database", matches!(meta, Ok(Ok(_)))),
    ]
    .into_iter()
    .filter_map(|(name, answers)| (!answers).then_some(name))
    .collect();
    if silent.is_empty() {
        return "ready\n".into_response();
    }
    Problem::unavailable(format!("no answer from {}", silent.join(", ")), 2).into_response()
}

/// Counts requests by route template, method and status: never by raw path, which callers could multiply.
async fn count_requests(request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<axum::extract::MatchedPath>()
        .map_or_else(
            || SharedString::const_str("(none)"),
            |path| path.as_str().to_owned().into(),
        );
    let method = known_method(request.method());
    let started = std::time::Instant::now();
    let response = next.run(request).await;
    let status = known_status(response.status());
    metrics::counter!("footfall_http_requests_total", "route" => route.clone(), "method" => method, "status" => status)
        .increment(1);
    metrics::histogram!("footfall_http_request_duration_seconds", "route" => route)
        .record(started.elapsed().as_secs_f64());
    response
}

/// A status as a label, without a new text for the one that nearly all answers have.
fn known_status(status: StatusCode) -> SharedString {
    match status {
        StatusCode::OK => SharedString::const_str("200"),
        other => other.as_u16().to_string().into(),
    }
}

/// Methods are the callers' words too: unknown ones are counted together.
fn known_method(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let known = KNOWN.into_iter().find(|known| *known == method.as_str());
    known.unwrap_or("other")
}

/// A request id from outside is kept if it is 1 to 128 visible ASCII characters; else we give our own.
async fn refuse_odd_request_ids(mut request: Request) -> Request {
    let mut given = request.headers().get_all(REQUEST_ID).iter();
    let fits = given
        .next()
        .is_some_and(|id| (1..=128).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic));
    if !fits || given.next().is_some() {
        request.headers_mut().remove(REQUEST_ID);
    }
    request
}

/// A handler that panicked answers like any other fault of ours.
fn broke(panic: Box<dyn Any + Send + 'static>) -> Response {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no words");
    let mut response = Problem::internal(format!("a handler panicked: {words}")).into_response();
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
