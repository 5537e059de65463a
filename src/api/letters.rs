//! Dead letters of a project: events that were answered 200 and that ClickHouse then refused.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::error::{ApiPath, ApiQuery, Named, SignedIn, Validated, invalid_query};
use super::events::{EventView, page_size};
use super::{Accounts, Answered, Caller, Need, Questions};
use crate::event::ProjectNumber;
use crate::meta::Known;
use crate::metrics::time::Moment;
use crate::problem::Problem;
use crate::stream::letters::{Admission, Letter, LetterId, Replayed};
use crate::stream::{EventStream, StreamError};

/// Letters that one call replays at most.
const MOST_REPLAYED: usize = 1_000;

/// Replays under way at once.
const AT_ONCE: usize = 16;

/// A row that ClickHouse refused.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeadLetter {
    /// The letter's id.
    #[schema(example = "2-1795428900000-0")]
    id: String,
    /// Number of the batch that it was part of.
    batch: u64,
    /// ClickHouse's error code.
    code: u32,
    /// What ClickHouse said, cut at 1,000 characters.
    message: String,
    /// Name of the event.
    #[schema(example = "purchase")]
    event: String,
    /// Who did it.
    distinct_id: String,
    /// When it happened, corrected for the sender's clock.
    #[schema(value_type = String, format = DateTime)]
    ts: Moment,
    /// When the endpoint received its request.
    #[schema(value_type = String, format = DateTime)]
    received_at: Moment,
    /// Protocol and sender.
    #[schema(example = "native footfall-js/0.1.0")]
    source: String,
}

/// A letter with its event.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WholeDeadLetter {
    #[serde(flatten)]
    letter: DeadLetter,
    /// The whole event.
    event_json: EventView,
}

/// A page of letters.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeadLetters {
    /// The latest first.
    data: Vec<DeadLetter>,
    /// Pass it as `cursor` to get the next page; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
    /// Whether there is a next page.
    has_more: bool,
    /// Letters of the project altogether.
    total: u64,
}

/// How many letters are on their way again.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReplayedLetters {
    /// Letters that this call put back into the stream.
    replayed: u64,
}

/// Which letters to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LettersParams {
    /// Letters a page, 1 to 1,000. Default: 100.
    #[serde(default)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<String>,
}

impl From<&Letter> for DeadLetter {
    fn from(letter: &Letter) -> DeadLetter {
        DeadLetter {
            id: letter.id.to_string(),
            batch: letter.batch,
            code: letter.code,
            message: letter.message.clone(),
            event: letter.event.event.clone(),
            distinct_id: letter.event.distinct_id.clone(),
            ts: Moment(letter.event.ts),
            received_at: Moment(letter.received_at),
            source: letter.source.to_string(),
        }
    }
}

impl From<Letter> for WholeDeadLetter {
    fn from(letter: Letter) -> WholeDeadLetter {
        WholeDeadLetter {
            letter: DeadLetter::from(&letter),
            event_json: EventView::from(letter.event),
        }
    }
}

/// Events that were accepted and that ClickHouse then refused, the latest first. They count nowhere until they
/// are replayed.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/dead-letters",
    operation_id = "list_dead_letters",
    tag = "data health",
    params(("id" = Uuid, Path, description = "The project"), LettersParams),
    responses((status = 200, description = "A page of letters", body = DeadLetters), SignedIn, Named, Validated),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn list_letters(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(params): ApiQuery<LettersParams>,
) -> Answered<Json<DeadLetters>> {
    let project = caller.project(&accounts.meta, id, Need::Read).await?.number;
    let limit = page_size(params.limit)? as usize;
    let before = params.cursor.as_deref().map(read_cursor).transpose()?;
    let page = questions.stream.letters(project, before, limit).await;
    let page = page.map_err(stream_away)?;
    Ok(Json(DeadLetters {
        data: page.letters.iter().map(DeadLetter::from).collect(),
        has_more: page.next.is_some(),
        next_cursor: page.next.map(|next| next.to_string()),
        total: page.total,
    }))
}

/// One letter with its whole event.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/dead-letters/{letter}",
    operation_id = "get_dead_letter",
    tag = "data health",
    params(("id" = Uuid, Path, description = "The project"), ("letter" = String, Path, description = "The letter's id")),
    responses((status = 200, description = "The letter", body = WholeDeadLetter), SignedIn, Named),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_letter(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath((id, letter)): ApiPath<(Uuid, String)>,
) -> Answered<Json<WholeDeadLetter>> {
    let project = caller.project(&accounts.meta, id, Need::Read).await?.number;
    let found = questions.stream.letter(named(&letter)?).await;
    let letter = found
        .map_err(stream_away)?
        .filter(|letter| letter.event.project == project)
        .ok_or_else(no_such_letter)?;
    Ok(Json(WholeDeadLetter::from(letter)))
}

