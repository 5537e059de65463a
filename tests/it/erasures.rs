//! Erasing a person, a range of time, a project: every answer is afterwards that of the events that are left, and
//! what was erased does not come back.

use footfall::event::actor_of;
use footfall::meta::ErasureState;
use footfall::metrics::identity::{Edge, Fact, Salt};
use footfall::metrics::oracle::People;
use footfall::stream::removal::Removal;
use serde_json::{Value, json};

use crate::consistency::compare;
use crate::harness::{NOW, Tenant, World, check};
use crate::random::{Drawn, TRANSITIONS, now, questions};
use crate::twin::twin;

const ALL_STATES: [ErasureState; 5] = [
    ErasureState::Requested,
    ErasureState::Waiting,
    ErasureState::Removing,
    ErasureState::Rebuilding,
    ErasureState::Verifying,
];

/// A world of random events around a clock change, at its owner's hands.
async fn drawn(rng: &mut fastrand::Rng, turn: usize) -> (World, Tenant, Drawn, Vec<Vec<u8>>) {
    let (zone, at) = TRANSITIONS[turn % TRANSITIONS.len()];
    let world = World::new().await;
    let mut owner = world.owner("ada@example.com", zone).await;
    let drawn = Drawn::new(rng, crate::consistency::ms(at), owner.number, &owner.zone);
    let bodies = drawn.bodies(rng);
    world.at(now(rng, std::slice::from_ref(&drawn)));
    world.sign_in(&mut owner, "ada@example.com").await;
    for body in &bodies {
        world.post(&owner.write, body.clone()).await.expect(200);
        if rng.u8(0..3) == 0 {
            world.deliver_in(rng.u64(1..20)).await;
            world.roll(world.rooms.clock.now_ms()).await;
        }
    }
    (world, owner, drawn, bodies)
}

async fn answers_are_those_of(
    world: &World,
    owner: &Tenant,
    (left, markers, salt): (&Drawn, &[Fact], &Salt),
    rng: &mut fastrand::Rng,
    when: &str,
) {
    world.count_anew().await;
    let people = People::told(&left.events, markers, salt);
    let now = world.rooms.clock.now_ms();
    let asked: Vec<(Value, Value)> = questions(rng, left, &owner.zone)
        .into_iter()
        .map(|question| {
            let report = twin(&question, &owner.zone, now, &people);
            (question, report)
        })
        .collect();
    compare(world, owner, left, &asked, when).await;
}

/// The same, and what is known of its ids whatever goes.
fn with_pairs(drawn: Drawn, known: &mut Vec<Fact>) -> Drawn {
    known.extend(drawn.events.iter().filter_map(Edge::of).map(Fact::Seen));
    drawn
}

/// Two people with what they did before they said who they are.
fn without_p1_and_p2(drawn: Drawn, markers: &mut Vec<Fact>, salt: &Salt) -> Drawn {
    *markers = crate::identity::erasure::markers(&drawn.events, &["p1", "p2"], salt);
    let persons = ["p1", "p2"].map(actor_of);
    let events = drawn.events.clone();
    let people = People::from(&events);
    drawn.without(|event| persons.contains(&people.person(event)))
}

