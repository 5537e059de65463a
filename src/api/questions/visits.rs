//! Sessions and the web overview: every number is read off the sessions of a range, which are in memory or made of events.

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
use crate::metrics::trend::CompareWith;
use crate::metrics::visit::{
    Dimension, ListedSession, SessionsQuery, SessionsReport, SessionsSpec, WebQuery, WebReport, WebSpec,
    WebTable,
};
use crate::problem::Problem;

/// The query string of a web overview.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WebParams {
    /// Start of the range in which visits begin: a local date or an instant. Default: 30 days before `to`.
    #[serde(default)]
    from: Option<String>,
    /// End of that range, not included. Default: tomorrow.
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
    /// `previous`: beside each number the one of the range before.
    #[serde(default)]
    #[param(inline)]
    compare: Option<CompareWith>,
    /// The most rows of a table, 1 to 500. Default: 10.
    #[serde(default)]
    #[param(minimum = 1, maximum = 500)]
    table_limit: Option<u32>,
}

/// The overview of a web site: visitors, visits, views, bounces, sources, campaigns, pages, countries, devices.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/web",
    operation_id = "web",
    tag = "questions",
    params(("id" = Uuid, Path, description = "The project"), WebParams, PastParams),
    responses((status = 200, description = "The overview", body = Answer<WebReport>), NotModified, SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_web(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    headers: HeaderMap,
    DatedQuery(params, past): DatedQuery<WebParams>,
) -> Answered<Served> {
    let asked = Asked::by(&caller, &accounts, &questions, id).await?;
    let asked = asked.dated(&past)?;
    let query = WebQuery {
        from: params.from,
        to: params.to,
        interval: params.interval,
        week_start: params.week_start,
        compare: params.compare,
        table_limit: params.table_limit,
        ..WebQuery::default()
    };
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused_query)?;
    Ok(serve_web(asked, spec).await?.to_get(&headers))
}

/// Validates and answers a web overview.
pub async fn web(asked: Asked, query: &WebQuery) -> Result<Served, Problem> {
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused)?;
    Ok(serve_web(asked, spec).await?.tagged("web"))
}

async fn serve_web(asked: Asked, spec: WebSpec) -> Result<Served, Problem> {
    let compute = |asked: Arc<Asked>, spec| async move { web_report(&asked, spec).await };
    asked.serve("web", spec, compute).await
}

async fn web_report(asked: &Asked, spec: WebSpec) -> Result<Answer<WebReport>, Problem> {
    let found = asked.sessions(&spec.visits, &spec.columns()).await?;
    let range = spec.visits.range;
    let (spec, sessions) = (Arc::new(spec), Arc::new((found.chunks, found.columns)));
    let tables = spec.tables.iter().map(|by| {
        let (spec, sessions, by) = (spec.clone(), sessions.clone(), *by);
        tokio::task::spawn_blocking(move || WebTable::of(&spec, by, &sessions.0, &sessions.1))
    });
    // All of them at once.
    let running: Vec<_> = tables.collect();
    let (zone, now_ms) = (asked.zone.clone(), asked.now_ms);
    let whole = {
        let (spec, sessions) = (spec.clone(), sessions.clone());
        tokio::task::spawn_blocking(move || WebReport::new(&spec, &zone, now_ms, &sessions.0, Vec::new()))
    };
    let mut report = whole.await.map_err(Problem::internal)?;
    for table in running {
        report.tables.push(table.await.map_err(Problem::internal)?);
    }
    asked.answer(report, range, found.rows_read, None).await
}

/// The query string of sessions over time.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SessionsParams {
    /// Start of the range in which sessions begin: a local date or an instant. Default: 30 days before `to`.
    #[serde(default)]
    from: Option<String>,
    /// End of that range, not included. Default: tomorrow.
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
    /// Only sessions with a page view.
    #[serde(default)]
    with_page_view: bool,
    /// Numbers for each of its values too; not `page`.
    #[serde(default)]
    #[param(inline)]
    breakdown: Option<Dimension>,
}

/// Sessions over time: how many, how long, how many bounced.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/sessions",
    operation_id = "sessions",
    tag = "questions",
    params(("id" = Uuid, Path, description = "The project"), SessionsParams, PastParams),
    responses((status = 200, description = "Sessions over time", body = Answer<SessionsReport>), NotModified, SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_sessions(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    headers: HeaderMap,
    DatedQuery(params, past): DatedQuery<SessionsParams>,
) -> Answered<Served> {
    let asked = Asked::by(&caller, &accounts, &questions, id).await?;
    let asked = asked.dated(&past)?;
    let query = SessionsQuery {
        from: params.from,
        to: params.to,
        interval: params.interval,
        week_start: params.week_start,
        with_page_view: params.with_page_view,
        breakdown: params.breakdown,
        ..SessionsQuery::default()
    };
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused_query)?;
    Ok(serve_sessions(asked, spec).await?.to_get(&headers))
}

/// Validates and answers a question about sessions.
pub async fn sessions(asked: Asked, query: &SessionsQuery) -> Result<Served, Problem> {
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused)?;
    Ok(serve_sessions(asked, spec).await?.tagged("sessions"))
}

async fn serve_sessions(asked: Asked, spec: SessionsSpec) -> Result<Served, Problem> {
    let compute = |asked: Arc<Asked>, spec| async move { sessions_report(&asked, spec).await };
    asked.serve("sessions", spec, compute).await
}

async fn sessions_report(asked: &Asked, spec: SessionsSpec) -> Result<Answer<SessionsReport>, Problem> {
    let found = asked.sessions(&spec.visits, &spec.columns()).await?;
    let (range, facts) = (spec.visits.range, spec.visits.facts_range());
    let (zone, now_ms) = (asked.zone.clone(), asked.now_ms);
    let report = tokio::task::spawn_blocking(move || {
        SessionsReport::new(&spec, &zone, now_ms, &found.chunks, &found.columns)
    });
    let mut report = report.await.map_err(Problem::internal)?;
    if let Some(page) = &mut report.list {
        let number = |session: &ListedSession| u64::from_str_radix(&session.actor, 16).ok();
        let mut persons: Vec<u64> = page.sessions.iter().filter_map(number).collect();
        persons.sort_unstable();
        persons.dedup();
        let names = asked.store.distinct_ids(asked.number, &persons, facts).await?;
        for session in &mut page.sessions {
            session.distinct_id = number(session).and_then(|person| names.get(&person).cloned());
        }
    }
    asked.answer(report, range, found.rows_read, None).await
}
