//! Cohorts of a project: what they mean, how large they are, and since when.

pub mod ids;
pub mod members;
mod refresh;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::{Caller, Need};
use super::error::{ApiJson, ApiPath, ApiQuery, Named, SignedIn, Validated, WithBody};
use super::fields::{Fields, ListQuery, Listed, listed};
use super::questions::{Asked, Loaded, Questions, refused};
use super::{Accounts, Answered};
use crate::event::Day;
use crate::meta::{Cohort, CohortChange, Moment, Paged, Project};
use crate::metrics::cohort::RuleQuery;
use crate::metrics::envelope::Answer;
use crate::problem::Problem;
use crate::store::cohorts::DaySize;

/// Days of sizes in an answer.
const DAYS_SHOWN: u8 = 90;

/// Characters of a description.
const DESCRIPTION_CHARS: usize = 500;

/// A cohort.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Cohort, example = json!({"id": "019ab2c4-9011-7f4e-b1f0-3f0f6a1d9c55", "name": "Regulars", "description": "",
    "definition": {"did": {"event": "purchase"}, "at_least": 3, "last_days": 90}, "created_by": "ada@example.com",
    "created_at": "2026-11-20T10:15:00Z", "changed_by": "ada@example.com", "changed_at": "2026-11-20T10:15:00Z",
    "computed_at": "2026-11-23T10:00:00Z", "size": 812, "stale": false, "problem": null,
    "sizes": [{"day": "2026-11-22", "size": 805}, {"day": "2026-11-23", "size": 812}]}))]
pub struct CohortView {
    /// Its id.
    id: Uuid,
    /// What people call it.
    name: String,
    /// What it is for.
    description: String,
    /// Who belongs to it; null: an uploaded list.
    #[schema(required, value_type = Option<RuleQuery>)]
    definition: Option<Value>,
    /// Email of who made it.
    created_by: String,
    /// When.
    created_at: Moment,
    /// Email of who changed it last.
    changed_by: String,
    /// When.
    changed_at: Moment,
    /// When its members were last written down; null: not yet.
    #[schema(required)]
    computed_at: Option<Moment>,
    /// How many they were then.
    size: u64,
    /// Whether they are those of an older definition: the new one is being looked through.
    stale: bool,
    /// Why the last attempt to find them failed; null: it did not.
    #[schema(required)]
    problem: Option<String>,
    /// The last size of each local day on which one was computed, of 90 days, oldest first.
    sizes: Vec<SizeView>,
}

/// A cohort's size on a day.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = CohortSize)]
pub struct SizeView {
    /// The local day.
    #[schema(value_type = String, format = Date)]
    day: Day,
    /// Members, as they were last counted on that day.
    size: u64,
}

impl CohortView {
    fn new(cohort: Cohort, sizes: Option<Vec<DaySize>>) -> CohortView {
        let sizes = sizes.unwrap_or_default().into_iter();
        CohortView {
            id: cohort.id,
            name: cohort.name,
            description: cohort.description,
            definition: cohort.definition,
            created_by: cohort.created_by,
            created_at: cohort.created_at,
            changed_by: cohort.changed_by,
            changed_at: cohort.changed_at,
            computed_at: cohort.computed_at,
            size: cohort.size,
            stale: cohort.refreshed_at.is_none(),
            problem: cohort.problem,
            sizes: sizes
                .map(|DaySize { day, size }| SizeView { day, size })
                .collect(),
        }
    }
}

/// A new cohort. Without a definition it is a list, to which ids are uploaded.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Regulars", "definition": {"did": {"event": "purchase"}, "at_least": 3, "last_days": 90}}))]
pub struct NewCohort {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// At most 500 characters.
    #[serde(default)]
    #[schema(max_length = 500)]
    description: String,
    /// Who belongs to it.
    #[serde(default)]
    definition: Option<RuleQuery>,
}

/// What to change. Members that are not given stay; a list stays a list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Regular customers"}))]
pub struct CohortPatch {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// At most 500 characters.
    #[schema(max_length = 500)]
    description: Option<String>,
    /// Who belongs to it.
    definition: Option<RuleQuery>,
}

/// A definition to try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"definition": {"did": {"event": "purchase"}, "last_days": 30}}))]
pub struct CohortTrial {
    /// Who would belong to it.
    definition: RuleQuery,
}

/// How many people a definition means.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(example = json!({"size": 812}))]
pub struct CohortPreview {
    /// Members, if they were written down now.
    size: u64,
}

