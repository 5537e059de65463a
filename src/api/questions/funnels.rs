//! Ordered funnels: the store streams the step events of one person after the other, the matcher folds them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{Asked, Loaded, NotModified, Questions, Served, refused, refused_query};
use crate::api::error::{ApiPath, ApiQuery, Named, SignedIn, Validated};
use crate::api::{Accounts, Answered, Caller};
use crate::metrics::envelope::Answer;
use crate::metrics::funnel::{FunnelQuery, FunnelReport, FunnelSpec, FunnelTally, StepQuery};
use crate::metrics::identity::person_of;
use crate::metrics::time::TimeRange;
use crate::problem::Problem;

/// The query string of a funnel.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FunnelParams {
    /// The event of a step; repeat it for 2 to 20 steps, in order.
    #[serde(default)]
    step: Vec<String>,
    /// Conversion window: `30m`, `12h`, `7d`, at most 366 d. Default: 7 days.
    #[serde(default)]
    window: Option<String>,
    /// Start of the range of the first step: a local date or an instant. Default: 30 days before `to`.
    #[serde(default)]
    from: Option<String>,
    /// End of that range, not included. Default: tomorrow.
    #[serde(default)]
    to: Option<String>,
}

/// How far people get through a sequence of events, and how long they take.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/funnels",
    operation_id = "funnel",
    tag = "questions",
    params(("id" = Uuid, Path, description = "The project"), FunnelParams),
    responses((status = 200, description = "The funnel", body = Answer<FunnelReport>), NotModified, SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_funnel(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    headers: HeaderMap,
    ApiQuery(params): ApiQuery<FunnelParams>,
) -> Answered<Served> {
    let asked = Asked::by(&caller, &accounts, &questions, id).await?;
    let FunnelParams {
        step,
        window,
        from,
        to,
    } = params;
    let query = FunnelQuery {
        steps: step.into_iter().map(StepQuery::event).collect(),
        window,
        from,
        to,
    };
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused_query)?;
    Ok(serve(asked, spec).await?.to_get(&headers))
}

/// Validates and answers.
pub async fn answer(asked: Asked, query: &FunnelQuery) -> Result<Served, Problem> {
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused)?;
    Ok(serve(asked, spec).await?.tagged("funnel"))
}

async fn serve(asked: Asked, spec: FunnelSpec) -> Result<Served, Problem> {
    let compute = |asked: Arc<Asked>, spec| async move { report(&asked, &spec).await };
    asked.serve("funnel", spec, compute).await
}

async fn report(asked: &Asked, spec: &FunnelSpec) -> Result<Answer<FunnelReport>, Problem> {
    let facts = spec.facts_range();
    let names = spec.event_names();
    let mut rows = asked
        .store
        .step_events(asked.number, &names, facts.from_ms, facts.to_ms)
        .await?;
    let mut tally = FunnelTally::new(spec);
    while let Some((actor, event)) = rows.next().await? {
        tally.push(person_of(actor), &event);
    }
    let asked_for = TimeRange {
        from_ms: spec.from_ms,
        to_ms: facts.to_ms.min(spec.to_ms),
    };
    let report = tally.finish(asked.now_ms);
    asked.answer(report, asked_for, rows.rows_read(), None).await
}
