//! Questions about events: one typed query language (`POST …/query`, tagged by `kind`) and plain GETs for the
//! common ones. Each kind's file fetches facts from the store, hands them to `metrics`, and wraps the report.

pub mod active;
pub mod conversion;
pub mod diff;
pub mod funnels;
pub mod lifecycle;
pub mod paths;
pub mod persons;
pub mod retention;
pub mod trends;
pub mod visits;

mod admission;
mod asked;
mod cohorts;
mod explain;
mod folding;
mod headline;
mod past;
mod question;
mod served;
mod stored;
mod unknown;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::{ApiPath, ApiQuery, Named, SignedIn, WithBody};
use super::{Accounts, Answered, Caller};
use crate::identity::{Control, Learner};
use crate::metrics::SpecError;
use crate::metrics::active::ActiveUsersReport;
use crate::metrics::conversion::ConversionReport;
use crate::metrics::envelope::Answer;
use crate::metrics::funnel::FunnelReport;
use crate::metrics::lifecycle::LifecycleReport;
use crate::metrics::path::PathsReport;
use crate::metrics::person::PersonsReport;
use crate::metrics::retention::RetentionReport;
use crate::metrics::stickiness::StickinessReport;
use crate::metrics::trend::TrendReport;
use crate::metrics::visit::{SessionsReport, WebReport};
use crate::problem::{FieldError, Problem};
use crate::serving::shelf::BookError;
use crate::serving::{Serving, ServingLimits};
use crate::store::explain::Noted;
use crate::store::{Store, StoreError};
use crate::stream::EventStream;

pub use admission::Admission;
pub use asked::Asked;
pub use explain::{AskParams, Explanation};
pub use past::{DatedQuery, PastParams};
pub use question::Question;
pub use served::{NotModified, Served};
pub use stored::{check, explained};

/// What questions need besides accounts. Cheap to clone, which every request does.
#[derive(Clone)]
pub struct Questions {
    rooms: Arc<QuestionRooms>,
}

/// The parts of [`Questions`].
pub struct QuestionRooms {
    /// Facts.
    pub store: Arc<Store>,
    /// The ledger, the live view.
    pub stream: EventStream,
    /// Freshness, remembered answers, what is being computed.
    pub serving: Serving,
    /// Learns what servers say about ids.
    pub learner: Learner,
    /// How many questions a project may have under way.
    pub admission: Admission,
    /// How many exports a project may have under way.
    pub exports: Admission,
}

impl std::ops::Deref for Questions {
    type Target = QuestionRooms;

    fn deref(&self) -> &QuestionRooms {
        &self.rooms
    }
}

impl Questions {
    /// The same to questions that shall not run: what they would ask of ClickHouse is noted.
    fn explaining(&self) -> (Questions, Noted) {
        let (store, noted) = self.store.explaining();
        (self.aside(store), noted)
    }

    /// The same about another state of the tables: nothing is remembered.
    pub(super) fn aside(&self, store: Store) -> Questions {
        let nothing = ServingLimits {
            answer_bytes: 0,
            sketch_bytes: 0,
            count_bytes: 0,
            visit_bytes: 0,
        };
        let rooms = QuestionRooms {
            serving: Serving::new(store.clone(), self.stream.clone(), nothing),
            learner: self.learner.clone(),
            store: Arc::new(store),
            stream: self.stream.clone(),
            admission: Admission::of_questions(),
            exports: Admission::of_exports(),
        };
        Questions {
            rooms: Arc::new(rooms),
        }
    }

    /// Questions with the default limit of questions under way.
    pub fn new(store: Store, stream: EventStream, limits: ServingLimits, control: Control) -> Questions {
        let rooms = QuestionRooms {
            serving: Serving::new(store.clone(), stream.clone(), limits),
            learner: Learner::new(store.clone(), stream.clone()).with_control(control),
            store: Arc::new(store),
            stream,
            admission: Admission::of_questions(),
            exports: Admission::of_exports(),
        };
        Questions {
            rooms: Arc::new(rooms),
        }
    }
}

/// The answer to a [`Question`], tagged by the same `kind`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum QuestionAnswer {
    /// To `active_users`.
    ActiveUsers(Answer<ActiveUsersReport>),
    /// To `trends`.
    Trends(Answer<TrendReport>),
    /// To `funnel`.
    Funnel(Answer<FunnelReport>),
    /// To `conversion`.
    Conversion(Answer<ConversionReport>),
    /// To `retention`.
    Retention(Answer<RetentionReport>),
    /// To `lifecycle`.
    Lifecycle(Answer<LifecycleReport>),
    /// To `stickiness`.
    Stickiness(Answer<StickinessReport>),
    /// To `paths`.
    Paths(Answer<PathsReport>),
    /// To `sessions`.
    Sessions(Answer<SessionsReport>),
    /// To `web`.
    Web(Answer<WebReport>),
    /// To `persons`.
    Persons(Answer<PersonsReport>),
    /// To any question with `explain=true`.
    Explanation(Explanation),
}

