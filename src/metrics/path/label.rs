//! What the path of a page is called in a graph: without its trailing slashes, cleaned by rules, then grouped by
//! wildcards.

use super::spec::PathSpec;

/// The node of a page's path; nothing where the rules leave nothing.
pub fn page_label(spec: &PathSpec, path: &str) -> Option<String> {
    if path.is_empty() {
        return None;
    }
    let mut label = match path.trim_end_matches('/') {
        // The start page is nothing but its slash.
        "" => "/".to_owned(),
        trimmed => trimmed.to_owned(),
    };
    for rule in &spec.clean {
        label = rule.pattern.replaced(&label, &rule.replace);
    }
    if let Some(group) = spec.group.iter().find(|group| fits(group, &label)) {
        return Some(group.clone());
    }
    (!label.is_empty()).then_some(label)
}

/// Whether the wildcard is the whole text, each `*` standing for any characters.
fn fits(wildcard: &str, text: &str) -> bool {
    let Some((first, rest)) = wildcard.split_once('*') else {
        return wildcard == text;
    };
    let Some(mut left) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    // The earliest place of each piece leaves the most for those after it.
    for piece in pieces {
        match left.find(piece) {
            Some(at) => left = &left[at + piece.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_the_whole_text() {
        for (wildcard, text, expected) in [
            ("/product/*", "/product/1", true),
            ("/product/*", "/product/1/reviews", true),
            ("/product/*", "/product/", true),
            ("/product/*", "/product", false),
            ("/product", "/product/1", false),
            ("*", "/", true),
            ("/*/edit", "/a/b/edit", true),
            ("/*/edit", "/edit", false),
            ("/a*a", "/a", false),
            ("/a*b*b", "/ab", false),
            ("/a*b*b", "/abb", true),
            ("*a*", "xax", true),
            ("**", "", true),
        ] {
            assert_eq!(fits(wildcard, text), expected, "{wildcard} {text}");
        }
    }
}
