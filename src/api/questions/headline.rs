//! The numbers that an answer is known by, whatever its kind: those that stand for the whole range, not its points.

use std::collections::BTreeMap;

use serde_json::Value;

/// Where they stand in the reports; `*` is any member or place.
const PLACES: &[&[&str]] = &[
    &["*"],
    &["summary", "*"],
    &["total", "*"],
    &["totals", "*"],
    &["overall", "*"],
    &["steps", "*", "reached"],
    &["series", "*", "total"],
    &["series", "*", "value"],
    &["formula", "*", "value"],
    &["mean", "*", "retained"],
    &["mean", "*", "size"],
];
/// Numbers of an answer.
const MOST: usize = 500;

/// The headline numbers of a report, by their JSON pointers.
pub fn headline(report: &Value) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    for place in PLACES {
        collect(report, place, String::new(), &mut found);
    }
    found
}

fn collect(value: &Value, place: &[&str], pointer: String, found: &mut BTreeMap<String, f64>) {
    let Some((first, rest)) = place.split_first() else {
        if let Some(number) = value.as_f64()
            && found.len() < MOST
        {
            found.insert(pointer, number);
        }
        return;
    };
    let below = |name: &str| format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::Object(members) => {
            for (name, member) in members
                .iter()
                .filter(|(name, _)| matches!(*first, "*") || name == first)
            {
                collect(member, rest, below(name), found);
            }
        }
        Value::Array(places) if *first == "*" => {
            for (n, one) in places.iter().enumerate() {
                collect(one, rest, below(&n.to_string()), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_of_the_whole_are_found_and_those_of_points_are_not() {
        let report = json!({"size": 4, "unit": "day", "overall": {"rate": 0.5, "median_ms": null},
            "steps": [{"reached": 4, "index": 1}, {"reached": 2, "index": 2}],
            "series": [{"total": 9, "value": 9.5, "points": [{"count": 5}, {"count": 4}]}], "days": [{"dau": 3}]});
        let found: Vec<(String, f64)> = headline(&report).into_iter().collect();
        let expected = [
            ("/overall/rate", 0.5),
            ("/series/0/total", 9.0),
            ("/series/0/value", 9.5),
            ("/size", 4.0),
            ("/steps/0/reached", 4.0),
            ("/steps/1/reached", 2.0),
        ];
        assert_eq!(found, expected.map(|(name, number)| (name.to_owned(), number)));
    }
}
