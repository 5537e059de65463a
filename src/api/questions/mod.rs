//! Questions about events: one typed query language (`POST …/query`, tagged by `kind`) and plain GETs for the
//! common ones. Each kind's file fetches facts from the store, hands them to `metrics`, and wraps the report.

pub mod active;
pub mod conversion;
pub mod funnels;
pub mod lifecycle;
pub mod retention;
pub mod trends;

mod admission;
mod question;

use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::{ApiPath, Named, SignedIn, WithBody};
use super::{Accounts, Answered, Caller, Need};
use crate::event::{ProjectNumber, Zone};
use crate::meta::Project;
use crate::metrics::SpecError;
use crate::metrics::active::ActiveUsersReport;
use crate::metrics::conversion::ConversionReport;
use crate::metrics::envelope::{Answer, Envelope, Warning};
use crate::metrics::funnel::FunnelReport;
use crate::metrics::lifecycle::LifecycleReport;
use crate::metrics::retention::RetentionReport;
use crate::metrics::stickiness::StickinessReport;
use crate::metrics::time::{Moment, TimeRange};
use crate::metrics::trend::TrendReport;
use crate::problem::{FieldError, Problem};
use crate::store::{Store, StoreError};
use crate::stream::{AsOf, EventStream};

pub use admission::Admission;
pub use question::Question;

/// What questions need besides accounts.
#[derive(Clone)]
pub struct Questions {
    /// Facts.
    pub store: Store,
    /// Freshness: how far the worker has come, and the project's revision.
    pub stream: EventStream,
    /// How many questions a project may have under way.
    pub admission: Admission,
    /// How many exports a project may have under way.
    pub exports: Admission,
}

impl Questions {
    /// Questions with the default limit of questions under way.
    pub fn new(store: Store, stream: EventStream) -> Questions {
        Questions {
            store,
            stream,
            admission: Admission::of_questions(),
            exports: Admission::of_exports(),
        }
    }
}

/// The answer to a [`Question`], tagged by the same `kind`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "one exists for each answer, and it is written out at once"
)]
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
}

