//! Properties: a JSON object within limits, free of what the stores cannot hold.

use serde_json::{Map, Value};

use super::rejection::{Rejection, RejectionCode, pointer};
use super::{MAX_DEPTH, MAX_NAME_CHARS, MAX_PROPERTIES, printable};

/// Reads the object at `field`: up to 255 members with names of 1 to 200 characters, itself the first of up
/// to 5 levels. NUL characters become U+FFFD.
pub(super) fn read(field: &str, value: Option<Value>) -> Result<Map<String, Value>, Rejection> {
    let mut object = match value {
        None | Some(Value::Null) => return Ok(Map::new()),
        Some(Value::Object(object)) => object,
        Some(other) => return Err(Rejection::wrong_type(field, "an object", &other)),
    };
    if object.len() > MAX_PROPERTIES {
        return Err(Rejection::new(
            RejectionCode::TooManyProperties,
            field,
            format!("at most {MAX_PROPERTIES} properties, these are {}", object.len()),
        ));
    }
    tidy_object(&mut object, field, 1)?;
    Ok(object)
}

/// Checks the names and the depth of an object that lies `depth` levels deep, itself counted.
fn tidy_object(object: &mut Map<String, Value>, at: &str, depth: usize) -> Result<(), Rejection> {
    let mut unprintable = false;
    for (name, value) in object.iter_mut() {
        if name.is_empty() {
            return Err(Rejection::new(
                RejectionCode::NameEmpty,
                at,
                "a property's name must not be empty",
            ));
        }
        // Counting characters is only needed where the bytes exceed the limit.
        if name.len() > MAX_NAME_CHARS && name.chars().count() > MAX_NAME_CHARS {
            return Err(Rejection::new(
                RejectionCode::NameTooLong,
                pointer(at, name),
                format!("a property's name has at most {MAX_NAME_CHARS} characters"),
            ));
        }
        unprintable |= name.contains('\0');
        if matches!(value, Value::Object(_) | Value::Array(_) | Value::String(_)) {
            tidy(value, at, Some(name), depth)?;
        }
    }
    if unprintable {
        *object = std::mem::take(object)
            .into_iter()
            .map(|(name, value)| (printable(name), value))
            .collect();
    }
    Ok(())
}

fn tidy(value: &mut Value, at: &str, name: Option<&str>, depth: usize) -> Result<(), Rejection> {
    if let Value::String(text) = value {
        *text = printable(std::mem::take(text));
        return Ok(());
    }
    if !(value.is_object() || value.is_array()) {
        return Ok(());
    }
    let here = name.map_or_else(|| at.to_owned(), |name| pointer(at, name));
    if depth == MAX_DEPTH {
        return Err(Rejection::new(
            RejectionCode::TooDeep,
            here,
            format!("objects and arrays may lie at most {MAX_DEPTH} levels deep"),
        ));
    }
    match value {
        Value::Object(object) => tidy_object(object, &here, depth + 1),
        Value::Array(items) => items
            .iter_mut()
            .enumerate()
            .try_for_each(|(index, item)| match item {
                Value::Object(_) | Value::Array(_) => tidy(item, &here, Some(&index.to_string()), depth + 1),
                _ => tidy(item, &here, None, depth + 1),
            }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(value: Value) -> (RejectionCode, String) {
        let rejection = read("/properties", Some(value)).unwrap_err();
        (rejection.code, rejection.field)
    }

    #[test]
    fn five_levels_are_kept_and_a_sixth_is_named() {
        let five = json!({"a": {"b": {"c": [{"e": 1}]}}});
        assert!(read("/properties", Some(five)).is_ok());
        let six = json!({"a": {"b": {"c": [{"e": {}}]}}});
        assert_eq!(
            refusal(six),
            (RejectionCode::TooDeep, "/properties/a/b/c/0/e".to_owned())
        );
    }

    #[test]
    fn the_256th_property_is_too_many() {
        let of = |n: usize| Value::Object((0..n).map(|i| (format!("p{i}"), json!(i))).collect());
        assert_eq!(read("/properties", Some(of(255))).unwrap().len(), 255);
        assert_eq!(refusal(of(256)).0, RejectionCode::TooManyProperties);
    }

    #[test]
    fn names_have_1_to_200_characters() {
        assert_eq!(refusal(json!({"": 1})).0, RejectionCode::NameEmpty);
        assert!(read("/properties", Some(json!({"ü".repeat(200): 1}))).is_ok());
        let (code, field) = refusal(json!({"a/b": {"x".repeat(201): 1}}));
        assert_eq!(code, RejectionCode::NameTooLong);
        assert!(field.starts_with("/properties/a~1b/xxx"), "{field}");
    }

    #[test]
    fn anything_but_an_object_is_a_wrong_type() {
        for value in [json!([1]), json!("text"), json!(1), json!(false)] {
            assert_eq!(
                refusal(value),
                (RejectionCode::WrongType, "/properties".to_owned())
            );
        }
        assert!(read("/properties", Some(Value::Null)).unwrap().is_empty());
    }

    #[test]
    fn nul_characters_are_replaced_at_every_level() {
        let read = read("/properties", Some(json!({"a\0": ["x\0", {"b\0": "y\0"}]}))).unwrap();
        assert_eq!(
            Value::Object(read),
            json!({"a\u{fffd}": ["x\u{fffd}", {"b\u{fffd}": "y\u{fffd}"}]})
        );
    }
}
