//! What may not be said, and what was said as a list.

use serde_json::{Value, json};

use super::{named, say};
use crate::harness::{NOW, World};

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_words() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    let events = json!([{"event": "A", "device_id": "phone", "user_id": "ann"}]);
    world.store(&owner.write, events).await;
    let cases = [
        ("@phone", "@tablet", "/into", "two_devices"),
        ("ann", "ann", "/into", "same_id"),
        ("ann", "guest", "/into/user", "nobody"),
        ("@ NULL ", "ann", "/from/device", "nobody"),
        ("ann", "phone", "/into", "is_device"),
        ("@ann", "bob", "/from/device", "is_user"),
    ];
    for (one, other, pointer, code) in cases {
        for (path, more) in [("merge", json!({})), ("preview", json!({"verdict": "merge"}))] {
            let mut body = json!({"from": named(one), "into": named(other)});
            body.as_object_mut()
                .expect("a body")
                .extend(more.as_object().expect("more").clone());
            let path = owner.path(&format!("/persons/{path}"));
            let refused = world.ask("POST", &path, &owner.secret, body).await;
            let refused = refused.problem(422, "invalid_field");
            let told = (&refused["errors"][0]["pointer"], &refused["errors"][0]["code"]);
            assert_eq!(told, (&json!(pointer), &json!(code)), "{one} {other}: {refused}");
        }
    }
    let body = json!({"from": named("ann"), "into": named("bob")});
    let path = owner.path("/persons/merge");
    world
        .ask("POST", &path, &owner.write, body.clone())
        .await
        .problem(403, "forbidden");
    let stranger = world.project(&owner, "Other shop", "UTC").await;
    world
        .ask("POST", &path, &stranger.secret, body)
        .await
        .problem(404, "not_found");
    world.close().await;
}

#[tokio::test]
async fn a_person_has_at_most_500_devices() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    for user in ["ann", "bob"] {
        let events: Vec<Value> = (0..251)
            .map(|n| json!({"event": "A", "device_id": format!("{user}-{n}"), "user_id": user, "timestamp": NOW - n}))
            .collect();
        world.store(&owner.write, json!(events)).await;
    }
    let body = json!({"from": named("ann"), "into": named("bob")});
    let path = owner.path("/persons/merge");
    let refused = world.ask("POST", &path, &owner.secret, body).await;
    let refused = refused.problem(409, "too_many_devices");
    let detail = "the person would have 502 devices; at most 500 are joined";
    assert_eq!(refused["detail"], detail);
    world.close().await;
}

#[tokio::test]
async fn what_was_said_is_listed_the_latest_first_with_who_said_it() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    say(&world, &owner, "merge", "ann", "bob").await;
    say(&world, &owner, "unmerge", "ann", "bob").await;
    let body = json!({"from": named("@phone"), "into": named("ann")});
    let path = owner.path("/persons/merge");
    world.ask("POST", &path, &owner.token, body).await.expect(200);

    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = owner.path(&format!("/persons/rulings?limit=1{cursor}"));
        let page = world.get(&path, &owner.secret).await.expect(200);
        listed.extend(page["data"].as_array().expect("rulings").clone());
        let Some(next) = page["next_cursor"].as_str() else {
            assert_eq!(page["has_more"], false);
            break;
        };
        cursor = format!("&cursor={next}");
    }
    let mut told: Vec<(&str, &Value, &Value)> = listed
        .iter()
        .map(|one| {
            (
                one["verdict"].as_str().expect("a verdict"),
                &one["device"],
                &one["users"],
            )
        })
        .collect();
    assert_eq!(
        told[0],
        ("unmerge", &Value::Null, &json!(["ann", "bob"])),
        "{listed:?}"
    );
    told.sort_by_key(|one| one.0);
    assert_eq!(
        told[..2].iter().filter(|one| one.1 == "phone").count(),
        1,
        "{listed:?}"
    );
    let by = |device: bool| {
        let found = listed.iter().find(|one| one["device"].is_string() == device);
        found.and_then(|one| one["by"].as_str()).expect("somebody")
    };
    assert_eq!(by(true), "ada@example.com");
    assert!(by(false).starts_with("key "), "{listed:?}");

    let path = owner.path("/persons/rulings?distinct_id=bob");
    let of_bob = world.get(&path, &owner.secret).await.expect(200);
    assert_eq!(of_bob["data"].as_array().map(Vec::len), Some(2));
    world.close().await;
}
