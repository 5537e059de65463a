//! Raw events as a stream of newline-delimited JSON.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendTimeoutError;
use utoipa::IntoParams;
use uuid::Uuid;

use super::error::{ApiPath, ApiQuery, Named, SignedIn, Validated};
use super::questions::{Asked, Loaded, Questions, refused_query};
use super::{Accounts, Answered, Caller};
use crate::metrics::time::time_range;
use crate::store::export::Export;

/// Chunks read ahead of the reader.
const CHUNKS_AHEAD: usize = 2;
/// How long a reader may take nothing.
const READER_PATIENCE: Duration = Duration::from_secs(60);

/// Which events to export.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportParams {
    /// Start of the range: a local date or an instant. Default: 30 days before `to`.
    #[serde(default)]
    from: Option<String>,
    /// End of the range, not included; at most 366 days after `from`. Default: tomorrow.
    #[serde(default)]
    to: Option<String>,
}

/// Raw events of a range as newline-delimited JSON, streamed, in no particular order. A connection that
/// breaks off before the end of the last line was an incomplete export.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/export",
    operation_id = "export_events",
    tag = "events",
    params(("id" = Uuid, Path, description = "The project"), ExportParams),
    responses(
        (status = 200, description = "One event a line", content_type = "application/x-ndjson", body = String),
        SignedIn, Named, Validated, Loaded
    ),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn export_events(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(params): ApiQuery<ExportParams>,
) -> Answered<Response> {
    let asked = Asked::within(&questions.exports, &caller, &accounts, &questions, id).await?;
    let mut errors = Vec::new();
    let range = time_range(
        params.from.as_deref(),
        params.to.as_deref(),
        &asked.zone,
        asked.now_ms,
        &mut errors,
    );
    if !errors.is_empty() {
        return Err(refused_query(errors));
    }
    let export = asked
        .store
        .export(asked.number, range.from_ms, range.to_ms)
        .await?;
    let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
    tokio::spawn(pump(export, asked, sender));
    let body = stream::unfold(Some(chunks), |chunks| async move {
        let mut chunks = chunks?;
        match chunks.recv().await {
            Some(Part::Bytes(bytes)) => Some((Ok(bytes), Some(chunks))),
            Some(Part::End) => None,
            // Never a clean end: what came so far is not all.
            None => Some((Err(io::Error::other("the export was cut off")), None)),
        }
    })
    // The compression asks once more after the end.
    .fuse();
    Ok((
        [(header::CONTENT_TYPE, "application/x-ndjson")],
        Body::from_stream(body),
    )
        .into_response())
}

/// What is sent of an export.
#[derive(Debug, PartialEq)]
enum Part {
    Bytes(Vec<u8>),
    /// Everything was sent.
    End,
}

/// Carries the export to its reader. The query and the place among the project's exports are given back at the
/// end, when the reader leaves, and when it takes nothing for a minute.
async fn pump(mut export: Export, _asked: Asked, reader: mpsc::Sender<Part>) {
    loop {
        let part = tokio::select! {
            () = reader.closed() => return,
            next = export.next() => match next {
                Ok(Some(bytes)) => Part::Bytes(bytes),
                Ok(None) => Part::End,
                Err(error) => {
                    tracing::warn!(%error, "an export broke off");
                    return;
                }
            },
        };
        let last = part == Part::End;
        if !taken(&reader, part).await || last {
            return;
        }
    }
}

/// Whether the reader took it in time.
async fn taken(reader: &mpsc::Sender<Part>, part: Part) -> bool {
    match reader.send_timeout(part, READER_PATIENCE).await {
        Ok(()) => true,
        Err(SendTimeoutError::Closed(_)) => false,
        Err(SendTimeoutError::Timeout(_)) => {
            tracing::warn!("the reader of an export took nothing for a minute: it was cut off");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_for_a_minute_is_given_up() {
        let (sender, mut reader) = mpsc::channel(CHUNKS_AHEAD);
        for _ in 0..CHUNKS_AHEAD {
            assert!(taken(&sender, Part::Bytes(vec![1])).await);
        }
        let started = tokio::time::Instant::now();
        assert!(!taken(&sender, Part::End).await);
        assert_eq!(started.elapsed(), READER_PATIENCE);
        reader.recv().await;
        assert!(taken(&sender, Part::End).await, "one that reads on is served on");
        drop(reader);
        assert!(
            !taken(&sender, Part::End).await,
            "one that left is not waited for"
        );
    }
}
