//! Why an answer is another one now: the same question asked of both states of the tables and of the one between them,
//! in which only events have moved on. So the parts add up to the difference, whatever is asked.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::headline::headline;
use super::past::past_of;
use super::{Asked, Loaded, Question, Questions, Served, answer, refused};
use crate::api::error::{ApiJson, ApiPath, Named, SignedIn, WithBody};
use crate::api::{Accounts, Answered, Caller};
use crate::event::Day;
use crate::meta::Page;
use crate::metrics::SpecError;
use crate::metrics::time::Moment;
use crate::problem::{FieldError, Problem};
use crate::store::past::Past;

/// Erasures that are looked through.
const MOST_ERASURES: u32 = 1_000;

/// A question, and the two states in which it is compared.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"question": {"kind": "funnel", "steps": [{"event": "view_item"}, {"event": "purchase"}],
    "from": "2026-11-01", "to": "2026-11-08"}, "from": {"as_of": "2026-11-10T08:00:00Z"}}))]
pub struct DiffQuery {
    /// The question, as `POST …/query` takes it. Dates that move along with today are those of the later state.
    #[schema(value_type = Question)]
    question: Map<String, Value>,
    /// The earlier state.
    from: DiffPoint,
    /// The later one. Default: now.
    #[serde(default)]
    to: Option<DiffPoint>,
}

/// A state of the tables.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiffPoint {
    /// Only what had been received by then: an instant, or a local date.
    #[schema(format = DateTime)]
    as_of: String,
    /// Whose ids are whose, by this version; by default what was known then.
    #[serde(default)]
    identity_version: Option<u64>,
    /// Numbers of the answer that was given then, by their names here. What they lack now was erased since.
    #[serde(default)]
    numbers: BTreeMap<String, f64>,
}

/// What has become of an answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DiffReport {
    /// The earlier state.
    pub from: DiffState,
    /// The later one.
    pub to: DiffState,
    /// The question's headline numbers, by their places in its report.
    pub numbers: Vec<NumberChange>,
    /// What happened in between.
    pub between: Between,
}

/// A state that was asked.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DiffState {
    /// Only what had been received by then.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Moment,
    /// Whose ids were whose.
    pub identity_version: u64,
}

/// A number, then and later, and what made the difference.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(example = json!({"name": "/overall/converted", "from": 120.0, "to": 131.0, "removed": null, "events": 14.0,
    "identity": -3.0}))]
pub struct NumberChange {
    /// Its place in the report, a JSON pointer.
    pub name: String,
    /// As it was; null where there was none.
    pub from: Option<f64>,
    /// As it is later.
    pub to: Option<f64>,
    /// What erasures and retention took from it since it was given; null where no earlier number was named.
    pub removed: Option<f64>,
    /// What events that were received in between (and the time that passed) did to it.
    pub events: Option<f64>,
    /// What then became of it because ids were joined or parted.
    pub identity: Option<f64>,
}

/// What happened between two states.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Between {
    /// Events of the question's dates that were received in between, of all names.
    pub events: u64,
    /// The same by local day.
    pub days: Vec<ReceivedDay>,
    /// Ids that changed hands.
    pub ids: u64,
    /// Erasures (and retention's removals) that ended since the earlier state.
    pub removals: u64,
    /// Events of all dates that they took.
    pub removed_events: u64,
}

/// Events of a day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReceivedDay {
    /// The day on which they happened, in the project's zone at capture.
    #[schema(value_type = String, format = Date)]
    pub date: Day,
    /// How many.
    pub events: u64,
}

