//! Projects: what events belong to and questions are about.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::caller::{Caller, Need};
use super::error::{ApiJson, ApiPath, ApiQuery, Named, SignedIn, Validated, WithBody, invalid_query};
use super::fields::{Fields, ListQuery, Listed, listed};
use super::{Accounts, Answered};
use crate::meta::{Paged, Project, ProjectChange};

/// A new project.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"organization_id": "019ab2c4-7d1f-7d02-8a4c-cc2d90b1e6aa", "name": "Web shop",
    "timezone": "Europe/Berlin"}))]
pub struct NewProject {
    /// The organization it shall belong to.
    pub organization_id: Uuid,
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// IANA name of the zone whose days its reports count in; UTC if not given.
    pub timezone: Option<String>,
}

/// What to change. Members that are not given stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Web shop Europe", "timezone": "Europe/Paris"}))]
pub struct ProjectPatch {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// IANA name. All days are counted again in the new zone, which takes a while.
    pub timezone: Option<String>,
    /// Months to keep beside the current one; null keeps everything. A new limit takes effect after 24 hours: then
    /// older events are erased, and refused from then on. So only owners lower it; admins may raise it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 120)]
    pub retention_months: Option<Option<u32>>,
}

/// Tells a member that is null from one that is not there.
fn given<'de, D: Deserializer<'de>>(member: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(member).map(Some)
}

/// Proof that the caller means this project.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeleteQuery {
    /// The project's name, exactly.
    #[param(example = "Web shop")]
    pub confirm: Option<String>,
}

/// Lists the projects of all the caller's organizations; for a secret key, its project.
#[utoipa::path(get, path = "/v1/projects", operation_id = "list_projects", tag = "projects",
    params(ListQuery),
    responses((status = 200, description = "Projects", body = Listed<Project>), SignedIn, Validated))]
pub async fn list_projects(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiQuery(list): ApiQuery<ListQuery>,
) -> Answered<Json<Listed<Project>>> {
    let page = list.page()?;
    listed(match &caller {
        Caller::User { id, .. } => accounts.meta.projects_of(*id, page).await?,
        Caller::ApiKey(key) => {
            let own = accounts.meta.project(key.project_id).await?;
            let rows = own
                .into_iter()
                .filter(|own| page.after.is_none_or(|after| own.id > after));
            Paged {
                rows: rows.collect(),
                next: None,
            }
        }
    })
}

/// Creates a project with a write key (admins of the organization).
#[utoipa::path(post, path = "/v1/projects", operation_id = "create_project", tag = "projects",
    request_body = NewProject,
    responses((status = 201, description = "Created", body = Project), SignedIn, Named, WithBody))]
pub async fn create_project(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiJson(new): ApiJson<NewProject>,
) -> Answered<(StatusCode, Json<Project>)> {
    let role = caller
        .organization(&accounts.meta, new.organization_id, Need::Admin)
        .await?;
    let mut fields = Fields::default();
    let name = fields.name("/name", &new.name);
    let zone = fields.zone("/timezone", new.timezone.as_deref());
    fields.finish()?;
    let created = accounts
        .meta
        .create_project(new.organization_id, &name, &zone, accounts.clock.now_ms())
        .await?;
    Ok((StatusCode::CREATED, Json(Project { role, ..created })))
}

/// Answers a project.
#[utoipa::path(get, path = "/v1/projects/{id}", operation_id = "get_project", tag = "projects",
    params(("id" = Uuid, Path, description = "The project")),
    responses((status = 200, description = "The project", body = Project), SignedIn, Named))]
pub async fn get_project(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
) -> Answered<Json<Project>> {
    Ok(Json(caller.project(&accounts.meta, id, Need::Read).await?))
}

/// Changes name, zone or retention (admins; owners, where less is to be kept than now).
#[utoipa::path(patch, path = "/v1/projects/{id}", operation_id = "update_project", tag = "projects",
    params(("id" = Uuid, Path, description = "The project")),
    request_body = ProjectPatch,
    responses((status = 200, description = "The project as it is now", body = Project), SignedIn, Named, WithBody))]
pub async fn update_project(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(patch): ApiJson<ProjectPatch>,
) -> Answered<Json<Project>> {
    let project = caller.project(&accounts.meta, id, Need::Admin).await?;
    let user = caller.user()?;
    if let Some(Some(months)) = patch.retention_months
        && project.retention_months.is_none_or(|kept| months < kept)
    {
        // It erases for good.
        Need::Own.check(project.role)?;
    }
    let mut fields = Fields::default();
    let name = patch.name.as_deref().map(|name| fields.name("/name", name));
    let zone = patch
        .timezone
        .as_deref()
        .map(|name| fields.zone("/timezone", Some(name)));
    if let Some(Some(months)) = patch.retention_months {
        fields.months("/retention_months", months);
    }
    fields.finish()?;
    let change = ProjectChange {
        name,
        zone,
        retention_months: patch.retention_months,
    };
    let updated = accounts
        .meta
        .update_project(id, user, change, accounts.clock.now_ms())
        .await?;
    if let Some(change) = updated.zone_change {
        match (accounts.on_zone_change)(change.clone()).await {
            Ok(()) => accounts.meta.zone_rebuild_queued(&change).await?,
            Err(error) => tracing::error!(
                %error, project = %change.project,
                "the rebuild after a zone change could not be queued; it stays pending and the next start queues it"
            ),
        }
    }
    Ok(Json(updated.project))
}

/// Deletes a project (owners). Its keys stop at once, nothing can be asked about it any more, and everything of it
/// is erased: `/v1/projects/{id}/erasures` shows how far that has come, and the certificate. Its number is never
/// given out again.
#[utoipa::path(delete, path = "/v1/projects/{id}", operation_id = "delete_project", tag = "projects",
    params(("id" = Uuid, Path, description = "The project"), DeleteQuery),
    responses((status = 204, description = "Deleted"), SignedIn, Named, Validated))]
pub async fn delete_project(
    State(accounts): State<Accounts>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(query): ApiQuery<DeleteQuery>,
) -> Answered<StatusCode> {
    // It erases everything, as owners only may.
    let project = caller.project(&accounts.meta, id, Need::Own).await?;
    if query.confirm.as_deref() != Some(project.name.as_str()) {
        return Err(invalid_query(
            "confirm",
            "not_confirmed",
            "to delete the project give its exact name as ?confirm=…",
        ));
    }
    let email = caller.email(&accounts.meta).await?;
    accounts
        .meta
        .delete_project(id, &email, accounts.clock.now_ms())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
