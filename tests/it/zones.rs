//! A project's zone is changed: its days are counted anew in the new one.

use footfall::event::{Event, Zone};
use serde_json::{Value, json};

use crate::harness::{NOW, Tenant, World, text};
use crate::random::{Drawn, instant};
use crate::twin::twin;

/// By then a change of the zone has reached every node.
const LATER: i64 = NOW + 60_000;

async fn change(world: &World, shop: &Tenant, zone: &str) -> Tenant {
    let body = json!({"timezone": zone});
    let changed = world
        .ask("PATCH", &shop.path(""), &shop.token, body)
        .await
        .expect(200);
    assert_eq!(changed["timezone"], zone);
    world.rooms.keys.refresh().await.expect("keys");
    Tenant {
        zone: Zone::parse(zone).expect("a zone"),
        ..shop.clone()
    }
}

/// Sketches and exact counts of the days around the events are the twin's.
async fn agrees(world: &World, shop: &Tenant, events: &[Event]) {
    let days: Vec<_> = events.iter().map(|event| shop.zone.local_day(event.ts)).collect();
    let first = *days.iter().min().expect("events");
    let last = *days.iter().max().expect("events");
    for exact in [true, false] {
        for event in [Value::Null, json!("B")] {
            let question = json!({"kind": "active_users", "event": event, "exact": exact,
                "from": first.plus(-2).to_string(), "to": last.plus(3).to_string()});
            let reply = world
                .ask("POST", &shop.path("/query"), &shop.secret, question.clone())
                .await;
            let reply = reply.expect(200);
            let now = world.rooms.clock.now_ms();
            assert_eq!(
                reply["data"],
                twin(&question, &shop.zone, now, events),
                "{question}"
            );
            assert_eq!(reply["meta"]["timezone"], shop.zone.name());
            assert_eq!(warnings(&reply["meta"]), [""; 0]);
        }
    }
}

/// What an answer warns of, but for events that came late: all of these do.
fn warnings(meta: &Value) -> Vec<String> {
    let warnings = meta["warnings"].as_array().expect("warnings");
    let codes = warnings.iter().map(|warning| text(&warning["code"]));
    codes.filter(|code| code != "late_events").collect()
}

/// Whether the answer over closed days of the past says that it is complete, and what it warns of.
async fn says(world: &World, shop: &Tenant, exact: bool) -> (bool, Vec<String>) {
    let path = shop.path(&format!(
        "/active-users?from=2026-11-10&to=2026-11-20&exact={exact}"
    ));
    let meta = world.get(&path, &shop.secret).await.expect(200)["meta"].clone();
    (meta["complete"] == true, warnings(&meta))
}

#[tokio::test]
async fn active_users_are_counted_by_the_days_of_the_new_zone() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "Europe/Berlin").await;
    let mut rng = fastrand::Rng::with_seed(3);
    let drawn = Drawn::new(&mut rng, NOW - 8 * 86_400_000, shop.number, &shop.zone);
    for body in drawn.bodies(&mut rng) {
        world.post(&shop.write, body).await.expect(200);
    }
    world.deliver().await;
    // Days on which somebody signed in are made anew a minute later.
    world.settle(NOW + 120_000).await;
    agrees(&world, &shop, &drawn.events).await;

    for zone in ["Asia/Kathmandu", "Pacific/Apia", "America/Los_Angeles"] {
        world.at(NOW);
        let shop = change(&world, &shop, zone).await;
        let pending = vec!["rebuild_pending".to_owned()];
        assert_eq!(says(&world, &shop, false).await, (false, pending), "{zone}");
        assert_eq!(says(&world, &shop, true).await, (true, vec![]), "{zone}");
        world.at(LATER);
        let rolled = world.settle(LATER).await;
        assert!(rolled.rebuilt > 0, "{zone}");
        agrees(&world, &shop, &drawn.events).await;
    }
    world.close().await;
}