/// Says what has become of an answer: the numbers of an earlier state of the tables beside those of a later one, and how
/// much of each difference is due to events that came in between, to ids that were joined or parted, and (where the
/// numbers of then are named) to erasures. The parts add up to the difference.
#[utoipa::path(
    post,
    path = "/v1/projects/{id}/query/diff",
    operation_id = "diff",
    tag = "questions",
    params(("id" = Uuid, Path, description = "The project")),
    request_body = DiffQuery,
    responses((status = 200, description = "What has changed, and why", body = DiffReport), SignedIn, Named, WithBody, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn diff(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(query): ApiJson<DiffQuery>,
) -> Answered<Json<DiffReport>> {
    let asked = Asked::by(&caller, &accounts, &questions, id).await?;
    let (from, to) = states(&asked, &query).await?;
    let question = Question::of(query.question).map_err(below_question)?;
    let between = Past {
        identity_version: from.identity_version,
        ..to
    };
    let mut reports = Vec::new();
    for past in [from, between, to] {
        let mut asked = Asked::by(&caller, &accounts, &questions, id).await?.about(past);
        // One clock for all: the dates are those of the later state.
        asked.now_ms = to.received_ms;
        let served = answer(asked, question.clone()).await.map_err(below_question)?;
        reports.push(served);
    }
    let numbers = reports.iter().map(numbers).collect::<Result<Vec<_>, _>>()?;
    let [earlier, moved, later] = numbers.as_slice() else {
        return Err(Problem::internal("three states have three answers"));
    };
    let changes = changes(&query.from.numbers, earlier, moved, later);
    let received = match reports.iter().find_map(Served::range) {
        Some(range) => {
            let span = (from.received_ms, to.received_ms);
            asked
                .store
                .received_between(asked.number, span, range)
                .await?
                .rows
        }
        None => Vec::new(),
    };
    let versions = (from.identity_version, to.identity_version);
    let ids = asked.store.changed_hands(asked.number, versions).await?;
    let erased = accounts.meta.erasures(id, Page::first(MOST_ERASURES)).await?;
    let since = |ended: Option<crate::meta::Moment>| ended.is_some_and(|ended| ended.0 > from.received_ms);
    let removals = erased.rows.iter().filter(|erasure| since(erasure.finished_at));
    let certificates = removals
        .clone()
        .filter_map(|erasure| erasure.certificate.as_ref());
    let state = |past: Past| DiffState {
        as_of: Moment(past.received_ms),
        identity_version: past.identity_version,
    };
    Ok(Json(DiffReport {
        from: state(from),
        to: state(to),
        numbers: changes,
        between: Between {
            events: received.iter().map(|(_, events)| events).sum(),
            days: received
                .into_iter()
                .map(|(date, events)| ReceivedDay { date, events })
                .collect(),
            ids,
            removals: removals.count() as u64,
            removed_events: certificates.map(|found| found.counts_before.events).sum(),
        },
    }))
}

/// The two states that are compared.
async fn states(asked: &Asked, query: &DiffQuery) -> Result<(Past, Past), Problem> {
    let named = |side: &'static str, point: &DiffPoint| {
        let past = past_of(asked, Some(&point.as_of), point.identity_version);
        let below =
            |error: SpecError| SpecError::new(format!("/{side}{}", error.pointer), error.code, error.detail);
        past.map_err(|errors| refused(errors.into_iter().map(below).collect()))
    };
    let from = named("from", &query.from)?;
    let to = match &query.to {
        Some(point) => named("to", point)?,
        None => None,
    };
    let to = match to {
        Some(to) => to,
        None => Past {
            received_ms: asked.now_ms,
            identity_version: asked.store.latest_identity(asked.number).await?,
        },
    };
    let Some(from) = from.filter(|from| from.received_ms <= to.received_ms) else {
        let why = "the later state comes before the earlier one";
        return Err(Problem::invalid_field("/to/as_of", "empty_range", why));
    };
    Ok((from, to))
}

fn numbers(served: &Served) -> Result<BTreeMap<String, f64>, Problem> {
    let data: Value = serde_json::from_slice(served.data()).map_err(Problem::internal)?;
    Ok(headline(&data))
}

/// Each number, and what each part did to it.
fn changes(
    given: &BTreeMap<String, f64>,
    earlier: &BTreeMap<String, f64>,
    moved: &BTreeMap<String, f64>,
    later: &BTreeMap<String, f64>,
) -> Vec<NumberChange> {
    let names: std::collections::BTreeSet<&String> = earlier.keys().chain(later.keys()).collect();
    let less = |a: Option<f64>, b: Option<f64>| Some(a? - b?);
    let change = |name: &String| {
        let of = |numbers: &BTreeMap<String, f64>| numbers.get(name).copied();
        NumberChange {
            name: name.clone(),
            from: of(given).or(of(earlier)),
            to: of(later),
            removed: less(of(earlier), of(given)),
            events: less(of(moved), of(earlier)),
            identity: less(of(later), of(moved)),
        }
    };
    names.into_iter().map(change).collect()
}

fn below_question(problem: Problem) -> Problem {
    if problem.errors.is_empty() {
        return problem;
    }
    let errors = problem.errors.into_iter().map(|error| FieldError {
        pointer: format!("/question{}", error.pointer),
        ..error
    });
    Problem::invalid(errors.collect())
}
