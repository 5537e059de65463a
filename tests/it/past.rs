//! Answers of an earlier time, asked for again: whatever came since, they are what they were.

use serde_json::{Value, json};

use crate::harness::{NOW, Tenant, World, check};
use crate::random::{Drawn, TRANSITIONS, instant, questions};

const MINUTE: i64 = 60_000;
const QUARTER: i64 = 15 * MINUTE;

async fn ask(world: &World, of: &Tenant, rest: &str, question: &Value) -> Value {
    let path = of.path(&format!("/query{rest}"));
    let reply = world.ask("POST", &path, &of.secret, question.clone()).await;
    assert_eq!(reply.status, 200, "{question}: {}", reply.text());
    reply.json()
}

/// The query string that asks for an answer of then again.
fn then(at: i64, answer: &Value) -> String {
    format!(
        "?as_of={}&identity_version={}",
        instant(at),
        answer["meta"]["identity_version"]
    )
}

/// Random questions before and after more events, more of who is who, rollups and rebuilds. Sketches may err, so what they
/// would answer is asked exactly.
#[tokio::test]
async fn an_answer_of_then_is_the_answer_that_was_given_then() {
    let (mut compared, mut moved, mut merged) = (0, 0, 0);
    for seed in 0..2 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let world = World::new().await;
        let (zone, at) = TRANSITIONS[rng.usize(0..TRANSITIONS.len())];
        let owner = world.owner("ada@example.com", zone).await;
        let drawn = Drawn::new(&mut rng, crate::consistency::ms(at), owner.number, &owner.zone);
        let mut bodies = drawn.bodies(&mut rng);
        let mut asked = questions(&mut rng, &drawn, &owner.zone);
        for question in &mut asked {
            if question["kind"] == "active_users" {
                question["exact"] = json!(true);
            }
        }
        // What is known of persons is kept as it is now.
        asked.retain(|question| !question.to_string().contains("\"person\":"));
        // About every kind of question, a different half for each world.
        let mut place = 0;
        asked.retain(|_| {
            place += 1;
            (place + seed) % 2 == 0
        });
        let last = drawn.events.iter().map(|event| event.ts).max().expect("events");
        // Nothing ends within the seconds around: no quarter hour, so no day.
        let mut now = (last / QUARTER + 1) * QUARTER + MINUTE;
        let mut given: Vec<(i64, Vec<Value>)> = Vec::new();
        while given.len() < 3 {
            world.at(now);
            for _ in 0..(bodies.len() / 2).max(1) {
                let Some(body) = bodies.pop() else { break };
                world.post(&owner.write, body).await.expect(200);
            }
            // A device turns out to be somebody's: what it did before changes hands.
            let user = format!("late{}", rng.u8(0..3));
            let device = drawn.events[rng.usize(0..drawn.events.len())].distinct_id.clone();
            let seen = json!({"event": "$identify", "user_id": user, "device_id": device, "timestamp": now});
            world.send(&owner.write, seen).await;
            world.deliver().await;
            if rng.bool() {
                world.settle(now).await;
            }
            // Some seconds later all of it is settled.
            now += MINUTE;
            world.at(now);
            let mut answers = Vec::new();
            for question in &asked {
                answers.push(ask(&world, &owner, "", question).await);
            }
            given.push((now, answers));
            now += MINUTE;
        }
        let (_, latest) = given.last().expect("answers");
        for (at, answers) in &given[..given.len() - 1] {
            for (n, question) in asked.iter().enumerate() {
                let before = &answers[n];
                let again = ask(&world, &owner, &then(*at, before), question).await;
                assert_eq!(
                    again["data"], before["data"],
                    "seed {seed}, as of {at}: {question}"
                );
                assert_eq!(again["meta"]["as_of"], instant(*at));
                assert_eq!(
                    again["meta"]["identity_version"],
                    before["meta"]["identity_version"]
                );
                compared += 1;
                moved += u32::from(before["data"] != latest[n]["data"]);
                merged +=
                    u32::from(before["meta"]["identity_version"] != latest[n]["meta"]["identity_version"]);
            }
        }
        world.settle(world.rooms.clock.now_ms() + QUARTER).await;
        world.close().await;
    }
    assert!(
        compared > 60 && moved > compared / 4 && merged > 20,
        "{compared}, {moved} moved, {merged} merged"
    );
}

