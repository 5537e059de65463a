//! Every refusal is a problem document: extractors that turn axum's rejections into problems, the control
//! database's errors as answers, and the fallbacks for routes and methods that do not exist.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde::de::{DeserializeOwned, Deserializer};
use utoipa::IntoResponses;

use crate::meta::MetaError;
use crate::problem::{FieldError, Problem};

/// How long a client may take to send its body.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// A JSON body. Refusals: 400 `malformed_json` with line and column, 413, 415, and 422 `invalid_field` with a
/// pointer to the member.
#[derive(Clone, Copy, Debug)]
pub struct ApiJson<T>(pub T);

/// The query string. A repeated name fills a `Vec` (mark it `#[serde(default)]`); do not use
/// `#[serde(flatten)]`, it loses the types. Refusals: 422 `invalid_field` with `?name`.
#[derive(Clone, Copy, Debug)]
pub struct ApiQuery<T>(pub T);

/// Parameters of the path. What is not even a well-formed id names nothing: 404.
#[derive(Clone, Copy, Debug)]
pub struct ApiPath<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for ApiJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        read_json(&json_body(request, state).await?).map(ApiJson)
    }
}

/// The body of a request that says that it is JSON, not read yet.
pub async fn json_body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    if !is_json(request.headers()) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "send the body as Content-Type: application/json",
        ));
    }
    body_in_time(request, state).await
}

/// The body of a request, whatever it is.
pub async fn body_in_time<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    // Not 408, which a client may take for a reason to send the request again at once.
    tokio::time::timeout(BODY_WITHIN, Bytes::from_request(request, state))
        .await
        .map_err(|_| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "incomplete_body",
                "the body did not arrive within 30 seconds",
            )
        })?
        .map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "the body is larger than this route takes (2 MB)",
            ),
            status => Problem::new(status, "unreadable_body", rejection.body_text()),
        })
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read_query(parts.uri.query().unwrap_or_default()).map(ApiQuery)
    }
}

/// Reads a query string.
pub fn read_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let reader = serde_html_form::Deserializer::from_bytes(query.as_bytes());
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let text = error.inner().to_string();
        let (code, named) = reason(&text);
        let name = named.map_or_else(|| error.path().to_string(), str::to_owned);
        Problem::invalid_field(&format!("?{name}"), code, in_words(&text))
    })
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for ApiPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Path::<T>::from_request_parts(parts, state)
            .await
            .map(|Path(value)| ApiPath(value))
            .map_err(|_| Problem::not_found("thing: the address holds something that is no id"))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(|value| value.split(';').next().unwrap_or_default().trim())
        .is_some_and(|kind| {
            kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
        })
}

/// Reads a whole body.
pub fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = read_value(&mut reader)?;
    reader.end().map_err(|cause| malformed(&cause))?;
    Ok(value)
}

/// Reads what stands in JSON, or in a [`serde_json::Value`].
pub fn read_value<'de, T, D>(reader: D) -> Result<T, Problem>
where
    T: DeserializeOwned,
    D: Deserializer<'de, Error = serde_json::Error>,
{
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let pointer = pointer_of(error.path());
        let cause = error.into_inner();
        if cause.is_data() {
            let text = without_place(&cause);
            let (code, named) = reason(&text);
            let pointer = match (code, named) {
                ("missing_field", Some(name)) => format!("{pointer}/{name}"),
                _ => pointer,
            };
            return Problem::invalid_field(&pointer, code, in_words(&text));
        }
        malformed(&cause)
    })
}

/// serde's `invalid type: integer `5`, expected struct StepQuery` for people who do not write our Rust.
fn in_words(text: &str) -> String {
    let Some((found, expected)) = text
        .strip_prefix("invalid type: ")
        .or_else(|| text.strip_prefix("invalid value: "))
        .and_then(|rest| rest.rsplit_once(", expected "))
    else {
        return text.to_owned();
    };
    let expected = match expected {
        "a sequence" => "an array",
        "a map" => "an object",
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        _ if expected.starts_with("struct ") => "an object",
        other => other,
    };
    let found = match found {
        "sequence" => "an array",
        "map" => "an object",
        other => other,
    };
    format!("must be {expected}, not {found}")
}

fn malformed(cause: &serde_json::Error) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed_json",
        format!("the body is not valid JSON: {cause}"),
    )
}

