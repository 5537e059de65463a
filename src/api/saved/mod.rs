//! What a team saves for itself: questions, dashboards and annotations. All three are lists in an order of their own
//! (annotations: by time), change version by version, and come back when they were deleted.
//!
//! Whoever changes something says with `If-Match` which version they looked at: where another one stands there by now,
//! nothing is overwritten (412). Without the header the last writer wins, and the versions keep what was there.

mod content;
mod history;
mod range;
mod result;

use axum::Json;
use axum::extract::State;
use axum::http::header::{ETAG, IF_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, IntoResponses, ToSchema};
use uuid::Uuid;

use super::error::{ApiJson, ApiPath, ApiQuery, Named, SignedIn, Validated, WithBody, invalid_query};
use super::fields::{Fields, ListQuery, Listed, listed};
use super::questions::check;
use super::{Accounts, Answered, Caller, Need, Questions};
use crate::meta::{Draft, Hand, MetaError, Moment, Paged, Project, SavedFilter, SavedItem, SavedKind};
use crate::metrics::time::parse_instant;
use crate::problem::{FieldError, Problem};

pub use content::{Annotation, Dashboard, SavedContent, SavedQuestion, Tile};
pub use history::*;
pub use range::SavedRange;
pub use result::*;

/// Something saved.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Saved {
    /// Its id.
    pub id: Uuid,
    /// Grows by one with every change; also its `ETag`.
    #[schema(minimum = 1)]
    pub version: i64,
    /// What it says.
    pub content: SavedContent,
    /// The name of whoever saved it first.
    pub created_by: String,
    /// When that was.
    pub created_at: Moment,
    /// The name of whoever changed it last.
    pub changed_by: String,
    /// When that was.
    pub changed_at: Moment,
    /// When it was deleted; it can be had back for 30 days.
    #[schema(required)]
    pub deleted_at: Option<Moment>,
}

/// Something saved, with its version as `ETag`.
type Tagged = ([(HeaderName, String); 1], Json<Saved>);

/// Refusals of what does not fit to what is saved.
#[derive(IntoResponses)]
pub enum Unfitting {
    /// As many as may be: `saved_limit`. No earlier version: `nothing_to_undo`.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// `If-Match` names another version than the one that stands there: `changed_meanwhile`.
    #[response(status = 412, content_type = "application/problem+json")]
    Changed(Problem),
}

/// Which of the things saved are listed.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SavedQuery {
    /// Of this kind.
    #[serde(default)]
    #[param(inline, example = "question")]
    pub kind: SavedKind,
    /// Those that were deleted in the last 30 days, instead of those that are there.
    #[serde(default)]
    pub deleted: bool,
    /// Annotations that speak of something at or after this local date or instant.
    #[serde(default)]
    pub from: Option<String>,
    /// Annotations that speak of something before this local date or instant.
    #[serde(default)]
    pub to: Option<String>,
    /// Rows of a page, 1 to 1000; 100 if not given.
    #[serde(default)]
    #[param(minimum = 1, maximum = 1000, example = 100)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// Lists what is saved, in its order.
#[utoipa::path(get, path = "/v1/projects/{id}/saved", operation_id = "list_saved", tag = "saved",
    params(("id" = Uuid, Path, description = "The project"), SavedQuery),
    responses((status = 200, description = "Things of that kind", body = Listed<Saved>), SignedIn, Named, Validated),
    security(("access_token" = []), ("secret_key" = [])))]
pub async fn list_saved(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(query): ApiQuery<SavedQuery>,
) -> Answered<Json<Listed<Saved>>> {
    let zone = caller.project(&accounts.meta, id, Need::Read).await?.zone();
    let list = ListQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let page = list.page()?;
    let mut fields = Fields::default();
    let mut instant = |name: &str, text: &Option<String>| {
        let parsed = parse_instant(name, text.as_deref()?, &zone);
        parsed
            .map_err(|why| fields.refuse(&why.pointer, why.code, why.detail))
            .ok()
    };
    let (from, to) = (instant("?from", &query.from), instant("?to", &query.to));
    fields.finish()?;
    let filter = SavedFilter {
        kind: query.kind,
        deleted: query.deleted,
        span: Some((from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX))),
        now_ms: accounts.clock.now_ms(),
    };
    let found = accounts.meta.saved_items(id, filter, page).await;
    let found = found.map_err(|error| match error {
        MetaError::NotFound("page") => invalid_query(
            "cursor",
            "unknown_cursor",
            "this is no next_cursor of an earlier page",
        ),
        other => other.into(),
    })?;
    let rows = found.rows.into_iter().map(read).collect::<Result<_, _>>()?;
    listed(Paged {
        rows,
        next: found.next,
    })
}

