//! The signed-in user and the organizations.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::Caller;
use super::error::{ApiJson, ApiQuery, SignedIn, Validated, WithBody};
use super::fields::{Fields, ListQuery, Listed, listed};
use super::{Accounts, Answered};
use crate::meta::{Organization, Page, Project, User};
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
