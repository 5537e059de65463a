//! Who is who, over HTTP: whatever order events arrive in, whatever servers say, every answer is that of the twin's
//! persons.

mod erasing;
pub mod erasure;
mod orders;
mod refusals;
mod rulings;

use footfall::event::{Event, ProjectNumber};
use footfall::metrics::identity::{Fact, Id, Pair, Ruling, Salt, Verdict};
use footfall::metrics::oracle::People;
use serde_json::{Value, json};

use crate::harness::{Tenant, World};
use crate::twin::twin;

/// An id of an API call: `@phone` is a device, `ann` a user.
fn named(id: &str) -> Value {
    match id.strip_prefix('@') {
        Some(device) => json!({"device": device}),
        None => json!({"user": id}),
    }
}

/// What a server says, as the twin knows it; the `n`th thing that it says.
fn ruling(one: &str, other: &str, n: i64, verdict: Verdict) -> Fact {
    let id = |text: &str| Id::read(text.trim_start_matches('@')).expect("somebody's id");
    let pair = match (one.starts_with('@'), other.starts_with('@')) {
        (true, _) => Pair::Device {
            device: id(one),
            user: id(other),
        },
        (_, true) => Pair::Device {
            device: id(other),
            user: id(one),
        },
        _ => Pair::users(id(one), id(other)),
    };
    Fact::Ruled(Ruling { pair, at: n, verdict })
}

/// Says that two ids are one person (`merge`) or not (`unmerge`).
async fn say(world: &World, of: &Tenant, what: &str, one: &str, other: &str) -> Value {
    let path = of.path(&format!("/persons/{what}"));
    let body = json!({"from": named(one), "into": named(other)});
    world.ask("POST", &path, &of.secret, body).await.expect(200)
}

/// Every question is answered as the twin does, after what servers said.
async fn answers_are_the_twins(
    world: &World,
    of: &Tenant,
    (events, said): (&[Event], &[Fact]),
    asked: &[Value],
    when: &str,
) {
    // Nobody was erased, so nothing is salted.
    let nothing = Salt::new(&[], ProjectNumber(0));
    answers_with_salt(world, of, (events, (said, &nothing)), asked, when).await;
}

/// The same after somebody was erased.
async fn answers_with_salt(
    world: &World,
    of: &Tenant,
    (events, (said, salt)): (&[Event], (&[Fact], &Salt)),
    asked: &[Value],
    when: &str,
) {
    let people = People::told(events, said, salt);
    for question in asked {
        let expected = twin(question, &of.zone, world.rooms.clock.now_ms(), &people);
        let path = of.path("/query");
        let reply = world.ask("POST", &path, &of.secret, question.clone()).await;
        assert_eq!(reply.expect(200)["data"], expected, "{when}: {question}");
    }
}
