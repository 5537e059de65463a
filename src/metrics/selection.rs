//! Which events a person has to have done: some names, or any activity, and a filter.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::filter::{Filter, FilterQuery, PersonProperties, Property};
use super::{SpecError, check_event_name};
use crate::event::{Event, Zone};

/// The most alternative events of one selection.
pub const MAX_ALTERNATIVES: usize = 10;

/// A selection: `{"event": "purchase"}`, several events of which any will do (`{"events": ["purchase", "subscribe"]}`),
/// or neither: any event that counts as activity. With a `filter` only those of them that pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"event": "purchase", "filter": {"property": "plan", "value": "club"}}))]
pub struct SelectionQuery {
    /// The event's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// At most 10 alternatives, instead of `event`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10)]
    pub events: Vec<String>,
    /// Only events that pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterQuery>,
}

/// A validated [`SelectionQuery`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Selection {
    /// Event names, at most 10, all different; empty: any event that counts as activity.
    pub events: Vec<String>,
    /// Only events that pass.
    pub filter: Filter,
}

impl SelectionQuery {
    /// The selection of one event, or of any activity.
    pub fn event(name: Option<String>) -> SelectionQuery {
        SelectionQuery {
            event: name,
            ..SelectionQuery::default()
        }
    }

    /// The same, and only of events that pass.
    pub fn within(self, filter: Option<FilterQuery>) -> SelectionQuery {
        SelectionQuery { filter, ..self }
    }

    /// The selection; what is wrong is added to `errors`, under `pointer`.
    pub fn validate(&self, pointer: &str, zone: &Zone, errors: &mut Vec<SpecError>) -> Selection {
        let filter = match &self.filter {
            Some(filter) => filter.validate(&format!("{pointer}/filter"), zone, errors),
            None => Filter::everything(),
        };
        if let Some(name) = &self.event {
            check_event_name(&format!("{pointer}/event"), name, errors);
            if !self.events.is_empty() {
                let detail = "give either event or events, not both";
                errors.push(SpecError::new(format!("{pointer}/events"), "conflict", detail));
            }
            return Selection {
                events: vec![name.clone()],
                filter,
            };
        }
        let count = self.events.len();
        if count > MAX_ALTERNATIVES {
            let detail = format!("at most {MAX_ALTERNATIVES} alternatives, these are {count}");
            errors.push(SpecError::new(format!("{pointer}/events"), "too_many", detail));
        }
        for (i, name) in self.events.iter().enumerate().take(MAX_ALTERNATIVES) {
            let pointer = format!("{pointer}/events/{i}");
            check_event_name(&pointer, name, errors);
            if self.events[..i].contains(name) {
                let detail = format!("{name:?} is listed twice");
                errors.push(SpecError::new(pointer, "duplicate", detail));
            }
        }
        Selection {
            events: self.events.clone(),
            filter,
        }
    }
}

impl Selection {
    /// Any event that counts as activity.
    pub fn any_activity() -> Selection {
        Selection::default()
    }

    /// One event, or any activity.
    pub fn of(event: Option<&str>) -> Selection {
        Selection {
            events: event.into_iter().map(str::to_owned).collect(),
            filter: Filter::everything(),
        }
    }

    /// The same, of events that pass another filter too.
    pub fn within(self, filter: &Filter) -> Selection {
        let filter = match (filter.is_everything(), self.filter.is_everything()) {
            (true, _) => self.filter,
            (false, true) => filter.clone(),
            (false, false) => Filter::And(vec![filter.clone(), self.filter]),
        };
        Selection { filter, ..self }
    }

    /// The same, of events that have a value of the property too.
    pub fn having(self, group: Option<&Property>) -> Selection {
        let filter = self.filter.having(group);
        Selection { filter, ..self }
    }

    /// Whether it is any activity, of any properties.
    pub fn is_any_activity(&self) -> bool {
        self.events.is_empty() && self.filter.is_everything()
    }

    /// Whether both certainly select the same events.
    pub fn same_as(&self, other: &Selection) -> bool {
        self.filter == other.filter
            && self.events.len() == other.events.len()
            && self.events.iter().all(|name| other.events.contains(name))
    }

    /// Whether the event is one of these. An event that is asked for by its name counts even if it is no activity.
    pub fn matches(&self, event: &Event, person: &PersonProperties) -> bool {
        let named = match self.events.as_slice() {
            [] => event.is_activity(),
            names => names.contains(&event.event),
        };
        named && self.filter.matches(event, person)
    }
}
