//! Raw events: names and their totals, a list page by page.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::error::{ApiPath, ApiQuery, Named, SignedIn, Validated, invalid_query};
use super::questions::{Asked, Loaded, Questions, refused_query};
use super::{Accounts, Answered, Caller};
use crate::event::Event;
use crate::metrics::envelope::Answer;
use crate::metrics::time::{Moment, time_range};
use crate::metrics::trend::check_quarter_hours;
use crate::store::events::{EventQuery, Place, StoredEvent};
use crate::store::rollups::quarter_hours;

/// Items of a page when the caller does not say.
const PAGE: u32 = 100;
/// Items of a page at most.
const MAX_PAGE: u32 = 1_000;

/// A stored event.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = StoredEvent)]
pub struct EventView {
    /// The event's id: the sender's, or one given at capture.
    id: Uuid,
    /// Its name.
    #[schema(example = "purchase")]
    event: String,
    /// When it happened, corrected for the sender's clock.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Moment,
    /// Place in the sender's batch. Events are ordered by time, place, id.
    seq: u32,
    /// When the endpoint received it.
    #[schema(value_type = String, format = DateTime)]
    received_at: Moment,
    /// Who did it: the user id if present, else the device id.
    distinct_id: String,
    /// The device's own id; empty when absent. So for every text below.
    device_id: String,
    /// The application's id of the person.
    user_id: String,
    /// Number of the session, as text (64 bits); absent when the sender named none.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    path: String,
    host: String,
    referrer_host: String,
    utm_source: String,
    utm_medium: String,
    utm_campaign: String,
    country: String,
    region: String,
    city: String,
    browser: String,
    os: String,
    /// `desktop`, `mobile`, `tablet`, `bot` or empty.
    device: String,
    /// Sending library, `name/version`.
    lib: String,
    /// Monetary value in `currency`; 0 when absent.
    amount: f64,
    currency: String,
    /// All properties as sent.
    #[schema(value_type = Object)]
    properties: Value,
    /// Bits: 1 time moved into range, 2 clock corrected, 4 robot, 8 no activity, 16 id given at capture.
    flags: u16,
}

impl EventView {
    /// The event's id.
    pub fn id(&self) -> Uuid {
        self.id
    }
}

impl From<StoredEvent> for EventView {
    fn from(stored: StoredEvent) -> EventView {
        EventView {
            id: stored.id,
            event: stored.event,
            timestamp: Moment(stored.ts),
            seq: stored.seq,
            received_at: Moment(stored.received_at),
            distinct_id: stored.distinct_id,
            device_id: stored.device_id,
            user_id: stored.user_id,
            session_id: (stored.session != 0).then(|| stored.session.to_string()),
            path: stored.path,
            host: stored.host,
            referrer_host: stored.referrer_host,
            utm_source: stored.utm_source,
            utm_medium: stored.utm_medium,
            utm_campaign: stored.utm_campaign,
            country: stored.country,
            region: stored.region,
            city: stored.city,
            browser: stored.browser,
            os: stored.os,
            device: stored.device,
            lib: stored.lib,
            amount: stored.amount,
            currency: stored.currency,
            // Only JSON objects are ever stored; what is unreadable is shown as it is rather than hidden.
            properties: serde_json::from_str(&stored.props).unwrap_or(Value::String(stored.props)),
            flags: stored.flags,
        }
    }
}

/// An event that is not stored (yet), as it would be shown if it were.
impl From<Event> for EventView {
    fn from(event: Event) -> EventView {
        EventView::from(StoredEvent {
            id: event.id,
            event: event.event,
            ts: event.ts,
            seq: event.seq,
            received_at: event.received_at,
            distinct_id: event.distinct_id,
            device_id: event.device_id,
            user_id: event.user_id,
            session: event.session,
            path: event.path,
            host: event.host,
            referrer_host: event.referrer_host,
            utm_source: event.utm_source,
            utm_medium: event.utm_medium,
            utm_campaign: event.utm_campaign,
            country: event.country,
            region: event.region,
            city: event.city,
            browser: event.browser,
            os: event.os,
            device: event.device,
            lib: event.lib,
            amount: event.amount,
            currency: event.currency,
            props: event.props,
            flags: event.flags,
        })
    }
}

/// Names of events and how often each happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventNames {
    /// The most frequent first.
    events: Vec<EventTotal>,
}

/// One event's total.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventTotal {
    /// Its name.
    #[schema(example = "page_view")]
    event: String,
    /// Events in the range.
    count: u64,
}

