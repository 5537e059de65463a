//! Ledgers, put together and refused.

use super::*;
use crate::event::Zone;

const NOW: i64 = 1_795_428_900_000; // 2026-11-23T10:15:00Z

fn spec(from: Option<&str>, to: Option<&str>, interval: LedgerInterval) -> Result<LedgerSpec, &'static str> {
    let berlin = Zone::parse("Europe/Berlin").unwrap();
    LedgerSpec::of(from, to, interval, &berlin, NOW).map_err(|errors| errors[0].code)
}

#[test]
fn the_default_range_is_the_24_hours_until_now() {
    let hours = spec(None, None, LedgerInterval::Hour).unwrap();
    assert_eq!(
        hours.buckets.len(),
        25,
        "the first and the last hour are not whole"
    );
    assert!(hours.range.contains(NOW) && !hours.range.contains(NOW - 86_400_000 - 1));
    let minutes = spec(None, None, LedgerInterval::Minute).unwrap();
    assert_eq!(minutes.buckets.len(), 1_441);
    let days = spec(Some("2026-11-01"), Some("2026-11-08"), LedgerInterval::Day).unwrap();
    assert_eq!((days.buckets.len(), days.step_s()), (7, 900));
}

#[test]
fn a_range_that_is_empty_too_long_or_no_range_is_refused() {
    let refused = |from, to, interval| spec(Some(from), Some(to), interval).unwrap_err();
    assert_eq!(
        refused("2026-11-08", "2026-11-08", LedgerInterval::Day),
        "empty_range"
    );
    assert_eq!(
        refused("1970-01-01", "2099-01-01", LedgerInterval::Minute),
        "too_many_points"
    );
    assert_eq!(
        refused("2026-09-01", "2026-11-08", LedgerInterval::Hour),
        "too_many_points"
    );
    assert_eq!(
        refused("soon", "2026-11-08", LedgerInterval::Hour),
        "invalid_time"
    );
    assert!(spec(Some("2022-11-01"), Some("2026-11-01"), LedgerInterval::Day).is_ok());
}

#[test]
fn received_is_the_sum_in_totals_sources_and_points() {
    let spec = spec(None, None, LedgerInterval::Hour).unwrap();
    let now_s = (NOW / 1000) as u32;
    let fact = |source: &str, outcome: Outcome, reason: &str, events| SourceFact {
        source: source.into(),
        outcome: outcome.as_str().into(),
        reason: reason.into(),
        events,
        last_s: now_s - 900,
    };
    let waits = |at_s, events, replayed| PendingFact {
        source: "js".into(),
        at_s,
        events,
        replayed,
    };
    let point = |at, outcome: Outcome, events| (at, outcome.as_str().to_owned(), events);
    let facts = LedgerFacts {
        points: vec![
            point(now_s - 900, Outcome::Stored, 7),
            point(now_s - 900, Outcome::Late, 2),
            point(now_s - 900, Outcome::Quarantined, 3),
            point(now_s - 4_500, Outcome::Rejected, 3),
        ],
        sources: vec![
            fact("js", Outcome::Stored, "", 7),
            fact("js", Outcome::Late, "", 2),
            fact("js", Outcome::Quarantined, "", 3),
            fact("curl", Outcome::Rejected, "missing_field", 2),
            fact("curl", Outcome::Rejected, "too_deep", 1),
            fact("curl", Outcome::ClientDropped, "", 4),
        ],
        pending: vec![
            waits(now_s, 5, false),
            waits(now_s - 900, 1, true),
            waits(now_s - 90_000, 9, false),
        ],
        missing: vec![("js".into(), 6)],
    };
    let report = LedgerReport::of(&spec, &facts);
    let totals = report.totals;
    assert_eq!((totals.events.received, totals.events.stored), (18, 7));
    assert_eq!((totals.events.rejected, totals.events.pending), (3, 6));
    assert_eq!(totals.events.quarantined, 2, "one is tried again");
    assert_eq!(
        (totals.late, totals.client_dropped, totals.missing_estimate),
        (2, 4, 6)
    );
    let of_sources: Vec<_> = report
        .sources
        .iter()
        .map(|s| {
            (
                &*s.source,
                s.events.received,
                s.missing_estimate,
                s.last_received_at.0,
            )
        })
        .collect();
    assert_eq!(of_sources, [("js", 15, 6, NOW), ("curl", 3, 0, NOW - 900_000)]);
    let reasons: Vec<_> = report
        .rejected_by_reason
        .iter()
        .map(|r| (&*r.code, r.count))
        .collect();
    assert_eq!(reasons, [("missing_field", 2), ("too_deep", 1)]);
    let received: u64 = report.series.iter().map(|point| point.events.received).sum();
    assert_eq!(received, 18);
    assert_eq!(report.series.last().unwrap().events.pending, 6);
}
