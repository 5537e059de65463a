//! Paths: the store gathers the events of those who may have one, the tally cuts and counts them.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{
    Asked, DatedQuery, Loaded, NotModified, PastParams, Questions, Served, folding, funnels, refused,
    refused_query,
};
use crate::api::error::{ApiPath, Named, SignedIn, Validated};
use crate::api::{Accounts, Answered, Caller};
use crate::metrics::envelope::Answer;
use crate::metrics::funnel::spec::Count;
use crate::metrics::path::linked::{MAX_CHAINS, Stretch};
use crate::metrics::path::query::MatcherQuery;
use crate::metrics::path::report::{PathList, PathRow};
use crate::metrics::path::spec::{Mode, NodeKind};
use crate::metrics::path::walk::Words;
use crate::metrics::path::{PathSpec, PathTally, PathsQuery, PathsReport};
use crate::metrics::time::TimeRange;
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::funnels::{MAX_NAMED, Whose};
use crate::store::paths::{PathPiece, PathTexts};

/// The query string of paths.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PathsParams {
    /// Which part of a session is a path. Default: `after`.
    #[serde(default)]
    #[param(inline)]
    mode: Option<Mode>,
    /// The event that is the anchor. Default: any node.
    #[serde(default)]
    anchor: Option<String>,
    /// The page that is the anchor, instead.
    #[serde(default)]
    anchor_page: Option<String>,
    /// The event at which paths end, for `between`.
    #[serde(default)]
    until: Option<String>,
    /// The page at which paths end, instead.
    #[serde(default)]
    until_page: Option<String>,
    /// What a node is. Default: `event`.
    #[serde(default)]
    #[param(inline)]
    nodes: Option<NodeKind>,
    /// Positions of the graph, the anchor's included. Default: 5.
    #[serde(default)]
    #[param(minimum = 2, maximum = 20)]
    steps: Option<usize>,
    /// Persons or sessions. Default: `unique`.
    #[serde(default)]
    #[param(inline)]
    count: Option<Count>,
    /// An event that is left out; repeat it for several.
    #[serde(default)]
    exclude: Vec<String>,
    /// A wildcard that groups pages, such as `/product/*`; repeat it for several.
    #[serde(default)]
    group: Vec<String>,
    /// Start of the range in which sessions begin: a local date or an instant. Default: 30 days before `to`.
    #[serde(default)]
    from: Option<String>,
    /// End of that range, not included. Default: tomorrow.
    #[serde(default)]
    to: Option<String>,
}

/// What people did after something, before it, or between two things, session by session.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/paths",
    operation_id = "paths",
    tag = "questions",
    params(("id" = Uuid, Path, description = "The project"), PathsParams, PastParams),
    responses((status = 200, description = "The graph", body = Answer<PathsReport>), NotModified, SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_paths(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    headers: HeaderMap,
    DatedQuery(params, past): DatedQuery<PathsParams>,
) -> Answered<Served> {
    let asked = Asked::by(&caller, &accounts, &questions, id).await?;
    let asked = asked.dated(&past)?;
    let matcher = |event: Option<String>, page: Option<String>| {
        (event.is_some() || page.is_some()).then_some(MatcherQuery { event, page })
    };
    let event = |name| MatcherQuery {
        event: Some(name),
        page: None,
    };
    let query = PathsQuery {
        mode: params.mode,
        anchor: matcher(params.anchor, params.anchor_page),
        until: matcher(params.until, params.until_page),
        nodes: params.nodes,
        steps: params.steps,
        count: params.count,
        exclude: params.exclude.into_iter().map(event).collect(),
        group: params.group,
        from: params.from,
        to: params.to,
        ..PathsQuery::default()
    };
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused_query)?;
    Ok(serve(asked, spec).await?.to_get(&headers))
}

/// Validates and answers.
pub async fn answer(asked: Asked, query: &PathsQuery) -> Result<Served, Problem> {
    let spec = query.validate(&asked.zone, asked.now_ms).map_err(refused)?;
    Ok(serve(asked, spec).await?.tagged("paths"))
}

