//! Events over time: plain counts from the rollups, all else from raw events.

use std::collections::BTreeSet;

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{Asked, DatedQuery, Loaded, NotModified, PastParams, Questions, Served, refused, refused_query};
use crate::api::error::{ApiPath, Named, SignedIn, Validated};
use crate::api::{Accounts, Answered, Caller};
use crate::metrics::envelope::Answer;
use crate::metrics::time::{Interval, WeekStart};
use crate::metrics::trend::{TrendFacts, TrendReport, TrendSpec, TrendsQuery};
use crate::problem::Problem;
use crate::serving::countbook::Page;
use crate::store::Facts;
use crate::store::rollups::quarter_hours;

/// The query string of a trend.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TrendParams {
    /// An event; repeat it for up to 20 series.
    #[serde(default)]
    event: Vec<String>,
    /// Start of the range: a local date or an instant. Default: 30 days before `to`.
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
    params(("id" = Uuid, Path, description = "The project"), TrendParams, PastParams),
    responses((status = 200, description = "Counts over time", body = Answer<TrendReport>), NotModified, SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_trends(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    headers: HeaderMap,
    DatedQuery(params, past): DatedQuery<TrendParams>,
) -> Answered<Served> {
    let asked = Asked::by(&caller, &accounts, &questions, id).await?;
    let asked = asked.dated(&past)?;
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
        ..TrendsQuery::default()
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
    let found = match spec.is_plain() && asked.past.is_none() {
        true => of_counts(asked, spec).await?,
        false => asked.store.trend(asked.number, spec, &asked.zone).await?,
    };
    let facts = &found.rows;
    let report = TrendReport::from_facts(spec, &asked.zone, asked.now_ms, &facts.groups, &facts.series);
    asked.answer(report, spec.range, found.rows_read, None).await
}

/// Plain counts, from memory.
async fn of_counts(asked: &Asked, spec: &TrendSpec) -> Result<Facts<TrendFacts>, Problem> {
    let names: BTreeSet<&String> = spec.series.iter().flat_map(|series| &series.events).collect();
    let names: Vec<String> = names.into_iter().cloned().collect();
    let (from_s, to_s) = quarter_hours(spec.range.from_ms, spec.range.to_ms);
    let from_memory = |page: &Page| {
        let quarters = names.iter().flat_map(|name| {
            let of_name = page.of(name, from_s, to_s);
            of_name.map(move |(at, count)| (name.as_str(), at, count))
        });
        TrendFacts::of_counts(spec, &asked.zone, quarters)
    };
    let (rows, rows_read) = asked.counts(&names, spec.range, from_memory).await?;
    Ok(Facts { rows, rows_read })
}
