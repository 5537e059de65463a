//! Filters and properties as a person writes them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type};
use uuid::Uuid;

/// A filter: `{"and": […]}`, `{"or": […]}` (1 to 20 members, nested at most 4 deep, at most 50 predicates), or a
/// predicate over a property of the event, a property of the person, the event's name, or a cohort.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"and": [
    {"property": "plan", "op": "in", "value": ["club", "pro"]},
    {"or": [{"property": "$country", "value": "DE"}, {"person": "newsletter", "op": "is_set"}]}
]}))]
pub struct FilterQuery {
    /// All of these hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion, min_items = 1, max_items = 20)]
    pub and: Option<Vec<FilterQuery>>,
    /// At least one of these holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion, min_items = 1, max_items = 20)]
    pub or: Option<Vec<FilterQuery>>,
    /// A property of the event. `$path`, `$host`, `$referrer_host`, `$utm_source`, `$utm_medium`, `$utm_campaign`,
    /// `$country`, `$region`, `$city`, `$browser`, `$os`, `$device`, `$lib`, `$amount` and `$currency` are what
    /// capture found out. `$groups.company` is the key of the company that the event belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "plan")]
    pub property: Option<String>,
    /// A property of the person, as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The id of a cohort of the project: `in` (the default) its members, or `not_in`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cohort: Option<Uuid>,
    /// `true`: the name of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_name: Option<bool>,
    /// What is asked of it. Default: `is`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<Op>,
    /// What to compare with: a text, a number or a boolean; a list of 1 to 200 for `in` and `not_in`, of two numbers
    /// for `between`; nothing for `is_set` and `is_not_set`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = what_to_compare_with)]
    pub value: Option<Value>,
}

/// A text, a number, a boolean, or a list of them.
fn what_to_compare_with() -> Schema {
    let one = |kind| {
        SchemaType::from_iter(
            [Type::String, Type::Number, Type::Boolean]
                .into_iter()
                .chain(kind),
        )
    };
    let items = ObjectBuilder::new().schema_type(one(None));
    let list = ArrayBuilder::new().items(items).max_items(Some(200));
    let description = "What to compare with: a text, a number or a boolean; a list of 1 to 200 for `in` and `not_in`, of \
        two numbers\nfor `between`; nothing for `is_set` and `is_not_set`.";
    let either = OneOfBuilder::new()
        .item(ObjectBuilder::new().schema_type(one(Some(Type::Null))))
        .item(list)
        .description(Some(description))
        .examples(["club"]);
    either.into()
}

/// What a predicate asks. Texts are compared with case; numbers by their canonical text (1, 1.0 and "1" are equal).
/// Of a missing or null property only `is_not`, `not_contains`, `not_in` and `is_not_set` are true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Equal.
    #[default]
    Is,
    /// Not equal.
    IsNot,
    /// The text occurs in it.
    Contains,
    /// The text does not occur in it.
    NotContains,
    /// It begins with the text.
    StartsWith,
    /// It ends with the text.
    EndsWith,
    /// The pattern (RE2) occurs in it; at most 200 characters.
    Matches,
    /// A greater number.
    Gt,
    /// A greater or equal number.
    Gte,
    /// A smaller number.
    Lt,
    /// A smaller or equal number.
    Lte,
    /// A number between two, both included.
    Between,
    /// One of several.
    In,
    /// None of several.
    NotIn,
    /// Neither missing nor null.
    IsSet,
    /// Missing or null.
    IsNotSet,
    /// Earlier than an instant or date.
    Before,
    /// Later than an instant or date.
    After,
}

/// The name of a property to break down by or to hold constant: `{"property": "plan"}`, `{"person": "plan"}`, or
/// `{"cohort": "…"}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"property": "plan"}))]
pub struct PropertyQuery {
    /// A property of the event; with a dollar sign (`$country`, `$browser`, …) what capture found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "plan")]
    pub property: Option<String>,
    /// A property of the person, as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The id of a cohort of the project: the values are `in` and `not in`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cohort: Option<Uuid>,
}
