//! What can be asked of persons: which, in what order, which page.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::event::Zone;
use crate::metrics::filter::{Filter, FilterQuery, Property};
use crate::metrics::{SpecError, accepted, time};

/// Persons of a page unless told otherwise.
pub const DEFAULT_PAGE: u32 = 50;
/// The most persons of a page.
pub const MAX_PAGE: u32 = 200;
/// The longest text to search for, in characters.
pub const MAX_SEARCH_CHARS: usize = 200;
/// Properties that a search looks at beside ids.
pub const SEARCHED: [&str; 4] = ["email", "name", "username", "company"];
/// The most ids that a search looks closer at. With more it says so: a longer text finds the others.
pub const MAX_FOUND: u32 = 1_000;

/// A question about persons, as somebody writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
#[schema(example = json!({
    "filter": {"person": "plan", "op": "in", "value": ["club", "business"]}, "seen_from": "2026-11-01",
    "order": "first_seen", "limit": 20
}))]
pub struct PersonsQuery {
    /// Only persons one of whose ids, or whose `email`, `name`, `username` or `company`, contains this text, whatever
    /// its case. At most 200 characters.
    #[serde(default)]
    #[schema(max_length = 200, example = "ada")]
    #[param(max_length = 200, example = "ada")]
    pub search: Option<String>,
    /// Only persons who pass: a filter of properties of persons and nothing else. (Not in a query string.)
    #[serde(default)]
    #[param(ignore)]
    pub filter: Option<FilterQuery>,
    /// Only persons who were last seen at this local date or instant, or later.
    #[serde(default)]
    #[schema(example = "2026-11-01")]
    #[param(example = "2026-11-01")]
    pub seen_from: Option<String>,
    /// Only persons who were last seen before this local date or instant.
    #[serde(default)]
    pub seen_to: Option<String>,
    /// What they are ordered by.
    #[serde(default)]
    #[param(inline)]
    pub order: PersonOrder,
    /// Persons of a page, 1 to 200. Default: 50.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 200)]
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// What a list of persons is ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PersonOrder {
    /// The one seen last first.
    #[default]
    LastSeen,
    /// The newest person first.
    FirstSeen,
    /// By id, in the order of its bytes.
    Id,
}

/// A place in a list of persons: what the last one of the page before was ordered by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonPlace {
    /// When the person was seen; 0 in the order of ids.
    pub at_ms: i64,
    /// The person's id, in the order of ids.
    pub id: String,
    /// The person's number.
    pub person: u64,
}

impl PersonPlace {
    /// The place as a cursor.
    pub fn cursor(&self) -> String {
        let id: String = self.id.bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("p_{:x}-{:x}-{id}", self.at_ms, self.person)
    }

    fn read(cursor: &str) -> Option<PersonPlace> {
        let mut parts = cursor.strip_prefix("p_")?.splitn(3, '-');
        let at_ms = i64::from_str_radix(parts.next()?, 16).ok()?;
        let person = u64::from_str_radix(parts.next()?, 16).ok()?;
        let digits = parts.next()?.as_bytes();
        let pairs = digits.chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        });
        let id = String::from_utf8(pairs.collect::<Option<Vec<u8>>>()?).ok()?;
        Some(PersonPlace { at_ms, id, person })
    }
}

/// A validated [`PersonsQuery`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PersonsSpec {
    /// What one of the ids or of the searched properties contains; empty: no search.
    pub search: String,
    /// Tests of properties of the person.
    pub filter: Filter,
    /// Last seen at or after, UTC milliseconds.
    pub seen_from: Option<i64>,
    /// Last seen before, UTC milliseconds.
    pub seen_to: Option<i64>,
    /// What they are ordered by.
    pub order: PersonOrder,
    /// Persons of a page.
    pub limit: u32,
    /// Behind which place the page begins.
    pub after: Option<PersonPlace>,
}

