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

/// The canonical text of the member `name` of the object `of` in the text of one JSON object.
pub(super) fn member(props: &str, of: &str, name: &str) -> Option<String> {
    let object: Map<String, Value> = serde_json::from_str(props).ok()?;
    object.get(of)?.as_object()?.get(name).and_then(canonical)
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
    // Two shortest decimals may be equally near. serde_json writes the even one, as ClickHouse and JavaScript do; Rust
    // itself does not.
    let written = serde_json::Number::from_f64(number).map_or_else(String::new, |number| number.to_string());
    let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(plain) => ("-", plain),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let first = all.len() - all.trim_start_matches('0').len();
    let digits = all[first..].trim_end_matches('0');
    if digits.is_empty() {
        return format!("{sign}0");
    }
    // The number is 0.digits times ten to the power of this.
    let point = whole.len() as i32 - first as i32 + exponent.parse::<i32>().unwrap_or(0);
    let zeros = |count: i32| "0".repeat(count.max(0) as usize);
    match (usize::try_from(point), point) {
        (_, 22..) | (_, ..-5) => {
            let (head, tail) = digits.split_at(1);
            let dot = if tail.is_empty() { "" } else { "." };
            format!("{sign}{head}{dot}{tail}e{}", point - 1)
        }
        (Ok(whole), 1..) if whole < digits.len() => {
            format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
        }
        (_, 1..) => format!("{sign}{digits}{}", zeros(point - digits.len() as i32)),
        _ => format!("{sign}0.{}{digits}", zeros(-point)),
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
            (json!(-12.5), "-12.5"),
            (json!(0.0625), "0.0625"),
            (json!(123456.75e3), "123456750"),
            (json!(999999999999999900000.0), "999999999999999900000"),
            (json!(-6.0202845199393645e29), "-6.0202845199393645e29"),
            (json!(5e-324), "5e-324"),
            // .2 and .3 are as near to 1005155405213726.25
            (json!(-4_020_621_620_854_905.0 / 4.0), "-1005155405213726.2"),
            (json!(18446744073709551615_u64), "18446744073709551615"),
            (json!(9007199254740993_i64), "9007199254740993"),
            (json!({"b": [1.0, "x"], "a": null}), r#"{"a":null,"b":[1,"x"]}"#),
        ] {
            assert_eq!(canonical(&value).as_deref(), Some(text), "{value}");
        }
        assert_eq!(canonical(&Value::Null), None);
    }

    #[test]
    fn the_text_of_a_number_reads_back_and_is_as_short_as_rusts() {
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..200_000 {
            let number = match random.bool() {
                true => f64::from_bits(random.u64(..)),
                false => random.i64(-1 << 60..1 << 60) as f64 / 10_f64.powi(random.i32(-6..20)),
            };
            if !number.is_finite() {
                continue;
            }
            let (text, usual) = (text_of_number(number), number.to_string());
            assert_eq!(text.parse::<f64>().unwrap(), number, "{text}");
            if (1e-6..1e21).contains(&number.abs()) {
                assert_eq!(text.len(), usual.len(), "{text}");
            }
        }
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
