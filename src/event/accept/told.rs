//! What an event says of the person and of groups: members of their own that are kept as properties.

use serde_json::{Map, Value};

use super::rejection::{Rejection, RejectionCode, pointer};
use super::{MAX_NAME_CHARS, MAX_PROPERTIES, printable, properties, who};
use crate::event::wire::WireEvent;

/// The members that say something of the person or of groups, checked, under the names of the properties that they
/// become. Empty ones are left out.
pub(super) fn take(wire: &mut WireEvent) -> Result<Vec<(&'static str, Value)>, Rejection> {
    let mut told = Vec::new();
    let mut keep = |name, members: Map<String, Value>| {
        if !members.is_empty() {
            told.push((name, Value::Object(members)));
        }
    };
    keep("$set", properties::read("/set", wire.set.take())?);
    keep("$set_once", properties::read("/set_once", wire.set_once.take())?);
    keep("$add", numbers(properties::read("/add", wire.add.take())?)?);
    keep("$groups", keys(properties::read("/groups", wire.groups.take())?)?);
    let unset = names(wire.unset.take())?;
    if !unset.is_empty() {
        told.push(("$unset", Value::Array(unset)));
    }
    Ok(told)
}

fn numbers(members: Map<String, Value>) -> Result<Map<String, Value>, Rejection> {
    match members.iter().find(|(_, value)| !value.is_number()) {
        Some((name, value)) => Err(Rejection::wrong_type(pointer("/add", name), "a number", value)),
        None => Ok(members),
    }
}

/// A group's key is read as the id of a person is: who is nobody there is no group here.
fn keys(members: Map<String, Value>) -> Result<Map<String, Value>, Rejection> {
    let mut keys = Map::new();
    for (kind, key) in members {
        if let Some(key) = who::read(&pointer("/groups", &kind), Some(key))? {
            keys.insert(kind, Value::String(key));
        }
    }
    Ok(keys)
}

fn names(value: Option<Value>) -> Result<Vec<Value>, Rejection> {
    let names = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(names)) => names,
        Some(other) => return Err(Rejection::wrong_type("/unset", "an array of names", &other)),
    };
    if names.len() > MAX_PROPERTIES {
        return Err(Rejection::new(
            RejectionCode::TooManyProperties,
            "/unset",
            format!("at most {MAX_PROPERTIES} names, these are {}", names.len()),
        ));
    }
    let name = |(index, name): (usize, Value)| match name {
        Value::String(name) if name.is_empty() => Err(Rejection::new(
            RejectionCode::NameEmpty,
            format!("/unset/{index}"),
            "a property's name must not be empty",
        )),
        Value::String(name) if name.chars().count() > MAX_NAME_CHARS => Err(Rejection::new(
            RejectionCode::NameTooLong,
            format!("/unset/{index}"),
            format!("a property's name has at most {MAX_NAME_CHARS} characters"),
        )),
        Value::String(name) => Ok(Value::String(printable(name))),
        other => Err(Rejection::wrong_type(
            format!("/unset/{index}"),
            "the name of a property",
            &other,
        )),
    };
    names.into_iter().enumerate().map(name).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(wire: Value) -> Result<Value, (RejectionCode, String)> {
        let mut wire: WireEvent = serde_json::from_value(wire).unwrap();
        match take(&mut wire) {
            Ok(told) => Ok(told
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
            Err(rejection) => Err((rejection.code, rejection.field)),
        }
    }

    #[test]
    fn each_member_becomes_a_property_and_empty_ones_do_not() {
        let wire = json!({
            "set": {"plan": "pro"}, "set_once": {"from": "ad"}, "unset": ["trial\0"], "add": {"orders": 1},
            "groups": {"company": 42, "team": "guest", "office": null}
        });
        let expected = json!({
            "$set": {"plan": "pro"}, "$set_once": {"from": "ad"}, "$unset": ["trial\u{fffd}"],
            "$add": {"orders": 1}, "$groups": {"company": "42"}
        });
        assert_eq!(told(wire), Ok(expected));
        let nothing = json!({"set": {}, "set_once": null, "unset": [], "add": {}, "groups": {"team": ""}});
        assert_eq!(told(nothing), Ok(json!({})));
    }

    #[test]
    fn a_wrong_member_is_named() {
        use RejectionCode::{DistinctIdTooLong, NameEmpty, NameTooLong, TooManyProperties, WrongType};
        for (wire, code, field) in [
            (json!({"set_once": [1]}), WrongType, "/set_once"),
            (json!({"add": {"a": "1"}}), WrongType, "/add/a"),
            (json!({"unset": {"a": 1}}), WrongType, "/unset"),
            (json!({"unset": ["a", 1]}), WrongType, "/unset/1"),
            (json!({"unset": [""]}), NameEmpty, "/unset/0"),
            (json!({"unset": ["x".repeat(201)]}), NameTooLong, "/unset/0"),
            (json!({"unset": vec!["x"; 256]}), TooManyProperties, "/unset"),
            (json!({"groups": {"a": [1]}}), WrongType, "/groups/a"),
            (
                json!({"groups": {"a": "x".repeat(201)}}),
                DistinctIdTooLong,
                "/groups/a",
            ),
        ] {
            assert_eq!(told(wire), Err((code, field.to_owned())));
        }
    }
}