/// Which names to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NamesParams {
    /// Start of the range: a local date, or an instant on a UTC quarter hour. Default: 30 days before `to`.
    #[serde(default)]
    from: Option<String>,
    /// End of the range, not included. Default: tomorrow.
    #[serde(default)]
    to: Option<String>,
    /// Names at most, 1 to 1,000. Default: 100.
    #[serde(default)]
    limit: Option<u32>,
}

/// Event names of a range by frequency: the top events, and what a picker offers.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/events/names",
    operation_id = "event_names",
    tag = "events",
    params(("id" = Uuid, Path, description = "The project"), NamesParams),
    responses((status = 200, description = "Names and counts", body = Answer<EventNames>), SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn event_names(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(params): ApiQuery<NamesParams>,
) -> Answered<Json<Answer<EventNames>>> {
    let asked = Asked::placed(&caller, &accounts, &questions, id).await?;
    let limit = page_size(params.limit)?;
    let mut errors = Vec::new();
    let range = time_range(
        params.from.as_deref(),
        params.to.as_deref(),
        &asked.zone,
        asked.now_ms,
        &mut errors,
    );
    check_quarter_hours(range, &mut errors);
    if !errors.is_empty() {
        return Err(refused_query(errors));
    }
    let (from_s, to_s) = quarter_hours(range.from_ms, range.to_ms);
    let facts = asked
        .store
        .event_totals(asked.number, from_s, to_s, limit)
        .await?;
    let events = facts
        .rows
        .into_iter()
        .map(|(event, count)| EventTotal { event, count })
        .collect();
    let names = EventNames { events };
    Ok(Json(asked.answer(names, range, facts.rows_read, None).await?))
}

/// Which events to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsParams {
    /// Only this event.
    #[serde(default)]
    event: Option<String>,
    /// Only of this distinct id.
    #[serde(default)]
    distinct_id: Option<String>,
    /// Events a page, 1 to 1,000. Default: 100.
    #[serde(default)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<String>,
}

/// A page of events.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventPage {
    /// The latest first.
    data: Vec<EventView>,
    /// Where the next page starts; null on the last one.
    next_cursor: Option<String>,
    /// Whether there is a next page.
    has_more: bool,
}

/// Events as they were stored, the latest first.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/events",
    operation_id = "list_events",
    tag = "events",
    params(("id" = Uuid, Path, description = "The project"), EventsParams),
    responses((status = 200, description = "A page of events", body = EventPage), SignedIn, Named, Validated, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn list_events(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(params): ApiQuery<EventsParams>,
) -> Answered<Json<EventPage>> {
    let asked = Asked::placed(&caller, &accounts, &questions, id).await?;
    let limit = page_size(params.limit)?;
    let before = params.cursor.as_deref().map(read_cursor).transpose()?;
    let query = EventQuery {
        event: params.event,
        distinct_id: params.distinct_id,
        from: None,
        to: None,
        before,
        limit: limit + 1,
    };
    let rows = asked.store.recent(asked.number, &query, asked.now_ms).await?.rows;
    Ok(Json(page_of(rows, limit)))
}

/// A page from its events and one more, if there is one.
pub(super) fn page_of(mut rows: Vec<StoredEvent>, limit: u32) -> EventPage {
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows
        .last()
        .filter(|_| has_more)
        .map(|last| write_cursor(last.place()));
    EventPage {
        data: rows.into_iter().map(EventView::from).collect(),
        next_cursor,
        has_more,
    }
}

pub(super) fn page_size(asked: Option<u32>) -> Answered<u32> {
    match asked.unwrap_or(PAGE) {
        limit @ 1..=MAX_PAGE => Ok(limit),
        other => Err(invalid_query(
            "limit",
            "out_of_range",
            format!("a page has 1 to {MAX_PAGE} items, not {other}"),
        )),
    }
}

fn write_cursor(place: Place) -> String {
    format!("{:x}-{:x}-{}", place.ts, place.seq, place.id.simple())
}

pub(super) fn read_cursor(text: &str) -> Answered<Place> {
    let parts: Vec<&str> = text.splitn(3, '-').collect();
    let read = |parts: &[&str]| {
        let [ts, seq, id] = parts else { return None };
        Some(Place {
            ts: i64::from_str_radix(ts, 16).ok()?,
            seq: u32::from_str_radix(seq, 16).ok()?,
            id: id.parse().ok()?,
        })
    };
    read(&parts).ok_or_else(|| {
        invalid_query(
            "cursor",
            "unreadable",
            "take the cursor from next_cursor of the page before",
        )
    })
}