impl PersonsQuery {
    /// The question, or everything that is wrong with it.
    pub fn validate(&self, zone: &Zone) -> Result<PersonsSpec, Vec<SpecError>> {
        let mut errors = Vec::new();
        let search = self.search.as_deref().map(str::trim).unwrap_or_default();
        if search.chars().count() > MAX_SEARCH_CHARS {
            let detail = format!("a search has at most {MAX_SEARCH_CHARS} characters");
            errors.push(SpecError::new("/search", "too_long", detail));
        }
        let mut filter = Filter::everything();
        if let Some(query) = &self.filter {
            filter = query.validate("/filter", zone, &mut errors);
            if errors.is_empty() && !tests_persons(&filter) {
                errors.push(SpecError::new(
                    "/filter",
                    "not_of_persons",
                    "persons are filtered by their own properties: each predicate names a `person` property",
                ));
            }
        }
        let mut instant = |pointer: &str, text: &Option<String>| {
            let read = time::parse_instant(pointer, text.as_deref()?, zone);
            read.map_err(|error| errors.push(error)).ok()
        };
        let seen_from = instant("/seen_from", &self.seen_from);
        let seen_to = instant("/seen_to", &self.seen_to);
        let limit = self.limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            let detail = format!("a page has 1 to {MAX_PAGE} persons");
            errors.push(SpecError::new("/limit", "out_of_range", detail));
        }
        let after = self.cursor.as_deref().and_then(|cursor| {
            let place = PersonPlace::read(cursor);
            if place.is_none() {
                let detail = "take the cursor from next_cursor of the page before";
                errors.push(SpecError::new("/cursor", "unreadable", detail));
            }
            place
        });
        let spec = PersonsSpec {
            search: search.to_owned(),
            filter,
            seen_from,
            seen_to,
            order: self.order,
            limit,
            after,
        };
        accepted(spec, errors)
    }
}

/// Whether nothing else than properties of persons is tested.
fn tests_persons(filter: &Filter) -> bool {
    match filter {
        Filter::And(children) | Filter::Or(children) => children.iter().all(tests_persons),
        Filter::Predicate(predicate) => matches!(predicate.property, Some(Property::Person(_))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(query: serde_json::Value) -> Result<PersonsSpec, Vec<(String, &'static str)>> {
        let query: PersonsQuery = serde_json::from_value(query).unwrap();
        let refused = |errors: Vec<SpecError>| errors.into_iter().map(|e| (e.pointer, e.code)).collect();
        query
            .validate(&Zone::parse("Europe/Berlin").unwrap())
            .map_err(refused)
    }

    #[test]
    fn a_plain_question_asks_for_everybody_the_one_seen_last_first() {
        let spec = read(json!({})).unwrap();
        assert_eq!((spec.order, spec.limit), (PersonOrder::LastSeen, DEFAULT_PAGE));
        assert!(spec.filter.is_everything() && spec.search.is_empty() && spec.after.is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, pointer, code) in [
            (json!({"search": "x".repeat(201)}), "/search", "too_long"),
            (
                json!({"filter": {"property": "plan", "value": "pro"}}),
                "/filter",
                "not_of_persons",
            ),
            (json!({"seen_from": "soon"}), "/seen_from", "invalid_time"),
            (json!({"seen_to": "2026-02-30"}), "/seen_to", "invalid_time"),
            (json!({"limit": 0}), "/limit", "out_of_range"),
            (json!({"limit": 201}), "/limit", "out_of_range"),
            (json!({"cursor": "p_1-2-3"}), "/cursor", "unreadable"),
        ] {
            assert_eq!(read(query), Err(vec![(pointer.to_owned(), code)]));
        }
    }

    #[test]
    fn a_cursor_is_a_place() {
        let place = PersonPlace {
            at_ms: 1_793_534_400_000,
            id: "ä/b".to_owned(),
            person: u64::MAX,
        };
        assert_eq!(
            read(json!({"cursor": place.cursor()})).unwrap().after,
            Some(place)
        );
    }
}
