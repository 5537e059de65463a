//! What servers say: a merge, an unmerge, and what both were to change.

use footfall::event::Event;
use footfall::metrics::identity::{Fact, Salt, Verdict};
use footfall::metrics::oracle::People;
use serde_json::{Value, json};

use super::{answers_are_the_twins, named, ruling, say};
use crate::harness::{Tenant, World};
use crate::random::{Drawn, TRANSITIONS, now, questions};

/// Pairs of the random people's ids: users, a device and its user, a device and somebody else, a shared one.
const PAIRS: [(&str, &str); 5] = [
    ("p0", "p1"),
    ("@p0-phone", "p0"),
    ("@p1-phone", "p2"),
    ("@tablet", "p1"),
    ("@p3", "p0"),
];

/// Random events of a project, delivered, and what is asked about them.
async fn world(seed: u64, turn: usize) -> (World, Tenant, Drawn, Vec<Value>) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let (zone, at) = TRANSITIONS[turn % TRANSITIONS.len()];
    let world = World::new().await;
    let owner = world.owner("ada@example.com", zone).await;
    let drawn = Drawn::new(&mut rng, crate::consistency::ms(at), owner.number, &owner.zone);
    world.at(now(&mut rng, std::slice::from_ref(&drawn)));
    for body in drawn.bodies(&mut rng) {
        world.post(&owner.write, body).await.expect(200);
        world.deliver().await;
    }
    world.count_anew().await;
    let asked = questions(&mut rng, &drawn, &owner.zone);
    (world, owner, drawn, asked)
}

#[tokio::test]
async fn a_merge_is_in_every_answer_and_an_unmerge_restores_every_number() {
    for (turn, (one, other)) in PAIRS.into_iter().enumerate() {
        let (world, owner, drawn, asked) = world(700 + turn as u64, turn).await;
        let answers = async |said: &[Fact], when: &str| {
            let when = format!("{one} and {other}, {when}");
            answers_are_the_twins(&world, &owner, (&drawn.events, said), &asked, &when).await;
        };
        answers(&[], "before").await;
        // A device and its user are one already; what is tried is the contrary.
        let (first, second) = match one {
            "@p0-phone" => ("unmerge", "merge"),
            _ => ("merge", "unmerge"),
        };
        let mut said = Vec::new();
        for (n, what) in [first, second, first].into_iter().enumerate() {
            say(&world, &owner, what, one, other).await;
            said = told(&world, said, (one, other), n as i64, what);
            world.count_anew().await;
            answers(&said, &format!("said {what} ({n})")).await;
        }
        world.settle(world.rooms.clock.now_ms()).await;
        answers(&said, "compacted").await;
        world.close().await;
    }
}

/// What the twin is told of what was said. A device that was not seen with the user is from now on.
fn told(world: &World, mut said: Vec<Fact>, (one, other): (&str, &str), n: i64, what: &str) -> Vec<Fact> {
    let verdict = match what {
        "merge" => Verdict::Join,
        _ => Verdict::Part,
    };
    let now = world.rooms.clock.now_ms();
    if let (Some(device), Verdict::Join) = (one.strip_prefix('@'), verdict) {
        let edge = footfall::metrics::identity::Edge::new(device, other, now).expect("two ids");
        said.push(Fact::Seen(edge));
    }
    said.push(ruling(one, other, n, verdict));
    said
}

/// How many persons the events are of.
fn persons(events: &[Event], said: &[Fact]) -> i64 {
    let people = People::told(events, said, &Salt::new(&[], footfall::event::ProjectNumber(0)));
    people.by_person().len() as i64
}

#[tokio::test]
async fn a_preview_is_what_then_happens() {
    for (turn, (one, other)) in PAIRS.into_iter().enumerate() {
        let (world, owner, drawn, _) = world(800 + turn as u64, turn + 2).await;
        let mut said = Vec::new();
        for (n, what) in ["merge", "unmerge", "merge"].into_iter().enumerate() {
            let funnel = json!({"steps": [{"event": "A"}, {"event": "B"}], "window": "3d",
                "from": crate::random::instant(drawn.at - 40 * 86_400_000),
                "to": crate::random::instant(drawn.at + 8 * 86_400_000)});
            let preview = async || {
                let body = json!({"verdict": what, "from": named(one), "into": named(other), "days": 30,
                    "funnel": funnel});
                let path = owner.path("/persons/preview");
                world.ask("POST", &path, &owner.secret, body).await.expect(200)
            };
            let expected = preview().await;
            let before = persons(&drawn.events, &said);
            let happened = say(&world, &owner, what, one, other).await;
            said = told(&world, said, (one, other), n as i64, what);
            let about = format!("{what} {one} and {other}: {expected}");
            assert_eq!(happened, expected["persons"], "{about}");
            let count = |when: &str| expected[when]["persons"].as_i64().expect("persons");
            let difference = persons(&drawn.events, &said) - before;
            assert_eq!(count("after") - count("before"), difference, "{about}");
            // Tried once more, nothing is left to change, and the numbers are those that were told.
            let again = preview().await;
            assert_eq!(again["before"]["days"], expected["after"]["days"], "{about}");
            assert_eq!(again["before"]["funnel"], expected["after"]["funnel"], "{about}");
            assert_eq!(again["before"], again["after"], "{about}");
            assert_eq!(again["persons"], json!({"before": [], "after": []}), "{about}");
            let mut asked = funnel.clone();
            asked["kind"] = json!("funnel");
            answers_are_the_twins(&world, &owner, (&drawn.events, &said), &[asked], &about).await;
        }
        world.close().await;
    }
}
