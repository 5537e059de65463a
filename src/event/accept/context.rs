//! Where an event happened, as its context says.

use serde_json::{Map, Value};

use super::rejection::{Rejection, RejectionCode};
use super::{MAX_NAME_CHARS, printable};

/// A context, read. A batch's own stands in, member by member, for what an event's leaves out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// Sending library, `name/version`.
    library: Option<String>,
    /// Members that become properties, under the names they get there.
    properties: Vec<(&'static str, Value)>,
}

/// Members that become properties: object within the context (or none), member, property.
const MERGED: [(&str, &str, &str); 5] = [
    ("page", "url", "$url"),
    ("page", "referrer", "$referrer"),
    ("page", "title", "$title"),
    ("", "locale", "$locale"),
    ("", "timezone", "$timezone"),
];

impl Context {
    /// Reads a context. `null` and empty texts count as absent.
    pub fn read(value: Option<Value>) -> Result<Context, Rejection> {
        let mut members = object("/context", value)?;
        let mut within: Map<String, Value> = Map::new();
        for name in ["page", "library", "screen"] {
            let inner = object(&format!("/context/{name}"), members.remove(name))?;
            within.insert(name.to_owned(), Value::Object(inner));
        }
        let mut take = |parent: &str, member: &str| match within.get_mut(parent) {
            Some(inner) => inner.as_object_mut().and_then(|inner| inner.remove(member)),
            None => members.remove(member),
        };
        let mut context = Context::default();
        for (parent, member, property) in MERGED {
            let field = [
                "/context",
                if parent.is_empty() { "" } else { "/" },
                parent,
                "/",
                member,
            ]
            .concat();
            if let Some(text) = text(&field, take(parent, member))? {
                context.properties.push((property, Value::String(text)));
            }
        }
        for (member, property) in [("width", "$screen_width"), ("height", "$screen_height")] {
            match take("screen", member) {
                None | Some(Value::Null) => {}
                Some(number @ Value::Number(_)) => context.properties.push((property, number)),
                Some(other) => {
                    let field = format!("/context/screen/{member}");
                    return Err(Rejection::wrong_type(field, "a number", &other));
                }
            }
        }
        let name = text("/context/library/name", take("library", "name"))?;
        let version = text("/context/library/version", take("library", "version"))?;
        context.library = name.map(|name| match version {
            Some(version) => format!("{name}/{version}"),
            None => name,
        });
        if let Some(library) = &context.library
            && library.chars().count() > MAX_NAME_CHARS
        {
            return Err(Rejection::new(
                RejectionCode::NameTooLong,
                "/context/library",
                format!("a library's name and version have at most {MAX_NAME_CHARS} characters"),
            ));
        }
        Ok(context)
    }

    /// The sending library, `name/version`; empty when absent.
    pub fn sender(&self) -> &str {
        self.library.as_deref().unwrap_or_default()
    }

    /// The sending library, else the default's.
    pub(super) fn library<'a>(&'a self, default: &'a Context) -> &'a str {
        self.library
            .as_ref()
            .or(default.library.as_ref())
            .map_or("", String::as_str)
    }

    /// Adds the members to an event's properties, unless those have them already.
    pub(super) fn merge_into(&self, properties: &mut Map<String, Value>) {
        for (name, value) in &self.properties {
            if !properties.contains_key(*name) {
                properties.insert((*name).to_owned(), value.clone());
            }
        }
    }
}

fn object(field: &str, value: Option<Value>) -> Result<Map<String, Value>, Rejection> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object),
        Some(other) => Err(Rejection::wrong_type(field, "an object", &other)),
    }
}

fn text(field: &str, value: Option<Value>) -> Result<Option<String>, Rejection> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(printable(text))),
        Some(other) => Err(Rejection::wrong_type(field, "a text", &other)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wrong_type_is_named_down_to_the_member() {
        for (context, field) in [
            (json!([]), "/context"),
            (json!({"page": "x"}), "/context/page"),
            (json!({"page": {"url": 5}}), "/context/page/url"),
            (json!({"locale": {}}), "/context/locale"),
            (json!({"screen": {"width": "wide"}}), "/context/screen/width"),
            (json!({"library": {"version": 2}}), "/context/library/version"),
        ] {
            let rejection = Context::read(Some(context)).unwrap_err();
            assert_eq!(rejection.code, RejectionCode::WrongType);
            assert_eq!(rejection.field, field);
        }
    }

    #[test]
    fn a_long_library_is_refused() {
        let long = json!({"library": {"name": "x".repeat(201)}});
        let rejection = Context::read(Some(long)).unwrap_err();
        assert_eq!(rejection.code, RejectionCode::NameTooLong);
    }
}
