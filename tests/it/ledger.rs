//! The ledger over HTTP: what was sent is what it says, at every moment.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::harness::{NOW, Reply, Tenant, World, text};

const A: &str = "0193c2a4-7c1e-7b5e-9f43-2f1f6a0c9d11";
const B: &str = "0193c2a4-7c1e-7b5e-9f43-2f1f6a0c9d12";

async fn send(world: &World, owner: &Tenant, agent: &str, body: Value) -> Reply {
    let request = Request::post("/v1/events")
        .header("authorization", format!("Bearer {}", owner.write))
        .header("user-agent", agent)
        .body(Body::from(body.to_string()))
        .unwrap();
    world.raw(request).await
}

async fn ledger(world: &World, owner: &Tenant, query: &str) -> Value {
    let path = owner.path(&format!("/ledger{query}"));
    let ledger = world.get(&path, &owner.secret).await.expect(200);
    // Whatever is asked, and whenever.
    let sum = |of: &Value| -> u64 {
        [
            "stored",
            "duplicate",
            "rejected",
            "quarantined",
            "discarded",
            "pending",
        ]
        .iter()
        .map(|name| of[name].as_u64().unwrap_or_else(|| panic!("{name}: {of}")))
        .sum()
    };
    let totals = &ledger["totals"];
    assert_eq!(totals["received"], sum(totals));
    let mut all = (0, 0);
    for point in ledger["series"].as_array().unwrap() {
        assert_eq!(point["received"], sum(point));
        all.0 += sum(point);
    }
    for source in ledger["sources"].as_array().unwrap() {
        assert_eq!(source["received"], sum(source));
        all.1 += sum(source);
    }
    assert_eq!(all, (sum(totals), sum(totals)));
    ledger
}

fn counts(of: &Value) -> [u64; 5] {
    ["received", "stored", "duplicate", "rejected", "pending"].map(|name| of[name].as_u64().unwrap())
}

