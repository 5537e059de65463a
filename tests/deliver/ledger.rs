//! The ledger of a batch: from its entries into the tables, once, whoever dies.

use footfall::event::ledger::{ClientSequence, LedgerRow, Outcome, minute_of};
use footfall::event::{Day, Event, flag};
use footfall::store::ledger::{LedgerRange, MINUTES_KEPT_DAYS, QUARTERS_KEPT_DAYS};
use footfall::stream::Request;
use footfall::stream::ledger::Notes;
use footfall::worker::deliver::{Delivered, Step};

use crate::harness::*;

const HOUR: i64 = 3_600_000;
const CURL: &str = "native curl/8.5.0";

fn curl<'a>(request_id: &'a str, notes: &'a Notes) -> Request<'a> {
    Request {
        source: CURL,
        notes,
        ..Request::new(SHOP, Some(request_id))
    }
}

fn noted(outcome: Outcome, reason: &str, count: i64) -> LedgerRow {
    LedgerRow {
        project: SHOP,
        minute: minute_of(NOW),
        source: CURL.into(),
        outcome,
        reason: reason.into(),
        count,
    }
}

fn sequence(client: u64, first: u64, count: u64) -> ClientSequence {
    ClientSequence {
        project: SHOP,
        minute: minute_of(NOW),
        source: CURL.into(),
        client,
        first,
        last: first + count - 1,
        count,
    }
}

fn rows(expected: &[(&str, &str, i64)]) -> Vec<(String, String, String, i64)> {
    let row = |&(outcome, reason, count): &(&str, &str, i64)| {
        (outcome.to_owned(), CURL.to_owned(), reason.to_owned(), count)
    };
    expected.iter().map(row).collect()
}

#[tokio::test]
async fn a_batch_says_what_became_of_each_of_its_events() {
    let world = World::new(1).await;
    let poison = "ALTER TABLE events ADD CONSTRAINT poison CHECK event != 'poison'";
    world.sql(poison).await;
    let notes = Notes {
        rows: vec![
            noted(Outcome::Rejected, "missing_field", 3),
            noted(Outcome::Duplicate, "", 1),
        ],
        ..Notes::NONE
    };
    let day_old = event(SHOP, "view", "ann", NOW - 24 * HOUR, 0);
    let late = event(SHOP, "view", "ann", NOW - 24 * HOUR - 1, flag::TIME_CORRECTED);
    let clamped = event(SHOP, "view", "ann", NOW - 9_600 * HOUR, flag::TIME_CLAMPED);
    // It is late too, but it is not stored.
    let dead = event(SHOP, "poison", "ann", NOW - 48 * HOUR, flag::TIME_CLAMPED);
    let sent: Vec<Event> = vec![day_old.clone(), late, dead, clamped];
    world.stream.append(&curl("a", &notes), sent, NOW).await.unwrap();
    world
        .stream
        .append(&curl("b", &Notes::NONE), vec![day_old.clone()], NOW)
        .await
        .unwrap();
    let fresh = event(SHOP, "view", "bob", NOW, 0);
    world
        .stream
        .append(&curl("c", &Notes::NONE), vec![day_old, fresh], NOW)
        .await
        .unwrap();
    let pending = world.stream.pending(SHOP).await.unwrap();
    assert_eq!(pending.waiting.iter().map(|w| w.rows).sum::<u64>(), 5);
    assert_eq!(world.ledger(SHOP).await, [], "nothing is committed");

    world.drain(&world.deliverer()).await;
    let expected = rows(&[
        ("clock_corrected", "", 1),
        ("duplicate", "", 3),
        ("late", "", 2),
        ("quarantined", "", 1),
        ("rejected", "missing_field", 3),
        ("stored", "", 4),
        ("time_clamped", "", 1),
    ]);
    assert_eq!(world.ledger(SHOP).await, expected);
    assert_eq!(world.stream.pending(SHOP).await.unwrap().waiting, []);
    let day = |ms: i64| Day::of_utc(NOW - ms);
    let mut late = world.store.late_days(SHOP).await.unwrap();
    late.sort_unstable();
    let first = day(24 * HOUR + 1);
    assert_eq!(late.iter().map(|(_, events)| events).sum::<u64>(), 2);
    assert_eq!(
        late.iter().filter(|(on, _)| *on >= first && *on < day(0)).count(),
        1
    );
    assert!(late[0].0 < first && late[1].0 < day(0));
}

