//! What a body says around its events: one event, an array, lines, or a batch with members of its own.

use axum::http::StatusCode;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::body::malformed_json;
use crate::event::accept::{Context, Rejection, RejectionCode, read_time};
use crate::problem::{FieldError, Problem};

/// Most events of one request.
pub const MAX_EVENTS: usize = 1000;

/// Longest request id, in characters.
const MAX_REQUEST_ID_CHARS: usize = 200;

/// The four shapes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    One,
    Array,
    Lines,
    Batch,
}

impl Form {
    /// JSON pointer from the body to an event.
    pub fn pointer(self, index: usize) -> String {
        match self {
            Form::One => String::new(),
            Form::Array | Form::Lines => format!("/{index}"),
            Form::Batch => format!("/batch/{index}"),
        }
    }
}

/// A body, taken apart but for its events, which are judged one by one.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub form: Form,
    /// The events as they stand in the body; a line that is no JSON is refused already.
    pub events: Vec<Read<'a>>,
    pub write_key: Option<String>,
    /// When the client sent it, by its own clock, UTC milliseconds.
    pub sent_at: Option<i64>,
    pub request_id: Option<String>,
    /// The batch's context, default of each event's.
    pub context: Context,
    /// Events that the client gave up.
    pub dropped: u64,
    /// The client's own numbering of the batch's events.
    pub sequence: Option<Sequence>,
}

/// An event as it stands in the body; of one that is no JSON why, and its text.
pub(super) type Read<'a> = Result<&'a RawValue, (Rejection, &'a str)>;

/// A client's own numbering of a batch's events: `first`, `first + 1`, …
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sequence {
    /// Which client counts; `None`: the device of the first event.
    pub id: Option<String>,
    pub first: u64,
}

impl<'a> Envelope<'a> {
    /// Takes a body apart. `declared_lines` says that its content type is NDJSON; several lines that each are
    /// an object are taken as such under any type.
    pub fn read(text: &'a str, declared_lines: bool) -> Result<Envelope<'a>, Problem> {
        if text.trim().is_empty() {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "empty_body",
                "the body is empty: send an event, an array of events, or {\"batch\": […]}",
            ));
        }
        // One look at a sound body; what is wrong with another one is found out by looking again.
        match text.trim_start().as_bytes().first() {
            Some(b'[') => {
                if let Ok(events) = serde_json::from_str::<Elements<'_>>(text) {
                    return Ok(Envelope::bare(Form::Array, events.within_limit()?));
                }
            }
            Some(b'{') => {
                if let Ok(members) = serde_json::from_str::<Members<'_>>(text) {
                    return Envelope::of_object(text, members);
                }
            }
            _ => {}
        }
        let whole: &RawValue = match serde_json::from_str(text) {
            Ok(whole) => whole,
            Err(_) if is_lines(text, declared_lines) => return Envelope::of_lines(text),
            Err(error) => return Err(unreadable(&error)),
        };
        Err(match whole.get().as_bytes().first() {
            Some(b'{') => unfit(
                "/batch",
                RejectionCode::WrongType.as_str(),
                "must be an array of events",
            ),
            _ => unfit(
                "",
                RejectionCode::WrongType.as_str(),
                "the body must be an event object, an array of them, lines of them, or {\"batch\": […]}",
            ),
        })
    }

    fn bare(form: Form, events: Vec<Read<'a>>) -> Envelope<'a> {
        Envelope {
            form,
            events,
            write_key: None,
            sent_at: None,
            request_id: None,
            context: Context::default(),
            dropped: 0,
            sequence: None,
        }
    }

    fn of_lines(text: &'a str) -> Result<Envelope<'a>, Problem> {
        let mut events = Vec::new();
        for (number, line) in filled_lines(text) {
            if events.len() == MAX_EVENTS {
                return Err(too_many(filled_lines(text).count()));
            }
            events.push(serde_json::from_str(line).map_err(|error| {
                let detail = format!("line {} is not JSON: {}", number + 1, reason(&error));
                (Rejection::new(RejectionCode::MalformedJson, "", detail), line)
            }));
        }
        Ok(Envelope::bare(Form::Lines, events))
    }

    fn of_object(text: &'a str, members: Members<'a>) -> Result<Envelope<'a>, Problem> {
        let mut envelope = match members.batch {
            Some(batch) => {
                let mut envelope = Envelope::bare(Form::Batch, batch.within_limit()?);
                let context = members.context.map(|raw| value(raw, "/context")).transpose()?;
                envelope.context = Context::read(context).map_err(|rejection| {
                    unfit(&rejection.field, rejection.code.as_str(), &rejection.detail)
                })?;
                envelope.dropped = number_member(members.dropped, "/dropped")?.unwrap_or(0);
                let first = number_member(members.sequence, "/sequence")?;
                let id = text_member(members.sequence_id, "/sequence_id", MAX_REQUEST_ID_CHARS)?;
                envelope.sequence = first.map(|first| Sequence { id, first });
                envelope
            }
            None => {
                let whole = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
                Envelope::bare(Form::One, vec![Ok(whole)])
            }
        };
        envelope.write_key = text_member(members.write_key, "/write_key", usize::MAX)?;
        envelope.request_id = text_member(members.request_id, "/request_id", MAX_REQUEST_ID_CHARS)?;
        if let Some(raw) = members.sent_at {
            let sent_at = value(raw, "/sent_at")?;
            if !(sent_at.is_null() || sent_at == "") {
                envelope.sent_at = Some(read_time(&sent_at).map_err(|_| {
                    unfit(
                        "/sent_at",
                        RejectionCode::TimestampInvalid.as_str(),
                        "must be RFC 3339, or seconds or milliseconds since 1970 as a number",
                    )
                })?);
            }
        }
        Ok(envelope)
    }
}

