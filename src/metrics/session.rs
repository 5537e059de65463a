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

/// How far before a range events are read to find where its sessions began. That is enough for everybody who was once
/// silent for half an hour (with an id from the client: for 24 hours) between there and the range; for the others
/// [`may_begin_earlier`] says that it is not.
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
        let going_on = open
            .get(&key)
            .is_some_and(|session| goes_on(session.start, session.last, event.ts, event.given != 0));
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

/// Whether a session that began and was last heard of at these instants goes on with an event at `ts`, which comes from
/// the same device and with the same id, or none.
pub fn goes_on(start: i64, last: i64, ts: i64, has_id: bool) -> bool {
    let silent = !has_id && ts - last >= SILENCE_MS;
    !silent && ts - start < LONGEST_MS
}

/// Whether a session surely begins between an event and the next of the same device and id: after this long whatever
/// came before has ended.
pub fn surely_begins(last: i64, ts: i64, has_id: bool) -> bool {
    ts - last >= if has_id { LONGEST_MS } else { SILENCE_MS }
}

/// Device and given id as one number, which is as good as the two within the events of a person.
pub fn key(device: u64, given: u64) -> u64 {
    // The odd factor mixes the id before the device is added, so that swapping the two is another key.
    (given.wrapping_mul(0x9e37_79b9_7f4a_7c15)).rotate_left(29) ^ device
}

/// Whether a session of the events from `from_ms` on may depend on what came before `since_ms`, from which on the
/// events, which are in total order, were read. If not, [`sessions`] finds for them what it finds for all events.
pub fn may_begin_earlier(events: impl IntoIterator<Item = Visit>, since_ms: i64, from_ms: i64) -> bool {
    // The latest event of each device and id, and whether a session surely began since.
    let mut known: HashMap<(u64, u64), (i64, bool)> = HashMap::new();
    for event in events {
        let (last, begun) = known
            .entry((event.device, event.given))
            .or_insert((since_ms, false));
        *begun |= surely_begins(*last, event.ts, event.given != 0);
        *last = event.ts;
        if event.ts >= from_ms && !*begun {
            return true;
        }
    }
    false
}

struct Open {
    number: usize,
    start: i64,
    last: i64,
}

#[cfg(test)]
mod tests;
