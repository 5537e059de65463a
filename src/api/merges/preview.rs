//! What a merge or an unmerge would do to numbers, before it is done: the questions themselves, over a map that says what
//! it would say.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::persons::Persons;
use super::rulings::RulingVerdict;
use super::said::{Case, IdName, IdPair};
use crate::api::error::{ApiJson, ApiPath, Named, SignedIn, WithBody};
use crate::api::questions::{Asked, Loaded, active, funnels};
use crate::api::{Accounts, Answered, Caller, Questions};
use crate::event::Day;
use crate::metrics::active::{ActiveUsersQuery, ActiveUsersReport};
use crate::metrics::funnel::{FunnelQuery, FunnelReport};
use crate::metrics::identity::Person;
use crate::problem::Problem;

/// Days whose active persons are compared: by default, and at most.
const DAYS: u32 = 7;
const MOST_DAYS: u32 = 30;

/// What shall be tried.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"verdict": "merge", "from": {"user": "ann@example.org"}, "into": {"user": "ann"},
    "funnel": {"steps": [{"event": "view_item"}, {"event": "purchase"}], "window": "7d"}}))]
pub struct PreviewRequest {
    /// `merge` or `unmerge`.
    verdict: RulingVerdict,
    /// One id.
    from: IdName,
    /// The other.
    into: IdName,
    /// Days whose active persons are counted, up to today: 1 to 30. Default: 7.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 30)]
    days: Option<u32>,
    /// A funnel that shall be answered too.
    #[serde(default)]
    funnel: Option<FunnelQuery>,
}

/// What would be different.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MergePreview {
    /// The persons who would lose or gain an event.
    persons: Persons,
    /// Numbers as they are.
    before: PreviewNumbers,
    /// Numbers as they would be.
    after: PreviewNumbers,
}

/// Numbers of a project.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PreviewNumbers {
    /// Of the persons concerned, those who have an event: the project's person count changes by the difference.
    persons: u64,
    /// Distinct persons active on each of the last days.
    days: Vec<PreviewDay>,
    /// The funnel, if one was asked for.
    #[schema(required)]
    funnel: Option<FunnelReport>,
}

/// A local day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PreviewDay {
    /// The day.
    #[schema(value_type = String, format = Date)]
    date: Day,
    /// Distinct persons active on it.
    dau: u64,
}

/// Tries a merge or an unmerge without doing it: which persons there would be, and what it would do to the person count,
/// to active users and to a funnel.
#[utoipa::path(
    post,
    path = "/v1/projects/{id}/persons/preview",
    operation_id = "preview_merge",
    tag = "identity",
    params(("id" = Uuid, Path, description = "The project")),
    request_body = PreviewRequest,
    responses(
        (status = 200, description = "What would be", body = MergePreview),
        (status = 409, description = "`too_many_devices`: a person has at most 500", body = Problem,
            content_type = "application/problem+json"),
        SignedIn, Named, WithBody, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn preview_merge(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(request): ApiJson<PreviewRequest>,
) -> Answered<Json<MergePreview>> {
    let asked = Asked::placed(&caller, &accounts, &questions, id).await?;
    let days = request.days.unwrap_or(DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        let detail = format!("1 to {MOST_DAYS} days are compared");
        return Err(Problem::invalid_field("/days", "out_of_range", detail));
    }
    let pair = IdPair {
        from: request.from,
        into: request.into,
    };
    let verdict = request.verdict.into();
    let mut case = Case::read(&questions.learner, asked.number, &pair, verdict).await?;
    let said = case.rule(asked.now_ms)?;
    let supposing = questions.aside(asked.store.supposing(said.overrides)?);
    let persons: Vec<u64> = said.concerned.iter().map(Person::number).collect();
    let today = asked.zone.local_day(asked.now_ms);
    let numbers = async |questions: &Questions| {
        let again = || Asked::by(&caller, &accounts, questions, id);
        let daily = ActiveUsersQuery {
            from: Some(today.plus(1 - days as i32).to_string()),
            exact: true,
            ..ActiveUsersQuery::default()
        };
        let daily: ActiveUsersReport = active::answer(again().await?, &daily).await?.report()?;
        let funnel = match &request.funnel {
            Some(query) => Some(funnel(again().await?, query).await?),
            None => None,
        };
        Ok::<_, Problem>(PreviewNumbers {
            persons: questions.store.persons_among(asked.number, &persons).await?,
            days: daily
                .days
                .iter()
                .map(|day| PreviewDay {
                    date: day.date,
                    dau: day.dau,
                })
                .collect(),
            funnel,
        })
    };
    Ok(Json(MergePreview {
        before: numbers(&questions).await?,
        after: numbers(&supposing).await?,
        persons: said.persons,
    }))
}

/// The funnel's answer; what is wrong with it is said of the member that it stands in.
async fn funnel(asked: Asked, query: &FunnelQuery) -> Answered<FunnelReport> {
    let answered = funnels::answer(asked, query).await;
    answered
        .map_err(|mut problem| {
            for error in &mut problem.errors {
                error.pointer.insert_str(0, "/funnel");
            }
            problem
        })?
        .report()
}
