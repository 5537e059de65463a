//! The health of a project's data: its ledger, and why events were rejected.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::error::{ApiPath, ApiQuery, Named, SignedIn, Validated, invalid_query};
use super::questions::{Asked, Loaded, Questions, refused_query};
use super::{Accounts, Answered, Caller};
use crate::metrics::ledger::{
    LedgerFacts, LedgerInterval, LedgerReport, LedgerSpec, PendingFact, SourceFact,
};
use crate::metrics::time::Moment;
use crate::problem::Problem;
use crate::store::ledger::LedgerRange;
use crate::stream::StreamError;
use crate::stream::ledger::Waited;
use crate::stream::rejections::{MAX_REJECTIONS, RejectedEvent};

/// The query string of a ledger.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LedgerParams {
    /// Start of the range, by receipt: a local date or an instant. Default: 24 hours before `to`. Rounded down
    /// to a minute (with `interval=minute`) or a quarter hour.
    #[serde(default)]
    from: Option<String>,
    /// End of the range, not included, rounded up likewise. Default: now.
    #[serde(default)]
    to: Option<String>,
    /// Width of a point; at most 1,500 points.
    #[serde(default)]
    #[param(inline)]
    interval: LedgerInterval,
}

/// A project's ledger.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "project_id": "0193c2a4-7c1e-7b5e-9f43-2f1f6a0c9d11", "from": "2026-11-22T10:15:00Z",
    "to": "2026-11-23T10:15:00Z", "interval": "hour", "as_of": "2026-11-23T10:14:55.250Z",
    "totals": {"received": 12, "stored": 9, "duplicate": 1, "rejected": 1, "quarantined": 0, "discarded": 0,
        "pending": 1, "late": 2, "clock_corrected": 1, "time_clamped": 0, "client_dropped": 0,
        "missing_estimate": 3},
    "rejected_by_reason": [{"code": "missing_field", "count": 1}],
    "sources": [{"source": "native footfall-js/0.1.0", "received": 12, "stored": 9, "duplicate": 1,
        "rejected": 1, "quarantined": 0, "discarded": 0, "pending": 1, "missing_estimate": 3,
        "last_received_at": "2026-11-23T10:14:00Z"}],
    "series": [{"at": "2026-11-23T10:00:00Z", "received": 12, "stored": 9, "duplicate": 1, "rejected": 1,
        "quarantined": 0, "discarded": 0, "pending": 1}]
}))]
pub struct LedgerAnswer {
    project_id: Uuid,
    /// Start of the range.
    #[schema(value_type = String, format = DateTime)]
    from: Moment,
    /// End of the range, not included.
    #[schema(value_type = String, format = DateTime)]
    to: Moment,
    interval: LedgerInterval,
    /// Every event received before it is in the tables; what came later may be pending.
    #[schema(value_type = String, format = DateTime)]
    as_of: Moment,
    #[serde(flatten)]
    report: LedgerReport,
}

