//! Files that ship inside the binary: the dashboard, the SDK, the demo shop.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};
use serde::Deserialize;
use std::sync::Arc;

use super::error::{ApiQuery, invalid_query, no_such_route, wrong_method};
use crate::meta::{KeyKind, parse_key};
use crate::problem::Problem;

#[derive(RustEmbed)]
#[folder = "web/dist"]
struct Dashboard;

#[derive(RustEmbed)]
#[folder = "sdk-js/dist"]
struct Sdk;

#[derive(RustEmbed)]
#[folder = "sdk-js/demo"]
struct Shop;

/// Files whose name holds a hash of their content never change.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// Everything else is asked for again; the entity tag makes that cheap.
const ASK_AGAIN: &str = "no-cache";
/// The SDK: an hour, so that a new version reaches every site the same day.
const AN_HOUR: &str = "public, max-age=3600";

/// The routes of all files. `demo_key` is the write key that the shop page uses when its address has none.
pub fn router(demo_key: Option<String>) -> Router {
    Router::new()
        .route("/f.js", get(sdk))
        .route("/demo", get(shop))
        .route("/docs/problems", get(super::problems::page))
        .method_not_allowed_fallback(wrong_method)
        .with_state(Arc::new(demo_key))
        .fallback(dashboard)
}

/// The snippet that a site pastes, the same text as in the dashboard.
pub fn snippet(host: &str, key: &str) -> String {
    let template = Sdk::get("snippet.txt").map(|file| String::from_utf8_lossy(&file.data).into_owned());
    template
        .unwrap_or_default()
        .trim()
        .replace("{{host}}", host)
        .replace("{{key}}", key)
}

async fn sdk(headers: HeaderMap) -> Response {
    match Sdk::get("f.js") {
        Some(file) => {
            let mut response = send("f.js", file, AN_HOUR, &headers);
            response
                .headers_mut()
                .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            response
        }
        None => not_built("the SDK", "make sdk"),
    }
}

#[derive(Deserialize)]
struct ShopParams {
    #[serde(default)]
    key: Vec<String>,
}

/// The shop page with the real snippet in it, for the project whose write key the address (`?key=`) names.
async fn shop(
    State(demo_key): State<Arc<Option<String>>>,
    ApiQuery(params): ApiQuery<ShopParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let named: Vec<&str> = params.key.iter().map(String::as_str).collect();
    let key = match (named.as_slice(), demo_key.as_deref()) {
        (&[key], _) | ([], Some(key)) if parse_key(key) == Some(KeyKind::Write) => key,
        ([], None) => {
            return Err(invalid_query(
                "key",
                "missing_field",
                "name the project's write key: /demo?key=ffp_live_…",
            ));
        }
        ([_, _, ..], _) => return Err(invalid_query("key", "repeated", "name one write key")),
        _ => return Err(invalid_query("key", "wrong_type", "this is not a write key")),
    };
    let Some(page) = Shop::get("index.html") else {
        return Ok(not_built("the shop page", "make sdk"));
    };
    let host = match headers.get(header::HOST) {
        Some(host) => plain_host(host).ok_or_else(|| {
            Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_host",
                "the header Host is not a host name with an optional port",
            )
        })?,
        None => "localhost",
    };
    let scheme = match headers
        .get("x-forwarded-proto")
        .and_then(|proto| proto.to_str().ok())
    {
        Some("https") => "https",
        _ => "http",
    };
    let html = String::from_utf8_lossy(&page.data)
        .replace("{{host}}", &format!("{scheme}://{host}"))
        .replace("{{key}}", key);
    // A shop is somebody's site: it carries an inline snippet, which the dashboard's policy would refuse.
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self' 'unsafe-inline' data:",
        ),
        (header::CACHE_CONTROL, ASK_AGAIN),
    ];
    Ok((headers, html).into_response())
}

/// A host that may stand in a script: letters, digits and the signs of names, addresses and ports.
fn plain_host(host: &HeaderValue) -> Option<&str> {
    let host = host.to_str().ok().filter(|host| !host.is_empty())?;
    host.bytes()
        .all(|c| c.is_ascii_alphanumeric() || b".:[]-".contains(&c))
        .then_some(host)
}

/// A file of the dashboard, or its page for every address that is one of its own routes. Pages are only read:
/// events that are posted to a wrong address must not be answered 200 and be lost.
async fn dashboard(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return no_such_route(method, uri).await.into_response();
    }
    let path = uri.path().trim_start_matches('/');
    if let Some(file) = Dashboard::get(path) {
        let lasting = if path.starts_with("assets/") {
            FOREVER
        } else {
            ASK_AGAIN
        };
        return send(path, file, lasting, &headers);
    }
    // A missing file is not a page: a browser would read HTML as script.
    if path.rsplit('/').next().is_some_and(|name| name.contains('.')) {
        return Problem::not_found("file").into_response();
    }
    match Dashboard::get("index.html") {
        Some(page) => send("index.html", page, ASK_AGAIN, &headers),
        None => not_built("the dashboard", "make web"),
    }
}

fn send(name: &str, file: EmbeddedFile, cache: &'static str, asked: &HeaderMap) -> Response {
    let digest = file.metadata.sha256_hash();
    let tag = digest
        .iter()
        .take(12)
        .fold(String::from("\""), |tag, byte| format!("{tag}{byte:02x}"))
        + "\"";
    let known = asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .any(|known| matches(known, &tag));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Body::from(file.data).into_response()
    };
    let kind = mime_guess::from_path(name).first_or_octet_stream();
    let kind = if kind.type_() == "text" {
        format!("{kind}; charset=utf-8")
    } else {
        kind.to_string()
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind.as_str()),
        (header::ETAG, tag.as_str()),
        (header::CACHE_CONTROL, cache),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    response
}

/// `If-None-Match` as RFC 9110, 13.1.2 compares: `*`, or a list in which weak tags are as good as strong ones.
fn matches(known: &HeaderValue, tag: &str) -> bool {
    known.to_str().is_ok_and(|known| {
        known
            .split(',')
            .map(str::trim)
            .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
    })
}

fn not_built(what: &str, command: &str) -> Response {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not_built",
        format!("{what} was not built into this binary: run `{command}`, then build it again"),
    )
    .into_response()
}
