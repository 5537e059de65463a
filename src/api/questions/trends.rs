//! Events over time: plain counts from the rollups, all else from raw events.

use std::collections::BTreeSet;

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
use crate::metrics::trend::{SeriesFacts, TrendReport, TrendSpec, TrendsQuery};
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
    let (mut rows_read, mut groups) = (0, Vec::new());
    let facts = if spec.is_plain() {
        let (from_s, to_s) = quarter_hours(spec.range.from_ms, spec.range.to_ms);
        let names: BTreeSet<&String> = spec.series.iter().flat_map(|series| &series.events).collect();
        let names: Vec<String> = names.into_iter().cloned().collect();
        let counts = asked
            .store
            .counts(asked.number, Some(&names), from_s, to_s)
            .await?;
        rows_read += counts.rows_read;
        let rows = counts.rows.iter();
        spec.facts_of_counts(
            &asked.zone,
            rows.map(|row| (row.event.as_str(), row.bucket, row.count)),
        )
    } else {
        let ranked = asked.store.trend_groups(asked.number, spec).await?;
        rows_read += ranked.rows_read;
        groups = ranked.rows;
        let mut facts = Vec::new();
        for series in &spec.series {
            let mut of_series = SeriesFacts::default();
            let now = (spec.range, spec.range.to_ms);
            let before = spec.compare.map(|compare| (compare.previous, compare.until_ms));
            for (within, into) in [
                (Some(now), &mut of_series.current),
                (before, &mut of_series.previous),
            ] {
                let Some(within) = within else { continue };
                let found = asked
                    .store
                    .trend_facts(asked.number, spec, series, within, &groups, &asked.zone)
                    .await?;
                rows_read += found.rows_read;
                *into = found.rows;
            }
            facts.push(of_series);
        }
        facts
    };
    let report = TrendReport::from_facts(spec, &asked.zone, asked.now_ms, &groups, &facts);
    asked.answer(report, spec.range, rows_read, None).await
}
