//! Active users: from the sketches of the days, or exactly from raw events.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use uuid::Uuid;

use super::{Asked, DatedQuery, Loaded, NotModified, PastParams, Questions, Served, refused, refused_query};
use crate::api::error::{ApiPath, Named, SignedIn, Validated};
use crate::api::{Accounts, Answered, Caller};
use crate::metrics::active::{
    ActiveSpec, ActiveUsersQuery, ActiveUsersReport, ExactActives, SplitActives, from_windows,
};
use crate::metrics::envelope::Answer;
use crate::metrics::sketch::STANDARD_ERROR;
use crate::metrics::time::DayRange;
use crate::problem::Problem;

/// Daily, weekly and monthly active users of a range of days.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/active-users",
    operation_id = "active_users",
    tag = "questions",
    params(("id" = Uuid, Path, description = "The project"), ActiveUsersQuery, PastParams),
    responses((status = 200, description = "Active users", body = Answer<ActiveUsersReport>), NotModified, SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_active_users(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    headers: HeaderMap,
    DatedQuery(query, past): DatedQuery<ActiveUsersQuery>,
) -> Answered<Served> {
    let asked = Asked::by(&caller, &accounts, &questions, id).await?;
    let asked = asked.dated(&past)?;
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
    // Sketches say how things stand now.
    if spec.exact || asked.past.is_some() {
        let (report, rows_read) = one_by_one(asked, spec, facts).await?;
        return asked.answer(report, asked_for, rows_read, None).await;
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

/// From raw events: everybody, and by the values of the breakdown.
async fn one_by_one(
    asked: &Asked,
    spec: &ActiveSpec,
    facts: DayRange,
) -> Result<(ActiveUsersReport, u64), Problem> {
    let (store, zone) = (&asked.store, &asked.zone);
    let days = (facts.from, facts.to);
    let mut people = store.actor_day_rows(asked.number, days, spec, zone).await?;
    let mut counted = ExactActives::new(spec, zone);
    let mut active = Vec::new();
    while people.next_person(&mut active).await?.is_some() {
        counted.add_person(&active);
    }
    let mut report = counted.finish(asked.now_ms);
    let mut rows_read = people.rows_read();
    if !spec.breakdown.is_empty() {
        let groups = store.active_groups(asked.number, days, spec, zone).await?;
        let mut people = store
            .split_actor_days(asked.number, days, spec, &groups.rows, zone)
            .await?;
        let mut counted = SplitActives::new(spec, zone, &groups.rows);
        while let Some((group, _)) = people.next_person(&mut active).await? {
            counted.add_person(group, &active);
        }
        report.breakdown = Some(counted.finish(asked.now_ms));
        rows_read += groups.rows_read + people.rows_read();
    }
    Ok((report, rows_read))
}
