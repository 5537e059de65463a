//! Who belongs to a cohort, and why.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::ids::{Ids, MAX_LISTED};
use super::{CohortView, found, refresh, shown};
use crate::api::caller::{Caller, Need};
use crate::api::error::{ApiPath, ApiQuery, Named, SignedIn, Validated, WithBody, invalid_query};
use crate::api::fields::Listed;
use crate::api::questions::{Asked, Loaded, Questions};
use crate::api::{Accounts, Answered};
use crate::event::actor_of;
use crate::meta::Moment;
use crate::metrics::cohort::{CohortSpec, Explained};
use crate::metrics::envelope::Answer;
use crate::metrics::time::TimeRange;
use crate::problem::Problem;

/// Members of a page when the caller does not say, and at most.
const PAGE: u32 = 100;
const MAX_PAGE: u32 = 1_000;

/// A member of a cohort.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CohortMember {
    /// An id under which the person sent events; null where the person has been merged with another since.
    #[schema(required, example = "u_42")]
    distinct_id: Option<String>,
}

/// Which part of the members.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MembersQuery {
    /// Members of a page, 1 to 1000; 100 if not given.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// How an upload goes together with the ids that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Upload {
    /// They are added.
    #[default]
    Append,
    /// They are put in their place.
    Replace,
}

/// How an upload is meant.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UploadQuery {
    /// Whether the ids are added to those that are there (the default), or put in their place.
    #[serde(default)]
    #[param(inline)]
    mode: Upload,
}

/// Whether somebody belongs to a cohort.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = json!({"distinct_id": "u_42", "member": true, "computed_at": "2026-11-23T10:00:00Z",
    "now": {"holds": true, "rules": [{"pointer": "", "holds": true, "times": 4,
        "first_at": "2026-11-02T08:10:00Z", "last_at": "2026-11-20T19:44:12Z"}]}}))]
pub struct Membership {
    /// The id that was asked about.
    distinct_id: String,
    /// Whether the person behind it is among the members as they were last written down.
    member: bool,
    /// When that was; null: not yet.
    #[schema(required)]
    computed_at: Option<Moment>,
    /// What the definition says of the person now, rule by rule; null for a list.
    #[schema(required)]
    now: Option<Explained>,
}

/// Lists the members of a cohort as they were last written down.
#[utoipa::path(get, path = "/v1/projects/{id}/cohorts/{cohort_id}/members", operation_id = "list_cohort_members", tag = "cohorts",
    params(("id" = Uuid, Path, description = "The project"), ("cohort_id" = Uuid, Path, description = "The cohort"),
        MembersQuery),
    responses((status = 200, description = "Members", body = Listed<CohortMember>), SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = [])))]
pub async fn list_cohort_members(
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    caller: Caller,
    ApiPath((id, cohort)): ApiPath<(Uuid, Uuid)>,
    ApiQuery(query): ApiQuery<MembersQuery>,
) -> Answered<Json<Listed<CohortMember>>> {
    let asked = Asked::placed(&caller, &accounts, &questions, id).await?;
    found(&accounts, id, cohort).await?;
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(invalid_query("limit", "out_of_range", "limit is 1 to 1000"));
    }
    let after = match query.cursor.as_deref().map(read_cursor) {
        None => None,
        Some(Some(after)) => Some(after),
        Some(None) => {
            let detail = "this is no next_cursor of an earlier page";
            return Err(invalid_query("cursor", "unknown_cursor", detail));
        }
    };
    let store = &asked.store;
    let page = store.cohort_members(asked.number, cohort, after, u64::from(limit) + 1);
    let mut persons = page.await?.rows;
    let has_more = persons.len() > limit as usize;
    persons.truncate(limit as usize);
    let ever = TimeRange {
        from_ms: 0,
        to_ms: asked.zone.day_start(asked.zone.local_day(asked.now_ms).plus(2)),
    };
    let names = store.distinct_ids(asked.number, &persons, ever).await?;
    let last = persons.last().filter(|_| has_more);
    Ok(Json(Listed {
        next_cursor: last.map(|person| format!("m_{person:016x}")),
        has_more,
        data: persons
            .iter()
            .map(|person| CohortMember {
                distinct_id: names.get(person).cloned(),
            })
            .collect(),
    }))
}

