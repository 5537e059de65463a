//! Sessions: visits without a long silence. Derived once per person and device from all events, before filters
//! and ranges.
//!
//! The id that the client gave is the session; without one, a silence of 30 minutes ends it. In both cases it is
//! cut at the age of 24 hours.

use std::collections::HashMap;

/// Silence that ends a session without an id, in milliseconds.
pub const SILENCE_MS: i64 = 30 * 60_000;

/// The age at which every session is cut, in milliseconds.
pub const LONGEST_MS: i64 = 24 * 3_600_000;

/// How far before a range events are read to find where its sessions began. Only someone who was never silent for
/// half an hour over all of it could be cut elsewhere.
pub const LOOK_BACK_MS: i64 = 7 * 24 * 3_600_000;

/// What a session is derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Event time, UTC milliseconds.
    pub ts: i64,
    /// The device, as a number.
    pub device: u64,
    /// The id that the client gave, as a number; 0: none.
    pub given: u64,
}

/// The session of each of a person's events, which come in total order: numbers from 0 in order of their first
/// events.
pub fn sessions(events: impl IntoIterator<Item = Visit>) -> Vec<usize> {
    let mut open: HashMap<(u64, u64), Open> = HashMap::new();
    let mut next = 0;
    let mut found = Vec::new();
    for event in events {
        let key = (event.device, event.given);
        let going_on = open.get(&key).is_some_and(|session| {
            let silent = event.given == 0 && event.ts - session.last >= SILENCE_MS;
            !silent && event.ts - session.start < LONGEST_MS
        });
        if !going_on {
            open.insert(
                key,
                Open {
                    number: next,
                    start: event.ts,
                    last: event.ts,
                },
            );
            next += 1;
        }
        if let Some(session) = open.get_mut(&key) {
            session.last = event.ts;
            found.push(session.number);
        }
    }
    found
}

struct Open {
    number: usize,
    start: i64,
    last: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn of(visits: &[(i64, u64, u64)]) -> Vec<usize> {
        sessions(visits.iter().map(|(minute, device, given)| Visit {
            ts: minute * MINUTE,
            device: *device,
            given: *given,
        }))
    }

    #[test]
    fn half_an_hour_of_silence_ends_a_session_without_an_id() {
        assert_eq!(of(&[(0, 1, 0), (29, 1, 0), (58, 1, 0), (88, 1, 0)]), [0, 0, 0, 1]);
    }

    #[test]
    fn an_id_outlasts_silence_and_another_id_is_another_session() {
        assert_eq!(of(&[(0, 1, 7), (90, 1, 7), (91, 1, 8), (92, 1, 7)]), [0, 0, 1, 0]);
    }

    #[test]
    fn devices_have_sessions_of_their_own() {
        assert_eq!(of(&[(0, 1, 0), (1, 2, 0), (2, 1, 0), (3, 2, 7)]), [0, 1, 0, 2]);
    }

    #[test]
    fn every_session_is_cut_at_24_hours() {
        let hours = |h: i64| h * 60;
        assert_eq!(
            of(&[(0, 1, 7), (hours(24) - 1, 1, 7), (hours(24), 1, 7)]),
            [0, 0, 1]
        );
        let restless: Vec<_> = (0..=144).map(|n| (n * 10, 1, 0)).collect();
        let found = of(&restless);
        assert_eq!((found[143], found[144]), (0, 1));
    }
}