#[tokio::test]
async fn after_an_erasure_every_answer_is_that_of_the_events_that_are_left() {
    let mut rng = fastrand::Rng::with_seed(31);
    for turn in 0..TRANSITIONS.len() {
        let (world, owner, drawn, bodies) = drawn(&mut rng, turn).await;
        let secret = world.rooms.meta.salt_of(owner.number).await.expect("a salt");
        let (salt, mut markers) = (Salt::new(&secret, owner.number), Vec::new());
        let (from, to) = (drawn.moments[0] - 5_000, drawn.moments[0] + 6_000);
        let moment = crate::random::instant;
        let (what, left) = match turn % 3 {
            0 => (
                json!({"kind": "person", "distinct_ids": ["p1", "p2", "nobody"]}),
                without_p1_and_p2(drawn, &mut markers, &salt),
            ),
            1 => (
                json!({"kind": "range", "from": moment(from), "to": moment(to)}),
                // Who is who is no event of that time.
                with_pairs(drawn, &mut markers).without(|event| (from..to).contains(&event.ts)),
            ),
            _ => (json!({"kind": "project"}), drawn.without(|_| true)),
        };
        let when = format!("turn {turn}, {what}");
        // Some of it is still on its way.
        let address = world.request_erasure(&owner, what).await;
        assert_eq!(world.erase().await, ALL_STATES, "{when}");
        answers_are_those_of(&world, &owner, (&left, &markers, &salt), &mut rng, &when).await;

        let done = world.get(&address, &owner.token).await.expect(200);
        assert_eq!(done["state"], "done", "{done}");
        let zero = json!({"events": 0, "actor_days": 0, "profiles": 0, "dead_letters": 0, "rejected_samples": 0, "id_pairs": 0});
        assert_eq!(done["counts"]["after"], zero, "{done}");
        assert_eq!(done["certificate"]["counts_after"], zero, "{done}");
        assert_eq!(done["certificate"]["counts_before"], done["counts"]["before"]);

        // Sent again, as after a lost answer or from an old file: nothing of it comes back.
        for body in &bodies {
            let reply = world.post(&owner.write, body.clone()).await;
            assert!([200, 422].contains(&reply.status), "{}", reply.text());
        }
        world.deliver().await;
        answers_are_those_of(
            &world,
            &owner,
            (&left, &markers, &salt),
            &mut rng,
            &format!("{when}, sent again"),
        )
        .await;
        world.settle(world.rooms.clock.now_ms()).await;
        answers_are_those_of(
            &world,
            &owner,
            (&left, &markers, &salt),
            &mut rng,
            &format!("{when}, compacted"),
        )
        .await;
        world.close().await;
    }
}

fn click(person: &str, id: u128, at: i64) -> Value {
    json!({"event": "click", "id": uuid::Uuid::from_u128(id), "distinct_id": person, "timestamp": at})
}

#[tokio::test]
async fn a_person_who_comes_back_is_somebody_new() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    let old = json!([
        click("ada", 1, NOW - 90_000_000),
        click("ada", 2, NOW),
        click("eve", 3, NOW)
    ]);
    world.store(&owner.write, old.clone()).await;
    let erase = json!({"kind": "person", "distinct_ids": ["ada"]});
    let address = world.request_erasure(&owner, erase).await;
    // Refused from the first moment on, by an endpoint that had not heard of it either.
    let again = json!([click("ada", 5, NOW - 1), click("eve", 6, NOW)]);
    world.erase().await;
    let reply = world.post(&owner.write, again.to_string()).await.expect(200);
    assert_eq!((&reply["accepted"], &reply["rejected"]), (&json!(1), &json!(1)));
    assert_eq!(reply["results"][0]["code"], "erased", "{reply}");
    let refused = world
        .post(&owner.write, json!([click("ada", 7, NOW)]).to_string())
        .await;
    let refused = refused.problem(422, "invalid_events");
    assert_eq!(refused["errors"][0]["code"], "erased");

    world.at(NOW + 1_000);
    let new = json!([click("ada", 8, NOW + 500), click("ada", 9, NOW)]);
    let reply = world.post(&owner.write, new.to_string()).await.expect(200);
    assert_eq!(reply["accepted"], 1, "{reply}");
    world.deliver().await;
    assert_eq!(world.rows().await, 3, "two of eve's, a new one of ada's");

    let done = world.get(&address, &owner.token).await.expect(200);
    let before = json!({"events": 2, "actor_days": 2, "profiles": 1, "dead_letters": 0, "rejected_samples": 0, "id_pairs": 0});
    assert_eq!(done["counts"]["before"], before, "{done}");
    assert_eq!(
        (&done["persons"], &done["requested_by"]),
        (&json!(1), &json!("ada@example.com"))
    );
    assert!(!done.to_string().contains("\"ada\""), "no id in clear: {done}");
    let listed = world
        .get(&owner.path("/erasures"), &owner.token)
        .await
        .expect(200);
    assert_eq!(listed["data"], json!([done]));
    world.close().await;
}

