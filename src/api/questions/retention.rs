//! Retention: from the days of activity where those say all, else from raw events folded person by person.

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
use crate::metrics::retention::calendar::Calendar;
use crate::metrics::retention::{
    RetentionClock, RetentionEntry, RetentionQuery, RetentionReport, RetentionRule, RetentionSpec,
    RetentionTally, RetentionUnit,
};
use crate::metrics::selection::SelectionQuery;
use crate::metrics::time::WeekStart;
use crate::problem::Problem;
use crate::store::buckets::Activity;

/// The query string of a retention table.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RetentionParams {
    /// The event that starts; repeat it for up to 10 alternatives. Default: any activity.
    #[serde(default)]
    start: Vec<String>,
    /// The event that returns; repeat it for up to 10 alternatives. Default: any activity.
    #[serde(default, rename = "return")]
    returns: Vec<String>,
    /// Start of the range in which people start: a local date or an instant. Default: 30 days before `to`.
    #[serde(default)]
    from: Option<String>,
    /// End of that range, not included. Default: tomorrow.
    #[serde(default)]
    to: Option<String>,
    /// Length of a period, and of a cohort.
    #[serde(default)]
    #[param(inline)]
    unit: RetentionUnit,
    /// The last period. Default: 24 hours, 14 days, 8 weeks or 6 months.
    #[serde(default)]
    #[param(minimum = 1, maximum = 168)]
    periods: Option<u32>,
    /// Which start of a person counts.
    #[serde(default)]
    #[param(inline)]
    entry: RetentionEntry,
    /// When a person is retained.
    #[serde(default)]
    #[param(inline)]
    rule: RetentionRule,
    /// How periods are measured.
    #[serde(default)]
    #[param(inline)]
    clock: RetentionClock,
    /// How many returns a period needs. Default: 1.
    #[serde(default)]
    #[param(minimum = 1, maximum = 1000)]
    minimum: Option<u32>,
    /// First day of a week, for the unit `week`.
    #[serde(default)]
    #[param(inline)]
    week_start: WeekStart,
}

/// Who came back: a row for each cohort, a cell for each period.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/retention",
    operation_id = "retention",
    tag = "questions",
    params(("id" = Uuid, Path, description = "The project"), RetentionParams, PastParams),
    responses((status = 200, description = "The retention table", body = Answer<RetentionReport>), NotModified, SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_retention(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    headers: HeaderMap,
    DatedQuery(params, past): DatedQuery<RetentionParams>,
) -> Answered<Served> {
    let asked = Asked::by(&caller, &accounts, &questions, id).await?;
    let asked = asked.dated(&past)?;
    let events = |events: Vec<String>| SelectionQuery {
        events,
        ..SelectionQuery::default()
    };
    let query = RetentionQuery {
        start: events(params.start),
        returns: events(params.returns),
        from: params.from,
        to: params.to,
        unit: params.unit,
        periods: params.periods,
        brackets: None,
        entry: params.entry,
        rule: params.rule,
        clock: params.clock,
        minimum: params.minimum,
        week_start: params.week_start,
        filter: None,
        group: None,
        breakdown: Vec::new(),
        breakdown_limit: None,
    };
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused_query)?;
    Ok(serve(asked, spec).await?.to_get(&headers))
}

/// Validates and answers.
pub async fn answer(asked: Asked, query: &RetentionQuery) -> Result<Served, Problem> {
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused)?;
    Ok(serve(asked, spec).await?.tagged("retention"))
}

async fn serve(asked: Asked, spec: RetentionSpec) -> Result<Served, Problem> {
    let compute = |asked: Arc<Asked>, spec| async move { report(&asked, &spec).await };
    asked.serve("retention", spec, compute).await
}

async fn report(asked: &Asked, spec: &RetentionSpec) -> Result<Answer<RetentionReport>, Problem> {
    let (tally, rows_read) = match (spec.by_buckets(), spec.by_times()) {
        (true, _) => from_buckets(asked, spec).await?,
        (false, true) => from_times(asked, spec).await?,
        (false, false) => from_events(asked, spec).await?,
    };
    // What was received by then is counted; later periods may still get more.
    let report = tally.finish(asked.as_of().0);
    let mut answer = asked.answer(report, spec.range, rows_read, None).await?;
    if spec.entry == RetentionEntry::FirstEver {
        answer.meta.warnings.extend(asked.history_removed());
    }
    Ok(answer)
}

async fn from_events(asked: &Asked, spec: &RetentionSpec) -> Result<(RetentionTally, u64), Problem> {
    let mut rows = asked.store.return_events(asked.number, spec, &asked.zone).await?;
    let mut tally = RetentionTally::new(spec, &asked.zone);
    while let Some((person, event)) = rows.next().await? {
        tally.push(person, event);
    }
    Ok((tally, rows.rows_read()))
}

async fn from_times(asked: &Asked, spec: &RetentionSpec) -> Result<(RetentionTally, u64), Problem> {
    let mut people = asked
        .store
        .activity_times(asked.number, spec, &asked.zone)
        .await?;
    let mut tally = RetentionTally::new(spec, &asked.zone);
    while let Some(times) = people.next().await? {
        tally.add_times(&times);
    }
    Ok((tally, people.rows_read()))
}

async fn from_buckets(asked: &Asked, spec: &RetentionSpec) -> Result<(RetentionTally, u64), Problem> {
    let calendar = Calendar::new(spec, &asked.zone);
    let wanted = Activity {
        events: &spec.start,
        group: spec.group.as_ref(),
        buckets: calendar.buckets(),
        range: spec.range,
        history: spec.entry == RetentionEntry::FirstEver,
        by_days: asked.past.is_none() && asked.project.zone_kept && spec.by_active_days(&asked.zone),
    };
    let people = asked
        .store
        .active_buckets(asked.number, &asked.zone, wanted)
        .await?;
    let mut tally = RetentionTally::new(spec, &asked.zone);
    for (people, persons) in &people.rows {
        tally.add_active(people, *persons);
    }
    Ok((tally, people.rows_read))
}