#[tokio::test]
async fn events_that_were_under_way_when_the_zone_changed_land_in_the_days_of_the_new_one() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    // Evenings in UTC are the next day in Kathmandu.
    let view = |person: &str, time: &str| json!({"event": "page_view", "user_id": person, "timestamp": time});
    world
        .store(&shop.write, view("ann", "2026-11-20T20:00:00Z"))
        .await;
    // Taken under the old zone, still in the stream when the days are due to be counted anew.
    let under_way = json!([
        view("bob", "2026-11-20T20:00:00Z"),
        view("cem", "2026-11-22T20:00:00Z"),
        // Of a day far from all that are in the tables.
        view("dot", "2026-08-01T20:00:00Z")
    ]);
    world.send(&shop.write, under_way).await;
    let shop = change(&world, &shop, "Asia/Kathmandu").await;
    world.at(LATER);
    world.roll(LATER).await;
    world.deliver().await;
    world.settle(LATER).await;
    for exact in [true, false] {
        let path = shop.path(&format!(
            "/active-users?from=2026-11-20&to=2026-11-24&exact={exact}"
        ));
        let days = world.get(&path, &shop.secret).await.expect(200)["data"]["days"].clone();
        let dau: Vec<&Value> = (0..4).map(|n| &days[n]["dau"]).collect();
        assert_eq!(dau, [0, 2, 0, 1], "exact={exact}");
        let path = shop.path(&format!(
            "/active-users?from=2026-08-01&to=2026-08-03&exact={exact}"
        ));
        let days = world.get(&path, &shop.secret).await.expect(200)["data"]["days"].clone();
        assert_eq!(
            (&days[0]["dau"], &days[1]["dau"]),
            (&json!(0), &json!(1)),
            "exact={exact}"
        );
    }
    world.close().await;
}

#[tokio::test]
async fn events_after_the_change_land_in_the_new_days_at_once() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let shop = change(&world, &shop, "Pacific/Kiritimati").await;
    // 10:15 UTC is 00:15 of the next day there.
    let event = json!({"event": "page_view", "user_id": "ann", "timestamp": instant(NOW)});
    world.store(&shop.write, event).await;
    let path = shop.path("/active-users?from=2026-11-23&to=2026-11-25");
    let days = world.get(&path, &shop.secret).await.expect(200)["data"]["days"].clone();
    assert_eq!((&days[0]["dau"], &days[1]["dau"]), (&json!(0), &json!(1)));
    // By default a question is about the local days up to today, which is the 24th there.
    let default = world
        .get(&shop.path("/active-users"), &shop.secret)
        .await
        .expect(200);
    let days = default["data"]["days"].as_array().expect("days");
    assert_eq!((days.len(), &days[29]["date"]), (30, &json!("2026-11-24")));
    world.at(LATER);
    world.settle(LATER).await;
    world.close().await;
}

#[tokio::test]
async fn days_on_which_events_changed_hands_are_those_of_the_zone_that_the_project_has_now() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let view =
        |id: &str, whose: &str, time: &str| json!({"event": "page_view", id: whose, "timestamp": time});
    // In Kathmandu both are of the 21st, in UTC the phone's is of the day before.
    let before = json!([
        view("device_id", "phone", "2026-11-20T23:00:00Z"),
        view("user_id", "ann", "2026-11-21T10:00:00Z"),
    ]);
    world.store(&shop.write, before).await;
    let shop = change(&world, &shop, "Asia/Kathmandu").await;
    world.at(LATER);
    world.settle(LATER).await;
    let dau = async |exact: bool| {
        let path = shop.path(&format!(
            "/active-users?from=2026-11-20&to=2026-11-24&exact={exact}"
        ));
        let days = world.get(&path, &shop.secret).await.expect(200)["data"]["days"].clone();
        (0..4)
            .map(|n| days[n]["dau"].as_u64().expect("a number"))
            .collect::<Vec<_>>()
    };
    for exact in [true, false] {
        assert_eq!(dau(exact).await, [0, 2, 0, 0], "exact={exact}");
    }
    let mut sign_in = view("device_id", "phone", "2026-11-23T09:00:00Z");
    sign_in["user_id"] = json!("ann");
    world.store(&shop.write, sign_in).await;
    world.count_anew().await;
    for exact in [true, false] {
        assert_eq!(dau(exact).await, [0, 1, 0, 1], "exact={exact}");
    }
    world.close().await;
}
