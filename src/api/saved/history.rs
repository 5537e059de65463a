//! Versions, undo, having back, order.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Saved, SavedContent, Tagged, Unfitting, seen, tagged, writer};
use crate::api::error::{ApiJson, ApiPath, Named, SignedIn, WithBody};
use crate::api::fields::Listed;
use crate::api::{Accounts, Answered, Caller, Need};
use crate::meta::{Moment, SavedVersion};
use crate::problem::Problem;

/// A state that something saved was in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SavedState {
    /// Its number.
    #[schema(minimum = 1)]
    pub version: i64,
    /// The version that brought this content: an earlier one after an undo.
    #[schema(minimum = 1)]
    pub shows: i64,
    /// What it said.
    pub content: SavedContent,
    /// The name of whoever made it so.
    pub changed_by: String,
    /// When.
    pub changed_at: Moment,
}

/// Lists the versions of something saved, the latest first: at most 50 are kept, all on one page.
#[utoipa::path(get, path = "/v1/projects/{id}/saved/{saved_id}/versions", operation_id = "list_saved_versions",
    tag = "saved",
    params(("id" = Uuid, Path, description = "The project"), ("saved_id" = Uuid, Path, description = "What is saved")),
    responses((status = 200, description = "Versions", body = Listed<SavedState>), SignedIn, Named),
    security(("access_token" = []), ("secret_key" = [])))]
pub async fn list_saved_versions(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath((id, saved)): ApiPath<(Uuid, Uuid)>,
) -> Answered<Json<Listed<SavedState>>> {
    caller.project(&accounts.meta, id, Need::Read).await?;
    let kept = accounts.meta.saved_versions(id, saved).await?;
    let data = kept.into_iter().map(read).collect::<Result<_, _>>()?;
    Ok(Json(Listed {
        data,
        next_cursor: None,
        has_more: false,
    }))
}

fn read(kept: SavedVersion) -> Result<SavedState, Problem> {
    Ok(SavedState {
        version: kept.version,
        shows: kept.shows,
        content: serde_json::from_str(&kept.body).map_err(Problem::internal)?,
        changed_by: kept.changed_by,
        changed_at: kept.changed_at,
    })
}

/// Undoes the last change that was not undone yet, as a version of its own: asking twice goes back twice (members).
#[utoipa::path(post, path = "/v1/projects/{id}/saved/{saved_id}/undo", operation_id = "undo_saved", tag = "saved",
    params(("id" = Uuid, Path, description = "The project"), ("saved_id" = Uuid, Path, description = "What is saved"),
        ("If-Match" = Option<String>, Header, description = "The version that you looked at, as in its `ETag`")),
    responses((status = 200, description = "As it is now", body = Saved), SignedIn, Named, Unfitting))]
pub async fn undo_saved(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath((id, saved)): ApiPath<(Uuid, Uuid)>,
    headers: HeaderMap,
) -> Answered<Tagged> {
    let (_, hand) = writer(&accounts, &caller, id).await?;
    let seen = seen(&headers);
    tagged(accounts.meta.undo_saved(saved, seen.as_deref(), hand).await?)
}

/// Goes back to what a version said, as a version of its own (members).
#[utoipa::path(post, path = "/v1/projects/{id}/saved/{saved_id}/versions/{version}/restore",
    operation_id = "restore_saved_version", tag = "saved",
    params(("id" = Uuid, Path, description = "The project"), ("saved_id" = Uuid, Path, description = "What is saved"),
        ("version" = i64, Path, description = "A version that is kept"),
        ("If-Match" = Option<String>, Header, description = "The version that you looked at, as in its `ETag`")),
    responses((status = 200, description = "As it is now", body = Saved), SignedIn, Named, Unfitting))]
pub async fn restore_saved_version(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath((id, saved, version)): ApiPath<(Uuid, Uuid, i64)>,
    headers: HeaderMap,
) -> Answered<Tagged> {
    let (_, hand) = writer(&accounts, &caller, id).await?;
    let seen = seen(&headers);
    let meta = &accounts.meta;
    tagged(meta.revert_saved(saved, version, seen.as_deref(), hand).await?)
}

/// Has something back that was deleted in the last 30 days (members).
#[utoipa::path(post, path = "/v1/projects/{id}/saved/{saved_id}/restore", operation_id = "restore_saved", tag = "saved",
    params(("id" = Uuid, Path, description = "The project"), ("saved_id" = Uuid, Path, description = "What is saved")),
    responses((status = 200, description = "As it is now", body = Saved), SignedIn, Named, Unfitting))]
pub async fn restore_saved(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath((id, saved)): ApiPath<(Uuid, Uuid)>,
) -> Answered<Tagged> {
    let (_, hand) = writer(&accounts, &caller, id).await?;
    tagged(accounts.meta.restore_saved(saved, hand).await?)
}

/// A place in a list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"before": "019ab2c4-7d20-7a11-9d60-1de0a4c9b7f3"}))]
pub struct SavedPlace {
    /// Another of its kind, which comes to stand behind it; null: the end of the list.
    #[serde(default)]
    pub before: Option<Uuid>,
}

/// Moves a question or a dashboard to another place in its list (members). Annotations stand by time.
#[utoipa::path(post, path = "/v1/projects/{id}/saved/{saved_id}/move", operation_id = "move_saved", tag = "saved",
    params(("id" = Uuid, Path, description = "The project"), ("saved_id" = Uuid, Path, description = "What is saved")),
    request_body = SavedPlace,
    responses((status = 204, description = "Moved"), SignedIn, Named, WithBody))]
pub async fn move_saved(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath((id, saved)): ApiPath<(Uuid, Uuid)>,
    ApiJson(place): ApiJson<SavedPlace>,
) -> Answered<StatusCode> {
    let (_, hand) = writer(&accounts, &caller, id).await?;
    accounts.meta.move_saved(saved, place.before, hand).await?;
    Ok(StatusCode::NO_CONTENT)
}
