//! Members of organizations and their roles.

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
use crate::meta::{AddedMember, Member, NewMember, Role, hash_password};
use crate::problem::Problem;

/// Somebody to add. No mail is sent: for somebody without an account give a password and hand it over.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "grace@example.com", "role": "viewer", "name": "Grace",
    "password": "a first password"}))]
pub struct AddMemberRequest {
    /// Address of the account.
    pub email: String,
    /// What the member may do.
    pub role: Role,
    /// Name of a new account; the address's first part if not given.
    #[schema(max_length = 100)]
    pub name: Option<String>,
    /// Password of a new account, 10 to 200 characters. Not used when the account exists.
    #[schema(min_length = 10, max_length = 200)]
    pub password: Option<String>,
}

/// A member's new role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"role": "admin"}))]
pub struct ChangeMemberRequest {
    /// What the member may do from now on.
    pub role: Role,
}

/// Lists the members of an organization.
#[utoipa::path(get, path = "/v1/organizations/{id}/members", operation_id = "list_members", tag = "accounts",
    params(("id" = Uuid, Path, description = "The organization"), ListQuery),
    responses((status = 200, description = "Members", body = Listed<Member>), SignedIn, Named, Validated))]
pub async fn list_members(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(list): ApiQuery<ListQuery>,
) -> Answered<Json<Listed<Member>>> {
    caller.organization(&accounts.meta, id, Need::Read).await?;
    listed(accounts.meta.members(id, list.page()?).await?)
}

/// Adds a member (admins; an owner is added by owners). An address without an account needs a password, with
/// which the account is created.
#[utoipa::path(post, path = "/v1/organizations/{id}/members", operation_id = "add_member", tag = "accounts",
    params(("id" = Uuid, Path, description = "The organization")),
    request_body = AddMemberRequest,
    responses((status = 201, description = "Added", body = AddedMember),
        (status = 409, description = "`already_member`", body = Problem, content_type = "application/problem+json"),
        SignedIn, Named, WithBody))]
pub async fn add_member(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(new): ApiJson<AddMemberRequest>,
) -> Answered<(StatusCode, Json<AddedMember>)> {
    let own = caller.organization(&accounts.meta, id, Need::Admin).await?;
    only_owners_touch_owners(own, new.role)?;
    let mut fields = Fields::default();
    let email = fields.email("/email", &new.email);
    let name = match &new.name {
        Some(name) => fields.name("/name", name),
        None => email
            .split('@')
            .next()
            .unwrap_or_default()
            .chars()
            .take(100)
            .collect(),
    };
    if let Some(password) = &new.password {
        fields.password("/password", password);
    }
    fields.finish()?;
    let password_hash = match new.password {
        Some(password) => Some(hash_password(password).await?),
        None => None,
    };
    let new = NewMember {
        email,
        role: new.role,
        name,
        password_hash,
    };
    let added = accounts.meta.add_member(id, new, accounts.clock.now_ms()).await?;
    Ok((StatusCode::CREATED, Json(added)))
}

/// Changes a member's role (admins; only owners make or unmake owners). The last owner stays.
#[utoipa::path(patch, path = "/v1/organizations/{id}/members/{user_id}", operation_id = "change_member", tag = "accounts",
    params(("id" = Uuid, Path, description = "The organization"), ("user_id" = Uuid, Path, description = "The member")),
    request_body = ChangeMemberRequest,
    responses((status = 200, description = "Changed", body = Member),
        (status = 409, description = "`last_owner`", body = Problem, content_type = "application/problem+json"),
        SignedIn, Named, WithBody))]
pub async fn change_member(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath((id, user_id)): ApiPath<(Uuid, Uuid)>,
    ApiJson(change): ApiJson<ChangeMemberRequest>,
) -> Answered<Json<Member>> {
    let own = caller.organization(&accounts.meta, id, Need::Admin).await?;
    only_owners_touch_owners(own, change.role)?;
    only_owners_touch_owners(own, role_of(&accounts, id, user_id).await?)?;
    Ok(Json(accounts.meta.change_role(id, user_id, change.role).await?))
}

/// Removes a member (admins; only owners remove owners; everybody may leave). The last owner stays.
#[utoipa::path(delete, path = "/v1/organizations/{id}/members/{user_id}", operation_id = "remove_member", tag = "accounts",
    params(("id" = Uuid, Path, description = "The organization"), ("user_id" = Uuid, Path, description = "The member")),
    responses((status = 204, description = "Removed; the account stays"),
        (status = 409, description = "`last_owner`", body = Problem, content_type = "application/problem+json"),
        SignedIn, Named))]
pub async fn remove_member(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath((id, user_id)): ApiPath<(Uuid, Uuid)>,
) -> Answered<StatusCode> {
    let leaving = matches!(caller, Caller::User { id, .. } if id == user_id);
    let need = if leaving { Need::Read } else { Need::Admin };
    let own = caller.organization(&accounts.meta, id, need).await?;
    only_owners_touch_owners(own, role_of(&accounts, id, user_id).await?)?;
    accounts.meta.remove_member(id, user_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn only_owners_touch_owners(own: Role, other: Role) -> Result<(), Problem> {
    if other == Role::Owner && own != Role::Owner {
        return Err(Problem::forbidden(
            "owners are added, changed and removed by owners",
        ));
    }
    Ok(())
}

async fn role_of(accounts: &Accounts, organization: Uuid, user: Uuid) -> Result<Role, Problem> {
    accounts
        .meta
        .role_in(organization, user)
        .await?
        .ok_or_else(|| Problem::not_found("member"))
}