/// The message without serde_json's " at line 1 column 2": the pointer says it better.
fn without_place(cause: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", cause.line(), cause.column());
    let text = cause.to_string();
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

/// RFC 6901.
fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { .. } | Segment::Unknown => String::new(),
        })
        .collect()
}

/// The code of a serde message, and the field that it names.
fn reason(text: &str) -> (&'static str, Option<&str>) {
    let named = || text.split('`').nth(1);
    if text.starts_with("missing field") {
        ("missing_field", named())
    } else if text.starts_with("unknown field") {
        ("unknown_field", named())
    } else if text.starts_with("unknown variant") {
        ("unknown_value", None)
    } else {
        ("wrong_type", None)
    }
}

impl From<MetaError> for Problem {
    fn from(error: MetaError) -> Problem {
        let conflict = |code| Problem::new(StatusCode::CONFLICT, code, error.to_string());
        match &error {
            MetaError::EmailTaken => conflict("email_taken"),
            MetaError::AlreadyMember => conflict("already_member"),
            MetaError::LastOwner => conflict("last_owner"),
            MetaError::ErasureLimit(_) => conflict("erasure_limit"),
            MetaError::SavedLimit(_) => conflict("saved_limit"),
            MetaError::NothingToUndo => conflict("nothing_to_undo"),
            MetaError::SavedChanged(_) => Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "changed_meanwhile",
                error.to_string(),
            ),
            MetaError::CohortLimit => conflict("cohort_limit"),
            MetaError::MarkLimit(_) => conflict("mark_limit"),
            MetaError::PasswordNeeded => {
                Problem::invalid_field("/password", "missing_field", error.to_string())
            }
            MetaError::RegistrationClosed => {
                Problem::new(StatusCode::FORBIDDEN, "registration_closed", error.to_string())
            }
            MetaError::NotFound(what) => Problem::not_found(what),
            MetaError::Away(_) => {
                tracing::error!(%error, "the control database does not answer");
                Problem::unavailable("the control database does not answer", 5)
            }
            MetaError::UnknownEngine
            | MetaError::Migration(_)
            | MetaError::Password(_)
            | MetaError::Random(_)
            | MetaError::Stored(_)
            | MetaError::Database(_) => Problem::internal(error),
        }
    }
}

/// For routes that do not exist.
pub async fn no_such_route(method: Method, uri: Uri) -> Problem {
    let hint = if method == Method::POST {
        " (events go to POST /v1/events)"
    } else {
        ""
    };
    Problem::not_found(&format!("route: {method} {}{hint}", uri.path()))
}

/// For methods that a route does not have (`Allow` lists those it has).
pub async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::method_not_allowed(method.as_str(), uri.path())
}

/// A value from the query that is out of bounds.
pub fn invalid_query(name: &str, code: &str, detail: impl Into<String>) -> Problem {
    Problem::invalid(vec![FieldError::new(format!("?{name}"), code, detail)])
}

/// Refusals of every route that asks who is calling.
#[derive(IntoResponses)]
pub enum SignedIn {
    /// No credentials, or none that are valid: `unauthenticated`, `token_expired`.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(Problem),
    /// The caller's role is too weak, or the kind of credential wrong: `forbidden`, `secret_key_in_browser`.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
}

/// Refusals of routes below an id.
#[derive(IntoResponses)]
pub enum Named {
    /// No such thing, or not for this caller: `not_found`.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
}

/// Refusals of routes with a query string or a body.
#[derive(IntoResponses)]
pub enum Validated {
    /// A field or parameter cannot be accepted: `invalid_field`, with a pointer to each.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Problem),
}

/// Refusals of routes that take a JSON body.
#[derive(IntoResponses)]
pub enum WithBody {
    /// The body is not JSON: `malformed_json`, with line and column. Or it did not come: `incomplete_body`.
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(Problem),
    /// The body is larger than 2 MB: `body_too_large`.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// The body is not declared as JSON: `unsupported_media_type`.
    #[response(status = 415, content_type = "application/problem+json")]
    WrongType(Problem),
    /// A member of the body cannot be accepted: `invalid_field`, with a pointer to each.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Problem),
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_comes_is_refused_after_thirty_seconds() {
        let silent = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let request = Request::post("/v1/auth/login")
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from_stream(silent))
            .unwrap();
        let refused = ApiJson::<serde_json::Value>::from_request(request, &())
            .await
            .unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (400, "incomplete_body"));
    }
}
