//! Events over time, from the count rollups.

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
use crate::metrics::time::{Interval, WeekStart};
use crate::metrics::trend::{TrendReport, TrendSpec, TrendsQuery};
use crate::problem::Problem;
use crate::store::rollups::quarter_hours;

/// The query string of a trend.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TrendParams {
    /// An event; repeat it for up to 20 series.
    #[serde(default)]
    event: Vec<String>,
    /// Start of the range: a local date, or an instant on a UTC quarter hour. Default: 30 days before `to`.
    #[serde(default)]
    from: Option<String>,
    /// End of the range, not included. Default: tomorrow.
    #[serde(default)]
    to: Option<String>,
    /// Width of a point.
    #[serde(default)]
    #[param(inline)]
    interval: Interval,
    /// First day of a week, for the interval `week`.
    #[serde(default)]
    #[param(inline)]
    week_start: WeekStart,
}

/// Counts of events over time.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/trends",
    operation_id = "trends",
    tag = "questions",
    params(("id" = Uuid, Path, description = "The project"), TrendParams),
    responses((status = 200, description = "Counts over time", body = Answer<TrendReport>), NotModified, SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_trends(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    headers: HeaderMap,
    ApiQuery(params): ApiQuery<TrendParams>,
) -> Answered<Served> {
    let asked = Asked::by(&caller, &accounts, &questions, id).await?;
    let TrendParams {
        event: events,
        from,
        to,
        interval,
        week_start,
    } = params;
    let query = TrendsQuery {
        events,
        from,
        to,
        interval,
        week_start,
    };
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused_query)?;
    Ok(serve(asked, spec).await?.to_get(&headers))
}

/// Validates and answers.
pub async fn answer(asked: Asked, query: &TrendsQuery) -> Result<Served, Problem> {
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused)?;
    Ok(serve(asked, spec).await?.tagged("trends"))
}

async fn serve(asked: Asked, spec: TrendSpec) -> Result<Served, Problem> {
    let compute = |asked: Arc<Asked>, spec| async move { report(&asked, &spec).await };
    asked.serve("trends", spec, compute).await
}

async fn report(asked: &Asked, spec: &TrendSpec) -> Result<Answer<TrendReport>, Problem> {
    let (from_s, to_s) = quarter_hours(spec.range.from_ms, spec.range.to_ms);
    let facts = asked
        .store
        .counts(asked.number, Some(&spec.events), from_s, to_s)
        .await?;
    let counts = facts
        .rows
        .iter()
        .map(|row| (row.event.as_str(), row.bucket, row.count));
    let report = TrendReport::from_counts(spec, &asked.zone, asked.now_ms, counts);
    asked.answer(report, spec.range, facts.rows_read, None).await
}