#[tokio::test]
async fn a_request_that_comes_again_after_one_of_its_persons_was_erased_stores_the_others_once() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    // Without ids of their own, so that only the request's id tells that they came before.
    let click = |person: &str| json!({"event": "click", "distinct_id": person, "timestamp": NOW});
    let body = json!({"request_id": "r", "batch": [click("ada"), click("eve"), click("bob"), click("ada")]});
    let reply = world.post(&owner.write, body.to_string()).await.expect(200);
    assert_eq!(reply["accepted"], 4, "{reply}");
    world.deliver().await;
    world
        .request_erasure(&owner, json!({"kind": "person", "distinct_ids": ["ada"]}))
        .await;
    world.erase().await;
    // The endpoint hears of it.
    let refused = world.post(&owner.write, json!([click("ada")]).to_string()).await;
    refused.problem(422, "invalid_events");
    let reply = world.post(&owner.write, body.to_string()).await.expect(200);
    assert_eq!(
        (&reply["accepted"], &reply["duplicates"], &reply["rejected"]),
        (&json!(0), &json!(2), &json!(2)),
        "{reply}"
    );
    world.deliver().await;
    assert_eq!(world.rows().await, 2, "eve's and bob's");
    world.close().await;
}

#[tokio::test]
async fn what_an_endpoint_judged_before_it_heard_of_the_erasure_is_judged_again() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    world.store(&owner.write, json!([click("ada", 1, NOW)])).await;
    world
        .request_erasure(&owner, json!({"kind": "person", "distinct_ids": ["ada"]}))
        .await;
    // The endpoint's tombstones are a second old: it takes this one. It is in flight when the gate closes.
    world
        .send(
            &owner.write,
            json!([click("ada", 2, NOW - 1), click("eve", 3, NOW)]),
        )
        .await;
    assert_eq!(
        world.remover().await.step_all(NOW).await.unwrap(),
        1,
        "the gate is raised"
    );
    assert_eq!(
        world.remover().await.step_all(NOW).await.unwrap(),
        0,
        "a batch is on its way"
    );
    // From now on the stream itself refuses what was judged by older tombstones.
    let late = json!([click("ada", 4, NOW - 2), click("eve", 5, NOW)]);
    let reply = world.post(&owner.write, late.to_string()).await.expect(200);
    assert_eq!(
        (&reply["accepted"], &reply["rejected"]),
        (&json!(1), &json!(1)),
        "{reply}"
    );
    world.erase().await;
    assert_eq!(world.rows().await, 2, "eve's");
    world.close().await;
}

#[tokio::test]
async fn a_deleted_project_leaves_nothing_but_its_certificate() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "Europe/Berlin").await;
    let other = world.project(&owner, "Other", "UTC").await;
    world
        .store(
            &owner.write,
            json!([click("ada", 1, NOW), click("eve", 2, NOW - 3_000_000_000)]),
        )
        .await;
    world.store(&other.write, json!([click("ada", 1, NOW)])).await;
    world.settle(NOW).await;
    let delete = format!("/v1/projects/{}?confirm=Web%20shop", owner.project);
    world
        .ask("DELETE", &delete, &owner.token, Value::Null)
        .await
        .expect(204);
    assert_eq!(world.erase().await, ALL_STATES);
    let listed = world
        .get(&owner.path("/erasures"), &owner.token)
        .await
        .expect(200);
    assert_eq!(listed["data"][0]["state"], "done", "{listed}");
    assert_eq!(listed["data"][0]["certificate"]["counts_before"]["events"], 2);
    world
        .get(&owner.path("/erasures"), &owner.secret)
        .await
        .problem(401, "unauthenticated");
    assert_eq!(world.rows().await, 1, "the other project's");
    let counted = world
        .rooms
        .store
        .counts(owner.number, None, 0, 4_000_000_000)
        .await
        .unwrap();
    assert_eq!(counted.rows, []);
    world.close().await;
}

