//! ClickHouse that cannot merge as fast as parts come.

use footfall::stream::append::Request;
use footfall::worker::deliver::DeliverError;

use crate::harness::*;

#[tokio::test]
async fn a_batch_that_is_refused_for_too_many_parts_waits_and_is_stored_once() {
    let world = World::new(1).await;
    let deliverer = world.deliverer();
    world.sql("SYSTEM STOP MERGES events").await;
    let mut all = Vec::new();
    let mut send = async || {
        let sent = events(SHOP, 100);
        world
            .stream
            .append(&Request::new(SHOP, None), sent.clone(), NOW)
            .await
            .unwrap();
        all.extend(sent);
    };
    send().await;
    deliverer.deliver_once(0).await.unwrap();
    let before = world.store.most_parts().await.unwrap();
    world
        .sql("ALTER TABLE events MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 1")
        .await;
    send().await;
    for _ in 0..2 {
        let refused = deliverer.deliver_once(0).await;
        assert!(
            matches!(&refused, Err(DeliverError::Waiting(why)) if why.contains("parts")),
            "{refused:?}"
        );
    }
    world
        .sql("ALTER TABLE events RESET SETTING parts_to_throw_insert, parts_to_delay_insert")
        .await;
    deliverer.deliver_once(0).await.unwrap();
    assert!(
        world.store.most_parts().await.unwrap() > before,
        "the pace can see it"
    );
    world.sql("SYSTEM START MERGES events").await;
    world.holds_exactly(&all).await;
}
