//! The tables as they were.

use footfall::event::Day;
use footfall::metrics::time::TimeRange;
use footfall::store::StoreError;
use footfall::store::past::Past;

use crate::world::{DAY, NOON, PROJECT, deliver, event, name, store};

#[tokio::test]
async fn events_are_cut_and_a_table_without_a_history_is_refused() {
    let store = store().await;
    let mut events: Vec<_> = (0..4).map(|_| event("a", "ann", NOON)).collect();
    for (n, event) in (0..).zip(&mut events) {
        event.received_at = NOON + 10 * n;
    }
    deliver(&store, &name(0, 1), &events).await;
    let past = store.as_of(Past {
        received_ms: NOON + 20,
        identity_version: 0,
    });
    let range = TimeRange {
        from_ms: NOON - DAY,
        to_ms: NOON + DAY,
    };
    let received = async |store: &footfall::store::Store| {
        let found = store.received_between(PROJECT, (NOON, NOON + 30), range).await;
        found.expect("an answer").rows
    };
    let day = Day::of_utc(NOON);
    assert_eq!(received(&store).await, [(day, 3)]);
    assert_eq!(received(&past).await, [(day, 2)], "up to and with that instant");
    let hours = |ms: i64| (ms / 1000) as u32;
    let (from, to) = (hours(NOON - DAY), hours(NOON + DAY));
    let counted = store.event_totals(PROJECT, from, to, 9).await.expect("totals");
    assert_eq!(counted.rows, [("a".to_owned(), 4)]);
    let refused = past.event_totals(PROJECT, from, to, 9).await;
    assert!(matches!(refused, Err(StoreError::NoPast(_))), "{refused:?}");
}
