//! `POST /v1/events`: our own protocol.

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use metrics::counter;
use serde::Deserialize;
use utoipa::ToSchema;

use super::CaptureState;
use super::answer::CaptureAnswer;
use super::body::{self, Encoding};
use super::envelope::Envelope;
use super::keys::Presented;
use super::limit::Claim;
use super::prepare::{Head, Prepared, prepare};
use crate::event::Event;
use crate::event::wire::{WireContext, WireEvent};
use crate::fault;
use crate::meta::KeyKind;
use crate::problem::Problem;
use crate::stream::ledger::Notes;
use crate::stream::{self, AppendError};

/// Bodies larger than this are unpacked and judged beside the threads that serve connections.
const INLINE_BYTES: usize = 64 * 1024;

/// Times that rows are sent when erasures come in between.
const JUDGED_AGAIN: u32 = 4;

/// Seconds that a client is asked to wait when the stream is full, and when it does not answer.
const FULL_RETRY_S: u32 = 10;
const AWAY_RETRY_S: u32 = 2;

/// What may be sent: one event, several, or several with what they have in common.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(
    dead_code,
    reason = "describes the body for OpenAPI; the body is read in envelope.rs"
)]
enum CaptureBody {
    Event(WireEvent),
    Events(Vec<WireEvent>),
    Batch(CaptureBatch),
}

/// Events with what they have in common.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the body for OpenAPI; the body is read in envelope.rs"
)]
struct CaptureBatch {
    /// Up to 1,000 events.
    #[schema(max_items = 1000)]
    batch: Vec<WireEvent>,
    /// When the client sends this, by its own clock; each sending renews it. Times are corrected by the
    /// difference of the clocks where that exceeds 5 minutes; one more than 400 days off is ignored.
    #[schema(format = DateTime)]
    sent_at: Option<String>,
    /// The project's key, for senders that cannot set headers (beacons).
    write_key: Option<String>,
    /// Id of this request, the same each time it is sent. A request that comes again is stored once.
    #[schema(max_length = 200)]
    request_id: Option<String>,
    /// Default of each event's context.
    context: Option<WireContext>,
    /// Events that the client gave up since its last batch; the ledger counts them.
    dropped: Option<u64>,
    /// Number of the batch's first event in the client's own count of its events; the others follow one by one.
    /// The same batch sent again has the same numbers. By the gaps the ledger estimates what never arrives.
    #[schema(maximum = 9_007_199_254_740_992_u64)]
    sequence: Option<u64>,
    /// Which client counts. Absent: the `device_id` of the first event that has one.
    #[schema(max_length = 200)]
    sequence_id: Option<String>,
}

/// The query of a tracking request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CaptureQuery {
    key: Option<String>,
    verbose: Option<String>,
    dry_run: Option<String>,
}

/// Send events
///
/// Takes one event, an array, NDJSON, or a batch. Any content type; gzip and zstd are understood, gzip also
/// without `Content-Encoding`. At most 1 MB (20 MB with a secret key) after decompression, 1,000 events, 32 KB
/// an event. Events are judged one by one: the good ones are kept, the others named in `results`. The answer
/// 200 means that the accepted events are durable. Send the same request again after a 503 or no answer at
/// all: with a `request_id`, or ids of the events, nothing is stored twice.
#[utoipa::path(
    post,
    path = "/v1/events",
    tag = "tracking",
    operation_id = "capture_events",
    security(("write_key" = []), ("secret_key" = []), ()),
    params(
        ("key" = Option<String>, Query, description = "The project's key, for senders that cannot set headers"),
        ("verbose" = Option<bool>, Query, description = "List accepted events in `results` too"),
        ("dry_run" = Option<bool>, Query, description = "Judge the events and store nothing"),
        ("X-Api-Key" = Option<String>, Header, description = "The project's key, if not in `Authorization`"),
        ("Idempotency-Key" = Option<String>, Header, description = "Stands for `request_id`"),
    ),
    request_body(
        description = "One event, an array of events, a batch, or NDJSON with one event a line",
        content(
            (CaptureBody = "application/json", examples(
                ("event" = (summary = "One event", value = json!({
                    "event": "page_view", "device_id": "9b2e5a1c-0f0e-4a53-8f53-6a3f0f5e7f10",
                    "context": {"page": {"url": "https://shop.example/?utm_source=news"}}}))),
                ("batch" = (summary = "A batch", value = json!({
                    "sent_at": "2026-11-23T10:15:31Z", "request_id": "b7c1",
                    "batch": [{"event": "add_to_cart", "user_id": "u_42", "timestamp": "2026-11-23T10:15:30Z",
                               "properties": {"sku": "A-1", "amount": 49.9, "currency": "EUR"}}]}))),
            )),
            (String = "application/x-ndjson"),
        ),
    ),
    responses(
        (status = 200, body = CaptureAnswer, description = "Stored: all events, or those not named in `results`"),
        (status = 400, body = Problem, content_type = "application/problem+json",
            description = "`malformed_json`, `malformed_gzip`, `malformed_zstd`, `empty_body`, `incomplete_body`"),
        (status = 401, body = Problem, content_type = "application/problem+json",
            description = "`missing_key`, `unknown_key`"),
        (status = 403, body = Problem, content_type = "application/problem+json",
            description = "`secret_key_in_browser`"),
        (status = 413, body = Problem, content_type = "application/problem+json",
            description = "`body_too_large`, `too_many_events`"),
        (status = 415, body = Problem, content_type = "application/problem+json",
            description = "`unsupported_encoding`"),
        (status = 422, body = Problem, content_type = "application/problem+json",
            description = "`invalid_events`: no event can be taken; `errors` says why"),
        (status = 503, body = Problem, content_type = "application/problem+json",
            description = "`unavailable`, `stream_full`: send the same again after `Retry-After` seconds"),
    ),
)]
pub(super) async fn capture_events(
    State(state): State<CaptureState>,
    query: Result<Query<CaptureQuery>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Response {
    let answer = match query {
        Ok(Query(query)) => capture(&state, query, request).await,
        Err(rejection) => Err(unreadable_query(&rejection.body_text())),
    };
    match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(problem) => {
            counter!("footfall_ingest_requests_refused_total", "protocol" => "native",
                "reason" => problem.code.clone())
            .increment(1);
            problem.into_response()
        }
    }
}