#[tokio::test]
async fn a_batch_of_notes_only_is_inserted_once_also_when_its_worker_dies() {
    let world = World::new(1).await;
    let notes = Notes {
        rows: vec![noted(Outcome::Rejected, "too_deep", 2)],
        sequences: vec![sequence(1, 10, 5), sequence(1, 20, 3), sequence(2, 1, 2)],
    };
    for id in ["n1", "n2"] {
        world.stream.append_notes(SHOP, id, &notes, NOW).await.unwrap();
    }
    let mut dies = world.deliverer().own(0).await.unwrap().expect("the lease");
    // Planned, and the ledger inserted.
    for _ in 0..2 {
        dies.step().await.unwrap();
    }
    world.lease_runs_out(0).await;
    let mut next = world.deliverer().own(0).await.unwrap().expect("the lease");
    let steps = finish(&mut next).await.unwrap();
    assert!(
        steps.contains(&Step::Committed {
            seq: 1,
            rows: 0,
            dead: 0
        }),
        "{steps:?}"
    );
    assert_eq!(world.ledger(SHOP).await, rows(&[("rejected", "too_deep", 4)]));
    // 10-14 and 20-22 of one client came twice here, so five numbers are missing less eight; of two, none.
    let cuts = world.stream.cuts().await.unwrap();
    let range = LedgerRange {
        project: SHOP,
        from_s: 0,
        to_s: u32::MAX,
        cuts: &cuts,
    };
    assert_eq!(world.store.missing_by_source(&range).await.unwrap(), []);
}

#[tokio::test]
async fn gaps_in_a_clients_numbers_are_what_never_arrived() {
    let world = World::new(1).await;
    for (id, sequences) in [
        ("n1", vec![sequence(1, 10, 5), sequence(2, 0, 1)]),
        ("n2", vec![sequence(1, 18, 2)]),
        // Behind both, and it arrives last.
        ("n3", vec![sequence(1, 8, 1), sequence(2, 1, 4)]),
    ] {
        let notes = Notes {
            rows: vec![noted(Outcome::Rejected, "too_deep", 1)],
            sequences,
        };
        world.stream.append_notes(SHOP, id, &notes, NOW).await.unwrap();
        assert!(matches!(
            world.deliverer().deliver_once(0).await.unwrap(),
            Delivered::Batch { rows: 0, .. }
        ));
    }
    let cuts = world.stream.cuts().await.unwrap();
    let range = |from_s| LedgerRange {
        project: SHOP,
        from_s,
        to_s: u32::MAX,
        cuts: &cuts,
    };
    // 9, 15, 16 and 17.
    assert_eq!(
        world.store.missing_by_source(&range(0)).await.unwrap(),
        [(CURL.to_owned(), 4)]
    );
    let later = (NOW / 1000) as u32 + 60;
    assert_eq!(world.store.missing_by_source(&range(later)).await.unwrap(), []);
}

#[tokio::test]
async fn old_days_are_folded_to_quarter_hours_and_very_old_ones_go() {
    let world = World::new(1).await;
    let notes = Notes::default();
    for n in 0..4 {
        let at = NOW + n * 60_000;
        let sent = vec![Event {
            received_at: at,
            ..event(SHOP, "view", "ann", at, 0)
        }];
        world
            .stream
            .append(&curl(&format!("r{n}"), &notes), sent, at)
            .await
            .unwrap();
        world.drain(&world.deliverer()).await;
    }
    let before = world.ledger(SHOP).await;
    assert_eq!(before, rows(&[("stored", "", 4)]));
    // Days of the ledger go by the stream's own clock.
    let now_s = jiff::Timestamp::now().as_second() as u32;
    let days = |n: u32| now_s + n * 86_400;
    let rows_in = async || {
        let found = world.number("SELECT count() FROM ledger").await;
        let minutes = world.number("SELECT uniqExact(minute) FROM ledger").await;
        (found, minutes)
    };
    assert_eq!(world.store.fold_ledger(days(1), days(1)).await.unwrap(), (0, 0));
    assert_eq!(rows_in().await, (4, 4));
    let week = days(MINUTES_KEPT_DAYS + 1);
    assert_eq!(
        world.store.fold_ledger(now_s - 86_400, week).await.unwrap(),
        (0, 0),
        "what is not settled is not folded"
    );
    assert_eq!(world.store.fold_ledger(week, week).await.unwrap(), (1, 0));
    assert_eq!(rows_in().await, (1, 1));
    assert_eq!(world.ledger(SHOP).await, before);
    assert_eq!(
        world.store.fold_ledger(week, week).await.unwrap(),
        (0, 0),
        "only once"
    );
    let end = days(QUARTERS_KEPT_DAYS + 1);
    assert_eq!(world.store.fold_ledger(end, end).await.unwrap(), (0, 1));
    assert_eq!(world.ledger(SHOP).await, []);
}