/// Saves a question, a dashboard or an annotation for the team (members). A question is looked at as if it were asked:
/// what is wrong with it is named by a pointer below `/question`.
#[utoipa::path(post, path = "/v1/projects/{id}/saved", operation_id = "save", tag = "saved",
    params(("id" = Uuid, Path, description = "The project")),
    request_body = SavedContent,
    responses((status = 201, description = "Saved; `Location` names it", body = Saved), SignedIn, Named, WithBody, Unfitting))]
pub async fn save(
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(body): ApiJson<Map<String, Value>>,
) -> Answered<(StatusCode, [(HeaderName, String); 2], Json<Saved>)> {
    let (project, hand) = writer(&accounts, &caller, id).await?;
    let draft = drafted(&caller, &accounts, &questions, &project, body).await?;
    let item = accounts.meta.save(&draft, hand).await?;
    let headers = [
        (LOCATION, format!("/v1/projects/{id}/saved/{}", item.id)),
        (ETAG, tag(item.version)),
    ];
    Ok((StatusCode::CREATED, headers, Json(read(item)?)))
}

/// Answers something saved; its version is the `ETag`.
#[utoipa::path(get, path = "/v1/projects/{id}/saved/{saved_id}", operation_id = "get_saved", tag = "saved",
    params(("id" = Uuid, Path, description = "The project"), ("saved_id" = Uuid, Path, description = "What is saved")),
    responses((status = 200, description = "What is saved", body = Saved), SignedIn, Named),
    security(("access_token" = []), ("secret_key" = [])))]
pub async fn get_saved(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath((id, saved)): ApiPath<(Uuid, Uuid)>,
) -> Answered<Tagged> {
    caller.project(&accounts.meta, id, Need::Read).await?;
    let item = accounts.meta.saved_item(id, saved).await?;
    tagged(item.ok_or_else(|| Problem::not_found("saved thing"))?)
}

/// Puts something else of the same kind in its place, as its next version (members).
#[utoipa::path(put, path = "/v1/projects/{id}/saved/{saved_id}", operation_id = "change_saved", tag = "saved",
    params(("id" = Uuid, Path, description = "The project"), ("saved_id" = Uuid, Path, description = "What is saved"),
        ("If-Match" = Option<String>, Header, description = "The version that you looked at, as in its `ETag`")),
    request_body = SavedContent,
    responses((status = 200, description = "As it is now", body = Saved), SignedIn, Named, WithBody, Unfitting))]
pub async fn change_saved(
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    caller: Caller,
    ApiPath((id, saved)): ApiPath<(Uuid, Uuid)>,
    headers: HeaderMap,
    ApiJson(body): ApiJson<Map<String, Value>>,
) -> Answered<Tagged> {
    let (project, hand) = writer(&accounts, &caller, id).await?;
    let draft = drafted(&caller, &accounts, &questions, &project, body).await?;
    let seen = seen(&headers);
    tagged(
        accounts
            .meta
            .change_saved(saved, &draft, seen.as_deref(), hand)
            .await?,
    )
}

/// Deletes something (members). It can be had back for 30 days.
#[utoipa::path(delete, path = "/v1/projects/{id}/saved/{saved_id}", operation_id = "delete_saved", tag = "saved",
    params(("id" = Uuid, Path, description = "The project"), ("saved_id" = Uuid, Path, description = "What is saved"),
        ("If-Match" = Option<String>, Header, description = "The version that you looked at, as in its `ETag`")),
    responses((status = 204, description = "Deleted"), SignedIn, Named, Unfitting))]
