//! Why an event was refused: a closed list.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Stable name of a reason to refuse one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectionCode {
    /// A member that every event needs is absent.
    MissingField,
    /// A member has another JSON type than it must have.
    WrongType,
    /// A name is longer than 200 characters.
    NameTooLong,
    /// A name is empty.
    NameEmpty,
    /// The event's id is not a UUID.
    IdInvalid,
    /// The timestamp cannot be read.
    TimestampInvalid,
    /// More than 255 properties.
    TooManyProperties,
    /// Properties are nested deeper than 5 levels.
    TooDeep,
    /// The event is larger than 32 KB.
    EventTooLarge,
    /// An id of a person, device or session is longer than 200 characters.
    DistinctIdTooLong,
    /// The line or member is not JSON at all.
    MalformedJson,
    /// The event's person, its time or its project was erased, and the event is from before.
    Erased,
    /// The event is older than what the project keeps.
    TooOld,
}

impl RejectionCode {
    /// The name as clients see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::NameTooLong => "name_too_long",
            Self::NameEmpty => "name_empty",
            Self::IdInvalid => "id_invalid",
            Self::TimestampInvalid => "timestamp_invalid",
            Self::TooManyProperties => "too_many_properties",
            Self::TooDeep => "too_deep",
            Self::EventTooLarge => "event_too_large",
            Self::DistinctIdTooLong => "distinct_id_too_long",
            Self::MalformedJson => "malformed_json",
            Self::Erased => "erased",
            Self::TooOld => "too_old",
        }
    }
}

/// One refused event: the reason, the field to blame, and a sentence for the person who reads it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct Rejection {
    pub code: RejectionCode,
    /// JSON pointer (RFC 6901) from the event to the field; empty for the event as a whole.
    pub field: String,
    pub detail: String,
}

impl Rejection {
    /// A refusal of `field`.
    pub fn new(code: RejectionCode, field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            code,
            field: field.into(),
            detail: detail.into(),
        }
    }

    /// A member that has another type than `wanted`, which is worded "a text", "an object".
    pub(super) fn wrong_type(field: impl Into<String>, wanted: &str, found: &serde_json::Value) -> Self {
        use serde_json::Value;
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        Self::new(
            RejectionCode::WrongType,
            field,
            format!("must be {wanted}, this is {found}"),
        )
    }
}

/// The pointer of a member of the object at `parent`, escaped as RFC 6901 says. Long names are cut: the
/// pointer goes back to the client and into logs.
pub(super) fn pointer(parent: &str, member: &str) -> String {
    let short: String = member.chars().take(60).collect();
    format!("{parent}/{}", short.replace('~', "~0").replace('/', "~1"))
}