#[tokio::test]
async fn a_ledger_says_what_became_of_each_event_by_source_and_reason() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "Europe/Berlin").await;
    let empty = ledger(&world, &owner, "").await;
    assert_eq!(counts(&empty["totals"]), [0; 5]);
    assert_eq!(empty["series"].as_array().unwrap().len(), 25);

    let mixed = json!({"request_id": "r1", "dropped": 4, "batch": [
        {"event": "view", "device_id": "d1", "id": A}, {"event": "view", "device_id": "d1", "id": A},
        {"event": "view", "device_id": "d2", "id": B}, {"device_id": "d1"}, 5]});
    let curl = "curl/8.5.0";
    assert_eq!(
        send(&world, &owner, curl, mixed.clone()).await.expect(200)["rejected"],
        2
    );
    // The same request again, an event of it in another one, and one that is refused whole.
    assert_eq!(
        send(&world, &owner, curl, mixed).await.expect(200)["duplicates"],
        3
    );
    let repacked = json!([{"event": "view", "device_id": "d1", "id": A}]);
    assert_eq!(
        send(&world, &owner, curl, repacked).await.expect(200)["duplicates"],
        1
    );
    send(
        &world,
        &owner,
        "sender/1",
        json!([{"device_id": "d"}, {"event": ""}]),
    )
    .await
    .problem(422, "invalid_events");
    let dry =
        Request::post("/v1/events?dry_run=1").header("authorization", format!("Bearer {}", owner.write));
    let dry = dry
        .body(Body::from(r#"[{"event":"view","device_id":"d"},{"event":5}]"#))
        .unwrap();
    world.raw(dry).await.expect(200);

    let before = ledger(&world, &owner, "").await;
    assert_eq!(
        counts(&before["totals"]),
        [2, 0, 0, 0, 2],
        "rows wait; notes are counted when they are committed"
    );
    world.deliver().await;
    let after = ledger(&world, &owner, "").await;
    assert_eq!(counts(&after["totals"]), [13, 2, 5, 6, 0]);
    assert_eq!(after["totals"]["client_dropped"], 4, "said once");
    assert_eq!(
        after["rejected_by_reason"],
        json!([{"code": "missing_field", "count": 3}, {"code": "wrong_type", "count": 2},
               {"code": "name_empty", "count": 1}])
    );
    let sources: Vec<_> = after["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (text(&s["source"]), counts(s)))
        .collect();
    assert_eq!(
        sources,
        [
            ("native curl/8.5.0".to_owned(), [11, 2, 5, 4, 0]),
            ("native sender/1".to_owned(), [2, 0, 0, 2, 0])
        ]
    );
    assert_eq!(after["sources"][0]["last_received_at"], "2026-11-23T10:15:00Z");
    assert_eq!(
        counts(&ledger(&world, &owner, "?to=2026-11-23").await["totals"]),
        [0; 5],
        "by receipt"
    );
    let minutes = ledger(
        &world,
        &owner,
        "?interval=minute&from=2026-11-23T10:15:00Z&to=2026-11-23T10:16:00Z",
    )
    .await;
    assert_eq!(minutes["series"].as_array().unwrap().len(), 1);
    assert_eq!(counts(&minutes["series"][0]), [13, 2, 5, 6, 0]);

    let other = world.project(&owner, "Blog", "UTC").await;
    assert_eq!(
        counts(&ledger(&world, &other, "").await["totals"]),
        [0; 5],
        "another project's"
    );
    world.close().await;
}

#[tokio::test]
async fn rejected_events_are_kept_with_their_reason_the_newest_first() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    let items = async |query: &str| {
        let path = owner.path(&format!("/rejections{query}"));
        world.get(&path, &owner.token).await.expect(200)["data"]
            .as_array()
            .unwrap()
            .clone()
    };
    send(
        &world,
        &owner,
        "curl/8.5.0",
        json!({"device_id": "d", "properties": {"note": "no name"}}),
    )
    .await
    .problem(422, "invalid_events");
    world.at(NOW + 60_000);
    for n in 0..60 {
        let two = json!([{"event": "view", "device_id": format!("d{n}")}, {"event": n, "device_id": "d"}]);
        send(&world, &owner, "curl/8.5.0", two).await.expect(200);
    }
    world.deliver().await;
    let all = items("").await;
    assert_eq!(all.len(), 61);
    let first = &all[60];
    assert_eq!(
        (text(&first["code"]), text(&first["field"])),
        ("missing_field".into(), "/event".into())
    );
    assert_eq!(first["source"], "native curl/8.5.0");
    assert_eq!(first["received_at"], "2026-11-23T10:15:00Z");
    let sample: Value = serde_json::from_str(&text(&first["sample"])).unwrap();
    assert_eq!(sample["properties"]["note"], "no name");
    assert_eq!(items("?code=missing_field").await.len(), 1);
    assert_eq!(items("?limit=2&code=wrong_type").await.len(), 2);
    for (query, pointer) in [
        ("?limit=0", "?limit"),
        ("?limit=101", "?limit"),
        ("?colour=red", "?colour"),
    ] {
        let refused = world
            .get(&owner.path(&format!("/rejections{query}")), &owner.token)
            .await;
        assert_eq!(
            refused.problem(422, "invalid_field")["errors"][0]["pointer"],
            pointer
        );
    }
    for n in 0..50 {
        send(
            &world,
            &owner,
            "curl/8.5.0",
            json!([{"event": n, "device_id": "e"}]),
        )
        .await
        .problem(422, "invalid_events");
    }
    world.deliver().await;
    assert_eq!(items("").await.len(), 100, "no more are kept");
    assert_eq!(items("?code=missing_field").await.len(), 0, "the oldest went");
    world.close().await;
}

#[tokio::test]
async fn questions_about_the_ledger_are_refused_by_field() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    for (query, pointer) in [
        ("?interval=minute&from=2026-11-01", "?from"),
        ("?interval=hour&from=2026-01-01&to=2026-11-01", "?to"),
        ("?from=2026-11-23&to=2026-11-23", "?to"),
        ("?from=yesterday", "?from"),
        ("?interval=week", "?interval"),
        ("?limit=5", "?limit"),
    ] {
        let refused = world
            .get(&owner.path(&format!("/ledger{query}")), &owner.token)
            .await;
        assert_eq!(
            refused.problem(422, "invalid_field")["errors"][0]["pointer"],
            pointer,
            "{query}"
        );
    }
    let stranger = world.owner("eve@example.com", "UTC").await;
    for path in ["/ledger", "/rejections"] {
        world
            .get(&owner.path(path), &stranger.token)
            .await
            .problem(404, "not_found");
        world
            .get(&owner.path(path), "")
            .await
            .problem(401, "unauthenticated");
    }
    world.close().await;
}

