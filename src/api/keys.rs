//! Keys of a project: public write keys and secret API keys.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::{Caller, Need};
use super::error::{ApiJson, ApiPath, ApiQuery, Named, SignedIn, Validated, WithBody};
use super::fields::{Fields, ListQuery, Listed, listed};
use super::{Accounts, Answered};
use crate::meta::{ApiKey, KeyKind};

/// A new key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "secret", "name": "Nightly report"}))]
pub struct NewKey {
    /// `write` sends events from anywhere; `secret` reads this project and sends events, from servers only.
    pub kind: KeyKind,
    /// What people call it, 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
}

/// Lists the keys of a project. Secret ones are named, never shown.
#[utoipa::path(get, path = "/v1/projects/{id}/keys", operation_id = "list_keys", tag = "projects",
    params(("id" = Uuid, Path, description = "The project"), ListQuery),
    responses((status = 200, description = "Keys", body = Listed<ApiKey>), SignedIn, Named, Validated))]
pub async fn list_keys(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(list): ApiQuery<ListQuery>,
) -> Answered<Json<Listed<ApiKey>>> {
    caller.project(&accounts.meta, id, Need::Read).await?;
    listed(accounts.meta.keys(id, list.page()?).await?)
}

/// Creates a key (admins). A secret key is shown in this answer and never again.
#[utoipa::path(post, path = "/v1/projects/{id}/keys", operation_id = "create_key", tag = "projects",
    params(("id" = Uuid, Path, description = "The project")),
    request_body = NewKey,
    responses((status = 201, description = "Created", body = ApiKey), SignedIn, Named, WithBody))]
pub async fn create_key(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(new): ApiJson<NewKey>,
) -> Answered<(StatusCode, Json<ApiKey>)> {
    caller.project(&accounts.meta, id, Need::Admin).await?;
    let mut fields = Fields::default();
    let name = fields.name("/name", &new.name);
    fields.finish()?;
    let created = accounts
        .meta
        .create_key(id, new.kind, &name, accounts.clock.now_ms())
        .await?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// Revokes a key (admins). The API refuses it at once, tracking within about a second.
#[utoipa::path(delete, path = "/v1/projects/{id}/keys/{key_id}", operation_id = "revoke_key", tag = "projects",
    params(("id" = Uuid, Path, description = "The project"), ("key_id" = Uuid, Path, description = "The key's id")),
    responses((status = 204, description = "Revoked"), SignedIn, Named))]
pub async fn revoke_key(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath((id, key_id)): ApiPath<(Uuid, Uuid)>,
) -> Answered<StatusCode> {
    caller.project(&accounts.meta, id, Need::Admin).await?;
    accounts
        .meta
        .revoke_key(id, key_id, accounts.clock.now_ms())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