/// Whether a body that is not one JSON value is meant as lines of JSON.
fn is_lines(text: &str, declared: bool) -> bool {
    let mut lines = filled_lines(text).map(|(_, line)| line.trim_start());
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else {
        return false;
    };
    let object = |line: &str| line.starts_with('{');
    declared
        || (object(first) && serde_json::from_str::<IgnoredAny>(first).is_ok())
        || (object(first) && object(second) && lines.all(object))
}

fn filled_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
}

/// What serde_json has against a text, without the place.
pub(super) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    format!("{reason} at column {}", error.column())
}

fn unreadable(error: &serde_json::Error) -> Problem {
    malformed_json(format!("the body is not JSON: {error}"))
}

/// The elements of an array, each left as it stands, and how many there are.
struct Elements<'a>(Vec<Read<'a>>, usize);

impl<'a> Elements<'a> {
    fn within_limit(self) -> Result<Vec<Read<'a>>, Problem> {
        match self {
            Elements(_, count) if count > MAX_EVENTS => Err(too_many(count)),
            Elements(events, _) => Ok(events),
        }
    }
}

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(array: D) -> Result<Elements<'de>, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut events = Vec::new();
                while events.len() < MAX_EVENTS {
                    match seq.next_element::<&RawValue>()? {
                        Some(event) => events.push(Ok(event)),
                        None => break,
                    }
                }
                let mut count = events.len();
                // The rest is only counted: a body of nothing but commas must not fill the memory.
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Elements(events, count))
            }
        }
        array.deserialize_seq(Each)
    }
}

/// The members of a body that are not an event's. Of a member given twice the last one counts.
#[derive(Default)]
struct Members<'a> {
    batch: Option<Elements<'a>>,
    write_key: Option<&'a RawValue>,
    sent_at: Option<&'a RawValue>,
    request_id: Option<&'a RawValue>,
    context: Option<&'a RawValue>,
    dropped: Option<&'a RawValue>,
    sequence: Option<&'a RawValue>,
    sequence_id: Option<&'a RawValue>,
}

/// Their names.
#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    Batch,
    WriteKey,
    SentAt,
    RequestId,
    Context,
    Dropped,
    Sequence,
    SequenceId,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(object: D) -> Result<Members<'de>, D::Error> {
        struct Named;
        impl<'de> Visitor<'de> for Named {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Members::default();
                while let Some(name) = map.next_key::<Member>()? {
                    let member = match name {
                        Member::Batch => {
                            members.batch = Some(map.next_value()?);
                            continue;
                        }
                        Member::WriteKey => &mut members.write_key,
                        Member::SentAt => &mut members.sent_at,
                        Member::RequestId => &mut members.request_id,
                        Member::Context => &mut members.context,
                        Member::Dropped => &mut members.dropped,
                        Member::Sequence => &mut members.sequence,
                        Member::SequenceId => &mut members.sequence_id,
                        Member::Other => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    // A null stands for itself: it is not the same as a member that is missing.
                    *member = Some(map.next_value::<&RawValue>()?);
                }
                Ok(members)
            }
        }
        object.deserialize_map(Named)
    }
}

fn value(raw: &RawValue, pointer: &str) -> Result<Value, Problem> {
    serde_json::from_str(raw.get())
        .map_err(|error| unfit(pointer, RejectionCode::WrongType.as_str(), &reason(&error)))
}

fn text_member(raw: Option<&RawValue>, pointer: &str, most: usize) -> Result<Option<String>, Problem> {
    match raw.map(|raw| value(raw, pointer)).transpose()? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.len() <= most || text.chars().count() <= most => Ok(Some(text)),
        Some(Value::String(_)) => Err(unfit(
            pointer,
            "too_long",
            &format!("must have at most {most} characters"),
        )),
        Some(_) => Err(unfit(
            pointer,
            RejectionCode::WrongType.as_str(),
            "must be a text",
        )),
    }
}

/// A whole number from 0 to 2^53: what JSON carries everywhere.
fn number_member(raw: Option<&RawValue>, pointer: &str) -> Result<Option<u64>, Problem> {
    const MOST: u64 = 1 << 53;
    match raw.map(|raw| value(raw, pointer)).transpose()? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) if number.as_u64().is_some_and(|n| n <= MOST) => Ok(number.as_u64()),
        Some(_) => Err(unfit(
            pointer,
            RejectionCode::WrongType.as_str(),
            "must be a whole number from 0 to 2^53",
        )),
    }
}

/// 422 for a body that is JSON but cannot be taken as a whole.
fn unfit(pointer: &str, code: &str, detail: &str) -> Problem {
    let sentence = if pointer.is_empty() {
        detail.to_owned()
    } else {
        format!("{pointer}: {detail}")
    };
    Problem {
        errors: vec![FieldError::new(pointer, code, detail)],
        ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_events", sentence)
    }
}

fn too_many(count: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_many_events",
        format!("a request has at most {MAX_EVENTS} events, this one has {count}"),
    )
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
