//! Answers about persons and groups.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::record::Record;
use crate::metrics::time::Moment;

/// A page of persons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PersonsReport {
    /// Persons that pass, on all pages. Null on pages after the first.
    pub count: Option<u64>,
    /// The page.
    pub persons: Vec<PersonRow>,
    /// Where the next page starts; null on the last one.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

/// A person of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PersonRow {
    /// The id that the person is called by: a user's id where there is one.
    #[schema(example = "user-42")]
    pub id: String,
    /// Whether it is a user's id, given by the application.
    pub identified: bool,
    /// Whether this is what happened on a shared device after a second user was seen on it: the device's id is another
    /// person's too.
    pub fresh: bool,
    /// How many ids belong to the person.
    pub ids: u64,
    /// Time of the first event.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Moment,
    /// Time of the last event.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Moment,
    /// Properties by name, at most 100.
    #[schema(value_type = Object, example = json!({"plan": "club"}))]
    pub properties: BTreeMap<String, Value>,
}

/// All that is known of a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PersonProfile {
    /// The id that the person is called by.
    pub id: String,
    /// Whether it is a user's id.
    pub identified: bool,
    /// As in [`PersonRow`].
    pub fresh: bool,
    /// All ids, users' first; at most 1,000.
    pub ids: Vec<KnownId>,
    /// Time of the first event.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Moment,
    /// Time of the last event.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Moment,
    /// Events in all.
    pub events: u64,
    /// Properties by name.
    pub properties: Vec<KnownProperty>,
    /// Groups that their events of the 30 days before they were last seen name (of the last 1,000 that name any), the
    /// latest first; at most 100.
    pub groups: Vec<GroupKey>,
}

/// One id of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KnownId {
    /// The distinct id.
    pub id: String,
    /// Whether the application gave it; else it is a device's.
    pub is_user: bool,
}

/// One property of a person or group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KnownProperty {
    /// Its name.
    #[schema(example = "plan")]
    pub name: String,
    /// Its value.
    #[schema(value_type = Value, example = "club")]
    pub value: Value,
    /// Time of the event that gave it this value.
    #[schema(value_type = String, format = DateTime)]
    pub set_at: Moment,
}

/// A group by type and key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct GroupKey {
    /// Its type.
    #[serde(rename = "type")]
    #[schema(example = "company")]
    pub kind: String,
    /// Its key.
    #[schema(example = "acme")]
    pub key: String,
}

impl KnownProperty {
    /// The properties that records say, by name; missing ones are left out.
    pub fn all(records: &BTreeMap<String, Record>) -> Vec<KnownProperty> {
        let known = |(name, record): (&String, &Record)| {
            let (value, at) = record.value()?;
            Some(KnownProperty {
                name: name.clone(),
                value: value.value(),
                set_at: Moment(at.ts()),
            })
        };
        records.iter().filter_map(known).collect()
    }
}
