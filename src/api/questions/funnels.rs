//! Ordered funnels: the store streams the step events of one person after the other, the matcher folds them.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{Asked, Loaded, NotModified, Questions, Served, refused, refused_query};
use crate::api::error::{ApiPath, ApiQuery, Named, SignedIn, Validated};
use crate::api::{Accounts, Answered, Caller};
use crate::metrics::envelope::{Answer, Warning};
use crate::metrics::funnel::report::{ActorPage, ActorRow};
use crate::metrics::funnel::{FunnelQuery, FunnelReport, FunnelSpec, FunnelTally, StepQuery};
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
        ..FunnelQuery::default()
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
    let mut folded = fold(asked, spec).await?;
    if let Some(page) = &mut folded.report.actors {
        name_actors(asked, spec, page).await?;
    }
    let asked_for = TimeRange {
        from_ms: spec.from_ms,
        to_ms: spec.to_ms,
    };
    let mut answer = asked
        .answer(folded.report, asked_for, folded.rows_read, None)
        .await?;
    if folded.fell_back {
        answer.meta.warnings.push(Warning::new(
            "ties_in_total_order",
            "somebody did more than 8 ambiguous events at the same time: among those the total order decided",
        ));
    }
    Ok(answer)
}

/// A report, and what it took.
pub(super) struct Folded {
    pub report: FunnelReport,
    pub rows_read: u64,
    fell_back: bool,
}

/// Threads that fold the events of one funnel.
const THREADS: usize = 4;

/// Gathers the events and folds them, each partition of persons on its own.
pub(super) async fn fold(asked: &Asked, spec: &FunnelSpec) -> Result<Folded, Problem> {
    let mut events = asked.store.funnel_events(asked.number, spec).await?;
    let partitions = Arc::new(Mutex::new(events.partitions()));
    let mut threads = Vec::new();
    for _ in 0..THREADS {
        let (partitions, spec, zone) = (partitions.clone(), spec.clone(), asked.zone.clone());
        threads.push(tokio::task::spawn_blocking(move || {
            let mut tally = FunnelTally::new(&spec, &zone);
            let next = || partitions.lock().unwrap_or_else(PoisonError::into_inner).pop();
            while let Some(partition) = next() {
                partition.persons(|person, events| tally.add(person, events));
            }
            tally
        }));
    }
    let mut whole = FunnelTally::new(spec, &asked.zone);
    for thread in threads {
        whole.absorb(thread.await.map_err(Problem::internal)?);
    }
    Ok(Folded {
        fell_back: whole.fell_back(),
        report: whole.finish(&events.values, asked.now_ms),
        rows_read: events.rows_read,
    })
}

/// The ids under which the persons of a page sent their events.
async fn name_actors(asked: &Asked, spec: &FunnelSpec, page: &mut ActorPage) -> Result<(), Problem> {
    let number = |row: &ActorRow| u64::from_str_radix(&row.actor, 16).ok();
    let actors: Vec<u64> = page.actors.iter().filter_map(number).collect();
    let names = asked
        .store
        .distinct_ids(asked.number, &actors, spec.facts_range())
        .await?;
    for row in &mut page.actors {
        row.distinct_id = number(row).and_then(|actor| names.get(&actor).cloned());
    }
    Ok(())
}
