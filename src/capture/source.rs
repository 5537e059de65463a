//! Who sent a request, as the ledger files it: protocol and sender.

use std::collections::{HashMap, HashSet};

use crate::event::ProjectNumber;
use crate::event::ledger::MAX_SOURCE_CHARS;

/// Senders of a project that are told apart by one endpoint in a day. A client that makes up a name for each
/// request must not fill the ledger.
const MAX_SENDERS: usize = 100;

const DAY_MS: i64 = 24 * 3_600_000;

/// The source of a request of our own protocol: its library, else the program that its user agent begins with.
/// Browsers all begin alike and are no library, so they are called by what they are.
pub(super) fn source_of(library: &str, user_agent: Option<&str>) -> String {
    let agent = user_agent
        .and_then(|agent| agent.split_whitespace().next())
        .unwrap_or_default();
    let sender = match (library, agent) {
        ("", agent) if agent.starts_with("Mozilla/") => "browser",
        ("", agent) => agent,
        (library, _) => library,
    };
    let sender: String = sender.chars().filter(|c| !c.is_control()).collect();
    let source: String = "native "
        .chars()
        .chain(sender.trim().chars())
        .take(MAX_SOURCE_CHARS)
        .collect();
    source.trim_end().to_owned()
}

/// The senders seen today.
#[derive(Debug, Default)]
pub(super) struct Senders {
    day: i64,
    known: HashMap<ProjectNumber, HashSet<String>>,
}

impl Senders {
    /// The source under which to file: the given one, or that of all others once there are too many.
    pub fn admit(&mut self, project: ProjectNumber, source: &str, now_ms: i64) -> String {
        let today = now_ms.div_euclid(DAY_MS);
        if self.day != today {
            self.known.clear();
            self.day = today;
        }
        let known = self.known.entry(project).or_default();
        if !known.contains(source) {
            if known.len() >= MAX_SENDERS {
                return "native other".to_owned();
            }
            known.insert(source.to_owned());
        }
        source.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_the_library_else_the_program() {
        assert_eq!(
            source_of("footfall-js/0.1.0", Some("Mozilla/5.0 (X11)")),
            "native footfall-js/0.1.0"
        );
        assert_eq!(source_of("", Some("curl/8.5.0")), "native curl/8.5.0");
        assert_eq!(source_of("", Some("Mozilla/5.0 (X11) Gecko")), "native browser");
        assert_eq!(source_of("", None), "native");
        assert_eq!(source_of("a\nb", None), "native ab");
        assert_eq!(
            source_of(&"é".repeat(200), None).chars().count(),
            MAX_SOURCE_CHARS
        );
    }

    #[test]
    fn made_up_senders_end_in_one_and_are_forgotten_the_next_day() {
        let mut senders = Senders::default();
        let project = ProjectNumber(1);
        for n in 0..MAX_SENDERS {
            let source = format!("native made-up/{n}");
            assert_eq!(senders.admit(project, &source, 0), source);
        }
        assert_eq!(senders.admit(project, "native late/1", 0), "native other");
        assert_eq!(senders.admit(project, "native made-up/5", 0), "native made-up/5");
        assert_eq!(
            senders.admit(ProjectNumber(2), "native late/1", 0),
            "native late/1"
        );
        assert_eq!(senders.admit(project, "native late/1", DAY_MS), "native late/1");
    }
}
