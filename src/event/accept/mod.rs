//! From what a client sent to an [`Event`], or to the reason why not. Pure: the same wire event under the
//! same receipt gives the same event, but for the random part of an id given here.

mod context;
mod properties;
mod rejection;
mod time;
mod told;
mod who;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};
use uuid::{NoContext, Timestamp, Uuid};
use xxhash_rust::xxh3::xxh3_64;

use super::enrich::{agent::Agent, campaign::Campaign, page::Page};
use super::wire::WireEvent;
use super::{Event, ProjectNumber, Zone, flag};

pub use context::Context;
pub use rejection::{Rejection, RejectionCode};
pub use time::{OLDEST_MS, SKEW_ALLOWED_MS, Unreadable, as_sent, read as read_time};
pub use who::{is_nobody, readable_ids};

/// Longest name of an event or a property, in characters.
pub const MAX_NAME_CHARS: usize = 200;
/// Longest id of a person, device or session, in characters.
pub const MAX_ID_CHARS: usize = 200;
/// Most properties of one event.
pub const MAX_PROPERTIES: usize = 255;
/// Levels of objects and arrays in properties, the properties object itself being the first.
pub const MAX_DEPTH: usize = 5;
/// Largest event in bytes of JSON: as sent, and again its properties as stored.
pub const MAX_EVENT_BYTES: usize = 32 * 1024;

/// Events that carry identity or properties of persons and groups, and are no activity.
pub const NOT_ACTIVITY: [&str; 4] = ["$identify", "$alias", "$set", "$groupidentify"];

/// The event that names a person's earlier id.
const ALIAS: &str = "$alias";

/// What the endpoint knows about the request that brought an event.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The project whose key the request carried.
    pub project: ProjectNumber,
    /// The project's zone: local days are computed in it, here and nowhere later.
    pub zone: Zone,
    /// When the request arrived, UTC milliseconds.
    pub received_at: i64,
    /// When the client says it sent the request, by the client's clock.
    pub sent_at: Option<i64>,
    /// The sender's browser, parsed once a request; the default where the sender is not the person.
    pub agent: Agent,
    /// The batch's context, default of each event's.
    pub context: Context,
}

/// Turns one wire event into the event that is stored.
///
/// `seq` is its place in the client's batch. Total: any JSON gives an event within the limits of this module
/// or a [`Rejection`] with the field to blame.
pub fn accept(mut wire: WireEvent, seq: u32, receipt: &Receipt) -> Result<Event, Rejection> {
    let told = told::take(&mut wire);
    let event = event_name(wire.event)?;
    let own_id = event_id(wire.id)?;
    let previous = wire.previous_id.filter(|_| event == ALIAS);
    let who = who::Who::settle(wire.distinct_id, wire.user_id, wire.device_id.or(previous))?;
    let session = who::read("/session_id", wire.session_id)?.map_or(0, |id| xxh3_64(id.as_bytes()));
    let time = time::settle(wire.timestamp, receipt.received_at, receipt.sent_at)?;
    let context = Context::read(wire.context)?;
    let mut properties = properties::read("/properties", wire.properties)?;
    let told = told?;

    context.merge_into(&mut properties);
    receipt.context.merge_into(&mut properties);
    for (name, value) in told {
        if !properties.contains_key(name) {
            properties.insert(name.to_owned(), value);
        }
    }
    if let Some(original) = time.original {
        properties.insert("$original_timestamp".to_owned(), original);
    }

    let text = |name: &str| properties.get(name).and_then(Value::as_str).unwrap_or_default();
    let page = Page::split(text("$url"));
    let campaign = Campaign::read(&properties, page.query);
    let mut referrer_host = Page::split(text("$referrer")).host;
    if referrer_host == page.host {
        referrer_host.clear();
    }
    // A server that reports what a browser did passes the browser's agent on.
    let passed_on = Some(text("$user_agent"))
        .filter(|agent| !agent.is_empty())
        .map(Agent::parse);
    let agent = passed_on.as_ref().unwrap_or(&receipt.agent);
    let mut flags = time.flags;
    if own_id.is_none() {
        flags |= flag::ID_GIVEN;
    }
    if agent.is_bot() {
        flags |= flag::BOT;
    }
    if NOT_ACTIVITY.contains(&event.as_str()) {
        flags |= flag::NOT_ACTIVITY;
    }

    Ok(Event {
        project: receipt.project,
        ts: time.ts,
        seq,
        id: own_id.unwrap_or_else(|| given_id(receipt.received_at)),
        received_at: receipt.received_at,
        distinct_id: who.distinct_id().to_owned(),
        device_id: who.device_id,
        user_id: who.user_id,
        session,
        path: page.path.to_owned(),
        host: page.host,
        referrer_host,
        utm_source: campaign.source,
        utm_medium: campaign.medium,
        utm_campaign: campaign.campaign,
        country: country(&properties),
        region: String::new(),
        city: String::new(),
        browser: agent.browser.clone(),
        os: agent.os.clone(),
        device: agent.device.to_owned(),
        lib: context.library(&receipt.context).to_owned(),
        amount: amount(&properties),
        currency: currency(&properties),
        props: stored(&properties)?,
        flags,
        local_day: receipt.zone.local_day(time.ts),
        event,
    })
}

