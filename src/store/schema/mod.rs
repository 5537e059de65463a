//! Names of events and properties: noting what was seen ([`look`]), reading it, and looking at a sample of events
//! ([`sample`]).

pub mod look;
pub mod sample;

use clickhouse::Row;
use serde::Deserialize;

use super::{Facts, Store, StoreError, facts};
use crate::event::ProjectNumber;

pub use sample::{Carried, SampleOf};

/// Names that are read of a project at most.
pub const MOST_READ: u32 = 20_000;

/// Whose property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The event's.
    Event,
    /// The person's.
    Person,
}

impl Whose {
    /// Its word in `schema_days`.
    fn kind(self) -> &'static str {
        match self {
            Whose::Event => "property",
            Whose::Person => "person",
        }
    }
}

/// When a name was seen.
#[derive(Clone, Debug, PartialEq, Eq, Row, Deserialize)]
pub struct Seen {
    /// An event's name, or a property's.
    pub name: String,
    /// Bits of the types of its values; 0 for an event.
    pub types: u8,
    /// Event times, UTC milliseconds.
    pub first: i64,
    pub last: i64,
    /// Names of events that carry the property; 1 for an event.
    pub events: u64,
}

fn seen(name: &str, which: &str) -> String {
    format!(
        "SELECT {name} AS name, groupBitOr(types) AS types, toUnixTimestamp64Milli(min(first)) AS first, \
           toUnixTimestamp64Milli(max(last)) AS last, uniqExact(event) AS events \
         FROM schema_days WHERE project = {{project:UInt32}} AND {which} GROUP BY name ORDER BY name \
         LIMIT {MOST_READ}"
    )
}

impl Store {
    /// When each event was seen, in order of names, as far as the last look.
    ///
    /// # Errors
    /// When ClickHouse does not answer within the limits.
    pub async fn seen_events(&self, project: ProjectNumber) -> Result<Facts<Vec<Seen>>, StoreError> {
        facts(self.question(project, &seen("event", "kind = 'event'"))).await
    }

    /// When each property was seen (with one event, for `Some`), in order of names, as far as the last look.
    ///
    /// # Errors
    /// As [`Store::seen_events`].
    pub async fn seen_properties(
        &self,
        project: ProjectNumber,
        whose: Whose,
        event: Option<&str>,
    ) -> Result<Facts<Vec<Seen>>, StoreError> {
        let mut which = format!("kind = '{}'", whose.kind());
        if event.is_some() {
            which.push_str(" AND event = {event:String}");
        }
        let mut query = self.question(project, &seen("property", &which));
        if let Some(event) = event {
            query = query.param("event", event);
        }
        facts(query).await
    }

    /// The names of events that carry a property (any one of this kind, for `None`): at most `limit`, those seen last
    /// first.
    ///
    /// # Errors
    /// As [`Store::seen_events`].
    pub async fn carriers(
        &self,
        project: ProjectNumber,
        whose: Whose,
        property: Option<&str>,
        limit: u32,
    ) -> Result<Facts<Vec<String>>, StoreError> {
        #[derive(Row, Deserialize)]
        struct Carrier {
            event: String,
        }
        let named = property.map_or("", |_| "AND property = {property:String}");
        let sql = format!(
            "SELECT event FROM schema_days WHERE project = {{project:UInt32}} AND kind = '{}' {named} \
             GROUP BY event ORDER BY max(last) DESC, event LIMIT {{limit:UInt32}}",
            whose.kind()
        );
        let mut query = self.question(project, &sql).param("limit", limit);
        if let Some(property) = property {
            query = query.param("property", property);
        }
        let found: Facts<Vec<Carrier>> = facts(query).await?;
        Ok(Facts {
            rows: found.rows.into_iter().map(|row| row.event).collect(),
            rows_read: found.rows_read,
        })
    }
}
