//! Lifecycle and stickiness: what people's active days say about them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use uuid::Uuid;

use super::{Asked, DatedQuery, Loaded, NotModified, PastParams, Questions, Served, refused, refused_query};
use crate::api::error::{ApiPath, Named, SignedIn, Validated};
use crate::api::{Accounts, Answered, Caller};
use crate::metrics::envelope::Answer;
use crate::metrics::lifecycle::{LifecycleQuery, LifecycleReport, LifecycleSpec, LifecycleTally};
use crate::metrics::stickiness::{StickinessQuery, StickinessReport, StickinessSpec};
use crate::metrics::time::TimeRange;
use crate::problem::Problem;
use crate::store::buckets::Activity;

/// New, returning, resurrecting and dormant people of each day, week or month.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/lifecycle",
    operation_id = "lifecycle",
    tag = "questions",
    params(("id" = Uuid, Path, description = "The project"), LifecycleQuery, PastParams),
    responses((status = 200, description = "The lifecycle", body = Answer<LifecycleReport>), NotModified, SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_lifecycle(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    headers: HeaderMap,
    DatedQuery(query, past): DatedQuery<LifecycleQuery>,
) -> Answered<Served> {
    let asked = Asked::by(&caller, &accounts, &questions, id).await?;
    let asked = asked.dated(&past)?;
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused_query)?;
    Ok(serve(asked, spec).await?.to_get(&headers))
}

/// Validates and answers.
pub async fn answer(asked: Asked, query: &LifecycleQuery) -> Result<Served, Problem> {
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused)?;
    Ok(serve(asked, spec).await?.tagged("lifecycle"))
}

async fn serve(asked: Asked, spec: LifecycleSpec) -> Result<Served, Problem> {
    let compute = |asked: Arc<Asked>, spec| async move { report(&asked, &spec).await };
    asked.serve("lifecycle", spec, compute).await
}

async fn report(asked: &Asked, spec: &LifecycleSpec) -> Result<Answer<LifecycleReport>, Problem> {
    let buckets = spec.buckets(&asked.zone);
    let instants = spec.range.instants(&asked.zone);
    let whole = TimeRange {
        from_ms: buckets.first().map_or(instants.from_ms, |bucket| bucket.start),
        to_ms: buckets.last().map_or(instants.to_ms, |bucket| bucket.end),
    };
    let wanted = Activity {
        events: &spec.events,
        group: spec.group.as_ref(),
        buckets: &buckets,
        range: whole,
        history: true,
        by_days: asked.past.is_none() && asked.project.zone_kept && spec.events.is_any_activity(),
    };
    let people = asked
        .store
        .active_buckets(asked.number, &asked.zone, wanted)
        .await?;
    let mut tally = LifecycleTally::new(spec, &asked.zone);
    for (people, persons) in &people.rows {
        tally.add(people, *persons);
    }
    let report = tally.finish(&asked.zone, asked.now_ms);
    let mut answer = asked.answer(report, instants, people.rows_read, None).await?;
    answer.meta.warnings.extend(asked.history_removed());
    Ok(answer)
}

/// On how many days of a range people were active.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/stickiness",
    operation_id = "stickiness",
    tag = "questions",
    params(("id" = Uuid, Path, description = "The project"), StickinessQuery, PastParams),
    responses((status = 200, description = "Days of activity", body = Answer<StickinessReport>), NotModified, SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_stickiness(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    headers: HeaderMap,
    DatedQuery(query, past): DatedQuery<StickinessQuery>,
) -> Answered<Served> {
    let asked = Asked::by(&caller, &accounts, &questions, id).await?;
    let asked = asked.dated(&past)?;
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused_query)?;
    Ok(serve_days(asked, spec).await?.to_get(&headers))
}

/// Validates and answers.
pub async fn stickiness(asked: Asked, query: &StickinessQuery) -> Result<Served, Problem> {
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused)?;
    Ok(serve_days(asked, spec).await?.tagged("stickiness"))
}

async fn serve_days(asked: Asked, spec: StickinessSpec) -> Result<Served, Problem> {
    let compute = |asked: Arc<Asked>, spec| async move { days(&asked, &spec).await };
    asked.serve("stickiness", spec, compute).await
}

async fn days(asked: &Asked, spec: &StickinessSpec) -> Result<Answer<StickinessReport>, Problem> {
    let instants = spec.range.instants(&asked.zone);
    let buckets = spec.buckets(&asked.zone);
    let wanted = Activity {
        events: &spec.events,
        group: spec.group.as_ref(),
        buckets: &buckets,
        range: instants,
        history: false,
        by_days: asked.past.is_none() && asked.project.zone_kept && spec.events.is_any_activity(),
    };
    let counts = asked
        .store
        .active_counts(asked.number, &asked.zone, wanted)
        .await?;
    let report = StickinessReport::from_counts(spec, &asked.zone, asked.now_ms, counts.rows);
    asked.answer(report, instants, counts.rows_read, None).await
}
