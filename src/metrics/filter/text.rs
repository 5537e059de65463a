//! Canonical text: one text for each value, so that equal values have equal texts.
//!
//! A text is itself, a boolean `true` or `false`. A whole number that fits 64 bits is its digits; any other
//! number is the shortest decimal that reads back as the same 64-bit number, written plainly from 1e-6 up to
//! below 1e21 and with an exponent outside (as in JavaScript, without a plus sign). Minus zero is 0. A list or
//! an object is its compact JSON text.

use std::fmt::Write;

use serde_json::{Map, Value};

/// The canonical text of a value; `None` for null.
pub fn canonical(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(match number.as_f64() {
            Some(float) if number.is_f64() => text_of_number(float),
            _ => number.to_string(),
        }),
        Value::Array(_) | Value::Object(_) => {
            let mut text = String::new();
            json(value, &mut text);
            Some(text)
        }
    }
}

/// The canonical text of the property `name` in the text of one JSON object.
pub(super) fn property(props: &str, name: &str) -> Option<String> {
    let object: Map<String, Value> = serde_json::from_str(props).ok()?;
    object.get(name).and_then(canonical)
}

/// The canonical text of a finite number.
pub fn text_of_number(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    digits(number)
}

/// As [`text_of_number`], but minus zero keeps its sign.
fn digits(number: f64) -> String {
    let plain = number.abs();
    if plain == 0.0 || (1e-6..1e21).contains(&plain) {
        // Rust writes the shortest digits that read back, and never an exponent.
        number.to_string()
    } else {
        format!("{number:e}")
    }
}

/// The finite number that a text stands for: an optional minus sign, digits with an optional fraction, an
/// optional exponent, and nothing else.
pub fn number_of(text: &str) -> Option<f64> {
    let rest = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(mantissa),
    };
    let exponent_fits = exponent.is_none_or(|text| {
        let text = text.strip_prefix(['+', '-']).unwrap_or(text);
        digits(text) && text.len() <= 5
    });
    if !(mantissa_fits && exponent_fits) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Compact JSON with canonical numbers. Within a list or an object minus zero keeps its sign.
fn json(value: &Value, into: &mut String) {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => into.push_str(&digits(float)),
            _ => {
                let _ = write!(into, "{number}");
            }
        },
        Value::Array(items) => {
            into.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    into.push(',');
                }
                json(item, into);
            }
            into.push(']');
        }
        Value::Object(members) => {
            into.push('{');
            for (n, (name, value)) in members.iter().enumerate() {
                if n > 0 {
                    into.push(',');
                }
                quoted(name, into);
                into.push(':');
                json(value, into);
            }
            into.push('}');
        }
        Value::String(text) => quoted(text, into),
        Value::Null | Value::Bool(_) => {
            let _ = write!(into, "{value}");
        }
    }
}

/// A JSON text, with the escapes that ClickHouse writes.
fn quoted(text: &str, into: &mut String) {
    into.push('"');
    for c in text.chars() {
        match c {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            '\t' => into.push_str("\\t"),
            '\u{8}' => into.push_str("\\b"),
            '\u{c}' => into.push_str("\\f"),
            '\0'..='\u{1f}' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(into, "\\u{:04X}", u32::from(c));
            }
            c => into.push(c),
        }
    }
    into.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_values_have_one_text() {
        for (value, text) in [
            (json!(1), "1"),
            (json!(1.0), "1"),
            (json!("1"), "1"),
            (json!(-0.0), "0"),
            (json!(true), "true"),
            (json!(""), ""),
            (json!(0.1), "0.1"),
            (json!(1e16), "10000000000000000"),
            (json!(1e20), "100000000000000000000"),
            (json!(1e21), "1e21"),
            (json!(1.5e-7), "1.5e-7"),
            (json!(0.000001), "0.000001"),
            (json!(18446744073709551615_u64), "18446744073709551615"),
            (json!(9007199254740993_i64), "9007199254740993"),
            (json!({"b": [1.0, "x"], "a": null}), r#"{"a":null,"b":[1,"x"]}"#),
        ] {
            assert_eq!(canonical(&value).as_deref(), Some(text), "{value}");
        }
        assert_eq!(canonical(&Value::Null), None);
    }

    #[test]
    fn a_text_is_a_number_if_it_looks_like_one() {
        for (text, number) in [
            ("5", 5.0),
            ("-0.50", -0.5),
            ("007", 7.0),
            ("1e3", 1000.0),
            ("1E-2", 0.01),
        ] {
            assert_eq!(number_of(text), Some(number), "{text}");
        }
        for text in [
            "", "-", "+1", " 1", "1.", ".5", "1e", "0x10", "inf", "nan", "1e400", "1_000", "12a", "--1",
        ] {
            assert_eq!(number_of(text), None, "{text}");
        }
    }
}
