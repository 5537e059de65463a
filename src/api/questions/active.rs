//! Active users: from the sketches of the days, or exactly from raw events.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use uuid::Uuid;

use super::{Asked, Loaded, NotModified, Questions, Served, refused, refused_query};
use crate::api::error::{ApiPath, ApiQuery, Named, SignedIn, Validated};
use crate::api::{Accounts, Answered, Caller};
use crate::metrics::active::{ActiveSpec, ActiveUsersQuery, ActiveUsersReport, ExactActives, from_windows};
use crate::metrics::envelope::Answer;
use crate::metrics::sketch::STANDARD_ERROR;
use crate::problem::Problem;

/// Daily, weekly and monthly active users of a range of days.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/active-users",
    operation_id = "active_users",
    tag = "questions",
    params(("id" = Uuid, Path, description = "The project"), ActiveUsersQuery),
    responses((status = 200, description = "Active users", body = Answer<ActiveUsersReport>), NotModified, SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_active_users(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    headers: HeaderMap,
    ApiQuery(query): ApiQuery<ActiveUsersQuery>,
) -> Answered<Served> {
    let asked = Asked::by(&caller, &accounts, &questions, id).await?;
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused_query)?;
    Ok(serve(asked, spec).await?.to_get(&headers))
}

/// Validates and answers.
pub async fn answer(asked: Asked, query: &ActiveUsersQuery) -> Result<Served, Problem> {
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused)?;
    Ok(serve(asked, spec).await?.tagged("active_users"))
}

async fn serve(asked: Asked, spec: ActiveSpec) -> Result<Served, Problem> {
    let compute = |asked: Arc<Asked>, spec| async move { report(&asked, &spec).await };
    asked.serve("active_users", spec, compute).await
}

async fn report(asked: &Asked, spec: &ActiveSpec) -> Result<Answer<ActiveUsersReport>, Problem> {
    let facts = spec.facts_range(&asked.zone);
    let asked_for = spec.range.instants(&asked.zone);
    if spec.exact {
        let events = spec.selection();
        let mut rows = asked
            .store
            .actor_day_rows(asked.number, facts.from, facts.to, &events, &asked.zone)
            .await?;
        let mut counted = ExactActives::new(spec, &asked.zone);
        let mut person = None;
        let mut days = Vec::new();
        while let Some((actor, day)) = rows.next().await? {
            if person != Some(actor) {
                counted.add_person(&days);
                days.clear();
                person = Some(actor);
            }
            days.push(day);
        }
        counted.add_person(&days);
        let report = counted.finish(asked.now_ms);
        return asked.answer(report, asked_for, rows.rows_read(), None).await;
    }
    let (report, rows_read) = asked
        .days(spec.sketch_event(), facts, |days| {
            from_windows(spec, &asked.zone, asked.now_ms, |window| days.count(window))
        })
        .await?;
    asked
        .answer(report, asked_for, rows_read, Some(STANDARD_ERROR))
        .await
}