async fn capture(
    state: &CaptureState,
    query: CaptureQuery,
    request: Request,
) -> Result<CaptureAnswer, Problem> {
    let verbose = switch(query.verbose.as_deref(), "?verbose")?;
    let dry_run = switch(query.dry_run.as_deref(), "?dry_run")?;
    let mut claim = state.in_flight.admit()?;
    let (parts, body) = request.into_parts();
    let mut head = head(&parts.headers, query.key.as_deref(), state.clock.now_ms())?;
    let encoding = Encoding::of(&parts.headers)?;
    // A key in the head is checked before the body is read; only a known secret one opens the larger limit.
    let mut cap = state.limits.public_body;
    if let Some(presented) = &head.key {
        state.keys.find(&presented.key).await.map_err(keys_away)?;
        if presented.open(&state.keys.snapshot(), head.browser)?.kind == KeyKind::Secret {
            cap = state.limits.secret_body;
        }
    }
    let bytes = body::receive(&parts.headers, body, cap, &mut claim).await?;
    // A body may take half a minute; answers say of what was received before an instant that it is in them.
    head.received_at = state.clock.now_ms();
    counter!("footfall_ingest_bytes_total").increment(bytes.len() as u64);

    // The claim is given back when the answer is there.
    let (mut prepared, _claim) = judge(state, bytes, encoding, cap, head, claim).await?;
    for code in prepared.rejections() {
        counter!("footfall_ingest_rejected_total", "reason" => code.as_str()).increment(1);
    }
    let (project, now) = (prepared.key.project, state.clock.now_ms());
    prepared.account.source = state.ledger.source(project, &prepared.account.source, now);
    if let Some(problem) = prepared.refusal() {
        count_events("rejected", prepared.rejections().count());
        if !dry_run {
            state.ledger.note(prepared.notes());
            state.ledger.sample(project, prepared.samples());
        }
        return Err(problem);
    }
    let rows = std::mem::take(&mut prepared.rows);
    let nothing_left = rows.len() == prepared.refused.len();
    if !dry_run && nothing_left {
        state.ledger.note(prepared.notes());
    }
    if !dry_run && !nothing_left {
        let away = |fault: fault::Fault| stream_problem(fault.into());
        fault::point("capture.before_append").await.map_err(away)?;
        store(state, &mut prepared, rows, now).await?;
        fault::point("capture.after_append").await.map_err(away)?;
        // Everything may have been erased since it was judged.
        if let Some(problem) = prepared.refusal() {
            count_events("rejected", prepared.rejections().count());
            return Err(problem);
        }
        let (meta, key) = (&state.meta, prepared.key.key_id);
        if meta.touch_is_due(key, now) {
            let meta = meta.clone();
            tokio::spawn(async move {
                if let Err(error) = meta.write_touch(key, now).await {
                    tracing::debug!(%error, "the use of a key was not written down");
                }
            });
        }
    }
    let answer = prepared.answer(verbose);
    if !dry_run {
        count_events("accepted", answer.accepted as usize);
        count_events("duplicate", answer.duplicates as usize);
        count_events("rejected", answer.rejected as usize);
    }
    Ok(answer)
}

