//! What a tracking request is answered.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::accept::RejectionCode;

/// The answer to a request whose events were taken, some or all. It means that the accepted events are
/// durable in the stream; they are on the charts a second or two later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"accepted": 2, "duplicates": 0, "rejected": 1, "request_id": "b7c1",
    "results": [{"index": 1, "status": "rejected", "code": "missing_field", "field": "/event",
                 "detail": "every event needs a name in `event`"}]}))]
pub struct CaptureAnswer {
    /// Events stored by this request.
    pub accepted: u32,
    /// Events that were stored before, under the same id or by the same request.
    pub duplicates: u32,
    /// Events refused; `results` says why.
    pub rejected: u32,
    /// The request's id, as the client sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// One entry for each event that was not accepted; with `?verbose=1` for every event.
    pub results: Vec<EventResult>,
}

/// What became of one event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventResult {
    /// Place in the request, from 0.
    pub index: u32,
    /// The event's id: the client's, or the one it was given. Missing for a duplicate that was given its id when
    /// the request came first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What became of it.
    pub status: EventStatus,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<RejectionCode>,
    /// JSON pointer from the event to the field to blame; empty for the event as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The reason in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What may become of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventStatus {
    /// Stored.
    Accepted,
    /// Stored before.
    Duplicate,
    /// Refused.
    Rejected,
}
