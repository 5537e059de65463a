//! The signed-in user and the organizations.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::Caller;
use super::error::{ApiJson, ApiQuery, SignedIn, Validated, WithBody};
use super::fields::{Fields, ListQuery, Listed, listed};
use super::throttle::{Peer, too_many_attempts};
use super::{Accounts, Answered};
use crate::meta::{Organization, Page, Project, User, hash_password, verify_password};
use crate::problem::Problem;

/// Everything that a dashboard must know about who is signed in.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The user.
    pub user: User,
    /// The user's organizations; beyond 1000 see `/v1/organizations`.
    pub organizations: Vec<Organization>,
    /// The projects of all these organizations; beyond 1000 see `/v1/projects`.
    pub projects: Vec<Project>,
}

/// A new organization.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Acme"}))]
pub struct NewOrganization {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
}

/// Answers who is signed in, with organizations and projects.
#[utoipa::path(get, path = "/v1/me", operation_id = "get_me", tag = "accounts",
    responses((status = 200, description = "Who is signed in", body = Me), SignedIn))]
pub async fn me(State(accounts): State<Accounts>, caller: Caller) -> Answered<Json<Me>> {
    let id = caller.user()?;
    let user = accounts
        .meta
        .user(id)
        .await?
        .ok_or_else(|| Problem::unauthenticated("the account is gone"))?;
    Ok(Json(Me {
        user,
        organizations: accounts.meta.organizations_of(id, Page::first(1000)).await?.rows,
        projects: accounts.meta.projects_of(id, Page::first(1000)).await?.rows,
    }))
}

/// Another password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"current_password": "correct horse battery", "new_password": "staple in the stable"}))]
pub struct ChangePasswordRequest {
    /// The password until now.
    pub current_password: String,
    /// 10 to 200 characters.
    #[schema(min_length = 10, max_length = 200)]
    pub new_password: String,
}

/// Changes the caller's password and ends all the caller's other sessions: their refresh tokens at once, their
/// access tokens within 15 minutes. Wrong passwords count as failed sign-ins do.
#[utoipa::path(post, path = "/v1/me/password", operation_id = "change_password", tag = "accounts",
    request_body = ChangePasswordRequest,
    responses((status = 204, description = "Changed; this session goes on"),
        (status = 401, description = "No credentials, or none that are valid: `unauthenticated`, `token_expired`",
            body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`wrong_password`: the current one is another; `forbidden`: an API key has none",
            body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_attempts`, with `Retry-After`", body = Problem,
            content_type = "application/problem+json"),
        WithBody))]
pub async fn change_password(
    State(accounts): State<Accounts>,
    caller: Caller,
    peer: Peer,
    ApiJson(change): ApiJson<ChangePasswordRequest>,
) -> Answered<StatusCode> {
    let (id, session) = match caller {
        Caller::User { id, session, .. } => (id, session),
        Caller::ApiKey(_) => return Err(Problem::forbidden("an API key has no password")),
    };
    let mut fields = Fields::default();
    fields.password("/new_password", &change.new_password);
    fields.finish()?;
    let wrong = || {
        Problem::new(
            StatusCode::FORBIDDEN,
            "wrong_password",
            "the current password is not this one",
        )
    };
    if change.current_password.chars().count() > 200 {
        return Err(wrong());
    }
    let gone = || Problem::unauthenticated("the account is gone");
    let known = accounts.meta.credentials_of(id).await?.ok_or_else(gone)?;
    let now_ms = accounts.clock.now_ms();
    accounts
        .throttle
        .attempt(&known.user.email, peer, now_ms)
        .map_err(too_many_attempts)?;
    let known_hash = known.password_hash;
    if !verify_password(change.current_password, Some(known_hash.clone())).await? {
        return Err(wrong());
    }
    accounts.throttle.forget(&known.user.email, peer);
    let new_hash = hash_password(change.new_password).await?;
    let changed = accounts
        .meta
        .change_password(id, &known_hash, &new_hash, Some(session), now_ms)
        .await?;
    // Somebody else changed it meanwhile, so the current one is another by now.
    changed.then_some(StatusCode::NO_CONTENT).ok_or_else(wrong)
}

/// Lists the organizations that the caller is a member of.
#[utoipa::path(get, path = "/v1/organizations", operation_id = "list_organizations", tag = "accounts",
    params(ListQuery),
    responses((status = 200, description = "Organizations", body = Listed<Organization>), SignedIn, Validated))]
pub async fn list_organizations(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiQuery(list): ApiQuery<ListQuery>,
) -> Answered<Json<Listed<Organization>>> {
    listed(
        accounts
            .meta
            .organizations_of(caller.user()?, list.page()?)
            .await?,
    )
}

/// Creates an organization, owned by the caller.
#[utoipa::path(post, path = "/v1/organizations", operation_id = "create_organization", tag = "accounts",
    request_body = NewOrganization,
    responses((status = 201, description = "Created", body = Organization), SignedIn, WithBody))]
pub async fn create_organization(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiJson(new): ApiJson<NewOrganization>,
) -> Answered<(StatusCode, Json<Organization>)> {
    let user = caller.user()?;
    let mut fields = Fields::default();
    let name = fields.name("/name", &new.name);
    fields.finish()?;
    let created = accounts
        .meta
        .create_organization(user, &name, accounts.clock.now_ms())
        .await?;
    Ok((StatusCode::CREATED, Json(created)))
}