/// Creates a cohort (members). Its members are found before the answer; where that costs more than a question may,
/// `problem` says so.
#[utoipa::path(post, path = "/v1/projects/{id}/cohorts", operation_id = "create_cohort", tag = "cohorts",
    params(("id" = Uuid, Path, description = "The project")),
    request_body = NewCohort,
    responses(
        (status = 201, description = "Created", body = CohortView),
        (status = 409, description = "`cohort_limit`: the project has 200", body = Problem,
            content_type = "application/problem+json"),
        SignedIn, Named, WithBody, Loaded))]
pub async fn create_cohort(
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(new): ApiJson<NewCohort>,
) -> Answered<(StatusCode, Json<CohortView>)> {
    let project = caller.project(&accounts.meta, id, Need::Write).await?;
    let change = checked(
        &project,
        Some(&new.name),
        Some(&new.description),
        new.definition.as_ref(),
    )?;
    let by = caller.email(&accounts.meta).await?;
    let created = accounts
        .meta
        .create_cohort(id, &change, &by, accounts.clock.now_ms())
        .await?;
    refresh::refresh(&accounts, &questions, &project, created.id).await?;
    let created = shown(&accounts, &questions, &project, created.id).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// Lists the cohorts of a project, oldest first.
#[utoipa::path(get, path = "/v1/projects/{id}/cohorts", operation_id = "list_cohorts", tag = "cohorts",
    params(("id" = Uuid, Path, description = "The project"), ListQuery),
    responses((status = 200, description = "Cohorts", body = Listed<CohortView>), SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = [])))]
pub async fn list_cohorts(
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(list): ApiQuery<ListQuery>,
) -> Answered<Json<Listed<CohortView>>> {
    let project = caller.project(&accounts.meta, id, Need::Read).await?;
    let page = accounts.meta.cohorts(id, list.page()?).await?;
    let ids: Vec<Uuid> = page.rows.iter().map(|cohort| cohort.id).collect();
    let mut sizes = sizes(&questions, &project, &ids).await?;
    let rows = page.rows.into_iter().map(|cohort| {
        let sizes = sizes.remove(&cohort.id);
        CohortView::new(cohort, sizes)
    });
    listed(Paged {
        rows: rows.collect(),
        next: page.next,
    })
}

/// Answers a cohort with its size over time.
#[utoipa::path(get, path = "/v1/projects/{id}/cohorts/{cohort_id}", operation_id = "get_cohort", tag = "cohorts",
    params(("id" = Uuid, Path, description = "The project"), ("cohort_id" = Uuid, Path, description = "The cohort")),
    responses((status = 200, description = "The cohort", body = CohortView), SignedIn, Named, Loaded),
    security(("access_token" = []), ("secret_key" = [])))]
pub async fn get_cohort(
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    caller: Caller,
    ApiPath((id, cohort)): ApiPath<(Uuid, Uuid)>,
) -> Answered<Json<CohortView>> {
    let project = caller.project(&accounts.meta, id, Need::Read).await?;
    Ok(Json(shown(&accounts, &questions, &project, cohort).await?))
}

/// Changes a cohort (members). Where the definition is a new one, its members are found before the answer.
#[utoipa::path(patch, path = "/v1/projects/{id}/cohorts/{cohort_id}", operation_id = "update_cohort", tag = "cohorts",
    params(("id" = Uuid, Path, description = "The project"), ("cohort_id" = Uuid, Path, description = "The cohort")),
    request_body = CohortPatch,
    responses((status = 200, description = "The cohort as it is now", body = CohortView), SignedIn, Named, WithBody, Loaded))]
pub async fn update_cohort(
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    caller: Caller,
    ApiPath((id, cohort)): ApiPath<(Uuid, Uuid)>,
    ApiJson(patch): ApiJson<CohortPatch>,
) -> Answered<Json<CohortView>> {
    let project = caller.project(&accounts.meta, id, Need::Write).await?;
    let (name, description) = (patch.name.as_deref(), patch.description.as_deref());
    let change = checked(&project, name, description, patch.definition.as_ref())?;
    if change.definition.is_some() && found(&accounts, id, cohort).await?.definition.is_none() {
        let detail = "this cohort is a list: upload ids, or make another one";
        return Err(Problem::invalid_field("/definition", "not_allowed", detail));
    }
    let by = caller.email(&accounts.meta).await?;
    accounts
        .meta
        .change_cohort(id, cohort, &change, &by, accounts.clock.now_ms())
        .await?;
    if change.definition.is_some() {
        refresh::refresh(&accounts, &questions, &project, cohort).await?;
    }
    Ok(Json(shown(&accounts, &questions, &project, cohort).await?))
}