#[tokio::test]
async fn gaps_in_a_clients_numbers_are_estimated_and_a_resent_batch_leaves_none() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    let batch = |first: u32, n: u32| {
        let event = |n: u32| json!({"event": "view", "device_id": "d", "properties": {"n": n}});
        json!({"sequence": first, "request_id": format!("r{first}"),
            "context": {"library": {"name": "footfall-js", "version": "0.1.0"}},
            "batch": (first..first + n).map(event).collect::<Vec<_>>()})
    };
    let missing = async || {
        world.deliver().await;
        let ledger = ledger(&world, &owner, "").await;
        assert_eq!(
            ledger["sources"][0]["missing_estimate"],
            ledger["totals"]["missing_estimate"]
        );
        ledger["totals"]["missing_estimate"].as_u64().unwrap()
    };
    let agent = "Mozilla/5.0 (X11)";
    send(&world, &owner, agent, batch(0, 3)).await.expect(200);
    send(&world, &owner, agent, batch(7, 2)).await.expect(200);
    assert_eq!(missing().await, 4);
    send(&world, &owner, agent, batch(7, 2)).await.expect(200);
    assert_eq!(missing().await, 4, "sent again");
    // They come late, and one of them is rejected: it arrived all the same.
    let mut late = batch(3, 3);
    late["batch"][1] = json!({"device_id": "d"});
    send(&world, &owner, agent, late).await.expect(200);
    assert_eq!(missing().await, 1);
    let last = json!({"sequence": 6, "context": {"library": {"name": "footfall-js", "version": "0.1.0"}},
        "batch": [{"device_id": "d"}]});
    send(&world, &owner, agent, last)
        .await
        .problem(422, "invalid_events");
    assert_eq!(missing().await, 0, "refused whole, and yet it arrived");
    world.close().await;
}

#[tokio::test]
async fn a_late_event_lands_in_its_own_day_and_answers_say_so() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "Europe/Berlin").await;
    let question = "/trends?event=view&from=2026-11-16&to=2026-11-24";
    let points = async || {
        let answer = world.get(&owner.path(question), &owner.secret).await.expect(200);
        let series = answer["data"]["series"][0]["points"].as_array().unwrap().clone();
        let counts: Vec<u64> = series
            .iter()
            .map(|point| point["count"].as_u64().unwrap())
            .collect();
        let late = answer["meta"]["warnings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|w| w["code"] == "late_events")
            .cloned();
        (counts, late.map(|warning| warning["count"].as_u64().unwrap()))
    };
    let at = |timestamp: &str| json!({"event": "view", "device_id": "d", "timestamp": timestamp});
    world
        .store(
            &owner.write,
            json!([at("2026-11-23T10:00:00Z"), at("2026-11-22T10:15:00Z")]),
        )
        .await;
    world.settle(NOW).await;
    assert_eq!(points().await, (vec![0, 0, 0, 0, 0, 0, 1, 1], None));
    // 24 hours and a second, and five days; by then their days are compacted.
    world
        .store(
            &owner.write,
            json!([at("2026-11-22T10:14:59Z"), at("2026-11-18T09:00:00Z")]),
        )
        .await;
    assert_eq!(points().await, (vec![0, 0, 1, 0, 0, 0, 2, 1], Some(2)));
    world.settle(NOW).await;
    assert_eq!(points().await, (vec![0, 0, 1, 0, 0, 0, 2, 1], Some(2)));
    let active = world
        .get(
            &owner.path("/active-users?from=2026-11-18&to=2026-11-19"),
            &owner.secret,
        )
        .await
        .expect(200);
    assert_eq!(active["meta"]["warnings"][0]["count"], 1, "{active}");
    let recent = world
        .get(&owner.path("/trends?event=view&from=2026-11-23"), &owner.secret)
        .await
        .expect(200);
    assert_eq!(recent["meta"]["warnings"], json!([]));

    // A clock that is an hour slow, and a time that is too far back.
    let skewed = json!({"sent_at": NOW - 3_600_000, "batch": [
        {"event": "view", "device_id": "d", "timestamp": NOW - 3_600_000}]});
    send(&world, &owner, "curl/8.5.0", skewed).await.expect(200);
    world
        .store(&owner.write, json!([at("2024-01-01T00:00:00Z")]))
        .await;
    let totals = ledger(&world, &owner, "").await["totals"].clone();
    let noted = ["late", "clock_corrected", "time_clamped"].map(|name| totals[name].as_u64().unwrap());
    assert_eq!(noted, [3, 1, 1]);
    world.close().await;
}

#[tokio::test]
async fn a_process_that_stops_writes_its_last_notes() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    send(&world, &owner, "curl/8.5.0", json!({"device_id": "d"}))
        .await
        .problem(422, "invalid_events");
    let stop = tokio_util::sync::CancellationToken::new();
    stop.cancel();
    let rooms = &world.rooms;
    rooms
        .notes
        .run(rooms.stream.clone(), rooms.clock.clone(), stop)
        .await;
    let mut waiting = 0;
    for shard in 0..rooms.stream.shards() {
        waiting += rooms
            .stream
            .read_range(shard, "0-0", None, 10, 1 << 20)
            .await
            .unwrap()
            .len();
    }
    assert_eq!(waiting, 1);
    world.close().await;
}
