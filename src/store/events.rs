//! Raw events as a person wants to see them: a list, the latest first, page by page.

use clickhouse::Row;
use serde::Deserialize;
use uuid::Uuid;

use super::{Facts, Store, StoreError, facts};
use crate::event::{Day, ProjectNumber, actor_of};

/// A stored event, all columns that mean something to its owner.
#[derive(Clone, Debug, PartialEq, Row, Deserialize)]
pub struct StoredEvent {
    #[serde(with = "clickhouse::serde::uuid")]
    pub id: Uuid,
    pub event: String,
    /// Corrected event time, UTC milliseconds.
    pub ts: i64,
    /// Place in the client's batch.
    pub seq: u32,
    /// When the endpoint received it, UTC milliseconds.
    pub received_at: i64,
    pub distinct_id: String,
    pub device_id: String,
    pub user_id: String,
    /// xxh3 of the session id; 0 when absent.
    pub session: u64,
    pub path: String,
    pub host: String,
    pub referrer_host: String,
    pub utm_source: String,
    pub utm_medium: String,
    pub utm_campaign: String,
    pub country: String,
    pub region: String,
    pub city: String,
    pub browser: String,
    pub os: String,
    pub device: String,
    pub lib: String,
    pub amount: f64,
    pub currency: String,
    /// The text of one JSON object.
    pub props: String,
    /// Bits of [`crate::event::flag`].
    pub flags: u16,
}

impl StoredEvent {
    /// Where this event stands in the list: the next page's [`EventQuery::before`].
    pub fn place(&self) -> Place {
        Place {
            ts: self.ts,
            seq: self.seq,
            id: self.id,
        }
    }
}

/// The columns of [`StoredEvent`], in its order.
pub(super) const COLUMNS: &str = "id, event, ts, seq, received_at, distinct_id, device_id, user_id, session, path, host, \
    referrer_host, utm_source, utm_medium, utm_campaign, country, region, city, browser, os, device, lib, amount, \
    currency, props, flags";

/// A place in the list, which runs backwards through the total order of events: time, place in the client's
/// batch, id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Corrected event time, UTC milliseconds.
    pub ts: i64,
    /// Place in the client's batch.
    pub seq: u32,
    pub id: Uuid,
}

/// Which events to list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventQuery {
    /// Only this name.
    pub event: Option<String>,
    /// Only of this distinct id.
    pub distinct_id: Option<String>,
    /// Event time in `[from, to)`, UTC milliseconds.
    pub from: Option<i64>,
    pub to: Option<i64>,
    /// Only events after this place in the list, that is earlier ones.
    pub before: Option<Place>,
    pub limit: u32,
}

/// Milliseconds of event time that a page looks at, one after the other until it is full: a list without a
/// bound in time reads everything the project has (measured: 874 ms against 31).
const WINDOWS_MS: [i64; 4] = [3_600_000, 86_400_000, 14 * 86_400_000, i64::MAX];

impl Store {
    /// A page of the project's events, the latest first. `now_ms` is where the first page begins to look back;
    /// later events (a clock that is ahead) are listed too.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn recent(
        &self,
        project: ProjectNumber,
        query: &EventQuery,
        now_ms: i64,
    ) -> Result<Facts<Vec<StoredEvent>>, StoreError> {
        let newest = query.before.map_or(now_ms, |place| place.ts);
        let mut page = Facts {
            rows: Vec::new(),
            rows_read: 0,
        };
        let mut before = query.before;
        for window in WINDOWS_MS {
            let missing = query.limit.saturating_sub(page.rows.len() as u32);
            if missing == 0 {
                break;
            }
            let since = newest.saturating_sub(window).max(0);
            let found = self.window(project, query, since, before, missing).await?;
            page.rows_read += found.rows_read;
            page.rows.extend(found.rows);
            // the wider window continues behind what is on the page
            before = page.rows.last().map(StoredEvent::place).or(before);
        }
        Ok(page)
    }

    async fn window(
        &self,
        project: ProjectNumber,
        query: &EventQuery,
        since: i64,
        before: Option<Place>,
        limit: u32,
    ) -> Result<Facts<Vec<StoredEvent>>, StoreError> {
        let mut conditions = String::from(
            "day >= toDate({since_day:UInt16}) AND ts >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')",
        );
        let mut and = |condition: &str| {
            conditions.push_str(" AND ");
            conditions.push_str(condition);
        };
        if query.event.is_some() {
            and("event = {event:String}");
        }
        if query.distinct_id.is_some() {
            // the number finds the granules by its bloom filter, the text makes sure
            and("actor = {actor:UInt64} AND distinct_id = {distinct_id:String}");
        }
        if query.from.is_some() {
            and("day >= toDate({from_day:UInt16}) AND ts >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')");
        }
        if query.to.is_some() {
            and("day <= toDate({to_day:UInt16}) AND ts < fromUnixTimestamp64Milli({to:Int64}, 'UTC')");
        }
        if before.is_some() {
            and(
                "day <= toDate({before_day:UInt16}) AND (ts, seq, UUIDToNum(id)) < \
                 (fromUnixTimestamp64Milli({before:Int64}, 'UTC'), {before_seq:UInt32}, UUIDToNum({before_id:UUID}))",
            );
        }
        let mut ask = self
            .question(
                project,
                &format!(
                    "SELECT {COLUMNS} FROM events WHERE project = {{project:UInt32}} AND {conditions} \
                     ORDER BY ts DESC, seq DESC, UUIDToNum(id) DESC LIMIT {{limit:UInt32}}"
                ),
            )
            .param("since", since)
            .param("since_day", Day::of_utc(since).as_u16())
            .param("limit", limit);
        if let Some(event) = &query.event {
            ask = ask.param("event", event);
        }
        if let Some(distinct_id) = &query.distinct_id {
            ask = ask
                .param("actor", actor_of(distinct_id))
                .param("distinct_id", distinct_id);
        }
        if let Some(from) = query.from {
            ask = ask
                .param("from", from)
                .param("from_day", Day::of_utc(from).as_u16());
        }
        if let Some(to) = query.to {
            ask = ask.param("to", to).param("to_day", Day::of_utc(to).as_u16());
        }
        if let Some(place) = before {
            ask = ask
                .param("before", place.ts)
                .param("before_day", Day::of_utc(place.ts).as_u16())
                .param("before_seq", place.seq)
                .param("before_id", place.id.to_string());
        }
        facts(ask).await
    }
}