/// Brings the rows into the stream. Where something was erased after they were judged, those of the shards that
/// know about it are judged again.
async fn store(
    state: &CaptureState,
    prepared: &mut Prepared,
    mut rows: Vec<Event>,
    now: i64,
) -> Result<(), Problem> {
    let project = prepared.key.project;
    let mut notes = prepared.notes();
    let (mut duplicates, mut replayed) = (Vec::new(), true);
    for _ in 0..JUDGED_AGAIN {
        let request = stream::Request {
            project,
            request_id: prepared.request_key.as_deref(),
            source: &prepared.account.source,
            notes: &notes,
            tombstones: prepared.tombstones,
            refused: &prepared.refused,
        };
        let appended = state.stream.append(&request, rows, now).await;
        let appended = appended.map_err(stream_problem)?;
        duplicates.extend(appended.duplicates);
        replayed &= appended.replayed;
        if appended.noted {
            notes = Notes::NONE;
        }
        if appended.behind.is_empty() {
            // Where nothing was left to be stored, no entry carries them.
            state.ledger.note(notes);
            if replayed {
                state.ledger.note(prepared.notes_of_replay());
            } else {
                state.ledger.sample(project, prepared.samples());
            }
            prepared.note_duplicates(&duplicates, replayed);
            return Ok(());
        }
        state
            .keys
            .catch_up(prepared.tombstones)
            .await
            .map_err(keys_away)?;
        let before = prepared.rejected();
        rows = appended.behind;
        prepared.judge_again(&rows, &state.keys.snapshot());
        state.ledger.note(prepared.rejected_since(&before));
    }
    Err(stream_problem(AppendError::Unavailable(
        "tombstones move faster than they can be read".to_owned(),
    )))
}

/// Unpacks and judges a body with the keys in memory. A key in the body that is not among them may be younger
/// than they are, so it is asked for once.
async fn judge(
    state: &CaptureState,
    bytes: Vec<u8>,
    encoding: Encoding,
    cap: usize,
    head: Head,
    mut claim: Claim,
) -> Result<(Prepared, Claim), Problem> {
    let keys = state.keys.snapshot();
    let large = bytes.len() > INLINE_BYTES || encoding != Encoding::Plain || bytes.starts_with(&[0x1f]);
    let work = move || {
        let text = body::decompress(bytes, encoding, cap, &mut claim).and_then(body::text)?;
        let prepared = prepare(&text, &head, &keys);
        Ok::<_, Problem>((prepared, text, head, claim))
    };
    let (prepared, text, head, claim) = if large {
        tokio::task::spawn_blocking(work)
            .await
            .map_err(Problem::internal)??
    } else {
        work()?
    };
    let prepared = match prepared {
        Err(problem) if problem.code == "unknown_key" && head.key.is_none() => {
            let key = Envelope::read(&text, head.lines)?.write_key.unwrap_or_default();
            match state.keys.find(key.trim()).await.map_err(keys_away)? {
                Some(_) => prepare(&text, &head, &state.keys.snapshot()),
                None => Err(problem),
            }
        }
        judged => judged,
    };
    Ok((prepared?, claim))
}

fn head(headers: &HeaderMap, query_key: Option<&str>, received_at: i64) -> Result<Head, Problem> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let content_type = text(header::CONTENT_TYPE).unwrap_or_default();
    Ok(Head {
        key: Presented::of(headers, query_key)?,
        browser: headers.contains_key(header::ORIGIN),
        lines: ["ndjson", "jsonl", "jsonlines"]
            .iter()
            .any(|name| content_type.contains(name)),
        idempotency_key: text(HeaderName::from_static("idempotency-key"))
            .map(str::trim)
            .filter(|key| !key.is_empty())
            .map(str::to_owned),
        user_agent: text(header::USER_AGENT).map(str::to_owned),
        received_at,
    })
}

/// The only thing that can be wrong with a query of optional texts is a name that stands there twice.
fn unreadable_query(reason: &str) -> Problem {
    match reason
        .split_once("duplicate field `")
        .and_then(|(_, rest)| rest.split('`').next())
    {
        Some(name) => Problem::invalid_field(&format!("?{name}"), "duplicate", "may be given once only"),
        None => Problem::invalid_field("?", "invalid", "the query string cannot be read"),
    }
}

/// A switch in the query: on by `1`, `true` or its bare name.
fn switch(value: Option<&str>, pointer: &str) -> Result<bool, Problem> {
    match value {
        None | Some("0" | "false") => Ok(false),
        Some("" | "1" | "true") => Ok(true),
        Some(_) => Err(Problem::invalid_field(pointer, "invalid", "must be 1 or 0")),
    }
}

fn count_events(outcome: &'static str, events: usize) {
    if events > 0 {
        counter!("footfall_ingest_events_total", "protocol" => "native", "outcome" => outcome)
            .increment(events as u64);
    }
}

fn keys_away(error: crate::meta::MetaError) -> Problem {
    tracing::warn!(%error, "a key could not be looked up");
    Problem::unavailable("the key cannot be checked at this moment", AWAY_RETRY_S)
}

fn stream_problem(error: AppendError) -> Problem {
    match error {
        AppendError::Full => Problem {
            retry_after: Some(FULL_RETRY_S),
            ..Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "stream_full",
                "more events are waiting than may; send the same request again",
            )
        },
        AppendError::Unavailable(cause) => {
            tracing::debug!(%cause, "events were refused: the stream does not take them");
            Problem::unavailable(
                "events cannot be stored at this moment; send the same request again",
                AWAY_RETRY_S,
            )
        }
    }
}
