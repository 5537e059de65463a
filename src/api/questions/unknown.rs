//! Names of events that a question says and the project never had: nothing is wrong with them, but the answer warns.

use super::Asked;
use crate::metrics::envelope::Warning;
use crate::metrics::naming::Naming;

/// The code of the warning.
pub(super) const UNKNOWN: &str = "unknown_event";

/// Names that are spelled out.
const SAID: usize = 5;

impl Asked {
    /// The same, knowing the names that the question says.
    pub(super) async fn knowing_events(mut self, question: &impl Naming) -> Asked {
        // Where ClickHouse does not answer, the question itself says so.
        if let Ok(unknown) = self.unknown_events(&question.named_events()).await
            && !unknown.is_empty()
        {
            self.named.push(Warning::new(UNKNOWN, in_words(&unknown)));
        }
        self
    }
}

fn in_words(unknown: &[&str]) -> String {
    let named: Vec<String> = unknown
        .iter()
        .take(SAID)
        .map(|name| format!("{name:?}"))
        .collect();
    let more = match unknown.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "the project has never had an event named {}{more}: is it spelled as it is sent?",
        named.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_names_are_spelled_out() {
        assert_eq!(
            in_words(&["a", "b"]),
            "the project has never had an event named \"a\", \"b\": is it spelled as it is sent?"
        );
        let many = in_words(&["a"; 9]);
        assert!(many.contains(" and 4 more: "), "{many}");
    }
}