/// What became of every event received: `received = stored + duplicate + rejected + quarantined + discarded +
/// pending`, in all, by source and over time. By receipt, not by event time. Kept by minute for 7 days and by
/// quarter hour for 400. Requests that were refused whole (unreadable, too large, without a key) hold no events
/// that could be counted.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/ledger",
    operation_id = "ledger",
    tag = "data health",
    params(("id" = Uuid, Path, description = "The project"), LedgerParams),
    responses((status = 200, description = "The ledger", body = LedgerAnswer), SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_ledger(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(params): ApiQuery<LedgerParams>,
) -> Answered<Json<LedgerAnswer>> {
    let asked = Asked::placed(&caller, &accounts, &questions, id).await?;
    let LedgerParams { from, to, interval } = params;
    let spec = LedgerSpec::of(
        from.as_deref(),
        to.as_deref(),
        interval,
        &asked.zone,
        asked.now_ms,
    )
    .map_err(refused_query)?;
    let facts = facts(&asked, &questions, &spec).await?;
    Ok(Json(LedgerAnswer {
        project_id: id,
        from: Moment(spec.range.from_ms),
        to: Moment(spec.range.to_ms),
        interval,
        as_of: asked.as_of(),
        report: LedgerReport::of(&spec, &facts),
    }))
}

/// What waits is read first, together with the last committed batches; the tables then up to those. So every
/// event is counted once, however many batches are committed meanwhile.
async fn facts(asked: &Asked, questions: &Questions, spec: &LedgerSpec) -> Result<LedgerFacts, Problem> {
    let pending = questions
        .stream
        .pending(asked.number)
        .await
        .map_err(stream_away)?;
    let second = |ms: i64| (ms / 1000).clamp(0, i64::from(u32::MAX)) as u32;
    let range = LedgerRange {
        project: asked.number,
        from_s: second(spec.range.from_ms),
        to_s: second(spec.range.to_ms),
        cuts: &pending.cuts,
    };
    let (points, sources, missing) = tokio::try_join!(
        asked.store.ledger_series(&range, spec.step_s()),
        asked.store.ledger_sources(&range),
        asked.store.missing_by_source(&range),
    )?;
    let waits = |waited: Waited| PendingFact {
        source: waited.source.to_string(),
        at_s: waited.minute.saturating_mul(60),
        events: waited.rows,
        replayed: waited.replayed,
    };
    Ok(LedgerFacts {
        points: points.into_iter().map(|p| (p.at, p.outcome, p.events)).collect(),
        sources: sources
            .into_iter()
            .map(|s| SourceFact {
                source: s.source,
                outcome: s.outcome,
                reason: s.reason,
                events: s.events,
                last_s: s.last,
            })
            .collect(),
        pending: pending.waiting.into_iter().map(waits).collect(),
        missing,
    })
}

/// Which rejected events to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RejectionParams {
    /// Items at most, 1 to 100. Default: 100.
    #[serde(default)]
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Only those with this code.
    #[serde(default)]
    #[param(example = "missing_field")]
    code: Option<String>,
}

/// Rejected events.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = json!({"data": [{
    "id": "5b0f7c1e-7f0e-4a53-8f53-6a3f0f5e7f10", "received_at": "2026-11-23T10:14:55.250Z",
    "source": "native curl/8.5.0", "code": "missing_field", "field": "/event",
    "detail": "every event needs a name in `event`", "sample": "{\"user_id\":\"u_42\"}"
}]}))]
pub struct Rejections {
    /// The newest first.
    data: Vec<RejectionView>,
}

/// A rejected event.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RejectionView {
    /// Id of this sample.
    id: Uuid,
    #[schema(value_type = String, format = DateTime)]
    received_at: Moment,
    /// Protocol and sender.
    source: String,
    /// Why it was rejected.
    code: String,
    /// JSON pointer from the event to the field to blame; empty for the event as a whole.
    field: String,
    /// The reason in words.
    detail: String,
    /// The event as it came, its first 2 KB.
    sample: String,
}

impl From<RejectedEvent> for RejectionView {
    fn from(rejected: RejectedEvent) -> RejectionView {
        RejectionView {
            id: rejected.id,
            received_at: Moment(rejected.received_at),
            source: rejected.source,
            code: rejected.code,
            field: rejected.field,
            detail: rejected.detail,
            sample: rejected.sample,
        }
    }
}

/// The last rejected events with their reasons. Samples: at most 10 of a request, 100 of a project, for 7 days;
/// the ledger counts them all.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/rejections",
    operation_id = "rejections",
    tag = "data health",
    params(("id" = Uuid, Path, description = "The project"), RejectionParams),
    responses((status = 200, description = "Rejected events", body = Rejections), SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn get_rejections(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(params): ApiQuery<RejectionParams>,
) -> Answered<Json<Rejections>> {
    let asked = Asked::placed(&caller, &accounts, &questions, id).await?;
    let limit = params.limit.map_or(MAX_REJECTIONS, |limit| limit as usize);
    if !(1..=MAX_REJECTIONS).contains(&limit) {
        return Err(invalid_query("limit", "out_of_range", "limit is 1 to 100"));
    }
    let kept = questions
        .stream
        .rejections(asked.number, asked.now_ms)
        .await
        .map_err(stream_away)?;
    let wanted = |rejected: &RejectedEvent| params.code.as_ref().is_none_or(|code| *code == rejected.code);
    let data = kept
        .into_iter()
        .filter(wanted)
        .take(limit)
        .map(RejectionView::from)
        .collect();
    Ok(Json(Rejections { data }))
}

fn stream_away(error: StreamError) -> Problem {
    tracing::warn!(%error, "the stream does not say what waits");
    Problem::unavailable("the event stream does not answer", 1)
}
