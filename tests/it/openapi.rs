//! The description of the API: committed, complete, true.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

fn document() -> Value {
    serde_json::to_value(footfall::app::document()).expect("JSON")
}

/// Every operation with its method and path.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let each = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().expect("methods");
        methods
            .iter()
            .map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    each.collect()
}

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/footfall.json");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let served = footfall::app::document().to_pretty_json().expect("JSON");
    // Whole, not line by line: a difference of 7,000 lines helps nobody.
    assert!(
        committed.trim_end() == served.trim_end(),
        "openapi/footfall.json is not the document that this code serves: run `make openapi`"
    );
}

#[test]
fn every_operation_says_what_it_is_and_how_it_refuses() {
    let document = document();
    assert_eq!(
        document["openapi"].as_str().map(|version| &version[..3]),
        Some("3.1")
    );
    let tags = document["tags"].as_array().expect("tags");
    let tags: BTreeSet<&str> = tags.iter().filter_map(|tag| tag["name"].as_str()).collect();
    let mut ids = BTreeSet::new();
    for (operation, described) in operations(&document) {
        let id = described["operationId"]
            .as_str()
            .unwrap_or_else(|| panic!("{operation}: no operationId"));
        assert!(ids.insert(id), "{operation}: {id} is another one's too");
        let plain = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(id.chars().all(plain), "{operation}: {id} is not snake_case");
        let summary = described["summary"].as_str().unwrap_or_default();
        assert!(!summary.is_empty(), "{operation}: no summary");
        let of_operation = described["tags"].as_array().expect("tags");
        let known = |tag: &Value| tag.as_str().is_some_and(|tag| tags.contains(tag));
        assert!(
            of_operation.len() == 1 && of_operation.iter().all(known),
            "{operation}: one known tag"
        );

        let responses = described["responses"].as_object().expect("responses");
        assert!(
            responses.keys().any(|status| status.starts_with('2')),
            "{operation}: no success"
        );
        for (status, response) in responses {
            let described = response["description"].as_str();
            assert!(
                described.is_some_and(|text| !text.is_empty()),
                "{operation} {status}: not described"
            );
            if status.starts_with(['4', '5']) {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{operation} {status}");
            }
        }
        if !operation.contains("/v1/auth/") {
            assert!(
                responses.contains_key("401"),
                "{operation}: says nothing of missing credentials"
            );
        }
        if operation.contains("{id}") {
            assert!(
                responses.contains_key("404"),
                "{operation}: says nothing of what does not exist"
            );
        }
        let parameters = described["parameters"].as_array();
        for parameter in parameters.into_iter().flatten() {
            let words = parameter["description"].as_str();
            assert!(
                words.is_some_and(|words| !words.is_empty()),
                "{operation}: {parameter}"
            );
        }
    }
    assert!(ids.len() > 20, "{ids:?}");
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let text = document.to_string();
    for (at, _) in text.match_indices("\"$ref\":\"#") {
        let pointer: String = text[at + 9..].chars().take_while(|c| *c != '"').collect();
        assert!(document.pointer(&pointer).is_some(), "{pointer}");
    }
}