async fn serve(asked: Asked, spec: PathSpec) -> Result<Served, Problem> {
    let compute = |asked: Arc<Asked>, spec| async move { report(&asked, &spec).await };
    asked.serve("paths", spec, compute).await
}

async fn report(asked: &Asked, spec: &PathSpec) -> Result<Answer<PathsReport>, Problem> {
    let (mut report, rows_read) = fold(asked, spec).await?;
    if let Some(list) = &mut report.list {
        name_rows(asked, spec, list).await?;
    }
    let range = TimeRange {
        from_ms: report.from.0,
        to_ms: report.to.0,
    };
    asked.answer(report, range, rows_read, None).await
}

/// The most persons whose sessions are told by all that they ever did.
const MAX_RESTLESS: usize = 4 * MAX_NAMED;

/// Gathers the events and folds them; those of a funnel's paths after the funnel itself.
async fn fold(asked: &Asked, spec: &PathSpec) -> Result<(PathsReport, u64), Problem> {
    let (store, project) = (&asked.store, asked.number);
    let mut rows_read = 0;
    let mut stretches: HashMap<u64, Vec<Stretch>> = HashMap::new();
    if let Some(link) = &spec.funnel {
        let folded = funnels::fold(asked, &link.listing()).await?;
        rows_read += folded.rows_read;
        if let Some(page) = folded.report.actors {
            if page.next.is_some() {
                let detail = format!("more than {MAX_CHAINS} came between the two steps");
                return Err(StoreError::TooManyRows(detail).into());
            }
            stretches = link.stretches(&page.actors);
        }
    }
    let mut texts = PathTexts::default();
    let words = |texts: &PathTexts| Words::new(spec, &texts.names, &texts.pages);
    let facts = store.path_events(project, spec, Whose::All, &stretches, &mut texts);
    let facts = facts.await?;
    rows_read += facts.rows_read;
    let empty = PathTally::new(spec, words(&texts), stretches);
    let mut tally = folded(facts.pieces, &empty).await?;
    // Who was never silent for long: their sessions are told by all that they ever did.
    let restless = tally.take_put_aside();
    if restless.len() > MAX_RESTLESS {
        let detail =
            format!("more than {MAX_RESTLESS} persons were never silent for so long that a session ended");
        return Err(StoreError::TooManyRows(detail).into());
    }
    let nobody = HashMap::new();
    for persons in restless.chunks(MAX_NAMED) {
        let whose = Whose::OfAllTime(persons);
        let facts = store.path_events(project, spec, whose, &nobody, &mut texts);
        let facts = facts.await?;
        rows_read += facts.rows_read;
        let empty = empty.clone().of_all_time(words(&texts));
        tally.absorb(folded(facts.pieces, &empty).await?);
    }
    let now_ms = asked.now_ms;
    let finished = tokio::task::spawn_blocking(move || tally.finish(now_ms)).await;
    Ok((finished.map_err(Problem::internal)?, rows_read))
}

/// Folds pieces on several threads.
async fn folded(pieces: Vec<PathPiece>, empty: &PathTally) -> Result<PathTally, Problem> {
    let mut whole = empty.clone();
    for tally in folding::folded(pieces, empty, PathPiece::fold).await? {
        whole.absorb(tally);
    }
    Ok(whole)
}

/// The ids under which the persons of a page sent their events.
async fn name_rows(asked: &Asked, spec: &PathSpec, list: &mut PathList) -> Result<(), Problem> {
    let number = |row: &PathRow| u64::from_str_radix(&row.actor, 16).ok();
    let persons: Vec<u64> = list.rows.iter().filter_map(number).collect();
    let names = asked
        .store
        .distinct_ids(asked.number, &persons, spec.facts_range())
        .await?;
    for row in &mut list.rows {
        row.distinct_id = number(row).and_then(|person| names.get(&person).cloned());
    }
    Ok(())
}
