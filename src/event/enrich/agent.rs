//! Browser, system and kind of device, from a user agent.

use std::cell::RefCell;
use std::collections::HashMap;

use woothee::parser::Parser;

/// Longest part of a user agent that is looked at; real ones stay below 300 bytes.
const MAX_BYTES: usize = 512;

/// User agents that a thread remembers; then it begins anew.
const REMEMBERED: usize = 1_000;

thread_local! {
    static KNOWN: RefCell<HashMap<String, Agent>> = RefCell::default();
}

/// What a user agent says. Empty texts where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    /// `Chrome`, `Safari`, `Firefox`, `Edge` and so on.
    pub browser: String,
    /// `Windows`, `macOS`, `iOS`, `Android`, `Linux` and so on, without version.
    pub os: String,
    /// `desktop`, `mobile`, `tablet`, `bot` or empty.
    pub device: &'static str,
}

impl Agent {
    /// Reads a user agent. What cannot be told apart stays empty; robots are those that say so. Most requests come
    /// with one of a few, so each thread remembers what it read: the same text gives the same answer.
    pub fn parse(user_agent: &str) -> Agent {
        if user_agent.len() > MAX_BYTES {
            return Agent::read(user_agent);
        }
        KNOWN.with_borrow_mut(|known| {
            if let Some(agent) = known.get(user_agent) {
                return agent.clone();
            }
            if known.len() >= REMEMBERED {
                known.clear();
            }
            let agent = Agent::read(user_agent);
            known.insert(user_agent.to_owned(), agent.clone());
            agent
        })
    }

    fn read(user_agent: &str) -> Agent {
        // The parser works on bytes in places; user agents are ASCII.
        let agent: String = user_agent
            .chars()
            .filter(char::is_ascii)
            .take(MAX_BYTES)
            .collect();
        let Some(found) = Parser::new().parse(&agent) else {
            return Agent::default();
        };
        let os = system(found.os);
        let device = match found.category {
            "crawler" => "bot",
            "pc" => "desktop",
            // Tablets with Android leave out the word that its phones carry.
            "smartphone" if found.os == "iPad" || (os == "Android" && !agent.contains("Mobile")) => "tablet",
            "smartphone" | "mobilephone" => "mobile",
            _ => "",
        };
        Agent {
            browser: known(found.name).to_owned(),
            os: os.to_owned(),
            device,
        }
    }

    /// Whether it is a known robot.
    pub fn is_bot(&self) -> bool {
        self.device == "bot"
    }
}

fn known(name: &str) -> &str {
    if name == "UNKNOWN" { "" } else { name }
}

/// The name people use for a system. Versions are left out: browsers have frozen them.
fn system(name: &str) -> &str {
    match name {
        "Mac OSX" | "Mac OS Classic" => "macOS",
        "iPhone" | "iPad" | "iPod" | "iOS" => "iOS",
        windows if windows.starts_with("Windows") && !windows.starts_with("Windows Phone") => "Windows",
        other => known(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(user_agent: &str) -> (String, String, &'static str) {
        let agent = Agent::parse(user_agent);
        (agent.browser, agent.os, agent.device)
    }

    fn told(browser: &str, os: &str, device: &'static str) -> (String, String, &'static str) {
        (browser.to_owned(), os.to_owned(), device)
    }

    #[test]
    fn desktops_phones_and_tablets_are_told_apart() {
        assert_eq!(
            parts(
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/142.0.0.0 Safari/537.36"
            ),
            told("Chrome", "Windows", "desktop")
        );
        assert_eq!(
            parts(
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.1 Safari/605.1.15"
            ),
            told("Safari", "macOS", "desktop")
        );
        assert_eq!(
            parts("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"),
            told("Firefox", "Linux", "desktop")
        );
        assert_eq!(
            parts(
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
                 Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
            ),
            told("Safari", "iOS", "mobile")
        );
        assert_eq!(
            parts(
                "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/16.6 Mobile/15E148 Safari/604.1"
            ),
            told("Safari", "iOS", "tablet")
        );
        assert_eq!(
            parts(
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/142.0.0.0 Mobile Safari/537.36"
            ),
            told("Chrome", "Android", "mobile")
        );
        assert_eq!(
            parts(
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/142.0.0.0 Safari/537.36"
            ),
            told("Chrome", "Android", "tablet")
        );
    }

    #[test]
    fn robots_are_flagged() {
        let bot = Agent::parse("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)");
        assert!(bot.is_bot());
    }

    #[test]
    fn nonsense_says_nothing() {
        for nonsense in ["", "-", "\u{0}\u{fffd}é", "x"] {
            assert_eq!(parts(nonsense), told("", "", ""), "{nonsense:?}");
        }
    }
}
