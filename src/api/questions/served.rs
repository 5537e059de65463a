//! An answer on its way out: the report's bytes as they were remembered, in the envelope of the moment.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use utoipa::IntoResponses;
use xxhash_rust::xxh3::Xxh3;

use crate::metrics::envelope::Envelope;
use crate::metrics::time::TimeRange;
use crate::problem::Problem;
use crate::serving::answers::Remembered;

/// The same answer as the one that the caller holds.
#[derive(IntoResponses)]
pub enum NotModified {
    /// `If-None-Match` names this answer: the report is the one you hold, and so is what its envelope says but for
    /// `as_of`, `identity_version`, `rows_read`, `elapsed_ms` and `cached`.
    #[response(status = 304)]
    Same,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Served {
    data: Bytes,
    hash: u64,
    meta: Envelope,
    /// The question's kind, where the answer is tagged with it.
    kind: Option<&'static str>,
    /// Present in an answer to a GET: its tag, and whether the caller holds it already.
    get: Option<(HeaderValue, bool)>,
}

impl Served {
    /// A report in this envelope.
    pub fn new(known: &Remembered, meta: Envelope) -> Served {
        Served {
            data: known.data.clone(),
            hash: known.hash,
            meta,
            kind: None,
            get: None,
        }
    }

    /// The report, for whoever reads on in it.
    pub fn report<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.data).map_err(Problem::internal)
    }

    /// The report as JSON.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The range that was asked for.
    pub fn range(&self) -> Option<TimeRange> {
        self.meta.range
    }

    /// As one of the answers of `POST …/query`.
    pub fn tagged(self, kind: &'static str) -> Served {
        Served {
            kind: Some(kind),
            ..self
        }
    }

    /// As the answer to a GET, which may be held already.
    pub fn to_get(self, headers: &HeaderMap) -> Served {
        let tag = self.tag();
        let held = headers
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| names(value, &tag));
        let tag = HeaderValue::try_from(format!("W/{tag}")).ok();
        Served {
            get: tag.map(|tag| (tag, held)),
            ..self
        }
    }

    /// A weak tag, without its `W/`: two answers with the same one say the same of the events, one maybe later.
    fn tag(&self) -> String {
        let Envelope {
            complete,
            approximate,
            error,
            overcount_bound,
            timezone,
            warnings,
            as_of: _,
            identity_version: _,
            rows_read: _,
            elapsed_ms: _,
            cached: _,
            range: _,
        } = &self.meta;
        let mut hash = Xxh3::new();
        hash.update(&self.hash.to_le_bytes());
        hash.update(
            format!("{complete} {approximate} {error:?} {overcount_bound:?} {timezone} {warnings:?}")
                .as_bytes(),
        );
        format!("\"{:032x}\"", hash.digest128())
    }
}

/// Whether an `If-None-Match` names this tag, weakly compared (RFC 9110, 13.1.2).
fn names(value: &str, tag: &str) -> bool {
    let mut listed = value.split(',').map(str::trim);
    listed.any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

impl IntoResponse for Served {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some((tag, held)) = self.get {
            headers.insert(ETAG, tag);
            // Kept by the asker's own cache and asked for again each time.
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
            headers.insert(VARY, HeaderValue::from_static("authorization, x-api-key"));
            if held {
                headers.remove(CONTENT_TYPE);
                return (StatusCode::NOT_MODIFIED, headers).into_response();
            }
        }
        let mut body = Vec::with_capacity(self.data.len() + 512);
        body.push(b'{');
        if let Some(kind) = self.kind {
            body.extend_from_slice(b"\"kind\":\"");
            body.extend_from_slice(kind.as_bytes());
            body.extend_from_slice(b"\",");
        }
        body.extend_from_slice(b"\"data\":");
        body.extend_from_slice(&self.data);
        body.extend_from_slice(b",\"meta\":");
        if let Err(error) = serde_json::to_writer(&mut body, &self.meta) {
            return Problem::internal(error).into_response();
        }
        body.push(b'}');
        (headers, body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_a_list_and_compared_weakly() {
        let tag = "\"abc\"";
        for value in ["\"abc\"", "W/\"abc\"", "\"x\", W/\"abc\"", "*"] {
            assert!(names(value, tag), "{value}");
        }
        for value in ["", "\"ab\"", "abc", "W/\"x\", \"y\""] {
            assert!(!names(value, tag), "{value}");
        }
    }
}
