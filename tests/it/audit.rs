//! The audit over HTTP: for owners, and without what it would tell them of others.

use serde_json::{Value, json};

use crate::harness::World;

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().expect("checks");
    checks
        .iter()
        .find(|check| check["name"] == name)
        .unwrap_or_else(|| panic!("{name}: {report}"))
}

#[tokio::test]
async fn an_owner_sees_whether_everything_adds_up_and_what_does_not() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "Europe/Berlin").await;
    let other = world.owner("eve@example.com", "UTC").await;
    let events: Vec<Value> = (0..60)
        .map(|n| json!({"event": "view", "user_id": format!("u-{n}"), "timestamp": format!("2026-11-{:02}T23:30:00Z", 10 + n % 12)}))
        .collect();
    world.store(&shop.write, json!(events)).await;
    world
        .store(&other.write, json!([{"event": "view", "user_id": "x"}]))
        .await;

    let report = world.get(&shop.path("/audit"), &shop.token).await.expect(200);
    assert_eq!(report["holds"], true, "{report}");
    assert_eq!(report["project_id"], shop.project.as_str());
    let checks = report["checks"].as_array().expect("checks");
    assert_eq!(checks.len(), 8);
    assert!(
        checks
            .iter()
            .all(|check| check["holds"] == true && check["judged"] == true),
        "{report}"
    );
    let days = report["days"].as_array().expect("days");
    assert_eq!(days.len(), 12, "only the project's own");
    assert!(
        days.iter().all(|day| day["events"] == 5 && day["counted"] == 5),
        "{report}"
    );

    // A row of the other tenant goes: the shard does not add up, and that is all that is told.
    world.sql("CREATE TABLE kept AS events ENGINE = Memory").await;
    world
        .sql(&format!(
            "INSERT INTO kept SELECT * FROM events WHERE project = {}",
            other.number
        ))
        .await;
    world
        .sql(&format!("DELETE FROM events WHERE project = {}", other.number))
        .await;
    let report = world.get(&shop.path("/audit"), &shop.token).await.expect(200);
    assert_eq!(report["holds"], false);
    let rows = check(&report, "raw_rows");
    assert_eq!((&rows["holds"], &rows["judged"]), (&json!(false), &json!(true)));
    let detail = rows["detail"].as_str().expect("a sentence");
    assert!(!detail.contains(|c: char| c.is_ascii_digit()), "{detail}");
    assert_eq!(check(&report, "counts")["holds"], true, "its own days are right");
    let report = world.get(&other.path("/audit"), &other.token).await.expect(200);
    let counts = check(&report, "counts");
    assert!(
        counts["detail"]
            .as_str()
            .expect("a sentence")
            .contains("0 raw events, 1 counted"),
        "{report}"
    );
    world.sql("INSERT INTO events SELECT * FROM kept").await;
    world.close().await;
}

#[tokio::test]
async fn only_owners_may_audit() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let other = world.owner("eve@example.com", "UTC").await;
    world
        .get(&shop.path("/audit"), &other.token)
        .await
        .problem(404, "not_found");
    world
        .get(&shop.path("/audit"), &shop.secret)
        .await
        .problem(403, "forbidden");
    world
        .get(&shop.path("/audit"), "")
        .await
        .problem(401, "unauthenticated");
    world.close().await;
}