fn read_cursor(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("m_").filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

/// Uploads ids to a list (members): JSON, or CSV whose first column is the id. At most 20,000 at once, 500,000 in a
/// list. Ids that nobody sent events under yet stay listed and count once somebody does.
#[utoipa::path(put, path = "/v1/projects/{id}/cohorts/{cohort_id}/members", operation_id = "upload_cohort_members", tag = "cohorts",
    params(("id" = Uuid, Path, description = "The project"), ("cohort_id" = Uuid, Path, description = "The cohort"),
        UploadQuery),
    request_body(content((super::ids::IdList = "application/json"), (String = "text/csv"))),
    responses(
        (status = 200, description = "The cohort as it is now", body = CohortView),
        (status = 409, description = "`cohort_limit`: the list has 500,000 ids", body = Problem,
            content_type = "application/problem+json"),
        SignedIn, Named, WithBody, Loaded))]
pub async fn upload_cohort_members(
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    caller: Caller,
    ApiPath((id, cohort)): ApiPath<(Uuid, Uuid)>,
    ApiQuery(query): ApiQuery<UploadQuery>,
    Ids(ids): Ids,
) -> Answered<Json<CohortView>> {
    let project = caller.project(&accounts.meta, id, Need::Write).await?;
    if found(&accounts, id, cohort).await?.definition.is_some() {
        let detail = "this cohort has rules: ids are uploaded to a list";
        return Err(Problem::invalid_field("/distinct_ids", "not_allowed", detail));
    }
    let replace = query.mode == Upload::Replace;
    let listed = match replace {
        true => 0,
        false => questions.store.cohort_listed(project.number, cohort).await?,
    };
    if listed + ids.len() as u64 > MAX_LISTED {
        let detail = format!("a list has at most {MAX_LISTED} ids, this one has {listed}");
        return Err(Problem::new(
            axum::http::StatusCode::CONFLICT,
            "cohort_limit",
            detail,
        ));
    }
    let actors: Vec<u64> = ids.iter().map(|id| actor_of(id)).collect();
    questions
        .store
        .list_cohort(project.number, cohort, &actors, replace)
        .await?;
    refresh::refresh(&accounts, &questions, &project, cohort).await?;
    Ok(Json(shown(&accounts, &questions, &project, cohort).await?))
}

/// Explains whether somebody belongs to a cohort: which rule holds of them now, how often they did it, and when last.
#[utoipa::path(get, path = "/v1/projects/{id}/cohorts/{cohort_id}/members/{distinct_id}", operation_id = "explain_cohort_member", tag = "cohorts",
    params(("id" = Uuid, Path, description = "The project"), ("cohort_id" = Uuid, Path, description = "The cohort"),
        ("distinct_id" = String, Path, description = "An id under which the person sent events")),
    responses((status = 200, description = "The membership", body = Answer<Membership>), SignedIn, Named, Loaded),
    security(("access_token" = []), ("secret_key" = [])))]
pub async fn explain_cohort_member(
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    caller: Caller,
    ApiPath((id, cohort, distinct_id)): ApiPath<(Uuid, Uuid, String)>,
) -> Answered<Json<Answer<Membership>>> {
    let asked = Asked::placed(&caller, &accounts, &questions, id).await?;
    let cohort = found(&accounts, id, cohort).await?;
    let store = &asked.store;
    let person = store.person_behind(asked.number, &distinct_id).await?;
    let person = person.ok_or_else(|| Problem::not_found("person"))?;
    let member = store.is_cohort_member(asked.number, cohort.id, person).await?;
    let spec = cohort
        .definition
        .map(|rules| CohortSpec::read(&rules, &asked.zone));
    let spec = spec.transpose().map_err(Problem::internal)?;
    let (now, rows_read) = match &spec {
        None => (None, 0),
        Some(spec) => {
            let at = (&asked.zone, asked.now_ms);
            let known = store.cohort_evidence(asked.number, person, spec, at).await?;
            let explained = |known: &[_]| spec.explain(known, &asked.zone, asked.now_ms);
            (known.rows.as_deref().map(explained), known.rows_read)
        }
    };
    let membership = Membership {
        distinct_id,
        member,
        computed_at: cohort.computed_at,
        now,
    };
    Ok(Json(asked.told(membership, rows_read)))
}
