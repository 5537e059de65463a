//! Conversion of a goal after an event, by day of entry: the two-step funnel of each day.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use uuid::Uuid;

use super::{Asked, Loaded, NotModified, Questions, Served, refused, refused_query};
use crate::api::error::{ApiPath, ApiQuery, Named, SignedIn, Validated};
use crate::api::{Accounts, Answered, Caller};
use crate::metrics::conversion::{ConversionQuery, ConversionReport, ConversionSpec, ConversionTally};
use crate::metrics::envelope::Answer;
use crate::metrics::identity::person_of;
use crate::metrics::time::TimeRange;
use crate::problem::Problem;

/// Conversion of a goal after an event, by local day of entry.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/conversion",
    operation_id = "conversion",
    tag = "questions",
    params(("id" = Uuid, Path, description = "The project"), ConversionQuery),
    responses((status = 200, description = "Conversion by day of entry", body = Answer<ConversionReport>), NotModified, SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_conversion(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    headers: HeaderMap,
    ApiQuery(query): ApiQuery<ConversionQuery>,
) -> Answered<Served> {
    let asked = Asked::by(&caller, &accounts, &questions, id).await?;
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused_query)?;
    Ok(serve(asked, spec).await?.to_get(&headers))
}

/// Validates and answers.
pub async fn answer(asked: Asked, query: &ConversionQuery) -> Result<Served, Problem> {
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused)?;
    Ok(serve(asked, spec).await?.tagged("conversion"))
}

async fn serve(asked: Asked, spec: ConversionSpec) -> Result<Served, Problem> {
    let compute = |asked: Arc<Asked>, spec| async move { report(&asked, &spec).await };
    asked.serve("conversion", spec, compute).await
}

async fn report(asked: &Asked, spec: &ConversionSpec) -> Result<Answer<ConversionReport>, Problem> {
    let funnel = spec.funnel(&asked.zone);
    let facts = funnel.facts_range();
    let names = funnel.event_names();
    let mut rows = asked
        .store
        .step_events(asked.number, &names, facts.from_ms, facts.to_ms)
        .await?;
    let mut tally = ConversionTally::new(spec, &asked.zone);
    while let Some((actor, event)) = rows.next().await? {
        tally.push(person_of(actor), &event);
    }
    let asked_for = TimeRange {
        from_ms: funnel.from_ms,
        to_ms: funnel.to_ms,
    };
    let report = tally.finish(asked.now_ms);
    asked.answer(report, asked_for, rows.rows_read(), None).await
}
