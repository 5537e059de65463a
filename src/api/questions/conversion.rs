//! Conversion of a goal after an event, by day of entry: the two-step funnel of each day; or of a goal among the active.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::funnels::fold;
use super::{Asked, DatedQuery, Loaded, NotModified, PastParams, Questions, Served, refused, refused_query};
use crate::api::error::{ApiPath, Named, SignedIn, Validated};
use crate::api::{Accounts, Answered, Caller};
use crate::metrics::conversion::{ConversionQuery, ConversionReport, ConversionSpec, ConversionValues};
use crate::metrics::envelope::Answer;
use crate::metrics::filter::PropertyQuery;
use crate::problem::Problem;

/// The query string of a conversion.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConversionParams {
    /// The event that counts as conversion.
    #[serde(default)]
    #[param(required = true, example = "purchase")]
    goal: String,
    /// The event that enters. Without one the persons who did the goal are divided by those who were active.
    #[serde(default)]
    #[param(example = "view_item")]
    after: Option<String>,
    /// How long after entry the goal still counts. Default: 7 days. Only with `after`.
    #[serde(default)]
    #[param(example = "7d")]
    window: Option<String>,
    /// First local day of entry. Default: 30 days before `to`.
    #[serde(default)]
    #[param(example = "2026-11-01")]
    from: Option<String>,
    /// The local day after the last. Default: tomorrow.
    #[serde(default)]
    #[param(example = "2026-12-01")]
    to: Option<String>,
    /// A numeric property of the converting events: their sum and their mean.
    #[serde(default)]
    #[param(example = "$amount")]
    value: Option<String>,
}

/// Conversion of a goal after an event, by local day of entry.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/conversion",
    operation_id = "conversion",
    tag = "questions",
    params(("id" = Uuid, Path, description = "The project"), ConversionParams, PastParams),
    responses((status = 200, description = "Conversion by day of entry", body = Answer<ConversionReport>), NotModified, SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_conversion(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    headers: HeaderMap,
    DatedQuery(params, past): DatedQuery<ConversionParams>,
) -> Answered<Served> {
    let asked = Asked::by(&caller, &accounts, &questions, id).await?;
    let asked = asked.dated(&past)?;
    let query = ConversionQuery {
        goal: params.goal,
        after: params.after,
        window: params.window,
        from: params.from,
        to: params.to,
        value: params.value.map(|name| PropertyQuery {
            property: Some(name),
            ..PropertyQuery::default()
        }),
        ..ConversionQuery::default()
    };
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
    let (number, zone) = (asked.number, &asked.zone);
    let asked_for = spec.range.instants(zone);
    let Some(funnel) = spec.funnel(zone) else {
        let facts = asked.store.goal_facts(number, spec, zone).await?;
        let report = ConversionReport::of_goal(spec, zone, asked.now_ms, &facts.rows);
        return asked.answer(report, asked_for, facts.rows_read, None).await;
    };
    let folded = fold(asked, &funnel).await?;
    let mut report = ConversionReport::of(folded.report);
    let mut rows_read = folded.rows_read;
    if spec.value.is_some() {
        let mut events = asked.store.converting_events(number, spec, zone).await?;
        let mut values = ConversionValues::new(spec, zone);
        while let Some((person, event)) = events.next().await? {
            values.push(person, event);
        }
        report = report.worth(values);
        rows_read += events.rows_read();
    }
    asked.answer(report, asked_for, rows_read, None).await
}
