//! The vocabulary: what an event is. Pure: no HTTP, no Redis, no SQL, no clock.

pub mod accept;
pub mod enrich;
pub mod ledger;
pub mod subject;
pub mod wire;
pub mod zone;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

pub use subject::{Subject, Which};
pub use zone::{Day, Zone};

/// Seconds in the UTC quarter hour that count rollups are kept by: it divides every offset in use.
pub const QUARTER_HOUR_S: u32 = 900;

/// A project as ClickHouse and Redis know it. Never reused: a deleted project's number would expose its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProjectNumber(pub u32);

impl std::fmt::Display for ProjectNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Bits of [`Event::flags`]: what capture noticed about the event.
pub mod flag {
    /// The event time lay outside what is stored (400 days back, 5 minutes ahead) and was moved;
    /// the time as sent is kept in the property `$original_timestamp`.
    pub const TIME_CLAMPED: u16 = 1;
    /// The client's clock was off by more than 5 minutes; the time was corrected by the difference.
    pub const TIME_CORRECTED: u16 = 2;
    /// The user agent belongs to a known robot.
    pub const BOT: u16 = 4;
    /// Carries identity or properties only; it is not activity and counts in no active-user metric.
    pub const NOT_ACTIVITY: u16 = 8;
    /// The client sent no event id; capture gave it one. Such an id is another at each sending, so neither
    /// the request key nor the event-id window may use it.
    pub const ID_GIVEN: u16 = 16;
}

/// One accepted event: validated, enriched, final. Everything that could change later happened before;
/// a stored row is a pure function of this value. `T` is how its texts are held: owned, or borrowed (`&str`) from
/// an entry of the stream that is read row by row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event<T = String> {
    /// The project whose key the request carried.
    pub project: ProjectNumber,
    /// Event name, 1 to 200 characters.
    pub event: T,
    /// Corrected event time, UTC milliseconds.
    pub ts: i64,
    /// Place in the client's batch. Total order of a person's events: `(ts, seq, id)`.
    pub seq: u32,
    /// Event id: the client's UUID, or a UUIDv7 given at capture.
    pub id: Uuid,
    /// When the endpoint received it, UTC milliseconds.
    pub received_at: i64,
    /// Who did it: the user id if present, else the device id. Never empty.
    pub distinct_id: T,
    /// The client's own id of this browser or installation; empty when absent.
    pub device_id: T,
    /// The id the application gave the person; empty when absent.
    pub user_id: T,
    /// xxh3 of the client's session id; 0 when absent.
    pub session: u64,
    /// Page path without query and fragment; empty when absent. So for every text below.
    pub path: T,
    pub host: T,
    pub referrer_host: T,
    pub utm_source: T,
    pub utm_medium: T,
    pub utm_campaign: T,
    /// ISO 3166-1 alpha-2, upper case, or empty.
    pub country: T,
    pub region: T,
    pub city: T,
    pub browser: T,
    pub os: T,
    /// `desktop`, `mobile`, `tablet`, `bot` or empty.
    pub device: T,
    /// Sending library, `name/version`.
    pub lib: T,
    /// Monetary value of the event in `currency`; 0 when absent.
    pub amount: f64,
    /// ISO 4217, upper case, or empty.
    pub currency: T,
    /// All properties as sent, as the text of one JSON object.
    pub props: T,
    /// Bits of [`flag`].
    pub flags: u16,
    /// Day of `ts` in the project's zone as it was at capture.
    pub local_day: Day,
}

impl<T: AsRef<str>> Event<T> {
    /// The 64-bit number under which questions know who did it: xxh3 of the distinct id (the same
    /// function as ClickHouse's `xxh3`).
    pub fn actor(&self) -> u64 {
        actor_of(self.distinct_id.as_ref())
    }

    /// The UTC day of the event time: the partition and sort key of the raw table.
    pub fn day(&self) -> Day {
        Day::of_utc(self.ts)
    }

    /// Start of the event's UTC quarter hour, in seconds.
    pub fn quarter_hour(&self) -> u32 {
        let seconds = self.ts.div_euclid(1000).clamp(0, i64::from(u32::MAX)) as u32;
        seconds - seconds % QUARTER_HOUR_S
    }

    /// Whether the event counts as activity in active-user metrics.
    pub fn is_activity(&self) -> bool {
        self.flags & flag::NOT_ACTIVITY == 0
    }
}

/// The actor number of a distinct id.
pub fn actor_of(distinct_id: &str) -> u64 {
    xxh3_64(distinct_id.as_bytes())
}