#[tokio::test]
async fn a_difference_is_made_of_its_parts() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let event = |name: &str, who: Value, at: i64| {
        let mut event = who;
        event["event"] = json!(name);
        event["timestamp"] = json!(at);
        event
    };
    let device = |n: u32| format!("0193c2a4-7c1e-7b5e-9f43-{n:012}");
    let visitor = |n: u32| json!({"device_id": device(n)});
    let visits: Vec<Value> = (0..6)
        .map(|n| event("view", visitor(n), NOW - 100 * MINUTE))
        .collect();
    world.store(&shop.write, json!(visits)).await;
    world.at(NOW + MINUTE);
    let trend = json!({"kind": "trends", "series": [{"event": "view", "measure": "persons"}, {"event": "view"}],
        "from": "2026-11-01", "to": "2026-11-24"});
    let funnel = json!({"kind": "funnel", "steps": [{"event": "view"}, {"event": "buy"}], "from": "2026-11-01",
        "to": "2026-11-24"});
    let questions = [trend, funnel];
    let mut given = Vec::new();
    for question in &questions {
        given.push(ask(&world, &shop, "", question).await);
    }
    // Late: two more visitors of yesterday, two purchases; and devices 0 to 2 turn out to be Ann.
    let mut late: Vec<Value> = (6..8)
        .map(|n| event("view", visitor(n), NOW - 1_500 * MINUTE))
        .collect();
    late.extend((0..2).map(|n| event("buy", visitor(n), NOW - 90 * MINUTE)));
    late.extend((0..3).map(|n| {
        event(
            "$identify",
            json!({"device_id": device(n), "user_id": "ann"}),
            NOW,
        )
    }));
    world.at(NOW + MINUTE + 1);
    world.store(&shop.write, json!(late)).await;
    world.at(NOW + 2 * MINUTE);
    let diff = async |question: &Value, numbers: Value| {
        let from = json!({"as_of": instant(NOW + MINUTE), "identity_version": given[0]["meta"]["identity_version"],
            "numbers": numbers});
        let body = json!({"question": question, "from": from});
        world
            .ask("POST", &shop.path("/query/diff"), &shop.secret, body)
            .await
            .expect(200)
    };
    let part = |report: &Value, name: &str| {
        let numbers = report["numbers"].as_array().expect("numbers").iter();
        let found = numbers.clone().find(|number| number["name"] == name);
        let found = found.unwrap_or_else(|| panic!("{name}: {report}"));
        ["from", "to", "removed", "events", "identity"].map(|part| found[part].as_f64())
    };
    let report = diff(&questions[0], json!({})).await;
    // Six visitors, then eight, of whom three are one person.
    assert_eq!(
        part(&report, "/series/0/value"),
        [Some(6.0), Some(6.0), None, Some(2.0), Some(-2.0)]
    );
    assert_eq!(
        part(&report, "/series/1/total"),
        [Some(6.0), Some(8.0), None, Some(2.0), Some(0.0)]
    );
    let between = &report["between"];
    assert_eq!((&between["events"], &between["ids"]), (&json!(7), &json!(3)));
    let days = json!([{"date": "2026-11-22", "events": 2}, {"date": "2026-11-23", "events": 5}]);
    assert_eq!(between["days"], days);
    let report = diff(&questions[1], json!({})).await;
    assert_eq!(
        part(&report, "/overall/entered"),
        [Some(6.0), Some(6.0), None, Some(2.0), Some(-2.0)]
    );
    assert_eq!(
        part(&report, "/overall/converted"),
        [Some(0.0), Some(1.0), None, Some(2.0), Some(-1.0)]
    );
    for number in report["numbers"].as_array().expect("numbers") {
        let [from, to, events, identity] =
            ["from", "to", "events", "identity"].map(|part| number[part].as_f64());
        if let (Some(from), Some(to), Some(events), Some(identity)) = (from, to, events, identity) {
            assert!((from + events + identity - to).abs() < 1e-9, "{number}");
        }
    }
    // Erased since: the number of then says what is missing.
    world
        .request_erasure(&shop, json!({"kind": "person", "distinct_ids": [device(5)]}))
        .await;
    world.erase().await;
    let report = diff(&questions[0], json!({"/series/0/value": 6.0})).await;
    assert_eq!(
        part(&report, "/series/0/value"),
        [Some(6.0), Some(5.0), Some(-1.0), Some(2.0), Some(-2.0)]
    );
    let between = &report["between"];
    assert_eq!(
        (&between["removals"], &between["removed_events"]),
        (&json!(1), &json!(1))
    );
    world.settle(world.rooms.clock.now_ms() + QUARTER).await;
    world.close().await;
}