/// Deletes a cohort (members). Questions that name it are refused from then on.
#[utoipa::path(delete, path = "/v1/projects/{id}/cohorts/{cohort_id}", operation_id = "delete_cohort", tag = "cohorts",
    params(("id" = Uuid, Path, description = "The project"), ("cohort_id" = Uuid, Path, description = "The cohort")),
    responses((status = 204, description = "Deleted"), SignedIn, Named, Loaded))]
pub async fn delete_cohort(
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    caller: Caller,
    ApiPath((id, cohort)): ApiPath<(Uuid, Uuid)>,
) -> Answered<StatusCode> {
    let project = caller.project(&accounts.meta, id, Need::Write).await?;
    accounts.meta.delete_cohort(id, cohort).await?;
    questions.store.forget_cohort(project.number, cohort).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Finds the members of a cohort now (members), instead of within half an hour.
#[utoipa::path(post, path = "/v1/projects/{id}/cohorts/{cohort_id}/refresh", operation_id = "refresh_cohort", tag = "cohorts",
    params(("id" = Uuid, Path, description = "The project"), ("cohort_id" = Uuid, Path, description = "The cohort")),
    responses((status = 200, description = "The cohort as it is now", body = CohortView), SignedIn, Named, Loaded))]
pub async fn refresh_cohort(
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    caller: Caller,
    ApiPath((id, cohort)): ApiPath<(Uuid, Uuid)>,
) -> Answered<Json<CohortView>> {
    let project = caller.project(&accounts.meta, id, Need::Write).await?;
    found(&accounts, id, cohort).await?;
    refresh::refresh(&accounts, &questions, &project, cohort).await?;
    Ok(Json(shown(&accounts, &questions, &project, cohort).await?))
}

/// Tells how many people a definition means, without saving it.
#[utoipa::path(post, path = "/v1/projects/{id}/cohorts/preview", operation_id = "preview_cohort", tag = "cohorts",
    params(("id" = Uuid, Path, description = "The project")),
    request_body = CohortTrial,
    responses((status = 200, description = "The size", body = Answer<CohortPreview>), SignedIn, Named, WithBody, Loaded),
    security(("access_token" = []), ("secret_key" = [])))]
pub async fn preview_cohort(
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(trial): ApiJson<CohortTrial>,
) -> Answered<Json<Answer<CohortPreview>>> {
    let asked = Asked::placed(&caller, &accounts, &questions, id).await?;
    let spec = trial.definition.validate("/definition", &asked.zone);
    let spec = spec.map_err(refused)?;
    let counted = asked
        .store
        .count_cohort(asked.number, &spec, &asked.zone, asked.now_ms)
        .await?;
    let preview = CohortPreview { size: counted.rows };
    Ok(Json(asked.told(preview, counted.rows_read)))
}

/// What is to be stored, or what is wrong with it.
fn checked(
    project: &Project,
    name: Option<&str>,
    description: Option<&str>,
    definition: Option<&RuleQuery>,
) -> Answered<CohortChange> {
    let mut fields = Fields::default();
    let name = name.map(|name| fields.name("/name", name));
    if description.is_some_and(|text| text.chars().count() > DESCRIPTION_CHARS) {
        let detail = format!("a description has at most {DESCRIPTION_CHARS} characters");
        fields.refuse("/description", "wrong_length", detail);
    }
    if let Some(Err(errors)) = definition.map(|rules| rules.validate("/definition", &project.zone())) {
        for error in errors {
            fields.refuse(&error.pointer, error.code, error.detail);
        }
    }
    fields.finish()?;
    let definition = definition.map(serde_json::to_value).transpose();
    Ok(CohortChange {
        name,
        description: description.map(|text| text.trim().to_owned()),
        definition: definition.map_err(Problem::internal)?,
    })
}

async fn found(accounts: &Accounts, project: Uuid, cohort: Uuid) -> Answered<Cohort> {
    let found = accounts.meta.cohort(project, cohort).await?;
    found.ok_or_else(|| Problem::not_found("cohort"))
}

async fn shown(
    accounts: &Accounts,
    questions: &Questions,
    project: &Project,
    cohort: Uuid,
) -> Answered<CohortView> {
    let found = found(accounts, project.id, cohort).await?;
    let mut sizes = sizes(questions, project, &[cohort]).await?;
    Ok(CohortView::new(found, sizes.remove(&cohort)))
}

async fn sizes(
    questions: &Questions,
    project: &Project,
    cohorts: &[Uuid],
) -> Answered<BTreeMap<Uuid, Vec<DaySize>>> {
    let (store, zone) = (&questions.store, project.zone());
    let sizes = store.cohort_sizes(project.number, cohorts, &zone, DAYS_SHOWN);
    Ok(sizes.await?)
}
