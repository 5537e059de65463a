//! Lists in pages, and instants as the API writes them.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

/// Which part of a list is asked for. Lists are ordered by id, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most so many rows.
    pub limit: u32,
    /// Only what comes after this id.
    pub after: Option<Uuid>,
}

impl Page {
    /// The first `limit` rows.
    pub fn first(limit: u32) -> Page {
        Page { limit, after: None }
    }

    /// Lower bound for `id > $n`: the empty text is below every id.
    pub(super) fn after_text(&self) -> String {
        self.after.map_or_else(String::new, |id| id.to_string())
    }

    /// One more row than asked for: its presence says that there is more.
    pub(super) fn fetch(&self) -> i64 {
        i64::from(self.limit) + 1
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paged<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// The id to continue after; `None` at the end of the list.
    pub next: Option<Uuid>,
}

impl<T> Paged<T> {
    /// Cuts what [`Page::fetch`] brought down to the page.
    pub(super) fn cut(mut rows: Vec<T>, page: Page, id: impl Fn(&T) -> Uuid) -> Paged<T> {
        let limit = page.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(id) } else { None };
        Paged { rows, next }
    }
}

/// An instant, UTC milliseconds; in JSON RFC 3339 text (`2026-11-23T10:15:00Z`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let instant = Timestamp::from_millisecond(self.0).map_err(serde::ser::Error::custom)?;
        serializer.collect_str(&instant)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        Timestamp::deserialize(deserializer).map(|instant| Moment(instant.as_millisecond()))
    }
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("An instant in RFC 3339, UTC."))
            .examples([serde_json::json!("2026-11-23T10:15:00Z")])
            .into()
    }
}

impl ToSchema for Moment {}