/// Ask anything: the question's `kind` says what its other members mean.
#[utoipa::path(
    post,
    path = "/v1/projects/{id}/query",
    operation_id = "ask",
    tag = "questions",
    params(("id" = Uuid, Path, description = "The project")),
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
    question: Question,
) -> Answered<Json<QuestionAnswer>> {
    let asked = Asked::by(&caller, &accounts, &questions, id).await?;
    Ok(Json(match question {
        Question::ActiveUsers(query) => QuestionAnswer::ActiveUsers(active::answer(&asked, &query).await?),
        Question::Trends(query) => QuestionAnswer::Trends(trends::answer(&asked, &query).await?),
        Question::Funnel(query) => QuestionAnswer::Funnel(funnels::answer(&asked, &query).await?),
        Question::Conversion(query) => QuestionAnswer::Conversion(conversion::answer(&asked, &query).await?),
        Question::Retention(query) => QuestionAnswer::Retention(retention::answer(&asked, &query).await?),
        Question::Lifecycle(query) => QuestionAnswer::Lifecycle(lifecycle::answer(&asked, &query).await?),
        Question::Stickiness(query) => {
            QuestionAnswer::Stickiness(lifecycle::stickiness(&asked, &query).await?)
        }
    }))
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

/// A question that may be asked: who asks has been checked, the freshness was read *before* any fact is, and
/// a place among the project's questions is held until this value goes.
pub struct Asked {
    /// The project, from the caller's rights.
    pub project: Project,
    /// Its number in ClickHouse and Redis.
    pub number: ProjectNumber,
    /// Its zone.
    pub zone: Zone,
    /// When the question came.
    pub now_ms: i64,
    /// Facts.
    pub store: Store,
    stream: EventStream,
    as_of: AsOf,
    started: Instant,
    _place: admission::Place,
}

impl Asked {
    /// Checks the caller's right to read the project and takes a place among its questions.
    pub async fn by(
        caller: &Caller,
        accounts: &Accounts,
        questions: &Questions,
        id: Uuid,
    ) -> Result<Asked, Problem> {
        Asked::within(&questions.admission, caller, accounts, questions, id).await
    }

    /// The same for what has places of its own.
    pub async fn within(
        admission: &Admission,
        caller: &Caller,
        accounts: &Accounts,
        questions: &Questions,
        id: Uuid,
    ) -> Result<Asked, Problem> {
        let started = Instant::now();
        let project = caller.project(&accounts.meta, id, Need::Read).await?;
        let number = project.number;
        let place = admission.enter(number).await?;
        let now_ms = accounts.clock.now_ms();
        let as_of = questions.stream.as_of(now_ms).await.map_err(|error| {
            tracing::warn!(%error, "the stream does not say how fresh the tables are");
            Problem::unavailable(
                "the event stream does not answer, so nothing can be said about freshness",
                1,
            )
        })?;
        let zone = project.zone();
        Ok(Asked {
            number,
            zone,
            now_ms,
            store: questions.store.clone(),
            stream: questions.stream.clone(),
            as_of,
            started,
            project,
            _place: place,
        })
    }

    /// Whether sketches of the project wait to be computed again. Ask before reading them: then the worst is a
    /// warning too many.
    pub async fn is_rebuilding(&self) -> Result<bool, Problem> {
        let pending = self.stream.sketches_pending(self.number).await;
        pending.map(|days| days > 0).map_err(|error| {
            tracing::warn!(%error, "the stream does not say which days wait to be rebuilt");
            Problem::unavailable("the event stream does not answer", 1)
        })
    }

    /// Up to when everything received was in the tables when the question came.
    pub fn as_of(&self) -> Moment {
        Moment(self.as_of.as_of)
    }

    /// A warning where an answer looks back to the first event ever, and older ones were removed.
    pub fn history_removed(&self) -> Option<Warning> {
        self.project.kept_from.map(|_| {
            Warning::new(
                "history_removed",
                "older events were removed by the project's retention: the first one ever is the first that is left",
            )
        })
    }

    /// Wraps a report over events of `range`: while its end lies behind what has been received so far the
    /// answer is complete.
    pub async fn answer<T>(
        &self,
        data: T,
        range: TimeRange,
        rows_read: u64,
        error: Option<f64>,
    ) -> Result<Answer<T>, Problem> {
        let mut warnings = Vec::new();
        // By local days, the first and the last included whole.
        let (first, last) = (
            self.zone.local_day(range.from_ms),
            self.zone.local_day(range.to_ms - 1),
        );
        let late = self.store.late_events(self.number, first, last.plus(1)).await?;
        if late > 0 {
            let detail = format!(
                "of these days' events {late} arrived more than 24 hours after they happened: earlier answers did not \
                 have them, and more may come"
            );
            warnings.push(Warning::new("late_events", detail).of(late));
        }
        if let Some(kept_from) = self.project.kept_from.filter(|kept| range.from_ms < kept.0) {
            let instant = Moment(kept_from.0);
            warnings.push(Warning::new(
                "beyond_retention",
                format!("the project keeps no events from before {instant}: the range begins earlier"),
            ));
        }
        if self.as_of.pending_rows > 0 {
            // Without a number: it counts the events of all tenants.
            warnings.push(Warning::new(
                "events_pending",
                "received events are on their way into the tables",
            ));
        }
        Ok(Answer {
            data,
            meta: Envelope {
                as_of: self.as_of(),
                complete: range.to_ms <= self.as_of.as_of,
                approximate: error.is_some(),
                error,
                rows_read,
                elapsed_ms: (self.started.elapsed().as_secs_f64() * 1e4).round() / 10.0,
                cached: false,
                timezone: self.zone.name().to_owned(),
                warnings,
            },
        })
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
            StoreError::Unreachable(_) | StoreError::Busy(_) => {
                tracing::warn!(%error, "ClickHouse does not answer");
                Problem::unavailable("the analytics engine does not answer", 2)
            }
            other => Problem::internal(other),
        }
    }
}