#[tokio::test]
async fn a_query_string_asks_of_the_past_too() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    let event = |name: &str, who: &str, ago: i64| json!({"event": name, "user_id": who, "timestamp": NOW - ago * MINUTE});
    let early = json!([
        event("a", "ann", 9),
        event("b", "ann", 8),
        event("page_view", "ann", 7)
    ]);
    world.store(&shop.write, early).await;
    let then = format!("as_of={}", instant(NOW));
    world.at(NOW + MINUTE);
    let late = json!([
        event("a", "bea", 6),
        event("b", "bea", 5),
        event("page_view", "bea", 4)
    ]);
    world.store(&shop.write, late).await;
    for (path, question) in [
        (
            "/active-users?exact=true",
            json!({"kind": "active_users", "exact": true}),
        ),
        ("/active-users?", json!({"kind": "active_users"})),
        ("/trends?event=a", json!({"kind": "trends", "events": ["a"]})),
        (
            "/funnels?step=a&step=b",
            json!({"kind": "funnel", "steps": [{"event": "a"}, {"event": "b"}]}),
        ),
        (
            "/conversion?after=a&goal=b",
            json!({"kind": "conversion", "after": "a", "goal": "b"}),
        ),
        (
            "/retention?start=a",
            json!({"kind": "retention", "start": {"events": ["a"]}}),
        ),
        (
            "/lifecycle?interval=week",
            json!({"kind": "lifecycle", "interval": "week"}),
        ),
        ("/stickiness?", json!({"kind": "stickiness"})),
        (
            "/paths?anchor=a",
            json!({"kind": "paths", "anchor": {"event": "a"}}),
        ),
        ("/sessions?", json!({"kind": "sessions"})),
        ("/web?", json!({"kind": "web"})),
    ] {
        let get = async |rest: &str| {
            let path = shop.path(&format!("{path}{rest}"));
            world.get(&path, &shop.secret).await.expect(200)
        };
        let of_then = get(&format!("&{then}")).await;
        assert_eq!(of_then["meta"]["as_of"], instant(NOW), "{path}");
        assert_eq!(
            of_then["data"],
            ask(&world, &shop, &format!("?{then}"), &question).await["data"]
        );
        assert_ne!(of_then["data"], get("").await["data"], "{path}");
        for (rest, pointer, code) in [
            ("&as_of=soon", "?as_of", "invalid_time"),
            ("&as_of=2026-11-24", "?as_of", "in_future"),
            ("&identity_version=5", "?identity_version", "missing_field"),
            ("&as_off=2026-11-20", "?as_off", "unknown_field"),
        ] {
            let reply = world
                .get(&shop.path(&format!("{path}{rest}")), &shop.secret)
                .await;
            check(reply, (422, "invalid_field", pointer, code), rest);
        }
    }
    world.close().await;
}

#[tokio::test]
async fn what_cannot_be_asked_of_the_past_is_refused() {
    let world = World::new().await;
    let shop = world.owner("ada@example.com", "UTC").await;
    world
        .store(
            &shop.write,
            json!({"event": "a", "user_id": "ann", "timestamp": NOW - MINUTE}),
        )
        .await;
    let trend = json!({"kind": "trends", "events": ["a"]});
    for (query, pointer, code) in [
        ("?as_of=soon", "?as_of", "invalid_time"),
        ("?as_of=2026-11-24", "?as_of", "in_future"),
        ("?identity_version=5", "?identity_version", "missing_field"),
        (
            "?as_of=2026-11-23&identity_version=x",
            "?identity_version",
            "wrong_type",
        ),
    ] {
        let path = shop.path(&format!("/query{query}"));
        let reply = world.ask("POST", &path, &shop.secret, trend.clone()).await;
        check(reply, (422, "invalid_field", pointer, code), query);
    }
    let from = json!({"as_of": "2026-11-23"});
    for (body, pointer, code) in [
        (json!({"question": trend}), "/from", "missing_field"),
        (
            json!({"question": {"kind": "trends"}, "from": from}),
            "/question/events",
            "required",
        ),
        (
            json!({"question": trend, "from": {"as_of": "2026-11-24"}}),
            "/from/as_of",
            "in_future",
        ),
        (
            json!({"question": trend, "from": from, "to": {"as_of": "2026-11-20"}}),
            "/to/as_of",
            "empty_range",
        ),
    ] {
        let what = body.to_string();
        let reply = world
            .ask("POST", &shop.path("/query/diff"), &shop.secret, body)
            .await;
        check(reply, (422, "invalid_field", pointer, code), &what);
    }
    // As of before anything was received: an answer without anything, of the dates of then.
    let path = shop.path("/query?as_of=2026-11-20T12:00:00Z");
    let answer = world
        .ask("POST", &path, &shop.secret, trend.clone())
        .await
        .expect(200);
    assert_eq!(answer["data"]["series"][0]["total"], 0);
    let points = answer["data"]["series"][0]["points"].as_array().expect("points");
    let last = &points[points.len() - 1];
    assert_eq!(
        (&last["date"], &last["final"]),
        (&json!("2026-11-20"), &json!(false))
    );
    world.close().await;
}
