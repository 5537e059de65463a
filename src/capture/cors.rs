//! Tracking is sent from any page: its routes answer every origin, and preflights without a key.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Headers that scripts may read; without `Retry-After` among them SDKs fall back to their own back-off.
const EXPOSED: &str = "Retry-After, RateLimit, RateLimit-Policy, X-Request-Id";

/// Answers preflights and opens every other answer to the page that asked.
pub(super) async fn open_to_pages(request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let asked_headers = request
        .headers()
        .get(header::ACCESS_CONTROL_REQUEST_HEADERS)
        .cloned();
    let preflight = request.method() == Method::OPTIONS;
    let mut response = if preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        // Beacons are always sent with credentials. Nothing here reads a cookie.
        allow(headers, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    if preflight {
        allow(
            headers,
            header::ACCESS_CONTROL_ALLOW_METHODS,
            "POST, GET, OPTIONS",
        );
        allow(headers, header::ACCESS_CONTROL_MAX_AGE, "86400");
        if let Some(asked) = asked_headers {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
        }
    } else {
        allow(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}

fn allow(headers: &mut HeaderMap, name: header::HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