/// Puts a letter back into the stream, to be stored with the next batch (admins). Asked twice it is stored once.
#[utoipa::path(
    post,
    path = "/v1/projects/{id}/dead-letters/{letter}/replay",
    operation_id = "replay_dead_letter",
    tag = "data health",
    params(("id" = Uuid, Path, description = "The project"), ("letter" = String, Path, description = "The letter's id")),
    responses((status = 202, description = "On its way again"), SignedIn, Named)
)]
pub async fn replay_letter(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath((id, letter)): ApiPath<(Uuid, String)>,
) -> Answered<StatusCode> {
    let project = caller.project(&accounts.meta, id, Need::Admin).await?.number;
    let known = accounts.meta.tombstones_of(project).await?;
    match replay(&questions.stream, project, named(&letter)?, &known).await? {
        true => Ok(StatusCode::ACCEPTED),
        false => Err(no_such_letter()),
    }
}

/// Puts the latest letters back into the stream, at most 1,000 a call (admins). Call it until it replays none:
/// letters that ClickHouse refuses again come back.
#[utoipa::path(
    post,
    path = "/v1/projects/{id}/dead-letters/replay",
    operation_id = "replay_dead_letters",
    tag = "data health",
    params(("id" = Uuid, Path, description = "The project")),
    responses((status = 200, description = "On their way again", body = ReplayedLetters), SignedIn, Named)
)]
pub async fn replay_all_letters(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
) -> Answered<Json<ReplayedLetters>> {
    let project = caller.project(&accounts.meta, id, Need::Admin).await?.number;
    let page = questions.stream.letters(project, None, MOST_REPLAYED).await;
    let letters = page.map_err(stream_away)?.letters;
    let known = accounts.meta.tombstones_of(project).await?;
    let mut replayed = 0;
    for some in letters.chunks(AT_ONCE) {
        let some = some
            .iter()
            .map(|letter| replay(&questions.stream, project, letter.id, &known));
        let queued = futures_util::future::try_join_all(some).await?;
        replayed += queued.into_iter().filter(|queued| *queued).count() as u64;
    }
    Ok(Json(ReplayedLetters { replayed }))
}

/// Gives a letter up for good (admins). The ledger counts it as discarded.
#[utoipa::path(
    delete,
    path = "/v1/projects/{id}/dead-letters/{letter}",
    operation_id = "discard_dead_letter",
    tag = "data health",
    params(("id" = Uuid, Path, description = "The project"), ("letter" = String, Path, description = "The letter's id")),
    responses((status = 204, description = "Discarded"), SignedIn, Named)
)]
pub async fn discard_letter(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath((id, letter)): ApiPath<(Uuid, String)>,
) -> Answered<StatusCode> {
    let project = caller.project(&accounts.meta, id, Need::Admin).await?.number;
    let discarded = questions.stream.discard(project, named(&letter)?).await;
    match discarded.map_err(stream_away)? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(no_such_letter()),
    }
}

/// Replays one letter; false when there is none, or none any more because its event was erased.
async fn replay(stream: &EventStream, project: ProjectNumber, id: LetterId, known: &Known) -> Answered<bool> {
    let admission = Admission {
        version: known.version,
        keeps: &|event| known.keeps(event),
    };
    match stream
        .replay(project, id, &admission)
        .await
        .map_err(stream_away)?
    {
        Replayed::Queued => Ok(true),
        Replayed::Gone | Replayed::Erased => Ok(false),
        Replayed::Behind => Err(Problem::unavailable("what was erased is being read", 1)),
    }
}

fn named(letter: &str) -> Answered<LetterId> {
    letter.parse().map_err(|()| no_such_letter())
}

fn no_such_letter() -> Problem {
    Problem::not_found("dead letter")
}

fn read_cursor(text: &str) -> Answered<LetterId> {
    text.parse().map_err(|()| {
        invalid_query(
            "cursor",
            "unreadable",
            "take the cursor from next_cursor of the page before",
        )
    })
}

fn stream_away(error: StreamError) -> Problem {
    match error {
        StreamError::Content { .. } => Problem::internal(error),
        error => {
            tracing::warn!(%error, "the stream does not answer");
            Problem::unavailable("the event stream does not answer", 2)
        }
    }
}
