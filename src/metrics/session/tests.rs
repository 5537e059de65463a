use proptest::prelude::*;

use super::*;
use crate::metrics::oracle::worlds;

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

/// Which of the events from `from` on are in a session together: pairs of places, counted from the end.
fn together(visits: &[Visit], from_ms: i64) -> Vec<(usize, usize)> {
    let numbers = sessions(visits.iter().copied());
    let n = visits.len();
    let late = |at: &usize| visits[*at].ts >= from_ms;
    let mut pairs = Vec::new();
    for a in (0..n).filter(late) {
        for b in (a + 1..n).filter(|b| numbers[a] == numbers[*b]) {
            pairs.push((n - a, n - b));
        }
    }
    pairs
}

#[test]
fn an_id_that_is_used_every_20_hours_is_cut_by_where_it_began() {
    let visits: Vec<Visit> = (0..20)
        .map(|n| Visit {
            ts: n * 20 * 60 * MINUTE,
            device: 1,
            given: 7,
        })
        .collect();
    let from_ms = visits[13].ts;
    let since = |ms: i64| visits.iter().copied().filter(move |visit| visit.ts >= ms);
    let late: Vec<Visit> = since(from_ms - LOOK_BACK_MS).collect();
    assert_ne!(
        together(&late, from_ms),
        together(&visits, from_ms),
        "what was read tells something else"
    );
    assert!(
        may_begin_earlier(late, from_ms - LOOK_BACK_MS, from_ms),
        "and it is known"
    );
}

#[test]
fn who_sleeps_begins_anew() {
    let minutes = [0, 20, 40, 500, 510];
    let visits = minutes.map(|minute| Visit {
        ts: minute * MINUTE,
        device: 1,
        given: 0,
    });
    assert!(!may_begin_earlier(visits, -10 * MINUTE, 500 * MINUTE));
    assert!(may_begin_earlier(visits, -10 * MINUTE, 40 * MINUTE));
    assert!(!may_begin_earlier(visits, -30 * MINUTE, 0));
}

proptest! {
    #![proptest_config(worlds::seeded(worlds::count(2_000)))]

    /// Sessions are derived from all events; where it is not known that they began later, those that were read do.
    #[test]
    fn what_was_read_gives_the_sessions_of_all_events(
        gaps in prop::collection::vec((prop_oneof![0..29_i64, 25..35_i64, 0..1_500_i64], 0..2_u64, 0..3_u64), 1..40),
        since in 0..3_000_i64, reach in 0..3_000_i64,
    ) {
        let mut ts = 0;
        let visits: Vec<Visit> = gaps.into_iter().map(|(gap, device, given)| {
            ts += gap * MINUTE;
            Visit { ts, device, given }
        }).collect();
        let (since_ms, from_ms) = (since * MINUTE, (since + reach) * MINUTE);
        let read: Vec<Visit> = visits.iter().copied().filter(|visit| visit.ts >= since_ms).collect();
        if !may_begin_earlier(read.iter().copied(), since_ms, from_ms) {
            prop_assert_eq!(together(&read, from_ms), together(&visits, from_ms));
        }
    }
}
