//! The schema: which events and properties a project has, what people say about them, and what is offered where
//! somebody chooses one.

pub mod events;
pub mod marks;
mod page;
pub mod properties;
mod sampled;
pub mod values;

use std::collections::HashMap;

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::invalid_query;
use super::questions::Asked;
use super::{Accounts, Answered};
use crate::meta::{Mark, Named};
use crate::metrics::MAX_NAME_CHARS;
use crate::metrics::schema::VOLUME_DAYS;
use crate::metrics::time::TimeRange;
use crate::store::schema::Whose;

/// Whose properties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PropertyKind {
    /// Properties of events.
    #[default]
    Event,
    /// Properties of persons, as events set them.
    Person,
}

impl PropertyKind {
    fn named(self) -> Named {
        match self {
            PropertyKind::Event => Named::Property,
            PropertyKind::Person => Named::Person,
        }
    }

    fn whose(self) -> Whose {
        match self {
            PropertyKind::Event => Whose::Event,
            PropertyKind::Person => Whose::Person,
        }
    }
}

/// The marks of a project by name.
async fn marks_of(accounts: &Accounts, project: Uuid, named: Named) -> Answered<HashMap<String, Mark>> {
    Ok(accounts.meta.marks(project, named).await?.into_iter().collect())
}

/// The local days whose events are an event's volume: their starts in order, and the end.
fn volume_days(asked: &Asked) -> Vec<i64> {
    let today = asked.zone.local_day(asked.now_ms);
    let days = (1 - VOLUME_DAYS..=1).map(|n| asked.zone.day_start(today.plus(n)));
    let mut starts: Vec<i64> = days.collect();
    // A date that never was begins where the next one does.
    starts.dedup();
    starts
}

/// The range of [`volume_days`].
fn volume_range(days: &[i64]) -> TimeRange {
    TimeRange {
        from_ms: days.first().copied().unwrap_or(0),
        to_ms: days.last().copied().unwrap_or(0),
    }
}

/// The texts of a query string within their limits; a NUL is in no name and no value.
fn check_texts(texts: &[(&str, Option<&str>)]) -> Answered<()> {
    for (name, text) in texts {
        let text = text.unwrap_or_default();
        if text.chars().count() > MAX_NAME_CHARS || text.contains('\0') {
            let detail = format!("a text of at most {MAX_NAME_CHARS} characters, without NUL");
            return Err(invalid_query(name, "wrong_length", detail));
        }
    }
    Ok(())
}

/// Whether a name, or what is said about it, holds the text that is looked for; in any case.
fn is_wanted(name: &str, mark: &Mark, search: Option<&str>) -> bool {
    let Some(search) = search.map(str::to_lowercase) else {
        return true;
    };
    name.to_lowercase().contains(&search) || mark.description.to_lowercase().contains(&search)
}
