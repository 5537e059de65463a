//! Who did it: the ids of an event.

use serde_json::Value;

use super::rejection::{Rejection, RejectionCode};
use super::{MAX_ID_CHARS, printable};

/// The ids of an event, settled. At least one of the two is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Who {
    pub device_id: String,
    pub user_id: String,
}

impl Who {
    /// Settles the three ids a client may send into the two that are kept. A `distinct_id` stands for the
    /// user where no `user_id` does, unless it is just the device's id again.
    pub fn settle(
        distinct_id: Option<Value>,
        user_id: Option<Value>,
        device_id: Option<Value>,
    ) -> Result<Who, Rejection> {
        let distinct_id = read("/distinct_id", distinct_id)?;
        let user_id = read("/user_id", user_id)?;
        let device_id = read("/device_id", device_id)?;
        let user_id = user_id.or_else(|| distinct_id.filter(|id| device_id.as_ref() != Some(id)));
        if user_id.is_none() && device_id.is_none() {
            return Err(Rejection::new(
                RejectionCode::MissingField,
                "/distinct_id",
                "an event needs a distinct_id, user_id or device_id; null, undefined, nan, 0, none, \
                 anonymous, guest and the empty text count as absent",
            ));
        }
        Ok(Who {
            device_id: device_id.unwrap_or_default(),
            user_id: user_id.unwrap_or_default(),
        })
    }

    /// The user id if present, else the device id.
    pub fn distinct_id(&self) -> &str {
        if self.user_id.is_empty() {
            &self.device_id
        } else {
            &self.user_id
        }
    }
}

/// The ids of an event that may be no good otherwise, as far as they can be read.
pub fn readable_ids(event: &str) -> Vec<String> {
    let Ok(Value::Object(mut members)) = serde_json::from_str(event) else {
        return Vec::new();
    };
    ["distinct_id", "user_id", "device_id", "previous_id"]
        .into_iter()
        .filter_map(|name| match members.remove(name)? {
            // Too long for an id it is still somebody's.
            Value::String(text) => Some(printable(text)),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
        .collect()
}

/// Reads an id: a text of up to 200 characters or a whole number, which is taken as its digits.
pub(super) fn read(field: &str, value: Option<Value>) -> Result<Option<String>, Rejection> {
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => printable(text),
        Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
        Some(other) => return Err(Rejection::wrong_type(field, "a text or a whole number", &other)),
    };
    if is_nobody(&text) {
        return Ok(None);
    }
    if text.chars().count() > MAX_ID_CHARS {
        return Err(Rejection::new(
            RejectionCode::DistinctIdTooLong,
            field,
            format!("an id has at most {MAX_ID_CHARS} characters"),
        ));
    }
    Ok(Some(text))
}

/// Texts that broken clients send for "no id": taken as ids they would melt strangers into one person.
pub fn is_nobody(id: &str) -> bool {
    let id = id.trim();
    id.is_empty()
        || ["null", "undefined", "nan", "0", "none", "anonymous", "guest"]
            .iter()
            .any(|denied| id.eq_ignore_ascii_case(denied))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settle(distinct: Value, user: Value, device: Value) -> Result<(String, String, String), Rejection> {
        Who::settle(Some(distinct), Some(user), Some(device))
            .map(|who| (who.distinct_id().to_owned(), who.user_id, who.device_id))
    }

    fn ids(distinct: &str, user: &str, device: &str) -> (String, String, String) {
        (distinct.to_owned(), user.to_owned(), device.to_owned())
    }

    #[test]
    fn the_user_comes_before_the_device() {
        assert_eq!(
            settle(Value::Null, json!("u"), json!("d")).unwrap(),
            ids("u", "u", "d")
        );
        assert_eq!(
            settle(Value::Null, Value::Null, json!("d")).unwrap(),
            ids("d", "", "d")
        );
    }

    #[test]
    fn a_distinct_id_stands_for_the_user_unless_it_is_the_device() {
        assert_eq!(
            settle(json!("a"), Value::Null, Value::Null).unwrap(),
            ids("a", "a", "")
        );
        assert_eq!(
            settle(json!("a"), Value::Null, json!("d")).unwrap(),
            ids("a", "a", "d")
        );
        assert_eq!(
            settle(json!("d"), Value::Null, json!("d")).unwrap(),
            ids("d", "", "d")
        );
        assert_eq!(settle(json!("a"), json!("u"), Value::Null).unwrap().0, "u");
    }

    #[test]
    fn denied_ids_are_nobody() {
        for denied in [
            "null",
            "Undefined",
            " NaN ",
            "0",
            "none",
            "ANONYMOUS",
            "guest",
            "",
            "  ",
        ] {
            let rejection = settle(json!(denied), json!(denied), json!(denied)).unwrap_err();
            assert_eq!(rejection.code, RejectionCode::MissingField, "{denied:?}");
            assert_eq!(settle(json!(denied), Value::Null, json!("d")).unwrap().0, "d");
        }
        assert!(settle(json!(0), Value::Null, Value::Null).is_err());
    }

    #[test]
    fn whole_numbers_are_ids_and_other_types_are_named() {
        assert_eq!(settle(json!(42), Value::Null, Value::Null).unwrap().0, "42");
        let rejection = settle(Value::Null, json!(1.5), json!("d")).unwrap_err();
        assert_eq!(rejection.code, RejectionCode::WrongType);
        assert_eq!(rejection.field, "/user_id");
        let rejection = settle(Value::Null, json!("u"), json!(["d"])).unwrap_err();
        assert_eq!(rejection.field, "/device_id");
    }

    #[test]
    fn ids_have_at_most_200_characters() {
        assert!(settle(json!("é".repeat(200)), Value::Null, Value::Null).is_ok());
        let rejection = settle(json!("é".repeat(201)), Value::Null, Value::Null).unwrap_err();
        assert_eq!(rejection.code, RejectionCode::DistinctIdTooLong);
        assert_eq!(rejection.field, "/distinct_id");
    }
}
