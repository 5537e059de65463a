//! Sessions from memory: the same as events give to a process that remembers nothing, whatever happens between two
//! questions.

use footfall::event::Zone;
use serde_json::{Value, json};

use crate::happenings::Happenings;
use crate::harness::World;
use crate::random::{Drawn, TRANSITIONS};
use crate::serving::{ask, told};

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
        let asked = questions(&mut rng, &drawn, &owner.zone);
        let fresh = world.forgetful();
        let mut happenings = Happenings::new(&mut rng, &world, &mut owner, &drawn).await;
        let mut sessions = 0;
        for step in 0..60 {
            happenings.next(&mut rng, &world, &mut owner).await;
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
        happenings.end(world, &owner).await;
    }
}
