//! Retention: months that a project does not keep any more are gone from everything, together.

use serde_json::{Value, json};

use crate::consistency::ms;
use crate::harness::{NOW, Tenant, World, check, text};

const DAY: i64 = 86_400_000;

async fn keep(world: &World, owner: &Tenant, months: Value) -> Value {
    let path = format!("/v1/projects/{}", owner.project);
    let change = json!({"retention_months": months});
    world.ask("PATCH", &path, &owner.token, change).await.expect(200)
}

async fn visitors(world: &World, owner: &Tenant, from: &str, to: &str) -> (Vec<u64>, Value) {
    let path = owner.path(&format!("/trends?event=visit&interval=day&from={from}&to={to}"));
    let trend = world.get(&path, &owner.secret).await.expect(200);
    let points = trend["data"]["series"][0]["points"]
        .as_array()
        .expect("points")
        .clone();
    let counts = points
        .iter()
        .map(|point| point["count"].as_u64().expect("a count"));
    (counts.collect(), trend["meta"]["warnings"].clone())
}

#[tokio::test]
async fn old_months_go_from_raw_events_and_rollups_together() {
    let world = World::new().await;
    let mut owner = world.owner("ada@example.com", "Europe/Berlin").await;
    // One visit a day at 00:30 and one at 23:30 of Berlin's days, from August to today.
    let first = owner.zone.local_day(NOW).plus(-100);
    let mut visits = Vec::new();
    for n in 0..100 {
        let start = owner.zone.day_start(first.plus(n));
        let end = owner.zone.day_start(first.plus(n + 1));
        for at in [start + 1_800_000, end - 1_800_000] {
            visits.push(json!({"event": "visit", "distinct_id": format!("p{}", n % 7), "timestamp": at}));
        }
    }
    world.store(&owner.write, Value::Array(visits)).await;
    world.settle(NOW).await;
    let project = keep(&world, &owner, json!(1)).await;
    assert_eq!(
        (&project["retention_months"], &project["kept_from"]),
        (&json!(1), &Value::Null)
    );
    // A day in which a mistake can be taken back.
    assert_eq!(
        world.rooms.meta.enforce_retention(NOW + DAY - 1).await.unwrap(),
        []
    );
    assert_eq!(world.rows().await, 200);

    let now = NOW + DAY;
    world.at(now);
    world.sign_in(&mut owner, "ada@example.com").await;
    assert_eq!(world.rooms.meta.enforce_retention(now).await.unwrap().len(), 1);
    assert_eq!(world.rooms.meta.enforce_retention(now).await.unwrap(), [], "once");
    world.erase().await;
    let kept_from = ms("2026-09-30T22:00:00Z");
    let project = world
        .get(&format!("/v1/projects/{}", owner.project), &owner.token)
        .await
        .expect(200);
    assert_eq!(
        ms(&text(&project["kept_from"])),
        kept_from,
        "October begins in Berlin"
    );

    let day = |text: &str| text.parse::<footfall::event::Day>().unwrap();
    let left = 2 * (owner.zone.local_day(NOW).0 - day("2026-10-01").0) as u64;
    assert_eq!(world.rows().await, left);
    let (counts, warnings) = visitors(&world, &owner, "2026-09-28", "2026-10-04").await;
    assert_eq!(counts, [0, 0, 0, 2, 2, 2]);
    let beyond = |warnings: &Value| {
        let warnings = warnings.as_array().expect("warnings");
        warnings
            .iter()
            .any(|warning| warning["code"] == "beyond_retention")
    };
    assert!(beyond(&warnings), "{warnings}");
    let (_, warnings) = visitors(&world, &owner, "2026-10-01", "2026-10-04").await;
    assert!(!beyond(&warnings), "{warnings}");
    for exact in [false, true] {
        let path = owner.path(&format!(
            "/active-users?from=2026-09-29&to=2026-10-03&exact={exact}"
        ));
        let active = world.get(&path, &owner.secret).await.expect(200);
        let daily = active["data"]["days"]
            .as_array()
            .or(active["data"]["points"].as_array());
        let daily: Vec<_> = daily
            .expect("days")
            .iter()
            .map(|day| day["dau"].clone())
            .collect();
        assert_eq!(daily, [0, 0, 1, 1], "exact={exact} {active}");
    }

    // What is older is refused; what is kept is taken.
    world.rooms.keys.refresh().await.unwrap();
    let send = json!([{"event": "visit", "distinct_id": "late", "timestamp": kept_from - 1},
        {"event": "visit", "distinct_id": "late", "timestamp": kept_from}]);
    let reply = world.post(&owner.write, send.to_string()).await.expect(200);
    assert_eq!(
        (&reply["accepted"], &reply["results"][0]["code"]),
        (&json!(1), &json!("too_old"))
    );
    world.deliver().await;

    // A longer limit does not bring anything back, and lets older events in again.
    keep(&world, &owner, Value::Null).await;
    world.rooms.meta.enforce_retention(now).await.unwrap();
    world.rooms.keys.refresh().await.unwrap();
    world
        .store(
            &owner.write,
            json!([{"event": "visit", "distinct_id": "late", "timestamp": kept_from - 1}]),
        )
        .await;
    assert_eq!(world.rows().await, left + 2);
    world.close().await;
}

#[tokio::test]
async fn a_limit_is_1_to_120_months() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    let path = format!("/v1/projects/{}", owner.project);
    for (months, code) in [
        (json!(0), "out_of_range"),
        (json!(121), "out_of_range"),
        (json!("1"), "wrong_type"),
    ] {
        let change = json!({"retention_months": months});
        let reply = world.ask("PATCH", &path, &owner.token, change).await;
        check(
            reply,
            (422, "invalid_field", "/retention_months", code),
            "a limit",
        );
    }
    assert_eq!(keep(&world, &owner, json!(13)).await["retention_months"], 13);
    let change = json!({"name": "Shop"});
    let renamed = world.ask("PATCH", &path, &owner.token, change).await.expect(200);
    assert_eq!(renamed["retention_months"], 13, "what is not named stays");
    assert_eq!(
        keep(&world, &owner, Value::Null).await["retention_months"],
        Value::Null
    );
    world.close().await;
}
