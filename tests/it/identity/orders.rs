//! Every order of arrival gives the same persons.

use footfall::event::{Event, Zone};
use serde_json::{Value, json};
use uuid::Uuid;

use super::answers_are_the_twins;
use crate::harness::{NOW, Tenant, World};

const HOUR: i64 = 3_600_000;

/// Something that a device or a user did, `hours` ago.
pub fn event(n: u128, name: &str, device: &str, user: &str, hours: i64) -> Event {
    let ts = NOW - hours * HOUR;
    let fields = json!({
        "project": 1, "event": name, "ts": ts, "seq": 0, "id": Uuid::from_u128(n), "received_at": 0,
        "distinct_id": if user.is_empty() { device } else { user }, "device_id": device, "user_id": user,
        "session": 0, "path": "", "host": "", "referrer_host": "", "utm_source": "", "utm_medium": "",
        "utm_campaign": "", "country": "", "region": "", "city": "", "browser": "", "os": "", "device": "",
        "lib": "", "amount": 0.0, "currency": "", "props": "{}", "flags": if name == "$identify" { 8 } else { 0 },
        "local_day": Zone::utc().local_day(ts),
    });
    serde_json::from_value(fields).expect("an event")
}

pub fn wire(event: &Event) -> Value {
    let mut wire = json!({"event": event.event, "id": event.id, "timestamp": event.ts});
    for (name, id) in [("device_id", &event.device_id), ("user_id", &event.user_id)] {
        if !id.is_empty() {
            wire[name] = json!(id);
        }
    }
    wire
}

/// Questions of several kinds about the last days.
pub fn questions() -> Vec<Value> {
    let range = |mut question: Value| {
        question["from"] = json!("2026-11-19");
        question["to"] = json!("2026-11-24");
        question
    };
    vec![
        range(json!({"kind": "active_users", "exact": true})),
        range(json!({"kind": "active_users"})),
        range(json!({"kind": "funnel", "steps": [{"event": "A"}, {"event": "B"}], "window": "3d"})),
        range(json!({"kind": "retention", "unit": "day", "periods": 3})),
        range(json!({"kind": "trends", "series": [{"event": "A", "measure": "persons"}]})),
        range(json!({"kind": "lifecycle"})),
        range(json!({"kind": "conversion", "after": "A", "goal": "B", "window": "3d"})),
    ]
}

fn orders(of: &[Event]) -> Vec<Vec<Event>> {
    if of.len() < 2 {
        return vec![of.to_vec()];
    }
    let mut all = Vec::new();
    for first in 0..of.len() {
        let mut rest = of.to_vec();
        let first = rest.remove(first);
        for mut order in orders(&rest) {
            order.insert(0, first.clone());
            all.push(order);
        }
    }
    all
}

/// Each order in a project of its own, an event a request, and every request is delivered before the next one.
async fn arrive_in_every_order(events: &[Event], what: &str) {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    let orders = orders(events);
    let mut projects: Vec<Tenant> = Vec::new();
    for n in 0..orders.len() {
        projects.push(world.project(&owner, &format!("order {n}"), "UTC").await);
    }
    for turn in 0..events.len() {
        for (project, order) in projects.iter().zip(&orders) {
            world.send(&project.write, wire(&order[turn])).await;
        }
        world.deliver().await;
    }
    world.count_anew().await;
    for (project, order) in projects.iter().zip(&orders) {
        let names: Vec<u128> = order.iter().map(|event| event.id.as_u128()).collect();
        let when = format!("{what}, arrived as {names:?}");
        answers_are_the_twins(&world, project, (events, &[]), &questions(), &when).await;
    }
    world.close().await;
}

#[tokio::test]
async fn a_device_that_two_people_use_one_after_the_other() {
    let events = [
        event(1, "A", "tablet", "", 90),
        event(2, "B", "tablet", "ann", 60),
        event(3, "A", "tablet", "bob", 40),
        event(4, "B", "tablet", "", 20),
    ];
    arrive_in_every_order(&events, "a shared device").await;
}

#[tokio::test]
async fn somebody_who_was_there_before_and_is_heard_of_late() {
    let events = [
        event(1, "A", "tablet", "", 90),
        event(2, "B", "tablet", "bob", 50),
        event(3, "A", "phone", "ann", 45),
        // Earlier than bob: the tablet is ann's, who has the phone too.
        event(4, "$identify", "tablet", "ann", 70),
    ];
    arrive_in_every_order(&events, "an earlier identify").await;
}

#[tokio::test]
async fn a_user_with_two_devices_at_the_same_instant_as_another() {
    let events = [
        event(1, "A", "phone", "", 80),
        event(2, "B", "phone", "bob", 40),
        // The same instant: the smaller user id has the phone.
        event(3, "A", "phone", "ann", 40),
        event(4, "B", "laptop", "ann", 30),
    ];
    arrive_in_every_order(&events, "a tie").await;
}
