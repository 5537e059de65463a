//! Campaign parameters of a page's query.

use serde_json::{Map, Value};

/// Longest campaign value that is kept on its own, in characters; the rest of a longer one is cut.
const MAX_CHARS: usize = 200;

/// Where a visit came from, by the `utm_…` convention. Empty where unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Campaign {
    pub source: String,
    pub medium: String,
    pub campaign: String,
}

impl Campaign {
    /// Reads `utm_source`, `utm_medium` and `utm_campaign` from the properties, else from the query.
    pub fn read(properties: &Map<String, Value>, query: &str) -> Campaign {
        let of = |name: &str| {
            properties
                .get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
                .map_or_else(|| parameter(query, name), short)
        };
        Campaign {
            source: of("utm_source"),
            medium: of("utm_medium"),
            campaign: of("utm_campaign"),
        }
    }
}

/// The first non-empty value of a parameter, decoded.
fn parameter(query: &str, name: &str) -> String {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, value)| *key == name && !value.is_empty())
        .map(|(_, value)| short(&decode(value)))
        .next()
        .unwrap_or_default()
}

fn short(text: &str) -> String {
    text.chars().take(MAX_CHARS).collect()
}

/// Undoes form encoding: `+` is a space, `%XX` a byte. Bytes that are no UTF-8, and NUL, become U+FFFD; a
/// percent sign that starts no byte stays.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            (other, _) => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}")
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(properties: Value, query: &str) -> (String, String, String) {
        let campaign = Campaign::read(properties.as_object().unwrap(), query);
        (campaign.source, campaign.medium, campaign.campaign)
    }

    #[test]
    fn the_query_names_the_campaign() {
        assert_eq!(
            read(
                json!({}),
                "a=1&utm_source=news+letter&utm_medium=e%2Dmail&utm_campaign=%C3%BCber%zz"
            ),
            (
                "news letter".to_owned(),
                "e-mail".to_owned(),
                "über%zz".to_owned()
            )
        );
    }

    #[test]
    fn properties_come_before_the_query() {
        assert_eq!(
            read(
                json!({"utm_source": "podcast", "utm_medium": 5}),
                "utm_source=ads&utm_medium=cpc"
            ),
            ("podcast".to_owned(), "cpc".to_owned(), String::new())
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(read(json!({}), "utm_source=%ff%00x").0, "\u{fffd}\u{fffd}x");
    }
}