#[tokio::test]
async fn owners_erase_and_nobody_else() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    let stranger = {
        world.at(NOW + 1);
        world.owner("mallory@example.com", "UTC").await
    };
    let member = json!({"email": "grace@example.com", "role": "admin", "name": "Grace",
        "password": "correct horse battery"});
    let members = format!("/v1/organizations/{}/members", owner.organization);
    world
        .ask("POST", &members, &owner.token, member)
        .await
        .expect(201);
    let mut admin = owner.clone();
    world.sign_in(&mut admin, "grace@example.com").await;
    let body = json!({"kind": "person", "distinct_ids": ["ada"]});
    let path = owner.path("/erasures");
    let ask = async |token: &str| world.ask("POST", &path, token, body.clone()).await;
    ask(&admin.token).await.problem(403, "forbidden");
    ask(&owner.secret).await.problem(403, "forbidden");
    ask(&stranger.token).await.problem(404, "not_found");
    world.get(&path, &stranger.token).await.problem(404, "not_found");
    // Who asked for what, and the certificates, are for those who manage the project.
    world.get(&path, &admin.token).await.expect(200);
    world.get(&path, &owner.secret).await.problem(403, "forbidden");
    for (body, pointer, code) in [
        (
            json!({"kind": "person", "distinct_ids": [""]}),
            "/distinct_ids/0",
            "wrong_length",
        ),
        (
            json!({"kind": "range", "from": "2026-11-01"}),
            "/to",
            "missing_field",
        ),
        (json!({"kind": "cookies"}), "/kind", "unknown_value"),
    ] {
        let reply = world.ask("POST", &path, &owner.token, body).await;
        check(reply, (422, "invalid_field", pointer, code), "a request");
    }
    let first = ask(&owner.token).await.expect(202);
    let again = ask(&owner.token).await.expect(202);
    assert_eq!(first["id"], again["id"], "asked twice before anything was done");
    world.erase().await;
    world.close().await;
}

#[tokio::test]
async fn what_a_frozen_worker_handed_over_once_more_is_forgotten() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    world.store(&owner.write, json!([click("ada", 1, NOW)])).await;
    world
        .request_erasure(&owner, json!({"kind": "person", "distinct_ids": ["ada"]}))
        .await;
    let listed = world.rooms.meta.open_erasures(1).await.unwrap().remove(0);
    world.erase().await;
    let removal = Removal {
        id: listed.id,
        subject: listed.subject,
    };
    world.rooms.stream.hand_over(0, &removal).await.unwrap();
    let remover = world.remover().await;
    world.deliver().await;
    assert_eq!(world.rooms.stream.carried_out(0).await.unwrap(), [listed.id]);
    remover.forget_ended().await.unwrap();
    assert!(world.rooms.stream.removing().await.unwrap().is_empty());
    world.close().await;
}

#[tokio::test]
async fn malformed_events_of_an_erased_person_are_not_kept_as_samples() {
    let world = World::new().await;
    let owner = world.owner("ada@example.com", "UTC").await;
    let erase = json!({"kind": "person", "distinct_ids": ["ada", "4242424242"]});
    world.request_erasure(&owner, erase).await;
    world.erase().await;
    // The stream tells the endpoint of the tombstones.
    world.store(&owner.write, json!([click("eve", 1, NOW)])).await;
    let malformed = json!([
        {"event": "click", "distinct_id": "ada", "timestamp": "soon"},
        {"distinct_id": "eve", "device_id": 4242424242_u64},
        {"event": "click", "distinct_id": "eve", "timestamp": "soon"},
    ]);
    let reply = world.post(&owner.write, malformed.to_string()).await;
    reply.problem(422, "invalid_events");
    world.deliver().await;
    let kept = world
        .get(&owner.path("/rejections"), &owner.token)
        .await
        .expect(200)
        .to_string();
    assert!(
        kept.contains("eve") && !kept.contains("\\\"ada") && !kept.contains("4242424242"),
        "{kept}"
    );
    world.close().await;
}
