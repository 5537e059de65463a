//! Whether everything adds up, for whoever owns the numbers.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::{ApiPath, Named, SignedIn};
use super::questions::{Loaded, Questions};
use super::{Accounts, Answered, Caller, Need};
use crate::audit::{AuditError, AuditOptions, AuditReport, Auditor, Invariant};
use crate::event::Day;
use crate::metrics::time::Moment;
use crate::problem::Problem;
use crate::store::QUESTION_SECONDS;
use crate::store::audit::Cost;

/// What an audit found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Audit {
    /// The project; null when all were asked for.
    #[schema(required)]
    project_id: Option<Uuid>,
    #[schema(value_type = String, format = DateTime)]
    checked_at: Moment,
    /// Whether no invariant is broken.
    holds: bool,
    /// One for each invariant.
    checks: Vec<AuditCheck>,
    /// Every UTC day with events.
    days: Vec<AuditDay>,
}

/// One invariant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditCheck {
    name: Invariant,
    /// Whether it is broken nowhere.
    holds: bool,
    /// Whether something could be said about every place; if not, ask again in a moment.
    judged: bool,
    /// What was found.
    detail: String,
}

/// A UTC day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditDay {
    /// The project's number, when all were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<u32>,
    #[schema(value_type = String, format = Date)]
    day: Day,
    /// Raw events.
    events: u64,
    /// Events that the rollups count.
    counted: u64,
}

impl Audit {
    /// A report as it is shown. `project` is the one that was asked for.
    pub fn new(report: &AuditReport, project: Option<Uuid>, checked_at_ms: i64) -> Audit {
        let check = |check: &crate::audit::Check| AuditCheck {
            name: check.invariant,
            holds: check.holds(),
            judged: check.unjudged.is_empty(),
            detail: check.detail(),
        };
        let day = |book: &crate::store::audit::DayBook| AuditDay {
            project: project.is_none().then_some(book.project.0),
            day: book.day,
            events: book.events,
            counted: book.counted,
        };
        Audit {
            project_id: project,
            checked_at: Moment(checked_at_ms),
            holds: report.holds(),
            checks: report.checks.iter().map(check).collect(),
            days: report.days.iter().map(day).collect(),
        }
    }

    /// Without numbers that tell how many events other projects have.
    fn of_one_project(mut self) -> Audit {
        for check in self.checks.iter_mut().filter(|check| check.name.is_of_shards()) {
            if !check.holds {
                check.detail = "broken; `footfall audit` on the server says where".into();
            } else if !check.judged {
                check.detail = "not judged at the moment".into();
            }
        }
        self
    }
}

/// Compares the stream's counters, raw events and rollups (owners). Sketches and active days of up to 500 days and
/// 2 million events are compared, others each time; everything else is compared whole.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/audit",
    operation_id = "audit_project",
    tag = "data health",
    params(("id" = Uuid, Path, description = "The project")),
    responses((status = 200, description = "What was found", body = Audit), SignedIn, Named, Loaded)
)]
pub async fn audit_project(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
) -> Answered<Json<Audit>> {
    let project = caller.project(&accounts.meta, id, Need::Own).await?;
    // It reads as much as an export.
    let _place = questions.exports.enter(project.number).await?;
    let (number, zone) = (project.number, project.zone());
    let zone_of = Arc::new(move |of| (of == number).then(|| zone.clone()));
    let auditor = Auditor::new(questions.stream.clone(), (*questions.store).clone(), zone_of);
    let now = accounts.clock.now_ms();
    let options = AuditOptions {
        cost: Cost {
            threads: 2,
            seconds: QUESTION_SECONDS as u32,
        },
        looks: 3,
        pause: Duration::from_millis(500),
        ..AuditOptions::asked(Some(number), now.unsigned_abs())
    };
    let report = auditor.audit(&options).await.map_err(|error| match error {
        AuditError::Store(error) => Problem::from(error),
        AuditError::Stream(error) => {
            tracing::warn!(%error, "the stream does not answer");
            Problem::unavailable("the event stream does not answer", 2)
        }
    })?;
    Ok(Json(Audit::new(&report, Some(id), now).of_one_project()))
}
