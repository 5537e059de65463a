//! Names of events that a question says and the project never had: nothing is wrong with them, but the answer warns.

use crate::metrics::envelope::Warning;

/// Names that are spelled out.
const SAID: usize = 5;

/// The warning about these names, if there are any.
pub(super) fn warning(unknown: &[String]) -> Option<Warning> {
    if unknown.is_empty() {
        return None;
    }
    let named: Vec<String> = unknown
        .iter()
        .take(SAID)
        .map(|name| format!("{name:?}"))
        .collect();
    let more = match unknown.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let detail = format!(
        "the project has never had an event named {}{more}: is it spelled as it is sent?",
        named.join(", ")
    );
    Some(Warning::new("unknown_event", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_names_are_spelled_out() {
        let said = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            warning(&names).map(|warning| warning.detail)
        };
        let two = "the project has never had an event named \"a\", \"b\": is it spelled as it is sent?";
        assert_eq!(said(&["a", "b"]).as_deref(), Some(two));
        assert!(said(&["a"; 9]).is_some_and(|said| said.contains(" and 4 more: ")));
        assert_eq!(said(&[]), None);
    }
}
