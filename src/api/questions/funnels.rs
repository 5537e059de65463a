//! Funnels: the store gathers the events that matter person by person, the matcher folds them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{
    Asked, DatedQuery, Loaded, NotModified, PastParams, Questions, Served, folding, refused, refused_query,
};
use crate::api::error::{ApiPath, Named, SignedIn, Validated};
use crate::api::{Accounts, Answered, Caller};
use crate::metrics::envelope::{Answer, Warning};
use crate::metrics::funnel::report::{ActorPage, ActorRow};
use crate::metrics::funnel::{FunnelQuery, FunnelReport, FunnelSpec, FunnelTally, StepQuery, Values};
use crate::metrics::time::TimeRange;
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::funnels::{MAX_NAMED, Piece, Whose};

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
    params(("id" = Uuid, Path, description = "The project"), FunnelParams, PastParams),
    responses((status = 200, description = "The funnel", body = Answer<FunnelReport>), NotModified, SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_funnel(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    headers: HeaderMap,
    DatedQuery(params, past): DatedQuery<FunnelParams>,
) -> Answered<Served> {
    let asked = Asked::by(&caller, &accounts, &questions, id).await?;
    let asked = asked.dated(&past)?;
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

/// The most persons whose events are asked for again with their ids; beyond, everybody's are.
const MAX_UNORDERED: usize = 4 * MAX_NAMED;

/// The most persons whose sessions are told by all that they ever did.
const MAX_RESTLESS: usize = 4 * MAX_NAMED;

/// Gathers the events and folds them: first by whose, when and what; with ids where the question needs them, or for
/// those persons whose events only ids put into order.
pub(super) async fn fold(asked: &Asked, spec: &FunnelSpec) -> Result<Folded, Problem> {
    let (store, project) = (&asked.store, asked.number);
    let mut values = Values::default();
    let mut tally = FunnelTally::new(spec, &asked.zone);
    let (mut rows_read, mut all_with_ids) = (0, spec.needs_ids());
    if !all_with_ids {
        let facts = store.funnel_marks(project, spec, &mut values).await?;
        rows_read += facts.rows_read;
        tally = folded(facts.pieces, &tally).await?;
        let unordered = tally.take_put_aside();
        all_with_ids = unordered.len() > MAX_UNORDERED;
        if !all_with_ids {
            let none = FunnelTally::new(spec, &asked.zone);
            for persons in unordered.chunks(MAX_NAMED) {
                let whose = Whose::Of(persons);
                let facts = store.funnel_rows(project, spec, whose, &mut values).await?;
                rows_read += facts.rows_read;
                tally.absorb(folded(facts.pieces, &none).await?);
            }
        }
    }
    if all_with_ids {
        let none = FunnelTally::new(spec, &asked.zone);
        let facts = store.funnel_rows(project, spec, Whose::All, &mut values).await?;
        rows_read += facts.rows_read;
        tally = folded(facts.pieces, &none).await?;
        // Who was never silent for long: their sessions are told by all that they ever did.
        let restless = tally.take_put_aside();
        if restless.len() > MAX_RESTLESS {
            let detail = format!(
                "more than {MAX_RESTLESS} persons were never silent for so long that a session ended"
            );
            return Err(StoreError::TooManyRows(detail).into());
        }
        for persons in restless.chunks(MAX_NAMED) {
            let whose = Whose::OfAllTime(persons);
            let facts = store.funnel_rows(project, spec, whose, &mut values).await?;
            rows_read += facts.rows_read;
            tally.absorb(folded(facts.pieces, &none.clone().of_all_time()).await?);
        }
    }
    Ok(Folded {
        fell_back: tally.fell_back(),
        report: tally.finish(&values, asked.now_ms),
        rows_read,
    })
}

/// Folds pieces on several threads.
async fn folded<T: Piece>(pieces: Vec<T>, empty: &FunnelTally) -> Result<FunnelTally, Problem> {
    let mut whole = empty.clone();
    for tally in folding::folded(pieces, empty, T::fold).await? {
        whole.absorb(tally);
    }
    Ok(whole)
}

/// The ids under which the persons of a page sent their events, and the names of the events that stopped them.
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
    let told = page
        .actors
        .iter()
        .filter_map(|row| row.why_not.as_ref()?.event_id);
    let told: Vec<Uuid> = told.collect();
    // A group's row names nobody: its events are looked for among all of these names.
    let possible = match spec.needs_every_event() {
        true => Vec::new(),
        false => spec.event_names(),
    };
    let names = asked
        .store
        .event_names(asked.number, &actors, (&possible, &told), spec.facts_range())
        .await?;
    for why in page.actors.iter_mut().filter_map(|row| row.why_not.as_mut()) {
        why.event = why.event_id.and_then(|id| names.get(&id).cloned());
    }
    Ok(())
}