/// Ask anything: the question's `kind` says what its other members mean.
#[utoipa::path(
    post,
    path = "/v1/projects/{id}/query",
    operation_id = "ask",
    tag = "questions",
    params(("id" = Uuid, Path, description = "The project"), AskParams),
    request_body(content = Question, example = json!({
        "kind": "funnel", "steps": [{"event": "view_item"}, {"event": "purchase"}], "window": "7d"
    })),
    responses((status = 200, description = "The answer", body = QuestionAnswer), SignedIn, Named, WithBody, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn ask(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(params): ApiQuery<AskParams>,
    question: Question,
) -> Answered<Response> {
    if params.explain {
        return explained(&caller, &accounts, &questions, id, (question, &params)).await;
    }
    let asked = Asked::by(&caller, &accounts, &questions, id).await?;
    let asked = asked.as_of_query(params.as_of.as_deref(), params.identity_version)?;
    Ok(answer(asked, question).await?.into_response())
}

/// Answers a question of any kind.
pub async fn answer(asked: Asked, question: Question) -> Answered<Served> {
    let asked = asked.knowing_cohorts(&question).await?;
    match question {
        Question::ActiveUsers(query) => active::answer(asked, &query).await,
        Question::Trends(query) => trends::answer(asked, &query).await,
        Question::Funnel(query) => funnels::answer(asked, &query).await,
        Question::Conversion(query) => conversion::answer(asked, &query).await,
        Question::Retention(query) => retention::answer(asked, &query).await,
        Question::Lifecycle(query) => lifecycle::answer(asked, &query).await,
        Question::Stickiness(query) => lifecycle::stickiness(asked, &query).await,
        Question::Paths(query) => paths::answer(asked, &query).await,
        Question::Sessions(query) => visits::sessions(asked, &query).await,
        Question::Web(query) => visits::web(asked, &query).await,
        Question::Persons(query) => persons::answer(asked, &query).await,
    }
}

/// Refusals of questions because of what they cost.
#[derive(utoipa::IntoResponses)]
pub enum Loaded {
    /// Too many questions (or exports) of this project under way: `too_many_questions`, with `Retry-After`.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(Problem),
    /// An engine does not answer: `unavailable`, with `Retry-After`.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
    /// The question took longer than it may: `query_timeout`.
    #[response(status = 504, content_type = "application/problem+json")]
    Timeout(Problem),
}

impl From<BookError> for Problem {
    fn from(error: BookError) -> Problem {
        match error {
            BookError::Store(error) => error.into(),
            BookError::Stream(error) => {
                tracing::warn!(%error, "the stream does not say what is committed");
                Problem::unavailable("the event stream does not answer", 1)
            }
            damaged @ BookError::Damaged(_) => Problem::internal(damaged),
        }
    }
}

/// What is wrong with a question, field by field.
pub fn refused(errors: Vec<SpecError>) -> Problem {
    Problem::invalid(
        errors
            .into_iter()
            .map(|e| FieldError::new(e.pointer, e.code, e.detail))
            .collect(),
    )
}

/// The same for a question in a query string: `/steps/0/event` is `?step` there.
pub fn refused_query(errors: Vec<SpecError>) -> Problem {
    let renamed = |pointer: &str| {
        let name = pointer
            .trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or_default();
        match name {
            "steps" => "?step".to_owned(),
            "events" => "?event".to_owned(),
            other => format!("?{other}"),
        }
    };
    Problem::invalid(
        errors
            .into_iter()
            .map(|e| FieldError::new(renamed(&e.pointer), e.code, e.detail))
            .collect(),
    )
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        match error {
            StoreError::TooSlow(_) => Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                "query_timeout",
                "the question took longer than 30 seconds: shorten its range",
            ),
            StoreError::TooMuchMemory(_) | StoreError::TooManyRows(_) => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "query_too_large",
                "the question needs more memory or rows than one question may use: shorten its range",
            ),
            StoreError::NoPast(_) => past::no_past(),
            StoreError::Unreachable(_) | StoreError::Busy(_) => {
                tracing::warn!(%error, "ClickHouse does not answer");
                Problem::unavailable("the analytics engine does not answer", 2)
            }
            other => Problem::internal(other),
        }
    }
}
