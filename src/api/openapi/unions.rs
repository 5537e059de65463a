//! Unions that are tagged by a member of their own, such as `kind`.
//!
//! serde flattens the tag into the variant; utoipa describes that as "all of" the variant's schema and an object
//! with the tag. Where the variant refuses unknown members the two contradict each other: nothing satisfies both.
//! So the tag is written into a copy of the variant.

use utoipa::openapi::schema::{AllOf, Schema};
use utoipa::openapi::{OpenApi, RefOr};

/// Puts the tag of every variant among the variant's own members.
pub(super) fn flatten(document: &mut OpenApi) {
    let Some(components) = document.components.as_mut() else {
        return;
    };
    let known = components.schemas.clone();
    for schema in components.schemas.values_mut() {
        let RefOr::T(Schema::OneOf(union)) = schema else {
            continue;
        };
        for variant in &mut union.items {
            if let RefOr::T(Schema::AllOf(parts)) = variant
                && let Some(whole) = merged(parts, &known)
            {
                *variant = RefOr::T(whole);
            }
        }
    }
}

/// One object with the members of a referenced one and of the tag's; `None` for what is put together otherwise.
fn merged(parts: &AllOf, known: &std::collections::BTreeMap<String, RefOr<Schema>>) -> Option<Schema> {
    let [RefOr::Ref(named), RefOr::T(Schema::Object(tag))] = parts.items.as_slice() else {
        return None;
    };
    let name = named.ref_location.rsplit('/').next()?;
    let RefOr::T(Schema::Object(variant)) = known.get(name)? else {
        return None;
    };
    let mut whole = variant.clone();
    whole.properties.extend(tag.properties.clone());
    whole.required.extend(tag.required.iter().cloned());
    whole.description = parts.description.clone().or(whole.description);
    // The variant's example lacks the tag.
    whole.example = None;
    whole.examples.clear();
    Some(Schema::Object(whole))
}

#[cfg(test)]
mod tests {

    #[test]
    fn no_union_of_the_document_contradicts_itself() {
        let document = serde_json::to_value(crate::api::document()).unwrap();
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            for variant in schema["oneOf"].as_array().into_iter().flatten() {
                assert!(variant.get("allOf").is_none(), "{name}");
            }
        }
        let erasure = &document["components"]["schemas"]["ErasureRequest"]["oneOf"][0];
        assert_eq!(erasure["additionalProperties"], false);
        assert_eq!(erasure["properties"]["kind"]["enum"][0], "person");
        assert!(erasure["properties"]["distinct_ids"].is_object());
        let required = erasure["required"].as_array().unwrap();
        assert!(required.contains(&"kind".into()) && required.contains(&"distinct_ids".into()));
    }
}
