//! Names that a program made up: `viewed_8437`, `order-3f9c2d1e-…`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::GENERATED;

/// Names that differ in nothing but a number or an id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = GeneratedNames, example = json!({"pattern": "viewed_#", "names": 1204}))]
pub struct Generated {
    /// What they share, `#` where they differ.
    pub pattern: String,
    /// How many there are.
    pub names: u64,
}

/// Characters of a UUID with its dashes.
const UUID_LENGTH: usize = 36;

/// A run of hexadecimal digits this long that holds a decimal one is an id.
const ID_LENGTH: usize = 8;

/// The name with `#` for each number and id within; `None` where there is neither. A number ends where its digits do, an
/// id (hexadecimal, dashes allowed as in a UUID) stands between other characters.
///
/// ```
/// use footfall::metrics::schema::pattern_of;
/// assert_eq!(pattern_of("viewed_8437").as_deref(), Some("viewed_#"));
/// assert_eq!(pattern_of("cart 3f9c2d1e opened").as_deref(), Some("cart # opened"));
/// assert_eq!(pattern_of("page_view"), None);
/// ```
pub fn pattern_of(name: &str) -> Option<String> {
    let whole = without_uuids(name);
    let mut pattern = String::new();
    // Words of letters and digits, and what stands between them.
    for piece in whole.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let word = piece.trim_end_matches(|c: char| !c.is_alphanumeric());
        let is_id = word.len() >= ID_LENGTH
            && word.bytes().all(|b| b.is_ascii_hexdigit())
            && word.bytes().any(|b| b.is_ascii_digit());
        if is_id {
            pattern.push('#');
        } else {
            push_without_numbers(&mut pattern, word);
        }
        pattern.push_str(&piece[word.len()..]);
    }
    // Ids joined by dashes are one.
    while pattern.contains("#-#") {
        pattern = pattern.replace("#-#", "#");
    }
    (pattern != name).then_some(pattern)
}

/// The name with `#` for each UUID: some of its groups are too short to be taken for ids.
fn without_uuids(name: &str) -> String {
    let mut rest = name;
    let mut whole = String::new();
    while let Some(first) = rest.chars().next() {
        let is_uuid = rest
            .get(..UUID_LENGTH)
            .is_some_and(|text| Uuid::try_parse(text).is_ok());
        let (taken, next) = rest.split_at(if is_uuid { UUID_LENGTH } else { first.len_utf8() });
        whole.push_str(if is_uuid { "#" } else { taken });
        rest = next;
    }
    whole
}

fn push_without_numbers(pattern: &mut String, word: &str) {
    for c in word.chars() {
        if !c.is_ascii_digit() {
            pattern.push(c);
        } else if !pattern.ends_with('#') {
            pattern.push('#');
        }
    }
}

/// The patterns that [`GENERATED`] names or more share, and how many do.
pub fn generated<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, u64> {
    let mut patterns: BTreeMap<String, u64> = BTreeMap::new();
    for pattern in names.into_iter().filter_map(pattern_of) {
        *patterns.entry(pattern).or_default() += 1;
    }
    patterns.retain(|_, names| *names >= GENERATED as u64);
    patterns
}

impl Generated {
    /// The pattern that a name belongs to, of those that are generated.
    pub fn of(name: &str, patterns: &BTreeMap<String, u64>) -> Option<Generated> {
        let pattern = pattern_of(name)?;
        let names = *patterns.get(&pattern)?;
        Some(Generated { pattern, names })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ids_give_way_and_words_stay() {
        let cases = [
            ("viewed_8437", Some("viewed_#")),
            ("step2", Some("step#")),
            ("a1b2", Some("a#b#")),
            (
                "order 0190d6a1-7c2e-7f10-9c1d-5a7be0c1f2aa paid",
                Some("order # paid"),
            ),
            ("invoice-7-2026", Some("invoice-#")),
            ("deadbeef", None),
            ("deadbee5", Some("#")),
            ("größe_12€", Some("größe_#€")),
            ("page_view", None),
            ("$identify", None),
            ("#", None),
            ("", None),
        ];
        for (name, pattern) in cases {
            assert_eq!(pattern_of(name).as_deref(), pattern, "{name}");
        }
    }

    #[test]
    fn a_few_numbered_steps_are_no_trouble_and_hundreds_of_ids_are() {
        let steps: Vec<String> = (1..20).map(|n| format!("step_{n}")).collect();
        let views: Vec<String> = (100..120).map(|n| format!("viewed_{n}")).collect();
        let names = steps.iter().chain(&views).map(String::as_str);
        let patterns = generated(names);
        assert_eq!(patterns, BTreeMap::from([("viewed_#".to_owned(), 20)]));
        let flagged = Generated::of("viewed_100", &patterns).unwrap();
        assert_eq!((flagged.pattern.as_str(), flagged.names), ("viewed_#", 20));
        assert_eq!(Generated::of("step_1", &patterns), None);
    }
}