pub async fn delete_saved(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath((id, saved)): ApiPath<(Uuid, Uuid)>,
    headers: HeaderMap,
) -> Answered<StatusCode> {
    let (_, hand) = writer(&accounts, &caller, id).await?;
    let seen = seen(&headers);
    accounts.meta.delete_saved(saved, seen.as_deref(), hand).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who may change what is saved.
async fn writer(accounts: &Accounts, caller: &Caller, project: Uuid) -> Result<(Project, Hand), Problem> {
    let found = caller.project(&accounts.meta, project, Need::Write).await?;
    let hand = Hand {
        project,
        user: caller.user()?,
        now_ms: accounts.clock.now_ms(),
    };
    Ok((found, hand))
}

/// What a body wants to have saved, if all of it is right.
async fn drafted(
    caller: &Caller,
    accounts: &Accounts,
    questions: &Questions,
    project: &Project,
    body: Map<String, Value>,
) -> Result<Draft, Problem> {
    let mut content = SavedContent::read(body)?;
    let draft = content.draft(&project.zone())?;
    match content {
        SavedContent::Question(saved) => {
            let now_ms = accounts.clock.now_ms();
            let question = saved.question_at(None, &project.zone(), now_ms)?;
            let checked = check(caller, accounts, questions, project.id, question).await;
            checked.map_err(below_question)?;
        }
        SavedContent::Dashboard(dashboard) => {
            for (n, tile) in dashboard.tiles.iter().enumerate() {
                let Some(saved) = tile.saved else { continue };
                let found = accounts.meta.saved_item(project.id, saved).await?;
                if !found.is_some_and(|item| item.kind == SavedKind::Question) {
                    let pointer = format!("/tiles/{n}/saved");
                    let why = "the project has no saved question with this id";
                    return Err(Problem::invalid_field(&pointer, "unknown_value", why));
                }
            }
        }
        SavedContent::Annotation(_) => {}
    }
    Ok(draft)
}

/// What is wrong with a question that stands in something saved.
fn below_question(problem: Problem) -> Problem {
    if problem.errors.is_empty() {
        return problem;
    }
    let named = problem.errors.into_iter();
    let named = named.map(|error| FieldError {
        pointer: format!("/question{}", error.pointer),
        ..error
    });
    Problem::invalid(named.collect())
}

fn read(item: SavedItem) -> Result<Saved, Problem> {
    Ok(Saved {
        id: item.id,
        version: item.version,
        content: serde_json::from_str(&item.body).map_err(Problem::internal)?,
        created_by: item.created_by,
        created_at: item.created_at,
        changed_by: item.changed_by,
        changed_at: item.changed_at,
        deleted_at: item.deleted_at,
    })
}

fn tagged(item: SavedItem) -> Answered<Tagged> {
    Ok(([(ETAG, tag(item.version))], Json(read(item)?)))
}

fn tag(version: i64) -> String {
    format!("\"{version}\"")
}

/// The versions that `If-Match` names; `None` where every one will do.
fn seen(headers: &HeaderMap) -> Option<Vec<i64>> {
    let mut given = headers.get_all(IF_MATCH).iter().peekable();
    given.peek()?;
    let listed: Vec<&str> = given
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(str::trim))
        .collect();
    if listed.contains(&"*") {
        return None;
    }
    let number = |tag: &&str| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok();
    Some(listed.iter().filter_map(number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_names_versions() {
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IF_MATCH, axum::http::HeaderValue::from_static(value));
            }
            seen(&headers)
        };
        assert_eq!(read(&[]), None);
        assert_eq!(read(&["*"]), None);
        assert_eq!(read(&["\"3\""]), Some(vec![3]));
        assert_eq!(read(&["\"3\", \"4\"", "\"5\""]), Some(vec![3, 4, 5]));
        // A weak tag never matches here (RFC 9110, 13.1.1), nor does nonsense.
        assert_eq!(read(&["W/\"3\", 4, \"x\""]), Some(Vec::new()));
    }
}