fn event_name(value: Option<Value>) -> Result<String, Rejection> {
    let name = match value {
        Some(Value::String(name)) => printable(name),
        None | Some(Value::Null) => {
            return Err(Rejection::new(
                RejectionCode::MissingField,
                "/event",
                "every event needs a name in `event`",
            ));
        }
        Some(other) => return Err(Rejection::wrong_type("/event", "a text", &other)),
    };
    if name.trim().is_empty() {
        return Err(Rejection::new(
            RejectionCode::NameEmpty,
            "/event",
            "an event's name must not be empty",
        ));
    }
    let length = name.chars().count();
    if length > MAX_NAME_CHARS {
        return Err(Rejection::new(
            RejectionCode::NameTooLong,
            "/event",
            format!("an event's name has at most {MAX_NAME_CHARS} characters, this one has {length}"),
        ));
    }
    Ok(name)
}

/// The client's id of the event.
fn event_id(value: Option<Value>) -> Result<Option<Uuid>, Rejection> {
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text,
        Some(other) => return Err(Rejection::wrong_type("/id", "a UUID as text", &other)),
    };
    match Uuid::parse_str(&text) {
        Ok(id) if !id.is_nil() => Ok(Some(id)),
        _ => Err(Rejection::new(
            RejectionCode::IdInvalid,
            "/id",
            "must be a UUID (and not the nil one), or absent",
        )),
    }
}

/// An id for an event that came without: a UUIDv7 of the receipt's time.
fn given_id(received_at: i64) -> Uuid {
    let ms = received_at.max(0) as u64;
    let nanos = (ms % 1000) as u32 * 1_000_000;
    Uuid::new_v7(Timestamp::from_unix(NoContext, ms / 1000, nanos))
}

/// The first finite number among `amount`, `revenue` and `value`.
fn amount(properties: &Map<String, Value>) -> f64 {
    ["amount", "revenue", "value"]
        .iter()
        .filter_map(|name| properties.get(*name)?.as_f64())
        .find(|number| number.is_finite())
        .unwrap_or(0.0)
}

/// The property `currency` where it looks like an ISO 4217 code.
fn currency(properties: &Map<String, Value>) -> String {
    let code = properties
        .get("currency")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .trim();
    if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        code.to_ascii_uppercase()
    } else {
        String::new()
    }
}

/// The property `$country` where it looks like an ISO 3166-1 code: a server that knows it passes it on.
fn country(properties: &Map<String, Value>) -> String {
    match properties.get("$country").and_then(Value::as_str).map(str::trim) {
        Some(code) if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            code.to_ascii_uppercase()
        }
        _ => String::new(),
    }
}

/// The properties as they are stored: one JSON object, names sorted and each once.
fn stored(properties: &Map<String, Value>) -> Result<String, Rejection> {
    let text = serde_json::to_string(properties).expect("a map with text keys is always JSON");
    if text.len() > MAX_EVENT_BYTES {
        return Err(Rejection::new(
            RejectionCode::EventTooLarge,
            "/properties",
            format!(
                "an event has at most {MAX_EVENT_BYTES} bytes; with its context these properties have {}",
                text.len()
            ),
        ));
    }
    Ok(text)
}

/// The text without NUL characters, which not every store can hold. Whoever looks for a stored text looks for this.
pub fn printable(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text
    }
}
