//! Sessions from memory: the same as events give to a process that remembers nothing, whatever happens between two
//! questions.

use footfall::event::Zone;
use serde_json::{Value, json};

use crate::harness::World;
use crate::random::{Drawn, TRANSITIONS};
use crate::serving::{ask, told};

const MINUTE: i64 = 60_000;

/// Open ranges and closed ones, wide and narrow ones in turn, so that memory serves some and begins anew for others.
fn questions(rng: &mut fastrand::Rng, drawn: &Drawn, zone: &Zone) -> Vec<Value> {
    let day = |n: i32| zone.local_day(drawn.at).plus(n).to_string();
    let path = *rng.choice(&crate::random_paths::PAGES).expect("one");
    vec![
        json!({"kind": "web", "from": day(-38), "to": day(60)}),
        json!({"kind": "web", "from": day(0), "to": day(60), "interval": "hour", "compare": "previous"}),
        json!({"kind": "web", "from": day(-1), "to": day(3), "tables": ["page", "exit_page", "host"]}),
        json!({"kind": "web", "from": day(-3), "to": day(60), "only": [{"by": "entry_page", "values": [path, null]}]}),
        json!({"kind": "sessions", "from": day(-36), "to": day(2), "interval": "week", "breakdown": "exit_page"}),
        json!({"kind": "sessions", "from": day(-2), "to": day(60), "with_page_view": true, "list": {"limit": 100}}),
        json!({"kind": "sessions", "from": day(-2), "to": day(60), "filter": {"property": "p", "op": "is_set"}}),
    ]
}

#[tokio::test]
async fn remembered_sessions_are_what_events_give() {
    for seed in 0..3 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let world = World::new().await;
        let (zone, at) = TRANSITIONS[rng.usize(0..TRANSITIONS.len())];
        let mut owner = world.owner("ada@example.com", zone).await;
        let mut drawn = Drawn::new(&mut rng, crate::consistency::ms(at), owner.number, &owner.zone);
        for event in drawn.events.iter_mut().filter(|event| event.event == "A") {
            event.event = "page_view".to_owned();
        }
        let mut bodies = drawn.bodies(&mut rng);
        let asked = questions(&mut rng, &drawn, &owner.zone);
        let fresh = world.forgetful();
        let last = drawn.events.iter().map(|event| event.ts).max().expect("events");
        world.at(last + MINUTE);
        world.sign_in(&mut owner, "ada@example.com").await;
        let (mut erasing, mut sessions) = (false, 0);
        for step in 0..60 {
            match rng.u8(0..12) {
                0..=2 => {
                    if let Some(body) = bodies.pop() {
                        world.post(&owner.write, body).await.expect(200);
                    }
                }
                3 | 4 => drop(world.deliver_in(rng.u64(1..40)).await),
                5 => {
                    let said = *rng.choice(&["merge", "unmerge"]).expect("one");
                    let pair =
                        json!({"from": {"user": "p0"}, "into": {"user": format!("p{}", rng.u8(1..3))}});
                    let path = owner.path(&format!("/persons/{said}"));
                    world.ask("POST", &path, &owner.secret, pair).await.expect(200);
                }
                6 => world.at(world.rooms.clock.now_ms() + rng.i64(1..MINUTE * 20)),
                7 => world.at(world.rooms.clock.now_ms() + rng.i64(1..36) * 60 * MINUTE),
                8 if !erasing && step > 20 => {
                    world.sign_in(&mut owner, "ada@example.com").await;
                    let what = json!({"kind": "person", "distinct_ids": [format!("p{}", rng.u8(0..4))]});
                    world.request_erasure(&owner, what).await;
                    erasing = true;
                }
                8 | 9 if erasing => {
                    let remover = world.remover().await;
                    let moved = remover.step_all(world.rooms.clock.now_ms()).await;
                    moved.expect("a step");
                }
                _ => {}
            }
            for _ in 0..3 {
                let question = &asked[rng.usize(0..asked.len())];
                let events_give = told(ask(&fresh, &owner, question).await);
                let path = owner.path("/query");
                let reply = world.ask("POST", &path, &owner.secret, question.clone()).await;
                let remembered = told(reply.expect(200));
                assert_eq!(remembered, events_give, "seed {seed}, step {step}: {question}");
                sessions += remembered["data"]["total"]["sessions"]
                    .as_u64()
                    .expect("sessions");
            }
        }
        assert!(sessions > 100, "{sessions} sessions in 180 answers");
        for body in bodies {
            world.post(&owner.write, body).await.expect(200);
        }
        world.deliver().await;
        world.erase().await;
        world.settle(i64::MAX).await;
        world.close().await;
    }
}
