//! What a merge or an unmerge does to persons.

use serde::Serialize;
use utoipa::ToSchema;

use crate::metrics::identity::{Id, Person, Preview};

/// Ids of a person that are listed.
const MOST_LISTED: usize = 100;

/// The persons who lose or gain an event, as they were and as they are then. Nobody: nothing changes hands.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(example = json!({
    "before": [{"id": "ann", "fresh": false, "ids": ["ann", "phone-1"], "ids_total": 2},
               {"id": "ann@example.org", "fresh": false, "ids": ["ann@example.org"], "ids_total": 1}],
    "after": [{"id": "ann", "fresh": false, "ids": ["ann", "ann@example.org", "phone-1"], "ids_total": 3}]
}))]
pub struct Persons {
    /// Before.
    pub before: Vec<PersonIds>,
    /// After.
    pub after: Vec<PersonIds>,
}

/// A person and their ids.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PersonIds {
    /// The canonical id: the smallest user id, else the device's.
    id: String,
    /// Whether that is whoever uses the device without saying so, after users of two persons were seen on it.
    fresh: bool,
    /// The ids, users first; at most 100.
    ids: Vec<String>,
    /// How many there are.
    ids_total: u64,
}

impl PersonIds {
    fn new((person, ids): (&Person, &Vec<Id>)) -> PersonIds {
        let (id, fresh) = match person {
            Person::Known(id) => (id, false),
            Person::Fresh(id) => (id, true),
        };
        PersonIds {
            id: id.to_string(),
            fresh,
            ids: ids.iter().take(MOST_LISTED).map(Id::to_string).collect(),
            ids_total: ids.len() as u64,
        }
    }
}

impl From<&Preview> for Persons {
    fn from(preview: &Preview) -> Persons {
        Persons {
            before: preview.before.iter().map(PersonIds::new).collect(),
            after: preview.after.iter().map(PersonIds::new).collect(),
        }
    }
}
